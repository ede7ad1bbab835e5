//! Datagrams from addresses that do not exist, of every size, and answers from the wrong place.

use std::net::{SocketAddr, UdpSocket};
use std::process::{Command, Stdio};

use std::time::{Duration, Instant};

use pen_test::{Host, Place, UdpServer, free_port, run_here};

use crate::programs::in_path;
use crate::rows::Row;
use crate::running::Running;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        45,
        "UDP: flood from random addresses, 0 and 65507 bytes, ICMP errors, forged answers",
        "below 1 % of the others' questions lost (beside the flood: below 20 %), nothing forged passes, memory bounded",
    )
};

fn run(stage: &Stage) -> Verdict {
    if stage.subject == Subject::Haproxy {
        return Verdict::without("no UDP");
    }
    let Some(hping) = in_path("hping3") else {
        return Verdict::skipped("Debian package hping3 is not installed");
    };
    let attacker = Host::new("the attacker");
    attacker.cable("out", "wire0");
    run_here(
        "ip addr add 10.9.0.1/24 dev wire0; ip route add default via 10.9.0.2
        echo 0 > /proc/sys/net/ipv4/conf/wire0/rp_filter
        echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter",
    );
    attacker.run("ip addr add 10.9.0.2/24 dev out");
    let server =
        UdpServer::start("127.0.0.1", |bytes| (bytes != b"X".repeat(32)).then(|| bytes.to_vec()));
    // The second one is a port that nobody has: ICMP says so.
    let dead = UdpSocket::bind("127.0.0.1:0").and_then(|s| s.local_addr()).expect("a port");
    let listen = Place::Tcp(([10, 9, 0, 1], free_port()).into());
    let setup =
        Setup { listen, udp: true, blacklist_s: 3, ..Setup::of([server.word(), dead.to_string()]) };
    let mut balancer = stage.start(&setup);
    let mut lines = Vec::new();
    let quiet = questions(&balancer, Duration::from_secs(1));
    let sizes = odd_sizes(&balancer);
    let forged = forged(&balancer, &server);
    let before = balancer.vitals().anonymous_kib;
    let port = balancer.place.port().to_string();
    let mut flood = attacker.inside(|| {
        let mut command = Command::new(hping);
        let words =
            ["-q", "--udp", "--rand-source", "-i", "u100", "-d", "32", "-p", &port, "10.9.0.1"];
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("hping3 starts")
    });
    let seconds = stage.of(15, 3);
    let flooded = questions(&balancer, Duration::from_secs(seconds));
    drop((flood.kill(), flood.wait()));
    let spoofed = server.seen().iter().filter(|(_, bytes)| bytes.len() == 32).count();
    let after = questions(&balancer, Duration::from_secs(1));
    let grown = balancer.vitals().anonymous_kib.saturating_sub(before) / 1024;
    let lives = balancer.lives();
    lines.push(format!("lost {} of {} quiet", quiet.1, quiet.0));
    lines.push(format!("{} of {} beside {spoofed} spoofed", flooded.1, flooded.0));
    lines.push(format!("{} of {} after", after.1, after.0));
    lines.push(format!("{sizes} of 4 sizes, {forged} forged passed, {grown} MiB"));
    if !lives {
        lines.push("it died".into());
    }
    // To learn that the second server is not there costs a datagram, now and then.
    let small = |(asked, lost): (usize, usize)| lost * 100 <= asked + 200;
    let right = lives
        && small(quiet)
        && small(after)
        && flooded.1 * 5 <= flooded.0
        && forged == 0
        && sizes == 4
        && grown < 200;
    Verdict::of(right, lines.join(", "))
}

fn address(balancer: &Running) -> SocketAddr {
    let Place::Tcp(address) = balancer.place else { panic!("UDP has no paths") };
    address
}

/// A client that asks a few hundred times a second: questions, and those without an answer.
fn questions(balancer: &Running, time: Duration) -> (usize, usize) {
    let client = UdpSocket::bind("10.9.0.1:0").expect("a port");
    client.connect(address(balancer)).expect("a datagram socket connects anywhere");
    client.set_read_timeout(Some(Duration::from_millis(500))).expect("it is longer than 0");
    let end = Instant::now() + time;
    let (mut asked, mut lost) = (0, 0);
    let mut buffer = [0; 64];
    while Instant::now() < end {
        let question = format!("question {asked}");
        asked += 1;
        let _ = client.send(question.as_bytes());
        let right = |n: usize, buffer: &[u8]| buffer.get(..n) == Some(question.as_bytes());
        let answered = loop {
            match client.recv(&mut buffer) {
                Ok(n) if right(n, &buffer) => break true,
                // A late answer to an earlier question.
                Ok(_) => {}
                Err(_) => break false,
            }
        };
        lost += usize::from(!answered);
        std::thread::sleep(Duration::from_millis(5));
    }
    (asked, lost)
}

/// How many of these sizes come back as they were, the empty one included.
fn odd_sizes(balancer: &Running) -> usize {
    let sizes = [0, 1, 9_000, 65_507];
    let comes_back = |size: &&usize| {
        let client = UdpSocket::bind("10.9.0.1:0").expect("a port");
        client.connect(address(balancer)).expect("a datagram socket connects anywhere");
        client.set_read_timeout(Some(Duration::from_secs(1))).expect("it is longer than 0");
        let datagram = vec![b'y'; **size];
        let mut buffer = vec![0; 70_000];
        // It may have met the server that is not there.
        (0..3).any(|_| {
            let _ = client.send(&datagram);
            client.recv(&mut buffer).is_ok_and(|n| buffer.get(..n) == Some(&datagram[..]))
        })
    };
    sizes.iter().filter(comes_back).count()
}

/// Answers to the balancer's port from somebody who is not the server: how many a client gets.
fn forged(balancer: &Running, server: &UdpServer) -> usize {
    let client = UdpSocket::bind("10.9.0.1:0").expect("a port");
    client.connect(address(balancer)).expect("a datagram socket connects anywhere");
    client.set_read_timeout(Some(Duration::from_millis(300))).expect("it is longer than 0");
    let mut buffer = [0; 64];
    for _ in 0..3 {
        let _ = client.send(b"who asks?");
        let _ = client.recv(&mut buffer);
    }
    let seen = server.seen();
    let Some((port, _)) = seen.iter().rev().find(|(_, bytes)| bytes == b"who asks?") else {
        return 0;
    };
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a port");
    for _ in 0..10 {
        let _ = stranger.send_to(b"forged", port);
    }
    std::iter::from_fn(|| client.recv(&mut buffer).ok().map(|n| buffer.get(..n) == Some(b"forged")))
        .filter(|forged| *forged)
        .count()
}
