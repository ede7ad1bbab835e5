//! Limits for each source: nobody takes more than a share, and nobody else notices who tries.

use pen_test::{
    Client, End, Farm, Pen, Sig, UdpClient, UdpServer, in_own_network, plain_only, until,
};
use serde_json::Value;

/// Whether the client of this address was served; the connection stays open.
fn served(pen: &Pen, source: &str) -> Option<Client> {
    // The reset may come before the client has seen that it is connected.
    let client = Client::dial(pen.place()).from(source).connect().ok()?;
    (!client.read_line().is_empty()).then_some(client)
}

fn sources(pen: &Pen) -> Value {
    serde_json::from_str(&pen.ctl("sources json")).expect("a json reply")
}

fn turned_away(pen: &Pen, limit: &str) -> u64 {
    sources(pen)[limit].as_u64().expect("a number")
}

#[test]
fn a_source_keeps_to_its_number_of_connections_and_others_are_served() {
    let farm = Farm::banners(2);
    let mut pen = Pen::over(&farm).command("limit_conn 3").command("workers 4").start();
    let mut held: Vec<_> = (0..3).filter_map(|_| served(&pen, "127.0.0.1")).collect();
    assert_eq!(held.len(), 3);
    let told = |client: &str| pen.ctl(&format!("explain {client}"));
    assert!(told("127.0.0.1").starts_with("client 127.0.0.1 gets no server: closed, over_limit\n"));
    assert!(told("127.0.0.2").starts_with("client 127.0.0.2 gets server "));
    for _ in 0..20 {
        assert!(served(&pen, "127.0.0.1").is_none(), "the fourth of a source");
    }
    let others: Vec<_> = (2..12).filter_map(|n| served(&pen, &format!("127.0.0.{n}"))).collect();
    assert_eq!(others.len(), 10);
    assert_eq!(turned_away(&pen, "limit_conn"), 20);
    let now = sources(&pen);
    assert_eq!(now["sources"][0]["address"], "127.0.0.1");
    assert_eq!(now["sources"][0]["connections"], 3);
    assert_eq!(pen.conns(), 13);
    let said = pen.stderr();
    let line =
        "default: client 127.0.0.1: its source has 3 connections already (limit_conn); reset";
    assert!(said.contains(line), "{said}");

    pen.signal(Sig::Hup);
    assert!(served(&pen, "127.0.0.1").is_none(), "after HUP");
    held.pop();
    until("the place is free again", || served(&pen, "127.0.0.1"));
    drop((held, others));
    until("nobody counts any more", || {
        sources(&pen)["sources"].as_array().expect("a list").is_empty().then_some(())
    });
    assert_eq!(pen.stop(), Some(0));
}

#[test]
fn who_is_beyond_the_limit_is_reset_and_costs_no_server_anything() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).command("limit_conn 1").start();
    let held = served(&pen, "127.0.0.1").expect("the first is served");
    let second = Client::dial(pen.place()).from("127.0.0.1").connect();
    assert_eq!(second.map_or(End::Reset, |client| client.end()), End::Reset);
    assert_eq!(farm[0].peak(), 1);
    drop(held);
}

#[test]
fn a_rate_admits_a_burst_and_then_what_it_gains() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).command("limit_rate 1").command("limit_burst 4").start();
    let first = (0..4).filter(|_| pen.ask("127.0.0.1").is_some()).count();
    assert_eq!(first, 4);
    let more = (0..10).filter(|_| pen.ask("127.0.0.1").is_some()).count();
    assert!(more <= 4, "{more} more at once");
    assert_eq!(turned_away(&pen, "limit_rate"), 10 - more as u64);
    assert!(pen.ask("127.0.0.2").is_some(), "another source");
    until("the bucket gains", || pen.ask("127.0.0.1"));
    assert_eq!(pen.ctl("limit_rate 0"), "0\n");
    assert!((0..20).all(|_| pen.ask("127.0.0.1").is_some()), "without a limit");
}

#[test]
fn exempt_clients_are_not_limited() {
    let farm = Farm::banners(1);
    let exempt = ["acl 3 permit 127.0.0.9", "limit_exempt 3", "limit_conn 1"];
    let pen = exempt.iter().fold(Pen::over(&farm), |pen, line| pen.command(line)).start();
    let held: Vec<_> = (0..5).filter_map(|_| served(&pen, "127.0.0.9")).collect();
    assert_eq!(held.len(), 5);
    let one = served(&pen, "127.0.0.1").expect("the first is served");
    assert!(served(&pen, "127.0.0.1").is_none());
    assert!(pen.ctl("explain 127.0.0.1").contains("\nservice default: limit_conn, its source has"));
    assert!(pen.ctl("explain 127.0.0.9").starts_with("client 127.0.0.9 gets server 0 "));
    drop((held, one));
}

#[test]
fn a_network_is_one_source() {
    let prepare = "for n in 1 2; do for h in 1 2; do ip addr add fd00:0:0:$n::$h/128 dev lo nodad; \
                   done; done";
    in_own_network("sources::a_network_is_one_source", prepare, || {
        let farm = Farm::banners(1);
        let port = pen_test::free_port();
        let place = pen_test::Place::Tcp(format!("[::1]:{port}").parse().expect("a place"));
        let pen = Pen::over(&farm).listen(&place).command("limit_conn 2").start();
        let held: Vec<_> = ["fd00:0:0:1::1", "fd00:0:0:1::2"]
            .iter()
            .filter_map(|source| served(&pen, source))
            .collect();
        assert_eq!(held.len(), 2);
        assert!(served(&pen, "fd00:0:0:1::1").is_none(), "the third of the network");
        assert!(served(&pen, "fd00:0:0:2::1").is_some(), "of another network");
        assert_eq!(sources(&pen)["sources"][0]["address"], "fd00:0:0:1::");
        assert_eq!(pen.ctl("limit_prefix6 128"), "128\n");
        assert!(served(&pen, "fd00:0:0:1::1").is_some(), "counted anew, by address");
        drop(held);
    });
}

#[test]
fn flows_count_like_connections() {
    let server = UdpServer::echo("127.0.0.1");
    let pen = Pen::bare()
        .args(["-U"])
        .servers([server.word()])
        .command("limit_conn 2")
        .command("udp_timeout 1")
        .start();
    let clients: Vec<_> = (0..3).map(|_| UdpClient::of(pen.place())).collect();
    for client in clients.iter().take(2) {
        assert_eq!(client.ask(b"in"), b"in");
    }
    for _ in 0..5 {
        clients[2].send(b"out");
    }
    until("five are turned away", || (turned_away(&pen, "limit_conn") == 5).then_some(()));
    let flows: Value = serde_json::from_str(&pen.ctl("flows json")).expect("a json reply");
    assert_eq!(flows["dropped"]["over_limit"], 5);
    assert_eq!(flows["flows"], 2);
    until("a flow that ended makes room", || {
        clients[2].send(b"late");
        server.seen().into_iter().find(|(_, bytes)| bytes == b"late")
    });
}

#[test]
fn routed_clients_count_where_they_are_served() {
    if plain_only("the clients send no hello of their own") {
        return;
    }
    let farm = Farm::banners(1);
    let port = farm[0].place().port();
    let file = format!(
        "route default service web\nservice web\nserver 0 address 127.0.0.1 port {port}\nlimit_conn 1\n"
    );
    let pen = Pen::bare().file(&file).start();
    let ask = || {
        let client = Client::connect(pen.place()).expect("pen accepts");
        // The reset may come before it has said all.
        let _ = client.send(b"GET / HTTP/1.0\r\n\r\n");
        client
    };
    let first = ask();
    assert!(!first.read_line().is_empty());
    assert_eq!(ask().end(), End::Reset);
    drop(first);
    until("the place is free again", || (!ask().read_line().is_empty()).then_some(()));
}
