//! A server's process stands still; the kernel goes on accepting for it.

use std::time::{Duration, Instant};

use pen_test::Sig;

use crate::rows::Row;
use crate::serve::Served;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::trial::{Trial, after, unhurt};
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    form: "b",
    run,
    ..Row::new(
        22,
        "server's process stopped, its kernel accepts",
        "p99 of the others' clients within 2x quiet; the stopped one's are told apart only by a check \
         that waits for an answer",
    )
};

/// How long a client of the stopped one waits until it goes.
const STUCK: Duration = Duration::from_secs(1);

fn run(stage: &Stage) -> Verdict {
    let time = Duration::from_secs(stage.of(5, 2));
    let trial = Trial::start(stage, (0..4).map(Served::number).collect(), with_answers);
    let quiet = trial.visit(time);
    trial.servers[0].signal(Sig::Stop);
    let begun = Instant::now();
    let crowds = trial.crowds(STUCK);
    std::thread::sleep(Duration::from_secs(stage.of(12, 6)));
    let loud = crowds.stop();
    trial.servers[0].signal(Sig::Cont);
    let again = trial.visit(time);
    let (right, figures) = unhurt(&quiet.healthy.and(again.healthy), &loud.healthy, &loud.direct);

    // Whoever was answered while it stood was sent elsewhere.
    let elsewhere = loud.its.0.iter().filter(|v| v.end.is_ok());
    let marked = elsewhere.map(|v| v.begun.saturating_duration_since(begun)).min();
    let stuck = loud.its.failed();
    let words = format!("marked down {}, {stuck} of its own stuck", after(marked));
    Verdict::of(right, format!("{figures}; {words}"))
}

/// HAProxy can wait for the servers' greeting.
pub fn with_answers(setup: Setup) -> Setup {
    setup
        .with(Subject::Haproxy, Scope::Service, "option tcp-check")
        .with(Subject::Haproxy, Scope::Service, "tcp-check connect")
        .with(Subject::Haproxy, Scope::Service, "tcp-check expect rstring ^s[0-9]")
}
