//! A server refuses connections.

use std::time::{Duration, Instant};

use crate::rows::Row;
use crate::serve::Served;
use crate::stage::Stage;
use crate::trial::{Trial, ms, unhurt};
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        18,
        "server refuses connections",
        "next server, none fail; p99 of the others' clients within 2x quiet",
    )
};

fn run(stage: &Stage) -> Verdict {
    let time = Duration::from_secs(stage.of(5, 2));
    let mut trial = Trial::start(stage, (0..4).map(Served::number).collect(), |setup| setup);
    let quiet = trial.visit(time);
    trial.servers[0].kill();
    let dead = Instant::now();
    let loud = trial.visit(time);
    trial.servers[0].start();
    let again = trial.visit(time);
    let (right, figures) = unhurt(&quiet.healthy.and(again.healthy), &loud.healthy, &loud.direct);
    let its = loud.its.since(dead);
    let moved = format!("its own {} failed, p99 {}", its.failed(), ms(its.p99()));
    Verdict::of(right && its.failed() == 0, format!("{figures}; {moved}"))
}
