//! What the kernel says about a running process: descriptors, memory, wake-ups, processor time.

use std::fs;

/// One look at a process in /proc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vitals {
    /// Open descriptors.
    pub descriptors: usize,
    /// Threads.
    pub threads: usize,
    /// Resident memory, KiB.
    pub rss_kib: u64,
    /// Private, written memory without files behind it (heap and stacks), KiB. The measure for
    /// what a connection costs in user memory.
    pub anonymous_kib: u64,
    /// Times any thread went to sleep by itself: the number of wake-ups.
    pub sleeps: u64,
    /// Processor time in clock ticks (1/100 s), user and system.
    pub ticks: u64,
}

impl Vitals {
    /// Looks at process `pid`; nothing when it is gone.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let tasks: Vec<_> = fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten().collect();
        let mut sleeps = 0;
        for task in &tasks {
            if let Ok(status) = fs::read_to_string(task.path().join("status")) {
                sleeps += number_after(&status, "voluntary_ctxt_switches:");
            }
        }
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // After the program name in parentheses; utime and stime are words 12 and 13 from there.
        let words: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
        let tick = |n: usize| words.get(n).and_then(|w| w.parse::<u64>().ok()).unwrap_or(0);
        let smaps = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        Some(Self {
            descriptors: fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count(),
            threads: tasks.len(),
            rss_kib: number_after(&status, "VmRSS:"),
            anonymous_kib: number_after(&smaps, "Anonymous:"),
            sleeps,
            ticks: tick(11) + tick(12),
        })
    }
}

fn number_after(text: &str, label: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(label))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
