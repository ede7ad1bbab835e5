//! Routes: clients go where their TLS hello leads, with every byte of it.

use std::time::Duration;

use pen_test::{
    Client, End, Farm, Pen, PenBuilder, Sig, TestServer, acts, deadline, plain_only, scaled, until,
};

fn vec16(contents: &[u8]) -> Vec<u8> {
    let length = u16::try_from(contents.len()).expect("it fits").to_be_bytes();
    [&length[..], contents].concat()
}

fn extension(kind: u16, contents: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &vec16(contents)].concat()
}

/// A ClientHello for `name` with these protocols; padded to 64 KiB if wanted, in records of `record`
/// bytes.
fn hello_of(name: &str, protocols: &[&str], full: bool, record: usize) -> Vec<u8> {
    let mut extensions = Vec::new();
    if !name.is_empty() {
        let entry = [&[0][..], &vec16(name.as_bytes())].concat();
        extensions.extend(extension(0, &vec16(&entry)));
    }
    let each = |p: &&str| [&[u8::try_from(p.len()).expect("short")][..], p.as_bytes()].concat();
    if !protocols.is_empty() {
        extensions
            .extend(extension(16, &vec16(&protocols.iter().flat_map(each).collect::<Vec<_>>())));
    }
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 1, 1, 0]);
    if full {
        let rest = 65_536 - 4 - body.len() - 2 - extensions.len() - 4;
        extensions.extend(extension(21, &vec![0; rest]));
    }
    body.extend(vec16(&extensions));
    let length = u32::try_from(body.len()).expect("it fits").to_be_bytes();
    let message = [&[1], &length[1..], &body].concat();
    message.chunks(record).flat_map(|c| [&[22, 3, 1], &vec16(c)[..]].concat()).collect()
}

fn hello(name: &str, protocols: &[&str]) -> Vec<u8> {
    hello_of(name, protocols, false, 16_384)
}

/// A pen whose service `default` has these routes, and a service per server of the farm.
fn pen(farm: &Farm, routes: &[&str], more: &str) -> PenBuilder {
    let routes: String = routes.iter().map(|r| format!("route {r}\n")).collect();
    let services: String = (0..farm.len())
        .map(|n| {
            let place = farm[n].place();
            format!("service s{n}\nserver 0 address 127.0.0.1 port {}\n", place.port())
        })
        .collect();
    Pen::bare().file(&format!("{routes}{services}{more}"))
}

/// Sends `bytes` in `pieces`; answers the name of the server, which must echo them all.
fn server_of(client: &Client, bytes: &[u8], piece: usize) -> Option<String> {
    client.set_nodelay();
    let sending = client.clone();
    std::thread::scope(|s| {
        s.spawn(move || bytes.chunks(piece).all(|p| sending.send(p).is_ok()));
        let line = client.read_line();
        let name = line.strip_suffix('\n')?.split_whitespace().next()?.to_owned();
        let echoed = client.read_exact(bytes.len()).expect("the server echoes");
        assert!(echoed == bytes, "other bytes arrived at {name}");
        Some(name)
    })
}

fn goes(pen: &Pen, bytes: &[u8]) -> Option<String> {
    server_of(&pen.client(), bytes, bytes.len())
}

/// Why the stage does not dress these clients.
const OWN_HELLO: &str = "clients say hellos of their own, which routes read undecrypted";

#[test]
fn clients_go_where_their_hello_leads() {
    if plain_only(OWN_HELLO) {
        return;
    }
    let farm = Farm::banners(5);
    let routes = [
        "sni www.example.org service s0",
        "sni *.example.org service s1",
        "alpn h2 service s2",
        "alpn acme-tls/1 service s3",
        "default service s4",
    ];
    let pen = pen(&farm, &routes, "").start();
    for (name, protocols, server) in [
        ("www.example.org", &[][..], "s0"),
        ("WWW.Example.ORG", &["h2"], "s0"),
        ("www.example.org.", &["h2"], "s0"),
        ("mail.example.org", &["h2"], "s1"),
        ("a.b.example.org", &[], "s1"),
        ("example.org", &["http/1.1", "h2"], "s2"),
        ("", &["acme-tls/1"], "s3"),
        ("", &["http/1.1"], "s4"),
        ("", &[], "s4"),
    ] {
        let sni = if name.is_empty() { String::new() } else { format!(" sni {name}") };
        let alpn = protocols.iter().map(|p| format!(" alpn {p}")).collect::<String>();
        let told = pen.ctl(&format!("explain 127.0.0.1{sni}{alpn}"));
        assert!(told.contains(&format!("\nservice {server}: ")), "{told}");
        assert_eq!(goes(&pen, &hello(name, protocols)).as_deref(), Some(server), "{name:?}");
    }
    let told = pen.ctl("explain 127.0.0.1");
    assert!(told.contains("\nservice default: route default leads to service s4\n"), "{told}");
    assert!(told.contains("\ndepends on what the client says first"), "{told}");
    assert_eq!(goes(&pen, b"GET / HTTP/1.1\r\n\r\n").as_deref(), Some("s4"), "no TLS");
    assert_eq!(goes(&pen, b"\x80\x2e\x01\x00\x02").as_deref(), Some("s4"), "SSL 2");
    let routes = pen.ctl("routes");
    assert!(routes.starts_with("sni www.example.org service s0 taken 3\n"), "{routes}");
    assert!(routes.ends_with("not_tls 2 no_route 0 hello_timeout 0 service_full 0\n"), "{routes}");
    assert!(pen.ctl("routes json").contains(r#""to_service":"s4","to_server":null,"taken":4}"#));
    assert_eq!(pen.ctl("service s0 routes"), "");
    assert!(pen.ctl("service s1 recent").contains("127.0.0.1 connects 2 "), "its own clients");
}

#[test]
fn hellos_in_crumbs_and_of_64_kib_arrive_whole() {
    if plain_only(OWN_HELLO) {
        return;
    }
    let farm = Farm::banners(2);
    for engine in ["auto", "splice"] {
        let more = format!("engine {engine}\n");
        let pen = pen(&farm, &["sni a.example service s1"], &more).start();
        for (full, record, piece) in [
            (false, 16_384, 1),
            (false, 1, 1),
            (false, 3, 2),
            (true, 16_384, 1_000),
            (true, 50, 70_000),
        ] {
            let bytes = hello_of("a.example", &["h2"], full, record);
            let bytes = [&bytes[..], b"what follows at once"].concat();
            let name = server_of(&pen.client(), &bytes, piece);
            assert_eq!(name.as_deref(), Some("s1"), "{full} {record} {piece}");
        }
        let (before, client) = (pen.vitals(), pen.client());
        client.send(&hello("a.example", &[])[..20]).expect("it accepts");
        until("the client to be seen", || pen.ctl("services").contains("default").then_some(()));
        assert!(
            pen_test::holds(scaled(Duration::from_millis(200)), || !client.has_ended()),
            "half a hello is no end"
        );
        assert!(pen.vitals().ticks - before.ticks <= 5, "waiting costs processor time");
    }
}

#[test]
fn without_a_route_clients_are_closed_and_counted() {
    if plain_only(OWN_HELLO) {
        return;
    }
    let farm = Farm::banners(1);
    let pen = pen(&farm, &["sni a.example service s0", "sni x.a.example close"], "").start();
    for (bytes, alert) in [
        (hello("b.example", &[]), true),
        (hello("x.a.example", &[]), true),
        (hello("", &["h2"]), true),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), false),
        (hello("a/../b", &[]), false),
        (hello_of("a.example", &[], true, 1), false),
    ] {
        let client = pen.client();
        // It may be closed before the last byte is there.
        drop(client.send(&bytes));
        let (said, end) = client.read_to_end();
        assert!(end != End::Silence);
        assert_eq!(said, if alert { &[21, 3, 3, 0, 2, 2, 112][..] } else { b"" });
    }
    let routes = pen.ctl("routes");
    assert!(routes.ends_with("not_tls 3 no_route 5 hello_timeout 0 service_full 0\n"), "{routes}");
    assert!(routes.contains("sni x.a.example close taken 1\n"), "{routes}");
    until("the log to say so", || {
        pen.stderr().contains("sent no TLS hello: not_tls").then_some(())
    });
    assert_eq!(farm[0].accepted(), 0);
    let gone = pen.client();
    gone.send(&hello("a.example", &[])[..9]).expect("it accepts");
    gone.finish();
    assert_eq!(gone.end(), End::Reset, "half a hello and its end");
}

#[test]
fn a_stalled_hello_is_reaped_while_others_are_served() {
    if plain_only(OWN_HELLO) {
        return;
    }
    let farm = Farm::banners(1);
    let pen = pen(&farm, &["sni a.example service s0"], "").start();
    let bytes = hello("a.example", &[]);
    let stalled: Vec<Client> = (0..20).map(|_| pen.client()).collect();
    for (n, client) in stalled.iter().enumerate() {
        client.send(&bytes[..n]).expect("it accepts");
        client.set_patience(deadline() * 3);
    }
    assert_eq!(goes(&pen, &bytes).as_deref(), Some("s0"));
    for client in &stalled {
        assert_eq!(client.end(), End::Reset);
        assert_eq!(goes(&pen, &bytes).as_deref(), Some("s0"));
    }
    let routes = pen.ctl("routes");
    assert!(routes.contains(" hello_timeout 20 "), "{routes}");
    assert!(pen.ctl("services").contains("default listen"), "it lives");
}

#[test]
fn conn_max_is_exact_on_both_sides_of_a_route() {
    if plain_only(OWN_HELLO) {
        return;
    }
    let farm = Farm::banners(1);
    let pen = pen(&farm, &["sni a.example service s0"], "conn_max 3\n").start();
    let bytes = hello("a.example", &[]);
    let clients: Vec<Client> = (0..12).map(|_| pen.client()).collect();
    for client in &clients {
        client.send(&bytes).expect("it accepts");
    }
    let conns = |service: &str, n: usize| {
        let ends = format!(" conn {n}");
        let services = pen.ctl("services");
        services.lines().any(|l| l.starts_with(service) && l.ends_with(&ends))
    };
    until("three to be there and nine to wait", || {
        (conns("s0", 3) && conns("default", 9)).then_some(())
    });
    let patience = scaled(Duration::from_millis(5));
    let mut waiting = clients;
    for served in 0..12 {
        assert!(!conns("s0", 4), "{served}");
        // The server may see the next client before it sees that the last has left.
        assert!(farm[0].peak() <= 4, "{served}");
        let found = until("one to be served", || {
            waiting.iter().position(|c| {
                c.set_patience(patience);
                c.read_exact(3).is_ok()
            })
        });
        drop(waiting.remove(found));
        until("the server to see both", || {
            let (came, there) = (12.min(served + 4), waiting.len().min(3));
            (farm[0].accepted() == came && farm[0].open_now() == there).then_some(())
        });
    }
    until("all to be gone", || (conns("s0", 0) && conns("default", 0)).then_some(()));
    assert_eq!(farm[0].accepted(), 12);
}

#[test]
fn a_burst_for_a_slow_service_loses_nobody() {
    if plain_only(OWN_HELLO) {
        return;
    }
    let farm = Farm::banners(1);
    let pen = pen(&farm, &["sni a.example service s0"], "pending_max 2\n").start();
    let bytes = hello("a.example", &[]);
    let clients: Vec<Client> = (0..200).map(|_| pen.client()).collect();
    for client in &clients {
        client.send(&bytes).expect("it accepts");
    }
    for client in &clients {
        assert_eq!(client.read_line(), "s0 127.0.0.1\n");
    }
}

#[test]
fn the_rules_of_the_other_service_apply() {
    if plain_only(OWN_HELLO) {
        return;
    }
    let farm = Farm::banners(2);
    let abuse = TestServer::start("abuse", acts::banner());
    let routes = ["sni a.example service s0", "sni b.example service s1"];
    let more = "acl 1 deny 127.0.0.5\nacl 1 permit 127.0.0.0/8\nclient_acl 1\n\
                route alpn h2 server 0\nroute default close\n";
    let pen = pen(&farm, &routes, more).start();
    let from = |source: &str, bytes: &[u8]| server_of(&pen.client_from(source), bytes, bytes.len());
    let (a, b) = (hello("a.example", &[]), hello("b.example", &["h2"]));
    assert_eq!(from("127.0.0.5", &a).as_deref(), Some("s0"));
    assert_eq!(from("127.0.0.5", &b), None, "denied there");
    assert_eq!(from("127.0.0.6", &b).as_deref(), Some("s1"), "through the routes there");
    assert_eq!(from("127.0.0.6", &hello("b.example", &[])), None, "closed by the routes there");
    pen.set(&format!("service s1 abuse {}", abuse.word()));
    assert_eq!(from("127.0.0.5", &b).as_deref(), Some("abuse"));
}

#[test]
fn a_route_to_a_server_leads_there_or_nowhere() {
    if plain_only(OWN_HELLO) {
        return;
    }
    let farm = Farm::banners(2);
    let dead = TestServer::refusing("dead");
    let pen = Pen::over(&farm)
        .servers([dead.word()])
        .file("route sni a.example server 1\nroute sni dead.example server 2\n")
        .start();
    for _ in 0..3 {
        assert_eq!(goes(&pen, &hello("a.example", &[])).as_deref(), Some("s1"));
    }
    assert_eq!(goes(&pen, &hello("dead.example", &[])), None);
    assert_eq!(farm[0].accepted(), 0);
    pen.set("no route");
    assert!(pen.ask("127.0.0.1").is_some(), "without routes nobody is asked");
}

#[test]
fn a_reload_moves_routes_and_services() {
    if plain_only(OWN_HELLO) {
        return;
    }
    let farm = Farm::banners(2);
    let pen = pen(&farm, &["sni a.example service s0"], "").start();
    let bytes = hello("a.example", &[]);
    let (early, late) = bytes.split_at(30);
    let open = pen.client();
    assert_eq!(server_of(&open, &bytes, bytes.len()).as_deref(), Some("s0"));
    let undecided = pen.client();
    undecided.send(early).expect("it accepts");
    let port = farm[1].place().port();
    let text = format!(
        "route sni a.example service new\nservice new\nserver 0 address 127.0.0.1 port {port}\n"
    );
    std::fs::write(pen.file(), format!("{text}no service s0\nno service s1\n")).expect("ours");
    pen.signal(Sig::Hup);
    until("the services to go", || (!pen.ctl("services").contains("s0 ")).then_some(()));
    undecided.send(late).expect("it accepts");
    assert_eq!(undecided.read_line(), "s1 127.0.0.1\n", "by the routes of the moment");
    assert_eq!(undecided.read_exact(bytes.len()).expect("every byte"), bytes);
    open.send("still there").expect("it lives");
    assert_eq!(open.read_exact(11).expect("it lives"), b"still there");
    let refused = pen.ctl("no service new");
    assert!(
        refused.contains("service default: route sni a.example service new: there is no"),
        "{refused}"
    );
    assert_eq!(goes(&pen, &bytes).as_deref(), Some("s1"), "nothing has changed");
}

#[test]
fn who_waits_for_a_service_that_goes_is_routed_anew() {
    if plain_only(OWN_HELLO) {
        return;
    }
    let farm = Farm::banners(2);
    let pen = pen(&farm, &["sni a.example service s0"], "service s0\nconn_max 1\n").start();
    let bytes = hello("a.example", &[]);
    let first = pen.client();
    assert_eq!(server_of(&first, &bytes, bytes.len()).as_deref(), Some("s0"));
    let waiting = pen.client();
    waiting.send(&bytes).expect("it accepts");
    until("it to wait", || pen.ctl("services").contains("servers 0 usable 0 conn 1").then_some(()));
    let text = std::fs::read_to_string(pen.file()).expect("ours").replace("s0", "s1");
    std::fs::write(pen.file(), format!("{text}no service s0\n")).expect("ours");
    pen.signal(Sig::Hup);
    assert_eq!(waiting.read_line(), "s1 127.0.0.1\n");
    assert_eq!(waiting.read_exact(bytes.len()).expect("every byte"), bytes);
}

#[test]
fn routes_that_do_not_fit_are_refused() {
    if plain_only(OWN_HELLO) {
        return;
    }
    for (text, part) in [
        ("route sni a service nobody\n", "route sni a service nobody: there is no service called"),
        ("route sni a service b\nservice b\nroute default service default\n", "in a circle"),
        ("route default server 0\n", "there is no server 0"),
    ] {
        let finished = Pen::bare().file(text).args(["--check"]).fail();
        assert_eq!(finished.code, Some(1), "{text}");
        assert!(finished.stderr.contains(part), "{text}: {}", finished.stderr);
    }
    let farm = Farm::banners(1);
    let pen = pen(&farm, &["default service s0"], "").start();
    let reply = pen.ctl("route sni a service s1");
    assert!(reply.contains("error: ") && reply.contains("did you mean 's0'?"), "{reply}");
    assert!(pen.ctl("service s0 route default service default").contains("in a circle"));
    assert_eq!(pen.ctl("routes").lines().count(), 2, "nothing has changed");
    let written = pen.path("written");
    pen.set(&format!("write {}", written.display()));
    let text = std::fs::read_to_string(written).expect("pen wrote it");
    assert!(text.contains("no route\nroute default service s0\n"), "{text}");
}
