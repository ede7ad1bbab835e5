//! SYNs of addresses that do not exist.

use std::process::{Command, Stdio};
use std::time::Duration;

use pen_test::{Farm, Host, Place, free_port, run_here};

use crate::load::Load;
use crate::programs::in_path;
use crate::rows::Row;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(37, "SYN flood from random addresses", "at least 99 % of the others are served")
};

/// The balancer's address towards the attacker, and the others' way.
const NETWORK: &str = "ip addr add 10.9.0.1/24 dev wire0
ip addr add 10.9.1.1/24 dev wire1
ip route add default via 10.9.0.2
echo 1 > /proc/sys/net/ipv4/tcp_syncookies
echo 0 > /proc/sys/net/ipv4/conf/wire0/rp_filter
echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter";

fn run(stage: &Stage) -> Verdict {
    let Some(hping) = in_path("hping3") else {
        return Verdict::skipped("Debian package hping3 is not installed");
    };
    let (attacker, others) = (Host::new("the attacker"), Host::new("the others"));
    attacker.cable("out", "wire0");
    others.cable("out", "wire1");
    run_here(NETWORK);
    attacker.run("ip addr add 10.9.0.2/24 dev out");
    others.run("ip addr add 10.9.1.2/24 dev out; ip route add default via 10.9.1.1");
    let farm = Farm::banners(1);
    let listen = Place::Tcp(([10, 9, 0, 1], free_port()).into());
    let balancer = stage.start(&Setup { listen, ..Setup::of(farm.words("")) });
    let seconds = stage.of(10, 3);
    let load = others.inside(|| Load::on(&balancer.place, 4, 100, Duration::from_secs(5)));
    let before = (arrived(), overflows(), balancer.vitals().ticks);
    let port = balancer.place.port().to_string();
    let mut flood = attacker.inside(|| {
        let words = ["-q", "-S", "--flood", "--rand-source", "-p", &port, "10.9.0.1"];
        let mut command = Command::new(hping);
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("hping3 starts")
    });
    let outcome = load.during(Duration::from_secs(seconds));
    drop((flood.kill(), flood.wait()));
    let packets = arrived().saturating_sub(before.0);
    let ticks = balancer.vitals().ticks.saturating_sub(before.2);
    let right =
        outcome.asked() > 50 && outcome.failed() * 100 <= outcome.asked() && packets > 1_000;
    let served = outcome.times.len();
    Verdict::of(
        right,
        format!(
            "served {served} of {} during {packets} SYNs, {} overflows, {ticks} ticks in {seconds} s",
            outcome.asked(),
            overflows().saturating_sub(before.1)
        ),
    )
}

/// Packets that came from the attacker.
fn arrived() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap_or_default();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("wire0:"));
    line.and_then(|l| l.split_whitespace().nth(1)?.parse().ok()).unwrap_or_default()
}

/// How often a queue of a listener was full.
fn overflows() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/net/netstat").unwrap_or_default();
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else { return 0 };
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    pairs.find(|(n, _)| *n == "ListenOverflows").and_then(|(_, v)| v.parse().ok()).unwrap_or(0)
}
