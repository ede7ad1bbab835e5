//! Clients leave while the connect to the server is pending.

use std::time::Duration;

use pen_test::{Place, TestServer, Wire, acts, holds, run_here};

use crate::programs;
use crate::rows::Row;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        14,
        "client resets while the connect to the server is pending",
        "after 1 s no connect is pending, and the server gets none of them later",
    )
};

fn run(stage: &Stage) -> Verdict {
    if programs::in_path("nft").is_none() {
        return Verdict::skipped("Debian package nftables is not installed");
    }
    let tries = stage.of(1_000, 100);
    let place = Place::Tcp("127.0.0.9:7".parse().expect("an address and a port"));
    let server = TestServer::start_at("s0", &place, acts::banner());
    run_here("nft add table ip hole");
    run_here("nft add chain ip hole in '{ type filter hook input priority 0; }'");
    run_here("nft add rule ip hole in ip daddr 127.0.0.9 drop");
    let mut setup = Setup::of([server.word()])
        .with(Subject::Pen, Scope::Global, "pending_max 10000")
        .with(Subject::Haproxy, Scope::Service, "option abortonclose")
        .with(Subject::Haproxy, Scope::Service, "maxconn 4000");
    setup.connect_timeout_s = 30;
    let mut pen = stage.start(&setup);
    for _ in 0..tries / 100 {
        let clients: Vec<_> = (0..100).filter_map(|_| Wire::connect(&pen.place).ok()).collect();
        std::thread::sleep(Duration::from_millis(100));
        clients.into_iter().for_each(Wire::abort);
    }
    let begun = pending(&place);
    let cancelled = !holds(Duration::from_secs(1), || pending(&place) > 0);
    let left = pending(&place);
    run_here("nft delete table ip hole");
    // A connect that goes on would be repeated within 3 s.
    std::thread::sleep(Duration::from_millis(3_200));
    let reached = server.accepted();
    let right = cancelled && reached == 0 && pen.lives();
    let figures =
        format!("pending {left} of {tries} (at once {begun}), server reached by {reached}");
    Verdict::of(right, figures)
}

/// Connects to a place that are pending, as the kernel sees it.
fn pending(place: &Place) -> usize {
    let table = std::fs::read_to_string("/proc/thread-self/net/tcp").unwrap_or_default();
    let port = format!(":{:04X}", place.port());
    let syn_sent = |line: &&str| {
        let mut words = line.split_whitespace().skip(2);
        words.next().is_some_and(|there| there.ends_with(&port)) && words.next() == Some("02")
    };
    table.lines().filter(syn_sent).count()
}
