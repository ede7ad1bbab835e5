//! The clock of the machine jumps.

use std::path::Path;
use std::time::Duration;

use pen_test::{Scratch, TestServer, Wire, acts};

use crate::rows::Row;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        62,
        "the clock jumps by an hour, ten years, and back to 1980",
        "idle connections stay, clients keep their server",
    )
};

/// What stands in for the clock, where Debian puts it.
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
const JUMPS: [&str; 4] = ["+3600s", "-3600s", "+3650d", "@1980-01-01 00:00:00"];

fn run(stage: &Stage) -> Verdict {
    if !Path::new(LIBRARY).exists() {
        return Verdict::skipped("Debian package libfaketime is not installed");
    }
    let clock = Scratch::new();
    let now = clock.write("now", "+0s");
    let servers = ["s0", "s1"].map(|name| TestServer::start(name, acts::banner()));
    let mut setup = Setup::of(servers.iter().map(TestServer::word))
        .with(Subject::Pen, Scope::Global, "idle_timeout 600")
        .with(Subject::Haproxy, Scope::Service, "timeout client 600s")
        .with(Subject::Haproxy, Scope::Service, "timeout server 600s")
        .with(Subject::Nginx, Scope::Service, "proxy_timeout 600s;");
    setup.sticky = true;
    setup.environment = vec![
        ("LD_PRELOAD", LIBRARY.into()),
        ("FAKETIME_TIMESTAMP_FILE", now.display().to_string()),
        // Only the clock on the wall jumps.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ("FAKETIME_NO_CACHE", "1".into()),
    ];
    let mut balancer = stage.start(&setup);
    let visitor = |n: usize| {
        let source = format!("127.0.0.{}", n + 10);
        let wire = Wire::dial(&balancer.place).from(&source).connect().ok()?;
        let name = wire.read_line().split_whitespace().next()?.to_owned();
        Some((source, wire, name))
    };
    let idle: Vec<_> = (0..30).filter_map(visitor).collect();
    let mut moved = 0;
    for jump in JUMPS {
        clock.write("now", jump);
        std::thread::sleep(Duration::from_millis(1_500));
        for (source, _, name) in &idle {
            let again = Wire::dial(&balancer.place).from(source).connect();
            let line = again.map(|wire| wire.read_line()).unwrap_or_default();
            moved += usize::from(!line.starts_with(&format!("{name} ")));
        }
    }
    if !balancer.lives() {
        return Verdict::of(false, format!("ended: {}", balancer.said_last()));
    }
    let closed = idle.iter().filter(|(_, wire, _)| wire.has_ended()).count();
    let right = idle.len() == 30 && closed == 0 && moved == 0;
    let figures = format!("of {} clients closed {closed}, moved {moved}", idle.len());
    Verdict::of(right, figures)
}
