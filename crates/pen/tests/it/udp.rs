//! UDP: datagrams arrive whole and at the right one, answers leave from the right address, servers
//! come and go.

mod choosing;
mod forged;
mod hostile;

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use pen_test::{Pen, Place, Row, Sig, UdpClient, UdpServer, holds, until};

/// Long enough for a datagram on loopback that must not come.
const SILENCE: Duration = Duration::from_millis(300);

fn udp(servers: &[UdpServer]) -> pen_test::PenBuilder {
    Pen::bare().args(["-U"]).servers(servers.iter().map(UdpServer::word))
}

/// A number of the reply to `flows json`; `path` goes down into it.
fn count(pen: &Pen, path: &[&str]) -> u64 {
    let reply = pen.ctl("flows json");
    let value: serde_json::Value = serde_json::from_str(&reply).expect("a json reply");
    path.iter().fold(&value, |v, key| &v[key]).as_u64().expect(&reply)
}

fn row(pen: &Pen, server: usize) -> Row {
    pen.servers().swap_remove(server)
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("servers answer their names")
}

fn has_ipv6() -> bool {
    let there = UdpSocket::bind("[::1]:0").is_ok();
    if !there {
        println!("skipped: no IPv6 here");
    }
    there
}

#[test]
fn datagrams_of_every_size_arrive_whole() {
    for (ip, server) in [("127.0.0.1", "127.0.0.1"), ("::1", "127.0.0.1"), ("127.0.0.1", "::1")] {
        if (ip == "::1" || server == "::1") && !has_ipv6() {
            continue;
        }
        let servers = [UdpServer::echo(server)];
        let place = Place::Tcp(SocketAddr::new(ip.parse().expect("ip"), pen_test::free_port()));
        let pen = udp(&servers).listen(&place).start();
        let client = UdpClient::at(ip, &place);
        // One IPv6 header less.
        for size in [0, 1, 512, 1_472, 1_473, 9_000, 65_487, 65_507, 0, 3] {
            let datagram: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            assert!(client.ask(&datagram) == datagram, "{ip} {server}: {size} bytes");
        }
        assert_eq!(count(&pen, &["to_clients", "datagrams"]), 10);
        assert_eq!(count(&pen, &["opened"]), 1);
    }
}

#[test]
fn answers_leave_from_the_address_the_client_sent_to() {
    let servers = [UdpServer::echo("127.0.0.1")];
    let port = pen_test::free_port();
    for (wildcard, client, addresses) in [
        ("0.0.0.0", "127.0.0.1", &["127.0.0.1", "127.0.0.7", "127.9.8.7"][..]),
        ("::", "127.0.0.1", &["127.0.0.1", "127.0.0.7"]),
        ("::", "::1", &["::1"]),
    ] {
        if wildcard == "::" && !has_ipv6() {
            continue;
        }
        let at = |ip: &str| Place::Tcp(SocketAddr::new(ip.parse().expect("ip"), port));
        let pen = udp(&servers).listen(&at(wildcard)).start();
        for address in addresses {
            let client = UdpClient::at(client, &at(address));
            assert_eq!(client.ask(b"q"), b"q", "{wildcard} {address}");
        }
        // One socket, two addresses: two flows, each answered from its own.
        let socket = UdpSocket::bind((client, 0)).expect("a port");
        socket.set_read_timeout(Some(pen_test::deadline())).expect("a timeout");
        for address in addresses {
            let Place::Tcp(to) = at(address) else { unreachable!() };
            socket.send_to(b"q", to).expect("send");
            let (_, from) = socket.recv_from(&mut [0; 9]).expect("an answer");
            assert_eq!(from, to);
        }
        drop(pen);
    }
}

#[test]
fn a_server_that_is_gone_is_found_out_by_icmp_and_its_flows_move() {
    let mut servers = vec![UdpServer::named("a"), UdpServer::named("b")];
    let pen = udp(&servers).start();
    let client = UdpClient::of(pen.place());
    let other = UdpClient::of(pen.place());
    let name = text(client.ask(b"1"));
    assert_eq!(text(other.ask(b"1")), name, "one client, one server");
    let gone = usize::from(name == "b");
    drop(servers.remove(gone));
    let next = until("an answer of the other server", || {
        client.send(b"2");
        client.receive_within(Duration::from_millis(100)).map(text)
    });
    assert_ne!(next, name);
    assert_eq!(text(other.ask(b"2")), next, "the other flow of that server moves by itself");
    let reply: serde_json::Value =
        serde_json::from_str(&pen.ctl("servers json")).expect("a json reply");
    assert_eq!(reply["servers"][gone]["blacklisted"], true);
    assert_eq!(reply["servers"][gone]["connections"], 0);
    assert!(count(&pen, &["dropped", "server_unreachable"]) >= 1);
    assert_eq!(count(&pen, &["moved"]), 2);
    assert!(pen.stderr().contains("blacklisted for 30 s, its flows move"), "{}", pen.stderr());
}

#[test]
fn a_blacklisted_server_loses_its_flows_at_once_and_clients_that_are_out_are_told_nothing() {
    let servers = [UdpServer::named("a"), UdpServer::named("b")];
    let emergency = UdpServer::named("e");
    let pen = udp(&servers).args(["-e", &emergency.word()]).start();
    let client = UdpClient::of(pen.place());
    let name = text(client.ask(b"1"));
    let (mine, other) = if name == "a" { (0, 1) } else { (1, 0) };
    let _ = pen.ctl(&format!("server {mine} blacklist 60"));
    until("the flow to move", || (row(&pen, mine).conn == 0).then_some(()));
    assert_eq!(row(&pen, other).conn, 1, "it moved before its next datagram");
    assert_ne!(text(client.ask(b"2")), name);
    let _ = pen.ctl(&format!("server {other} blacklist 60"));
    assert_eq!(text(client.ask(b"3")), "e");
    // Back from the emergency server with the second that follows.
    let _ = pen.ctl(&format!("server {mine} blacklist 0"));
    let back = until("the way back", || {
        client.send(b"4");
        client.receive_within(SILENCE).map(text).filter(|t| t != "e")
    });
    assert_eq!(back, name);
    let _ = pen.ctl("acl 1 deny 127.0.0.0/8");
    let _ = pen.ctl("client_acl 1");
    assert_eq!(text(client.ask(b"5")), name, "a flow that is there stays");
    let denied = UdpClient::of(pen.place());
    denied.send(b"6");
    assert_eq!(denied.receive_within(SILENCE), None);
    assert_eq!(count(&pen, &["dropped", "client_denied"]), 1);
    let _ = pen.ctl(&format!("abuse {}", servers[other].word()));
    assert_ne!(text(denied.ask(b"7")), name);
}

#[test]
fn a_reload_keeps_flows_whose_server_stays() {
    let servers = [UdpServer::named("a"), UdpServer::named("b"), UdpServer::named("c")];
    let file = |n: usize| format!("server 1 {}\nblacklist {n}\n", address(&servers[n]));
    let word = servers[0].word();
    let pen = Pen::bare().args(["-U", "-r"]).servers([&word]).file(&file(1)).start();
    let clients: Vec<UdpClient> = (0..4).map(|_| UdpClient::of(pen.place())).collect();
    let names: Vec<String> = clients.iter().map(|c| text(c.ask(b"1"))).collect();
    assert_eq!(names, ["b", "a", "b", "a"]);
    std::fs::write(pen.file(), file(2)).expect("the file is ours");
    pen.signal(Sig::Hup);
    until("the reload", || (pen.ctl("blacklist") == "2\n").then_some(()));
    let names: Vec<String> = clients.iter().map(|c| text(c.ask(b"2"))).collect();
    assert_eq!([&names[1], &names[3]], ["a", "a"]);
    assert!(names.iter().all(|n| n != "b"), "{names:?}");
    let of = |bytes: &[u8]| -> Vec<SocketAddr> {
        let seen = servers[0].seen();
        seen.iter().filter(|(_, b)| b == bytes).map(|(from, _)| *from).collect()
    };
    let after = of(b"2");
    assert!(of(b"1").iter().all(|port| after.contains(port)), "the same flows as before");
    assert_eq!(servers[1].seen().len(), 2, "nothing came to it afterwards");
}

fn address(server: &UdpServer) -> String {
    let Place::Tcp(at) = server.place() else { unreachable!() };
    format!("address {} port {}", at.ip(), at.port())
}

#[test]
fn spare_connections_are_for_tcp_only() {
    let servers = [UdpServer::echo("127.0.0.1")];
    let pen = udp(&servers).command("idlers 3").start();
    assert!(holds(SILENCE, || pen.ctl("idlers") == "Idlers: 0/3\n"));
    assert_eq!(UdpClient::of(pen.place()).ask(b"q"), b"q", "the server is not blacklisted");
}

#[test]
fn a_full_table_makes_room_for_the_next_client() {
    let servers = [UdpServer::echo("127.0.0.1")];
    let pen = udp(&servers).args(["-x", "4"]).start();
    for n in 0..60_u8 {
        assert_eq!(UdpClient::of(pen.place()).ask(&[n]), [n]);
        assert!(count(&pen, &["flows"]) <= 4);
    }
    // The last answer may be here before its turn is counted.
    until("every flow to be counted", || {
        (count(&pen, &["ended", "recycled"]) == 60 - count(&pen, &["flows"])).then_some(())
    });
    assert_eq!(u64::from(row(&pen, 0).conn), count(&pen, &["flows"]));
    assert!(count(&pen, &["ports"]) <= 4);
}

#[test]
fn forged_and_late_answers_reach_nobody_and_are_counted() {
    let servers = [UdpServer::silent()];
    let pen = udp(&servers).args(["-x", "1", "-O", "workers 1"]).start();
    let client = UdpClient::of(pen.place());
    client.send(b"q");
    let (port, _) = until("the question", || servers[0].seen().first().cloned());
    let forger = UdpServer::silent();
    let at = SocketAddr::new([127, 0, 0, 1].into(), port.port());
    forger.send(at, b"forged");
    until("the forgery to be counted", || {
        (count(&pen, &["dropped", "foreign_answer"]) == 1).then_some(())
    });
    servers[0].send(at, b"true");
    assert_eq!(client.receive(), b"true");
    // The flow makes room for another client's: an answer to the old one must not reach the new.
    let next = UdpClient::of(pen.place());
    next.send(b"r");
    let (second, _) = until("the next question", || servers[0].seen().get(1).cloned());
    assert_ne!(second, port, "the old port may still get answers");
    servers[0].send(at, b"late");
    servers[0].send(second, b"right");
    assert_eq!(next.receive(), b"right");
    assert_eq!(client.receive_within(SILENCE), None);
}

#[test]
fn flows_end_with_their_answers_and_share_one_port() {
    let servers = [UdpServer::echo("127.0.0.1")];
    let pen = udp(&servers).command("udp_answers 1").command("workers 1").start();
    for n in 0..100_u8 {
        assert_eq!(UdpClient::of(pen.place()).ask(&[n]), [n]);
    }
    assert_eq!((count(&pen, &["flows"]), count(&pen, &["ended", "answered"])), (0, 100));
    let mut ports: Vec<u16> = servers[0].seen().iter().map(|(from, _)| from.port()).collect();
    ports.dedup();
    assert_eq!(ports.len(), 1);
    assert_eq!(count(&pen, &["ports"]), 1);
    // Two questions at once: over with the second answer, not the first.
    let client = UdpClient::of(pen.place());
    client.send(b"a");
    client.send(b"b");
    assert_eq!((client.receive(), client.receive()), (b"a".to_vec(), b"b".to_vec()));
}

#[test]
fn datagrams_of_one_socket_are_spread_evenly_if_asked_for() {
    let servers = [UdpServer::echo("127.0.0.1"), UdpServer::echo("127.0.0.1"), UdpServer::silent()];
    let pen = udp(&servers).args(["-r"]).command("udp_spread datagram").start();
    let client = UdpClient::of(pen.place());
    for n in 0..60_u8 {
        client.send(&[n]);
    }
    let mut answers: Vec<u8> = (0..40).flat_map(|_| client.receive()).collect();
    answers.sort_unstable();
    answers.dedup();
    assert_eq!(answers.len(), 40);
    let silent = until("the last datagram", || Some(servers[2].seen()).filter(|s| s.len() == 20));
    assert_eq!(silent.len(), 20);
    assert_eq!(servers[0].seen().len(), 20);
    assert_eq!(count(&pen, &["flows"]), 3);
}

#[test]
fn a_quiet_flow_is_forgotten_and_a_quiet_pen_sleeps() {
    let servers = [UdpServer::echo("127.0.0.1")];
    let pen = udp(&servers).command("udp_timeout 1").start();
    assert_eq!(UdpClient::of(pen.place()).ask(b"q"), b"q");
    until("the flow to end", || (count(&pen, &["ended", "idle_timeout"]) == 1).then_some(()));
    assert_eq!((count(&pen, &["flows"]), row(&pen, 0).conn), (0, 0));
    let _ = pen.ctl("udp_timeout 1000");
    let client = UdpClient::of(pen.place());
    assert_eq!(client.ask(b"q"), b"q");
    // What the control session itself did is over.
    assert!(holds(Duration::from_secs(1), || true));
    let before = pen.vitals();
    assert!(holds(Duration::from_secs(2), || true));
    let after = pen.vitals();
    assert_eq!((after.sleeps - before.sleeps, after.ticks - before.ticks), (0, 0));
    assert_eq!(client.ask(b"r"), b"r");
}

#[test]
fn tcp_and_udp_live_at_one_address_and_a_service_can_change() {
    let servers = [UdpServer::echo("127.0.0.1")];
    let pen = udp(&servers).start();
    let listen = pen.place().word();
    let client = UdpClient::of(pen.place());
    assert_eq!(client.ask(b"q"), b"q");
    assert_eq!(pen.ctl("service web"), "");
    assert!(pen.ctl(&format!("service web listen {listen}")).contains(&listen));
    let refused = pen.ctl("service web protocol udp");
    assert!(refused.starts_with("error: ") && refused.contains("twice"), "{refused}");
    assert_eq!(pen.ctl("no service web"), "");
    assert_eq!(pen.ctl("protocol tcp"), "");
    assert_eq!(pen.ctl("protocol"), "tcp\n");
    client.send(b"nobody");
    assert_eq!(client.receive_within(SILENCE), None);
    drop(pen.client());
    assert_eq!(pen.ctl("protocol udp"), "");
    assert_eq!(UdpClient::of(pen.place()).ask(b"q"), b"q");
}

#[test]
fn unix_sockets_are_refused_where_udp_is_spoken() {
    let servers = [UdpServer::echo("127.0.0.1")];
    let refused = udp(&[]).servers(["/run/no-such-server"]).fail();
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("/run/no-such-server"), "{}", refused.stderr);
    assert!(refused.stderr.contains("UDP"), "{}", refused.stderr);
    let pen = udp(&servers).start();
    for line in ["server 0 address /run/x", "listen /run/y"] {
        let said = pen.ctl(line);
        assert!(said.starts_with("error: ") && said.contains("UDP"), "{line}: {said}");
    }
    assert_eq!(UdpClient::of(pen.place()).ask(b"q"), b"q");
}

#[test]
fn a_flow_can_be_looked_at_and_closed() {
    let servers = [UdpServer::echo("127.0.0.1")];
    let pen = udp(&servers).start();
    let client = UdpClient::of(pen.place());
    assert_eq!(client.ask(b"12345"), b"12345");
    let reply: serde_json::Value =
        serde_json::from_str(&pen.ctl("status json")).expect("a json reply");
    let number = reply["connections"][0]["number"].as_u64().expect("a flow");
    assert!(pen.ctl(&format!("connection {number}")).contains("state = 2"));
    assert_eq!((row(&pen, 0).sent, row(&pen, 0).received), (5, 5));
    let _ = pen.ctl(&format!("close {number}"));
    assert_eq!(count(&pen, &["ended", "operator_closed"]), 1);
    assert_eq!(client.ask(b"again"), b"again");
    assert!(pen.ctl("flows").contains("ended operator_closed 1\n"));
}

#[test]
fn a_burst_of_new_clients_loses_nobody() {
    let servers = [UdpServer::echo("127.0.0.1"), UdpServer::echo("127.0.0.1")];
    let pen = udp(&servers).args(["-r"]).start();
    let clients: Vec<UdpClient> = (0..400).map(|_| UdpClient::of(pen.place())).collect();
    for (n, client) in clients.iter().enumerate() {
        client.send(&n.to_be_bytes());
    }
    for (n, client) in clients.iter().enumerate() {
        assert_eq!(client.receive(), n.to_be_bytes());
    }
    assert_eq!((row(&pen, 0).conn, row(&pen, 1).conn), (200, 200));
    // Flows at different servers share ports.
    assert!(count(&pen, &["ports"]) < 400, "{}", count(&pen, &["ports"]));
}
