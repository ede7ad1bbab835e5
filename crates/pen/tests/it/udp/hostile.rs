//! Strangers who send what they like: floods of addresses, forged answers, a server that floods.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use pen_test::{Pen, Place, Sig, UdpClient, UdpServer, holds, in_own_network, until};

use super::{SILENCE, count, udp};

/// An address of this machine for each number.
fn stranger(n: u16) -> UdpSocket {
    let [high, low] = n.to_be_bytes();
    UdpSocket::bind((std::net::Ipv4Addr::new(127, 1, high, low), 0)).expect("a port is free")
}

fn at(place: &Place) -> SocketAddr {
    let Place::Tcp(at) = place else { unreachable!("UDP has addresses") };
    *at
}

#[test]
fn a_flood_of_addresses_takes_nothing_from_a_client_that_is_there() {
    let servers = [UdpServer::echo("127.0.0.1"), UdpServer::echo("127.0.0.1")];
    let pen = udp(&servers).args(["-r", "-x", "64"]).start();
    let client = UdpClient::of(pen.place());
    let to = at(pen.place());
    for n in 0..3_000 {
        let _ = stranger(n).send_to(&n.to_be_bytes(), to);
        if n % 30 == 0 {
            assert_eq!(client.ask(&n.to_le_bytes()), n.to_le_bytes(), "after {n}");
        }
    }
    let reply: serde_json::Value = serde_json::from_str(&pen.ctl("flows json")).expect("json");
    let flows = reply["flows"].as_u64().expect("flows");
    assert!(flows <= 64, "{reply}");
    let ended: u64 =
        reply["ended"].as_object().expect("reasons").values().flat_map(|v| v.as_u64()).sum();
    assert_eq!(reply["opened"].as_u64(), Some(flows + ended), "each flow ended once: {reply}");
    assert!(reply["ports"].as_u64() <= Some(64), "{reply}");
    let connections: u32 = pen.servers().iter().map(|s| s.conn).sum();
    assert_eq!(u64::from(connections), flows);
}

#[test]
fn a_flood_of_forged_answers_reaches_nobody() {
    let servers = [UdpServer::echo("127.0.0.1")];
    let pen = udp(&servers).start();
    let client = UdpClient::of(pen.place());
    assert_eq!(client.ask(b"q"), b"q");
    let (port, _) = servers[0].seen().first().cloned().expect("the question");
    let forger = stranger(1);
    for n in 0..600_u16 {
        let to = SocketAddr::from(([127, 0, 0, 1], port.port()));
        forger.send_to(b"forged", to).expect("send");
        if n % 20 == 0 {
            assert_eq!(client.ask(&n.to_be_bytes()), n.to_be_bytes());
        }
    }
    until("all of them to be counted", || {
        let dropped = ["foreign_answer", "receive_queue_full"];
        (dropped.iter().map(|why| count(&pen, &["dropped", why])).sum::<u64>() >= 600).then_some(())
    });
    assert_eq!(client.receive_within(SILENCE), None);
}

#[test]
fn a_server_that_floods_one_client_starves_no_other() {
    let servers = [UdpServer::start("127.0.0.1", |bytes| Some(bytes.repeat(20)))];
    let pen = udp(&servers).command("workers 1").start();
    let (loud, calm) = (UdpClient::of(pen.place()), UdpClient::of(pen.place()));
    assert_eq!(loud.ask(b"q").len(), 20);
    let (port, _) = servers[0].seen().first().cloned().expect("the question");
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            for _ in 0..20_000 {
                servers[0].send(port, &[7; 1_200]);
            }
        });
        while !flood.is_finished() {
            assert_eq!(calm.ask(b"ab").len(), 40);
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    assert_eq!(calm.ask(b"ab").len(), 40);
}

#[test]
fn nothing_is_answered_that_no_server_answered() {
    let servers = [UdpServer::silent()];
    let pen = udp(&servers).command("udp_answers 1").start();
    let client = UdpClient::of(pen.place());
    // Sizes at the edges, and bytes of every kind.
    for size in [0_usize, 1, 8, 1_471, 1_472, 1_473, 4_096, 65_507] {
        client.send(&(0..size).map(|n| (n * 31 % 256) as u8).collect::<Vec<u8>>());
    }
    until("all of them", || (servers[0].seen().len() == 8).then_some(()));
    assert_eq!(client.receive_within(SILENCE), None);
    assert_eq!(count(&pen, &["to_clients", "datagrams"]), 0);
    assert_eq!(count(&pen, &["opened"]), 1);
}

#[test]
fn servers_without_a_way_are_left_alone_once_per_flow() {
    in_own_network(
        "udp::hostile::servers_without_a_way_are_left_alone_once_per_flow",
        "true",
        || {
            let servers = [UdpServer::echo("127.0.0.1"), UdpServer::echo("127.0.0.1")];
            // Nothing but loopback is there: the kernel says at once that there is no way.
            let away = "203.0.113.1:9".to_owned();
            let words = [away.clone(), servers[0].word(), servers[1].word()];
            let pen = Pen::bare().args(["-U", "-r", "-O", "workers 1"]).servers(words).start();
            let clients: Vec<UdpClient> = (0..3).map(|_| UdpClient::of(pen.place())).collect();
            // All of them wait when Pen reads.
            pen.signal(Sig::Stop);
            for n in 0..8 {
                clients.iter().for_each(|c| c.send(&vec![n; 100 + usize::from(n)]));
            }
            pen.signal(Sig::Cont);
            for client in &clients {
                for n in 0..8 {
                    let answer = client.receive_within(pen_test::deadline());
                    assert_eq!(answer, Some(vec![n; 100 + usize::from(n)]));
                }
            }
            let reply: serde_json::Value =
                serde_json::from_str(&pen.ctl("servers json")).expect("a json reply");
            let out = |n: usize| reply["servers"][n]["blacklisted"].as_bool();
            assert_eq!([out(0), out(1), out(2)], [Some(true), Some(false), Some(false)], "{reply}");
            assert_eq!(count(&pen, &["moved"]), 1);
        },
    );
}

#[test]
fn a_circle_through_another_pen_is_broken_by_the_limit() {
    let places = [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], pen_test::free_port())));
    let pen = |here: usize, limit: &str| {
        let pen = Pen::bare().listen(&Place::Tcp(places[here])).args(["-U", "-x", "64"]);
        pen.command(limit).servers([places[1 - here]]).start()
    };
    let (limited, other) = (pen(0, "limit_rate 20"), pen(1, "debug 0"));
    let client = UdpClient::of(limited.place());
    client.send(b"round and round");
    until("the end of the circle", || {
        (count(&limited, &["dropped", "over_limit"]) > 0).then_some(())
    });
    // One datagram was there, and it is gone.
    let opened = || (count(&limited, &["opened"]), count(&other, &["opened"]));
    let before = opened();
    assert!(holds(SILENCE, || opened() == before), "it goes on");
    assert!(before.0 <= 40, "{before:?}");
}

#[test]
fn services_that_would_send_to_themselves_are_refused() {
    let at = |n: u16| format!("127.0.0.1:{n}");
    let (port, other) = (pen_test::free_port(), pen_test::free_port());
    let finished = Pen::bare()
        .listen(&Place::Tcp(SocketAddr::from(([0, 0, 0, 0], port))))
        .args(["-U"])
        .servers([at(port)])
        .fail();
    assert_eq!(finished.code, Some(1));
    let says = format!("server 127.0.0.1:{port} is its own listening address 0.0.0.0:{port}");
    assert!(finished.stderr.contains(&says), "{}", finished.stderr);

    let servers = [UdpServer::named("a")];
    let circle = format!(
        "service second\nprotocol udp\nlisten {}\nserver 0 address 127.0.0.1 port {port}\n",
        at(other)
    );
    let place = Place::Tcp(SocketAddr::from(([127, 0, 0, 1], port)));
    let pen = udp(&servers).listen(&place).file(&circle).start();
    let client = UdpClient::of(&Place::Tcp(SocketAddr::from(([127, 0, 0, 1], other))));
    assert_eq!(client.ask(b"1"), b"a", "one after the other is no circle");
    let before = pen.ctl("service default servers");
    let reply = pen.ctl(&format!("service default server 0 address 127.0.0.1 port {other}"));
    assert!(reply.contains("this is a circle"), "{reply}");
    assert_eq!(pen.ctl("service default servers"), before, "nothing is applied");
    let file = format!("{circle}service default\nserver 0 address 127.0.0.1 port {other}\n");
    std::fs::write(pen.file(), file).expect("the file is ours");
    pen.signal(Sig::Hup);
    until("the error", || pen.stderr().contains("this is a circle").then_some(()));
    assert_eq!(client.ask(b"2"), b"a");
}
