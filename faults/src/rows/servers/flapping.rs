//! A server that comes and goes every second.

use std::time::{Duration, Instant};

use crate::rows::Row;
use crate::serve::Served;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::trial::{PATIENCE, Seen, Trial, unhurt};
use crate::verdict::Verdict;
use crate::visitors::Visit;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        25,
        "server flaps: 1 s up, 1 s down",
        "log bounded; none fail but those it was serving; p99 of the others' clients within 2x quiet",
    )
};

fn run(stage: &Stage) -> Verdict {
    let time = Duration::from_secs(stage.of(4, 2));
    let flaps = stage.of(20, 3);
    let change = |setup: Setup| {
        setup.with(Subject::Haproxy, Scope::Global, "log stderr format raw local0 notice").with(
            Subject::Haproxy,
            Scope::Service,
            "log global",
        )
    };
    let mut trial = Trial::start(stage, (0..4).map(Served::number).collect(), change);
    let quiet = trial.visit(time);
    let lines = trial.balancer.said().lines().count();
    let crowds = trial.crowds(PATIENCE);
    let mut kills: Vec<(Instant, Instant)> = Vec::new();
    for _ in 0..flaps {
        let begun = Instant::now();
        trial.servers[0].kill();
        kills.push((begun, Instant::now()));
        std::thread::sleep(Duration::from_secs(1));
        trial.servers[0].start();
        std::thread::sleep(Duration::from_secs(1));
    }
    let Seen { healthy, its, direct } = crowds.stop();
    let lines = trial.balancer.said().lines().count() - lines;
    let again = trial.visit(time);
    let (right, figures) = unhurt(&quiet.healthy.and(again.healthy), &healthy, &direct);

    // Under way when it was killed: that is broken, whoever balances.
    let under_way = |v: &&Visit| {
        kills.iter().any(|(begun, dead)| v.begun <= *dead && v.begun + v.took >= *begun)
    };
    let cut = its.0.iter().filter(|v| v.end.is_err()).filter(under_way).count();
    let failed = its.failed() - cut;
    let words = format!(
        "{lines} log lines for {flaps} deaths; its own: {failed} of {} failed, {cut} were cut",
        its.count()
    );
    let bounded = lines <= 10 * flaps + 20;
    Verdict::of(right && bounded && failed == 0, format!("{figures}; {words}"))
}
