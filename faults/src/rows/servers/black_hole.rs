//! What is sent to a server vanishes: connects to it end by their timeout.

use std::time::{Duration, Instant};

use crate::rows::Row;
use crate::serve::Served;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::trial::{Trial, ms, unhurt};
use crate::verdict::Verdict;
use crate::wall::Wall;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        19,
        "SYN black hole",
        "a timeout once, then nobody waits; timer exact; p99 of the others' clients within 2x quiet",
    )
};

/// Seconds a connect may take.
const TIMEOUT_S: u32 = 2;

fn run(stage: &Stage) -> Verdict {
    let quiet_time = Duration::from_secs(stage.of(4, 2));
    let change = |setup| Setup { connect_timeout_s: TIMEOUT_S, blacklist_s: 30, ..setup };
    let trial = Trial::start(stage, (0..4).map(Served::number).collect(), change);
    let quiet = trial.visit(quiet_time);
    let rule = format!("ip daddr {} tcp flags syn / syn,ack drop", trial.servers[0].at.ip());
    let wall = match Wall::with(&rule) {
        Ok(wall) => wall,
        Err(verdict) => return verdict,
    };
    let begun = Instant::now();
    let loud = trial.visit(Duration::from_secs(stage.of(20, 6)));
    drop(wall);
    let again = trial.visit(quiet_time);
    let (right, figures) = unhurt(&quiet.healthy.and(again.healthy), &loud.healthy, &loud.direct);

    let timeout = Duration::from_secs(TIMEOUT_S.into());
    let delayed: Vec<_> = loud.its.slower_than(timeout / 2).collect();
    let shortest = delayed.iter().map(|v| v.took).min().unwrap_or_default();
    let last = delayed.iter().map(|v| v.begun.saturating_duration_since(begun)).max();
    // Those who came while the first timeout ran; a timer that fires early would show a wrong one.
    let once = last.is_none_or(|last| last < timeout + timeout / 2);
    let exact = delayed.is_empty() || shortest >= timeout.mul_f64(0.9);
    let words = format!(
        "its own: {} of {} waited, {} to {}, the last came after {}, {} failed",
        delayed.len(),
        loud.its.count(),
        ms(shortest),
        ms(loud.its.slowest()),
        ms(last.unwrap_or_default()),
        loud.its.failed(),
    );
    Verdict::of(right && once && exact && loud.its.failed() == 0, format!("{figures}; {words}"))
}
