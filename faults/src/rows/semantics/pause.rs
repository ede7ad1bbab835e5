//! A receiver whose window stays shut for a minute, and opens again.

use std::sync::Arc;
use std::time::Duration;

use pen_test::{End, Farm, Pattern, Place, Served, Wire, acts};

use crate::rows::Row;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    // The sender waits as long as the receiver.
    environment: &[("PEN_TEST_SCALE", "10")],
    limit: Duration::from_secs(150),
    ..Row::new(9, "window shut for 60 s on either side, then open", "every byte of 50 MB, then FIN")
};

/// More than all buffers on the way hold.
const SIZE: usize = 50_000_000;

fn run(stage: &Stage) -> Verdict {
    let pause = Duration::from_secs(stage.of(60, 5));
    let download = Farm::one(
        &(Arc::new(|s: Served| {
            if s.read_line() == "all of it\n" {
                drop(s.send(Pattern::new(7).take(SIZE)));
            }
        }) as acts::Act),
    );
    // Who has a limit of silence needs more of it here.
    let setup = |farm: &Farm| {
        Setup::of(farm.words(""))
            .with(Subject::Haproxy, Scope::Service, "timeout client 120s")
            .with(Subject::Haproxy, Scope::Service, "timeout server 120s")
            .with(Subject::Nginx, Scope::Service, "proxy_timeout 120s;")
    };
    let down = stage.start(&setup(&download));
    let upload = Farm::one(&(Arc::new(move |s: Served| slow(&s, pause)) as acts::Act));
    let up = stage.start(&setup(&upload));
    let (down, up) = std::thread::scope(|scope| {
        let down = scope.spawn(|| downloads(&down.place, pause));
        let up = scope.spawn(|| uploads(&up.place));
        (down.join().unwrap_or(false), up.join().unwrap_or(false))
    });
    let word = |right| if right { "whole" } else { "BROKEN" };
    let figures = format!("after {} s: down {}, up {}", pause.as_secs(), word(down), word(up));
    Verdict::of(down && up, figures)
}

fn downloads(place: &Place, pause: Duration) -> bool {
    let Ok(client) = Wire::dial(place).receive_buffer(65_536).connect() else { return false };
    let asked = client.send("all of it\n").is_ok();
    std::thread::sleep(pause);
    let (answer, end) = client.read_to_end();
    asked && end == End::Eof && answer == Pattern::new(7).take(SIZE)
}

/// Reads nothing for a while; then says whether all was right.
fn slow(client: &Served, pause: Duration) {
    std::thread::sleep(pause);
    let right = client.read_exact(SIZE).is_ok_and(|got| got == Pattern::new(7).take(SIZE));
    drop(client.send(if right { "right\n" } else { "wrong\n" }));
    let _end = client.end();
}

fn uploads(place: &Place) -> bool {
    let Ok(client) = Wire::connect(place) else { return false };
    client.send(Pattern::new(7).take(SIZE)).is_ok() && client.read_line() == "right\n"
}
