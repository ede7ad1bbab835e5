//! Measures what idle connections cost a pen: memory of each, wake-ups and processor time of all.
//!
//!     cargo run -p pen-test --example idle -- [CONNECTIONS] [--assert]
//!
//! Opens the connections (9800 unless said otherwise, fewer if descriptors do not allow) through
//! `$PEN` (default: the pen built beside this program), lets each move a few bytes both ways, waits
//! until pen is at rest and looks at /proc for five seconds. Ends by itself within a minute. With
//! `--assert` it fails when a connection costs more than 1 KiB or pen wakes up.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::Duration;

use pen_test::{Client, Pen, TestServer, Vitals, holds};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const WANTED: u64 = 9_800;
const WARM: usize = 200;
const LOOK: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let wanted = args.iter().find_map(|a| a.parse().ok()).unwrap_or(WANTED);
    let count = usize::try_from(wanted.min(affordable())).expect("a count of descriptors");
    if count < WARM {
        eprintln!("not enough descriptors: {count} connections are too few to measure");
        return ExitCode::FAILURE;
    }
    let server = TestServer::handing("idle");
    let pen = Pen::bare()
        // With a short connect timeout the timers of the start are over when it is looked at.
        .args(["-t", "1", "-x", &(count + WARM).to_string()])
        .servers([server.word()])
        .start();
    let mut held: Vec<_> = (0..WARM).map(|n| opened(&pen, &server, n)).collect();
    let before = at_rest(&pen, LOOK / 10);
    held.extend((0..count).map(|n| opened(&pen, &server, n)));
    // Longer than any deadline that a connect or a control session leaves behind.
    let after = at_rest(&pen, LOOK + LOOK / 10);
    holds(LOOK, || true);
    let later = pen.vitals();
    let bytes = (after.anonymous_kib.saturating_sub(before.anonymous_kib)) * 1024 / count as u64;
    let resident = (after.rss_kib.saturating_sub(before.rss_kib)) * 1024 / count as u64;
    let (wakes, ticks) = (later.sleeps - after.sleeps, later.ticks - after.ticks);
    println!("idle connections       {count} (after {WARM} to warm up), {} threads", after.threads);
    println!("user memory of each    {bytes} bytes (anonymous), {resident} bytes (resident)");
    println!("descriptors of pen     {}", after.descriptors);
    println!("at rest for {} s        {wakes} wake-ups, {ticks} ticks of 10 ms", LOOK.as_secs());
    let broken = bytes > 1024 || wakes > 0 || ticks > 0;
    if args.iter().any(|a| a == "--assert") && broken {
        eprintln!("aim missed: at most 1024 bytes each, no wake-ups, no ticks");
        return ExitCode::FAILURE;
    }
    drop(held);
    ExitCode::SUCCESS
}

/// Connections that this process (client and server) and pen (both ends) can hold, with the soft
/// limit raised to the hard one. The children inherit it.
fn affordable() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let now = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    now.unwrap_or(1 << 20).saturating_sub(300 + 2 * WARM as u64) / 2
}

/// A connection that has moved bytes both ways, and the server's end of it.
fn opened(pen: &Pen, server: &TestServer, n: usize) -> (Client, pen_test::Served) {
    let client = pen.client_from(&format!("127.0.{}.{}", n / 200 % 200, n % 200 + 1));
    client.send("ping").expect("pen takes it");
    let served = server.next();
    served.read_exact(4).expect("the bytes");
    served.send("pong").expect("pen takes it");
    client.read_exact(4).expect("the answer");
    (client, served)
}

/// Waits until pen has not woken up for `quiet`; gives up after eight times that.
fn at_rest(pen: &Pen, quiet: Duration) -> Vitals {
    let mut last = pen.vitals();
    for _ in 0..8 {
        holds(quiet, || true);
        let now = pen.vitals();
        if now.sleeps == last.sleeps {
            return now;
        }
        last = now;
    }
    last
}
