//! What `explain` says is what the next client gets; asking changes nothing.

use pen_test::{Farm, Pen, TestServer, UdpClient, UdpServer, acts};

/// The address of the server in the first line: `client C gets server N NAME ADDRESS`.
fn told(pen: &Pen, question: &str) -> Option<String> {
    let reply = pen.ctl(&format!("explain {question}"));
    let first = reply.lines().next().unwrap_or_default();
    assert!(first.starts_with("client "), "{reply}");
    let (_, gets) = first.split_once(" gets ")?;
    (!gets.starts_with("no server")).then(|| gets.rsplit(' ').next().unwrap_or(gets).to_owned())
}

/// The address of the server with this name, as `explain` shows it.
fn word_of(farm: &Farm, name: &str) -> Option<String> {
    farm.iter().find(|s| s.name() == name).map(|s| s.place().word())
}

#[test]
fn every_way_of_choosing() {
    for options in [&["-r"][..], &["-h", "-N"], &["-h"], &[], &["-W"], &["-O", "prio"], &["-s"]] {
        let farm = Farm::banners(5);
        let words: Vec<String> =
            farm.iter().zip(1..).map(|(s, n)| format!("{}:0:0:{n}:{}", s.word(), n % 2)).collect();
        let pen = Pen::bare().servers(words).args(options).start();
        pen.set("acl 3 deny 127.0.3.7");
        pen.set("server 4 acl 3");
        pen.set("server 1 blacklist 1000");
        let mut open = Vec::new();
        for n in (1..=12).chain(5..9) {
            let source = format!("127.0.3.{n}");
            let question = pen.ctl(&format!("explain {source}"));
            assert_eq!(pen.ctl(&format!("explain {source}")), question, "asking changed it");
            let server = told(&pen, &source);
            let client = pen.client_from(&source);
            let line = client.read_line();
            let name = line.split_whitespace().next().unwrap_or_default().to_owned();
            assert_eq!(server, word_of(&farm, &name), "{options:?} {source}: {question}");
            open.push(client);
        }
    }
}

#[test]
fn each_server_has_its_reason() {
    let farm = Farm::banners(4);
    let [emergency, abuse] = ["help", "jail"].map(|name| TestServer::start(name, acts::banner()));
    let pen = Pen::over(&farm)
        .args(["-e", &emergency.word(), "-B", &abuse.word()])
        .command("prio")
        .start();
    pen.set("acl 1 deny 127.0.0.66");
    pen.set("acl 2 permit 127.0.9.9");
    assert_eq!(pen.ctl("client_acl 1"), "1\n");
    pen.set("server 0 blacklist 500 name red");
    pen.set("server 1 acl 2");
    pen.set("server 2 max 1 prio 3");
    pen.set("server 3 prio 7");
    let first = pen.client_from("127.0.0.2");
    assert!(first.read_line().starts_with("s2 "));

    let reply = pen.ctl("explain 127.0.0.5");
    let lines: Vec<&str> = reply.lines().collect();
    let word = |n: usize| farm[n].place().word();
    assert_eq!(lines[0], format!("client 127.0.0.5 gets server 3 {}", word(3)), "{reply}");
    for part in [
        "service default: prio, the lowest prio".to_owned(),
        format!("server 1 {}: no, denied_by_acl: its list 2 denies the client", word(1)),
        format!("server 2 {}: no, full: 1 connections, max 1 hard 0", word(2)),
        format!("server 3 {}: yes, is tried first", word(3)),
        format!("emergency server {}: would be tried as number 2", emergency.place().word()),
        "if all of these fail: closed, no_server".to_owned(),
    ] {
        assert!(lines.contains(&part.as_str()), "{part} is not in\n{reply}");
    }
    let red = format!("server 0 red {}: no, blacklisted: ", word(0));
    assert!(lines.iter().any(|l| l.starts_with(&red) && l.ends_with(" s are left")), "{reply}");

    assert_eq!(told(&pen, "127.0.0.66"), Some(abuse.place().word()));
    assert_eq!(pen.ask("127.0.0.66").as_deref(), Some("jail"));
    pen.set("no abuse");
    assert!(pen.ctl("explain 127.0.0.66").contains(" gets no server: closed, client_denied\n"));
    assert_eq!(pen.ask("127.0.0.66"), None);
    assert!(
        pen.ctl("explain 127.0.0.5 json").starts_with(
            r#"{"client":"127.0.0.5","client_port":null,"asked":"default","service":"default","#
        ),
        "{}",
        pen.ctl("explain 127.0.0.5 json")
    );
    for (wrong, part) in [
        ("explain", "'explain' needs the address of a client"),
        ("explain nowhere", "explain: 'nowhere' is no address of a client"),
        ("explain ::1 service mial", "no service called 'mial'"),
        ("explain ::1 prot 7", "'prot' is none of port, sni, alpn, service; did you mean 'port'?"),
    ] {
        let reply = pen.ctl(wrong);
        assert!(reply.starts_with("error: ") && reply.contains(part), "{wrong}: {reply}");
    }
}

#[test]
fn with_hash_and_roundrobin_the_port_counts() {
    let farm = Farm::banners(5);
    let pen = Pen::over(&farm).args(["-h", "-r"]).start();
    let reply = pen.ctl("explain 127.0.0.1");
    assert!(reply.contains(" gets one of the servers below, by its port\n"), "{reply}");
    assert_eq!(reply.matches(": would take it\n").count(), 5, "{reply}");
    for _ in 0..10 {
        let client = pen.client();
        let line = client.read_line();
        let port = client.own_end().map_or(0, |own| own.port());
        let name = line.split_whitespace().next().unwrap_or_default().to_owned();
        assert_eq!(told(&pen, &format!("127.0.0.1 port {port}")), word_of(&farm, &name));
    }
}

#[test]
fn a_limit_that_is_reached_is_told() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).args(["-x", "1"]).start();
    assert!(!pen.ctl("explain ::1").contains("waits"));
    let client = pen.client();
    assert!(client.read_line().starts_with("s0 "));
    assert!(pen.ctl("explain ::1").contains("\nwaits until a connection ends: conn_max"));
    assert!(pen.ctl("explain ::1 json").contains(r#""waits_for":"conn_max""#));
}

#[test]
fn flows_go_where_it_is_said() {
    let servers = ["a", "b", "c"].map(UdpServer::named);
    let words = || servers.iter().map(UdpServer::word);
    for options in [&["-U"][..], &["-U", "-h"], &["-U", "-r"], &["-U", "-O", "udp_spread datagram"]]
    {
        let pen = Pen::bare().args(options).servers(words()).start();
        for n in 2..9 {
            let source = format!("127.0.0.{n}");
            let server = told(&pen, &source);
            let name = UdpClient::at(&source, pen.place()).ask(b"who");
            let at = ["a", "b", "c"].iter().position(|s| s.as_bytes() == name);
            let place = at.map(|at| servers[at].place().word());
            assert_eq!(server, place, "{options:?} {source}");
        }
        assert!(pen.ctl("explain unix").starts_with("error: explain: service default has no"));
    }
}
