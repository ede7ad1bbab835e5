//! Many clients that ask for a large answer and do not read it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pen_test::{Pattern, Served, TestServer, Wire};

use crate::load::Load;
use crate::rows::Row;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    starred: true,
    run,
    // Who does not read is waited for.
    environment: &[("PEN_TEST_SCALE", "12")],
    limit: Duration::from_secs(180),
    ..Row::new(
        8,
        "1,000 clients that do not read their 100 MB",
        "at most 80 kB of memory for each further one (64 KiB of its bytes); nobody else fails, half of them wait 100 ms or less",
    )
};

/// More than all buffers on the way hold.
const SIZE: usize = 100_000_000;

fn run(stage: &Stage) -> Verdict {
    let count = stage.of(1_000, 200);
    let sent = Arc::new(AtomicU64::new(0));
    let server = {
        let sent = Arc::clone(&sent);
        TestServer::start("s0", Arc::new(move |client| serve(&client, &sent)))
    };
    let mut pen = stage.start(&Setup::of([server.word()]));
    let load = Load::on(&pen.place, 2, 50, Duration::from_secs(10));
    let time = Duration::from_secs(stage.of(6, 2));
    // The first ones find nothing warm.
    drop(load.during(Duration::from_millis(500)));
    let quiet = load.during(time);
    // What the first ones cost is for all: heaps, buffers of threads.
    let first = count / 4;
    let mut stalled: Vec<Wire> = (0..first).filter_map(|_| stall(&pen.place)).collect();
    settle(&sent);
    let before = pen.vitals().rss_kib;
    stalled.extend((first..count).filter_map(|_| stall(&pen.place)));
    settle(&sent);
    let busy = load.during(time);
    let grown = pen.vitals().rss_kib.saturating_sub(before) * 1024;
    let each = grown / (count - first) as u64;
    let failed = quiet.failed() + busy.failed();
    // The slowest of a busy machine say nothing about the balancer; the one in the middle does.
    let soon = busy.quantile(0.5) < Duration::from_millis(100);
    let [before, after] = [&quiet, &busy].map(|o| o.quantile(0.99));
    let figures = format!(
        "{} stalled, {} kB each further one, others: {failed} failed, p99 {:.1} ms (quiet {:.1})",
        stalled.len(),
        each / 1000,
        after.as_secs_f64() * 1e3,
        before.as_secs_f64() * 1e3
    );
    // What the heap takes by the way is shared by few in the short form.
    let bound = stage.of(80_000, 200_000);
    let right = stalled.len() == count && each <= bound && failed == 0 && soon && pen.lives();
    Verdict::of(right, figures)
}

/// Greets; who then asks gets a large answer.
fn serve(client: &Served, sent: &AtomicU64) {
    if client.send("s0\n").is_err() || client.read_line().is_empty() {
        return;
    }
    let block = Pattern::new(3).take(20_000);
    for _ in 0..SIZE / block.len() {
        if client.send(&block).is_err() {
            return;
        }
        sent.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits until all buffers on the way are full.
fn settle(sent: &AtomicU64) {
    let mut before = None;
    while before != Some(sent.load(Ordering::Relaxed)) {
        before = Some(sent.load(Ordering::Relaxed));
        std::thread::sleep(Duration::from_millis(700));
    }
}

fn stall(place: &pen_test::Place) -> Option<Wire> {
    let client = Wire::dial(place).receive_buffer(4_096).connect().ok()?;
    client.send("all of it\n").ok()?;
    Some(client)
}
