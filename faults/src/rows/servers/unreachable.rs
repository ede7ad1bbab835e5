//! The network says that a server cannot be reached.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::rows::Row;
use crate::serve::Served;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::trial::{PATIENCE, ms};
use crate::verdict::Verdict;
use crate::visitors::{paid, sources};
use crate::wall::Wall;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        21,
        "ICMP prohibited, ICMP host unreachable, no route",
        "next server within 1.1 s (the kernel's patience), error in the log",
    )
};

/// An address without a route.
const NOWHERE: &str = "10.99.0.1";
/// The kernel tries again for a second after `host unreachable`; below that is the balancer's part.
const LONGEST: Duration = Duration::from_millis(2_500);

/// Within this time a check of HAProxy's has found out.
const CHECKED: Duration = Duration::from_secs(5);

fn run(stage: &Stage) -> Verdict {
    let route = Command::new("ip").args(["route", "add", "unreachable", NOWHERE]).status();
    if !route.is_ok_and(|s| s.success()) {
        return Verdict::skipped("ip route add unreachable is refused");
    }
    let good = Served::number(1);
    let bad = Served::number(0);
    let address = bad.at.ip();
    let reject = |kind| format!("ip daddr {address} tcp flags syn reject with icmp {kind}");
    let kinds = [
        ("prohibited", bad.word(), Some(reject("admin-prohibited"))),
        ("host unreachable", bad.word(), Some(reject("host-unreachable"))),
        ("no route", format!("{NOWHERE}:9"), None),
    ];
    let (mut right, mut figures) = (true, Vec::new());
    for (kind, word, rule) in kinds {
        let _wall = match rule.as_deref().map(Wall::with) {
            Some(Err(verdict)) => return verdict,
            wall => wall,
        };
        let (all, slowest, named) = tried(stage, [word.clone(), good.word()], &word);
        right &= all && named && slowest < LONGEST;
        let served = if all { "" } else { " some failed" };
        let named = if named { "named" } else { "not named" };
        figures.push(format!("{kind}:{served} {}, {named}", ms(slowest)));
    }
    Verdict::of(right, figures.join("; "))
}

/// Whether all clients were served, how long the slowest took, and whether the log tells of the server.
fn tried(stage: &Stage, servers: [String; 2], bad: &str) -> (bool, Duration, bool) {
    let setup = Setup { checks: true, ..Setup::of(servers) }
        .with(Subject::Haproxy, Scope::Global, "log stderr format raw local0")
        .with(Subject::Haproxy, Scope::Service, "log global")
        .with(Subject::Haproxy, Scope::Service, "option tcplog");
    let balancer = stage.start(&setup);
    let visits: Vec<_> = sources()
        .take(stage.of(20, 6))
        .map(|source| paid(&balancer.place, &source, PATIENCE))
        .collect();
    let slowest = visits.iter().map(|v| v.took).max().unwrap_or_default();
    let address = bad.split(':').next().unwrap_or_default();
    let named = || {
        let said = balancer.said();
        said.contains(address) || said.contains("service/s0")
    };
    // Checks take their time to say so.
    let end = Instant::now() + CHECKED;
    while !named() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
    (visits.iter().all(|v| v.end.is_ok()), slowest, named())
}
