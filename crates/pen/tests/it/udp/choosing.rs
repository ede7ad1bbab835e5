//! Which server a flow goes to: hash, limits, an order of settings that does not matter; and the log.

use std::collections::BTreeSet;

use pen_test::{Pen, Sig, UdpClient, UdpServer, until, whole_lines};

use super::{SILENCE, address, count, text, udp};

#[test]
fn hash_sends_a_client_to_the_same_server_from_every_pen() {
    let servers = ["a", "b", "c"].map(UdpServer::named);
    let pens = [udp(&servers).args(["-h"]).start(), udp(&servers).args(["-h"]).start()];
    let mut used = BTreeSet::new();
    for n in 10..34 {
        let names = pens
            .each_ref()
            .map(|pen| text(UdpClient::at(&format!("127.0.0.{n}"), pen.place()).ask(b"q")));
        assert_eq!(names[0], names[1], "client {n}");
        used.extend(names);
    }
    assert_eq!(used.len(), 3, "{used:?}");
}

#[test]
fn limits_of_a_server_count_flows() {
    let server = UdpServer::named("a");
    let pen = Pen::bare().args(["-U"]).servers([format!("{}:1:2", server.word())]).start();
    let client = || UdpClient::at("127.0.0.2", pen.place());
    let (first, second, third) = (client(), client(), client());
    assert_eq!(text(first.ask(b"1")), "a");
    let stranger = UdpClient::at("127.0.0.3", pen.place());
    stranger.send(b"no");
    assert_eq!(stranger.receive_within(SILENCE), None, "the server has its soft limit");
    assert_eq!(text(second.ask(b"2")), "a", "a client that was there before");
    third.send(b"no");
    assert_eq!(third.receive_within(SILENCE), None, "the server has its hard limit");
    assert_eq!(text(first.ask(b"3")), "a");
    assert_eq!(count(&pen, &["dropped", "no_server"]), 2);
    assert_eq!(count(&pen, &["flows"]), 2);
}

#[test]
fn the_order_of_a_configuration_does_not_matter() {
    let servers = [UdpServer::named("a"), UdpServer::named("b")];
    // The file comes last, and says nothing of UDP; then all is in the file, UDP at its end.
    let first = format!("server 0 {}\n", address(&servers[0]));
    let all = format!("{first}protocol udp\n");
    for (options, file) in [(&["-U"][..], &first), (&[], &all)] {
        let pen = Pen::bare().args(options).file(file).start();
        assert_eq!(pen.ctl("protocol"), "udp\n");
        let client = UdpClient::of(pen.place());
        assert_eq!(text(client.ask(b"1")), "a");
        let other = file.replace(&address(&servers[0]), &address(&servers[1]));
        std::fs::write(pen.file(), other).expect("the file is ours");
        pen.signal(Sig::Hup);
        let to = servers[1].place().port().to_string();
        until("the reload", || pen.ctl("servers").contains(&to).then_some(()));
        assert_eq!(text(client.ask(b"2")), "b", "the flow went with its server");
        let written = pen.path("written");
        pen.set(&format!("write {}", written.display()));
        let written = std::fs::read_to_string(written).expect("pen wrote it");
        assert!(written.contains("protocol udp"), "{written}");
    }
}

#[test]
fn each_datagram_of_a_client_is_a_line_of_the_log() {
    let servers = [UdpServer::echo("127.0.0.1")];
    let scratch = pen_test::Scratch::new();
    let log = scratch.path("log");
    let pen = udp(&servers).args(["-l", &log.display().to_string()]).start();
    let client = UdpClient::at("127.0.0.5", pen.place());
    for datagram in [&b"one"[..], b"", b"two\nlines", &[b'x'; 3_000]] {
        assert_eq!(client.ask(datagram), datagram);
    }
    let lines = until("the log", || {
        let text = whole_lines(&log);
        (text.lines().count() >= 3).then_some(text)
    });
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    for (line, end) in lines.iter().zip([" 127.0.0.1 one", "two", "xxx"]) {
        assert!(line.starts_with("127.0.0.5 ") && line.contains(end), "{line}");
    }
}
