//! Keeps the load and the servers off the balancer's processors, if there are enough.

use rustix::thread::{CpuSet, sched_setaffinity};

/// The list of processors, as taskset takes it, for a balancer with so many threads. `None` if
/// nothing would be left for the others.
pub fn list(threads: usize) -> Option<String> {
    (processors() > threads).then(|| format!("0-{}", threads.max(1) - 1))
}

/// Moves this process, and the server it will start, to the other processors.
pub fn keep_off(threads: usize) {
    let all = processors();
    if all <= threads {
        eprintln!("--pin: {all} processors are too few for {threads} threads; nothing is pinned");
        return;
    }
    let mut set = CpuSet::new();
    for n in threads..all {
        set.set(n);
    }
    if let Err(error) = sched_setaffinity(None, &set) {
        eprintln!("--pin: {error}");
    }
}

fn processors() -> usize {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    text.lines().filter(|l| l.starts_with("processor")).count().max(1)
}
