//! A thousand clients that ask for much and do not read: what Pen holds for them is bounded by the
//! limits, whatever moves the bytes, and everybody who reads in the end has every byte.

use std::sync::Arc;
use std::time::Duration;

use pen_core::limits;
use pen_test::acts::Act;
use pen_test::{Client, Farm, Pattern, Pen, fingerprint, holds, until};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const CLIENTS: usize = 1_000;
/// Those among them that read a while before they stop, so that their flows have proved bulky.
const BULKY: usize = 100;
const WORKERS: usize = 2;
/// More than the sockets hold whose sizes are set here; the rest must wait with the server.
const ANSWER: usize = 384 * 1024;
const LONG_ANSWER: usize = 3 * 1024 * 1024;
/// What the bulky ones read at once: enough to prove it.
const FIRST: usize = 2 * 1024 * 1024;
/// Tables, stacks and scratch buffers, which do not depend on who stalls.
const ELSE_KIB: u64 = 8 * 1024;

#[test]
fn a_thousand_stalled_readers_hold_what_the_limits_say() {
    if !enough_descriptors() {
        println!("skipped: too few descriptors for {CLIENTS} connections");
        return;
    }
    // The suite may be running for one of them.
    let one = std::env::var("PEN_TEST_ENGINE").ok();
    let engines = ["copy", "splice", "auto"].into_iter();
    engines.filter(|e| one.as_deref().is_none_or(|one| one == *e)).for_each(stall);
}

fn stall(engine: &str) {
    let farm = Farm::one(&answers());
    let pen = Pen::over(&farm)
        .args(["-x", "1100"])
        .command(&format!("workers {WORKERS}"))
        .command(&format!("engine {engine}"))
        .command("pending_max 1000")
        // The kernel would hold whole answers otherwise, and Pen nothing.
        .command("sndbuf 16384")
        .start();
    let (before, others) = (pen.vitals().anonymous_kib, pipes_of(&pen));
    let clients: Vec<Asking> = (0..CLIENTS).map(|n| Asking::begin(&pen, n < BULKY)).collect();
    let mut moved = 0;
    until("the bytes to stop", || {
        let still = holds(Duration::from_millis(200), || true);
        let now = pen.servers().iter().map(|row| row.received).sum::<u64>();
        let stopped = still && now == moved && farm[0].accepted() == CLIENTS;
        moved = now;
        stopped.then_some(())
    });
    let held = pen.vitals().anonymous_kib.saturating_sub(before);
    let kib = |bytes: usize| bytes as u64 / 1024;
    let most = kib(CLIENTS * limits::READ_MODEST) + kib(BULKY * limits::SCRATCH) + ELSE_KIB;
    assert!(held <= most, "engine {engine}: {held} KiB for {CLIENTS} stalled readers");
    let pipes = pipes_of(&pen) - others;
    assert!(pipes <= 2 * limits::PIPES_PER_WORKER * WORKERS, "engine {engine}: {pipes} pipe ends");
    // Otherwise nobody was stalled, and the above says nothing.
    let asked = (CLIENTS - BULKY) * ANSWER + BULKY * LONG_ANSWER;
    assert!(moved < asked as u64 / 2, "engine {engine}: {moved} bytes were taken from the server");
    std::thread::scope(|s| {
        for lane in clients.chunks(CLIENTS / 8 + 1) {
            s.spawn(move || lane.iter().for_each(Asking::read_all));
        }
    });
    drop(clients);
    pen.wait_idle();
}

/// A client that has asked and does not read on.
struct Asking {
    client: Client,
    length: usize,
    first: Vec<u8>,
}

impl Asking {
    fn begin(pen: &Pen, bulky: bool) -> Self {
        let (length, window, first) =
            if bulky { (LONG_ANSWER, 65_536, FIRST) } else { (ANSWER, 4_096, 0) };
        let client = Client::dial(pen.place()).receive_buffer(window).connect();
        let client = client.expect("pen accepts");
        client.send(format!("{length}\n")).expect("pen takes it");
        let first = client.read_exact(first).expect("the beginning of the answer");
        Self { client, length, first }
    }

    fn read_all(&self) {
        let (rest, _) = self.client.read_to_end();
        let mut got = fingerprint();
        got.add(&self.first);
        got.add(&rest);
        let mut wanted = fingerprint();
        wanted.add(&Pattern::new(7).take(self.length));
        assert_eq!(got.value(), wanted.value());
    }
}

/// Answers as many bytes as it is asked for, and ends.
fn answers() -> Act {
    let all = Pattern::new(7).take(LONG_ANSWER);
    Arc::new(move |s| {
        let length: usize = s.read_line().trim().parse().unwrap_or(0);
        // Whoever is cut short notices.
        drop(s.send(all.get(..length).unwrap_or_default()));
    })
}

fn pipes_of(pen: &Pen) -> usize {
    let all = std::fs::read_dir(format!("/proc/{}/fd", pen.pid())).expect("pen lives");
    let is_pipe = |link: &std::path::PathBuf| link.to_string_lossy().starts_with("pipe:");
    all.flatten().filter_map(|e| std::fs::read_link(e.path()).ok()).filter(is_pipe).count()
}

/// This process holds both outer ends of every connection.
fn enough_descriptors() -> bool {
    let limit = getrlimit(Resource::Nofile);
    let wanted = 2 * CLIENTS as u64 + 300;
    let now = limit.current.unwrap_or(u64::MAX).max(wanted);
    setrlimit(Resource::Nofile, Rlimit { current: Some(now), maximum: limit.maximum }).is_ok()
}
