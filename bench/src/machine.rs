//! What a reader of results must know of the machine and its network.

use std::fs;

use crate::netns;

/// Settings of the network that change what is measured.
const SETTINGS: [&str; 7] = [
    "net/ipv4/tcp_congestion_control",
    "net/ipv4/tcp_rmem",
    "net/ipv4/tcp_wmem",
    "net/core/somaxconn",
    "net/ipv4/tcp_max_syn_backlog",
    "net/ipv4/ip_local_port_range",
    "net/ipv4/tcp_tw_reuse",
];

/// Names and values, for the head of the results.
pub fn facts() -> Vec<(String, String)> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|l| l.strip_prefix("model name"));
    let model = model.map_or("unknown", |m| m.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = words("/proc/loadavg");
    let load: Vec<&str> = load.split(' ').take(3).collect();
    let place =
        if netns::is_inside() { "a namespace of its own" } else { "the machine's loopback" };
    let settings = SETTINGS.map(|name| {
        let (_, short) = name.rsplit_once('/').unwrap_or(("", name));
        format!("{short} = {}", words(&format!("/proc/sys/{name}")))
    });
    vec![
        ("processor".into(), format!("{cores} x {model}")),
        ("kernel".into(), words("/proc/sys/kernel/osrelease")),
        ("load before".into(), load.join(" ")),
        ("network".into(), place.into()),
        ("settings".into(), settings.join("; ")),
    ]
}

/// The words of a file with single blanks between them.
fn words(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|_| "unknown".into());
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
