//! The server speaks first, or closes before it was asked anything.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pen_test::{End, Place, Served, TestServer, Wire, acts};

use crate::rows::Row;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        13,
        "server speaks first, or closes before the client sends",
        "the banner comes unasked; the close is a FIN and no fault of the server",
    )
};

fn run(stage: &Stage) -> Verdict {
    let tries = stage.of(1_000, 100);
    let speaking = TestServer::start("s0", acts::server_first(&["220 ready"]));
    let pen = stage.start(&Setup::of([speaking.word()]));
    let (greeted, through) = banners(&pen.place, tries);
    let (_, direct) = banners(speaking.place(), tries);
    drop(pen);
    // The second server stays in the rotation, or it would get fewer than half of the clients.
    let leave: acts::Act = Arc::new(|s: Served| s.finish());
    let leaving =
        [("s0", Arc::clone(&leave)), ("s1", leave)].map(|(n, act)| TestServer::start(n, act));
    let pen = stage.start(&Setup::of(leaving.iter().map(TestServer::word)));
    let ends = (0..tries).filter_map(|_| Some(Wire::connect(&pen.place).ok()?.end()));
    let fins = ends.filter(|end| *end == End::Eof).count();
    let shares = leaving.each_ref().map(TestServer::accepted);
    let blamed = shares.iter().any(|n| n.abs_diff(tries / 2) > 1);
    let figures = format!(
        "banners {greeted}, FIN {fins} of {tries}, {:.2} ms more at p50, {}",
        through.saturating_sub(direct).as_secs_f64() * 1e3,
        if blamed { format!("shares {shares:?}") } else { "none blamed".into() }
    );
    Verdict::of(greeted == tries && fins == tries && !blamed, figures)
}

/// How many banners came without a word of the client's, and half of them within this time.
fn banners(place: &Place, tries: usize) -> (usize, Duration) {
    let mut times: Vec<Duration> = (0..tries)
        .filter_map(|_| {
            let begun = Instant::now();
            let client = Wire::connect(place).ok()?;
            (client.read_line() == "220 ready\r\n").then(|| begun.elapsed())
        })
        .collect();
    times.sort_unstable();
    (times.len(), times.get(times.len() / 2).copied().unwrap_or_default())
}
