//! Both sides close at the same moment.

use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

use pen_test::{Served, TestServer, Wire, scaled};

use super::{settles, warm_up};
use crate::dice::Dice;
use crate::rows::Row;
use crate::running::Running;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        6,
        "both sides close at once, by FIN or RST",
        "counters back to 0, no descriptor left open",
    )
};

fn run(stage: &Stage) -> Verdict {
    let tries = stage.of(10_000, 500);
    let server = TestServer::handing("s0");
    let mut pen = stage.start(&Setup::of([server.word()]));
    warm_up(&pen, &server);
    let before = pen.vitals().descriptors;
    let together = Arc::new(Barrier::new(2));
    let (sender, receiver) = mpsc::channel::<(Served, bool)>();
    let closing = {
        let together = Arc::clone(&together);
        std::thread::spawn(move || {
            for (served, resets) in receiver {
                together.wait();
                if resets { served.abort() } else { drop(served) }
            }
        })
    };
    let mut dice = Dice::new(stage.seed);
    let mut closed = 0;
    for _ in 0..tries {
        let Ok(client) = Wire::connect(&pen.place) else { break };
        let Some(served) = server.next_within(scaled(Duration::from_secs(5))) else { break };
        let handed = (served, dice.below(4) == 0);
        let resets = dice.below(4) == 0;
        if sender.send(handed).is_err() {
            break;
        }
        together.wait();
        if resets {
            client.abort()
        } else {
            drop(client)
        }
        closed += 1;
    }
    drop(sender);
    drop(closing.join());
    let gone = settles(&pen, before);
    let descriptors = pen.vitals().descriptors.saturating_sub(before);
    let gauge = pen.gauge();
    let serves = serves_on(&server, &pen);
    let said = gauge.map_or("has no gauge".to_owned(), |n| format!("its gauge says {n}"));
    let right = closed == tries && gone && gauge.unwrap_or(0) == 0 && serves && pen.lives();
    Verdict::of(
        right,
        format!("{closed} of {tries} served, descriptors left {descriptors}, {said}"),
    )
}

fn serves_on(server: &TestServer, pen: &Running) -> bool {
    let Ok(client) = Wire::connect(&pen.place) else { return false };
    let served = server.next_within(scaled(Duration::from_secs(5)));
    served.is_some_and(|s| s.send("yes\n").is_ok()) && client.read_line() == "yes\n"
}
