//! The client aborts.

use std::time::{Duration, Instant};

use pen_test::{End, TestServer, Wire};

use super::{settles, warm_up};
use crate::rows::Row;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        4,
        "client resets",
        "the server sees RST, half of them within 100 ms; the place is free",
    )
};

fn run(stage: &Stage) -> Verdict {
    let tries = stage.of(500, 50);
    let server = TestServer::handing("s0");
    let pen = stage.start(&Setup::of([server.word()]));
    warm_up(&pen, &server);
    let before = pen.vitals().descriptors;
    let (mut resets, mut times) = (0, Vec::new());
    for n in 0..tries {
        let Ok(client) = Wire::connect(&pen.place) else { continue };
        // Half of them in the middle of an exchange.
        let spoken = n % 2 == 0 || (client.send("half a li").is_ok());
        let served = server.next();
        if n % 2 == 1 && !(spoken && served.read_exact(9).is_ok()) {
            continue;
        }
        let begun = Instant::now();
        client.abort();
        resets += usize::from(served.end() == End::Reset);
        times.push(begun.elapsed());
    }
    let free = settles(&pen, before);
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or(Duration::MAX);
    let held = pen.vitals().descriptors.saturating_sub(before);
    let p99 = at(99).as_secs_f64() * 1e3;
    let figures = format!("RST {resets} of {tries}, p99 {p99:.1} ms, descriptors held {held}");
    Verdict::of(free && resets == tries && at(50) < Duration::from_millis(100), figures)
}
