//! All connections there is room for are in use, and five times as many clients come.

use std::time::{Duration, Instant};

use pen_test::{TestServer, Wire, acts, scaled};

use crate::rows::Row;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::trial::unhurt_by_what_lasts;
use crate::verdict::Verdict;
use crate::visitors::{Visit, Visits};

pub const ROW: Row = Row {
    run,
    ..Row::new(
        35,
        "at the connection limit, 5 times as many arrive",
        "p99 of the served within 2x quiet; no spinning; all are served in their turn",
    )
};

/// Connections there is room for.
const ROOM: usize = 100;
/// Rounds of questions a second, of each served client one.
const ROUND: Duration = Duration::from_millis(200);

fn run(stage: &Stage) -> Verdict {
    let server = TestServer::start("s0", acts::banner());
    // Of each connection nginx counts both ends, and its listeners.
    let setup = Setup { room: ROOM, threads: 1, ..Setup::of([server.word()]) }
        .with(Subject::Pen, Scope::Global, "backlog 1000")
        .with(Subject::Haproxy, Scope::Service, "backlog 1000");
    let balancer = stage.start(&setup);
    let served: Vec<Wire> =
        (0..ROOM).filter_map(|_| greeted(Wire::connect(&balancer.place).ok()?, 5_000)).collect();
    let rounds = stage.of(25, 8);
    let quiet = questions(&served, rounds);
    let end = Instant::now() + Duration::from_secs(10);
    let dial = |_| Wire::connect(&balancer.place).ok();
    let waiting: Vec<Wire> =
        (0..5 * ROOM).take_while(|_| Instant::now() < end).filter_map(dial).collect();
    std::thread::sleep(scaled(Duration::from_millis(500)));
    let direct = Wire::connect(server.place()).ok().and_then(|wire| greeted(wire, 5_000));
    let (right, figures) = unhurt_by_what_lasts(&quiet, || {
        (questions(&served, rounds), questions(direct.as_slice(), rounds))
    });
    let ticks = balancer.ticks_in(Duration::from_secs(2));

    let came = waiting.len();
    drop(served);
    let last = Instant::now() + Duration::from_secs(15);
    let mut in_turn = 0;
    for wire in waiting {
        let left = last.saturating_duration_since(Instant::now()).as_millis();
        in_turn += usize::from(greeted(wire, left.max(1)).is_some());
    }
    let words = format!(
        "{ticks} ticks in 2 s; then {in_turn} of {} who waited were served ({came} came in)",
        5 * ROOM
    );
    let right = right && ticks < super::descriptors::CALM && in_turn == 5 * ROOM;
    Verdict::of(right, format!("{}; {words}", figures.replace("others", "served")))
}

/// The client when the server has greeted it.
fn greeted(wire: Wire, patience_ms: u128) -> Option<Wire> {
    let patience = u64::try_from(patience_ms).unwrap_or(u64::MAX);
    wire.set_patience(Duration::from_millis(patience));
    (!wire.read_line().is_empty()).then_some(wire)
}

/// Each of them asks something in each round.
fn questions(wires: &[Wire], rounds: usize) -> Visits {
    let mut all = Visits::default();
    for _ in 0..rounds {
        let next = Instant::now() + ROUND;
        for wire in wires {
            wire.set_patience(Duration::from_secs(5));
            let begun = Instant::now();
            let heard = wire.send(b"?\n").is_ok() && wire.read_line() == "?\n";
            let end = if heard { Ok(String::new()) } else { Err(crate::load::Wrong::Ended) };
            all.0.push(Visit { begun, took: begun.elapsed(), end });
        }
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    all
}
