//! A server stands still for ten seconds and goes on.

use std::time::{Duration, Instant};

use pen_test::{Place, Sig, Wire};

use crate::rows::Row;
use crate::serve::Served;
use crate::stage::Stage;
use crate::trial::{PATIENCE, Seen, Trial, after, unhurt};
use crate::verdict::Verdict;

use super::stopped::with_answers;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        24,
        "kill -STOP for 10 s, then -CONT",
        "used again at once, no reconnect storm; p99 of the others' clients within 2x quiet",
    )
};

fn run(stage: &Stage) -> Verdict {
    let time = Duration::from_secs(stage.of(5, 2));
    let trial = Trial::start(stage, (0..4).map(Served::number).collect(), with_answers);
    let quiet = trial.visit(time);
    let server = &trial.servers[0];
    let Some(before) = accepted(&server.place()) else {
        return Verdict::of(false, "the server does not answer");
    };
    let crowds = trial.crowds(PATIENCE);
    server.signal(Sig::Stop);
    let stopped = Instant::now();
    std::thread::sleep(Duration::from_secs(stage.of(10, 3)));
    server.signal(Sig::Cont);
    let resumed = Instant::now();
    let back = trial.back(Duration::from_secs(20));
    let Seen { healthy, its, direct } = crowds.stop();
    let accepted = accepted(&server.place()).unwrap_or_default().saturating_sub(before);
    let again = trial.visit(time);

    let loud = healthy.since(stopped).before(resumed);
    let (right, figures) = unhurt(&quiet.healthy.and(again.healthy), &loud, &direct);
    // Checks and the questions of this row come on top of the clients.
    let clients = its.count() as u64;
    let storm = accepted > 2 * clients + 40;
    let words = format!(
        "used again {}; it was connected to {accepted} times for {clients} clients; {} of them failed",
        after(back),
        its.failed()
    );
    Verdict::of(
        right && back.is_some() && !storm && its.failed() == 0,
        format!("{figures}; {words}"),
    )
}

/// How many clients a server says it has accepted so far.
fn accepted(place: &Place) -> Option<u64> {
    Wire::connect(place).ok()?.read_line().split_whitespace().nth(1)?.parse().ok()
}
