//! A path that takes only small packets, and does not say so.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pen_test::{Host, Place, Served, TestServer, Wire, run_here};

use crate::programs;
use crate::rows::Row;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        12,
        "path takes 1,300 bytes and drops what is larger, unacknowledged for 4 s at most",
        "the download ends after 4 s (half as long again at most), small answers pass",
    )
};

/// Seconds that bytes may stay unacknowledged.
const LIMIT: u64 = 4;

fn run(stage: &Stage) -> Verdict {
    if programs::in_path("nft").is_none() {
        return Verdict::skipped("Debian package nftables is not installed");
    }
    if stage.subject == Subject::Classic {
        return Verdict::without("no limit for unacknowledged bytes");
    }
    let (_router, clients) = hosts();
    let server = TestServer::start("s0", Arc::new(serve));
    let mut setup = Setup::of([server.word()])
        .with(Subject::Pen, Scope::Global, format!("user_timeout {LIMIT}"))
        .with(Subject::Haproxy, Scope::Listen, format!("tcp-ut {LIMIT}s"))
        // It has no such option; silence is the nearest.
        .with(Subject::Nginx, Scope::Service, format!("proxy_timeout {LIMIT}s;"));
    setup.listen = Place::Tcp("10.1.0.1:1000".parse().expect("an address and a port"));
    let mut pen = stage.start(&setup);
    let ask = |what: &str| {
        let client = Wire::connect(&pen.place).ok()?;
        client.send(what).ok()?;
        Some(client)
    };
    let begun = Instant::now();
    let Some(_stalled) = clients.inside(|| ask("much\n")) else {
        return Verdict::of(false, "no connection");
    };
    let limit = Duration::from_secs(3 * LIMIT);
    let ended = loop {
        match server.notes().is_empty() {
            false => break Some(begun.elapsed().as_secs_f64()),
            true if begun.elapsed() > limit => break None,
            true => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    let small = clients.inside(|| ask("little\n").is_some_and(|c| c.read_line() == "little\n"));
    let passes = if small { "small answers pass" } else { "NO small answer" };
    let Some(time) = ended else {
        return Verdict::of(false, format!("not ended after {} s, {passes}", limit.as_secs()));
    };
    let t = LIMIT as f64;
    let right = small && (0.9 * t..=1.5 * t).contains(&time) && pen.lives();
    Verdict::of(right, format!("ended after {time:.1} s, {passes}"))
}

/// A router with a narrow way behind it, and the clients there.
fn hosts() -> (Host, Host) {
    let (router, clients) = (Host::new("router"), Host::new("clients"));
    router.cable("r0", "near");
    clients.cable("far", "between");
    router.take("between", "r1");
    run_here("ip addr add 10.1.0.1/24 dev near && ip route add 10.3.0.0/24 via 10.1.0.254");
    run_here("echo 0 > /proc/sys/net/ipv4/tcp_mtu_probing");
    router.run(
        "ip addr add 10.1.0.254/24 dev r0
         ip addr add 10.3.0.254/24 dev r1
         ip link set r1 mtu 1300 up
         echo 1 > /proc/sys/net/ipv4/ip_forward
         nft add table ip hole
         nft add chain ip hole out '{ type filter hook output priority 0; }'
         nft add rule ip hole out icmp type destination-unreachable drop",
    );
    clients.run("ip addr add 10.3.0.2/24 dev far && ip route add default via 10.3.0.254");
    (router, clients)
}

/// Much or little, and a note when much has come to an end.
fn serve(client: Served) {
    if client.read_line() == "little\n" {
        drop(client.send("little\n"));
        return;
    }
    let block = vec![b'x'; 65_536];
    while !client.is_leaving() && client.send(&block).is_ok() {}
    client.note("over");
}
