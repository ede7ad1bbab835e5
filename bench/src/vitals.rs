//! What processes cost, from /proc: processor time in nanoseconds, memory, sleeps.

use std::fs;
use std::iter::Sum;
use std::ops::Sub;

/// Of a process and everything it started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Vitals {
    /// Processor time of all threads, user and system together, in nanoseconds.
    pub cpu_ns: u64,
    /// Anonymous memory that is resident, in KiB.
    pub anonymous_kib: u64,
    /// Times a thread went to sleep.
    pub sleeps: u64,
}

impl Sub for Vitals {
    type Output = Self;
    fn sub(self, before: Self) -> Self {
        Self {
            cpu_ns: self.cpu_ns.saturating_sub(before.cpu_ns),
            anonymous_kib: self.anonymous_kib.saturating_sub(before.anonymous_kib),
            sleeps: self.sleeps.saturating_sub(before.sleeps),
        }
    }
}

impl Sum for Vitals {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |a, b| Self {
            cpu_ns: a.cpu_ns + b.cpu_ns,
            anonymous_kib: a.anonymous_kib + b.anonymous_kib,
            sleeps: a.sleeps + b.sleeps,
        })
    }
}

/// Of a process and its descendants, now.
pub fn of(pid: u32) -> Vitals {
    family(pid).into_iter().map(of_one).sum()
}

/// Of a process without its descendants, now.
pub fn of_alone(pid: u32) -> Vitals {
    of_one(pid)
}

/// A process and its descendants.
pub fn family(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let mut next = 0;
    while let Some(pid) = all.get(next).copied() {
        next += 1;
        for task in tasks(pid) {
            let children = fs::read_to_string(format!("/proc/{pid}/task/{task}/children"));
            let children = children.unwrap_or_default();
            all.extend(children.split_whitespace().filter_map(|c| c.parse::<u32>().ok()));
        }
    }
    all
}

fn tasks(pid: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect()
}

fn of_one(pid: u32) -> Vitals {
    let mut vitals = Vitals {
        anonymous_kib: field(&format!("/proc/{pid}/status"), "RssAnon:"),
        ..Vitals::default()
    };
    for task in tasks(pid) {
        let times = fs::read_to_string(format!("/proc/{pid}/task/{task}/schedstat"));
        let first = times.unwrap_or_default();
        let first = first.split_whitespace().next().and_then(|n| n.parse::<u64>().ok());
        vitals.cpu_ns += first.unwrap_or(0);
        let status = format!("/proc/{pid}/task/{task}/status");
        vitals.sleeps += field(&status, "voluntary_ctxt_switches:");
    }
    vitals
}

fn field(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// Processor time that was not idle, of the whole machine and what its host took away, in
/// nanoseconds (it is counted in hundredths of a second).
pub fn whole_machine_ns() -> u64 {
    const TICK_NS: u64 = 10_000_000;
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    // user nice system idle iowait irq softirq steal; guests are part of user.
    let all = line.split_whitespace().skip(1).take(8).enumerate();
    let busy = all.filter(|(n, _)| !matches!(n, 3 | 4));
    busy.filter_map(|(_, ticks)| ticks.parse::<u64>().ok()).sum::<u64>() * TICK_NS
}
