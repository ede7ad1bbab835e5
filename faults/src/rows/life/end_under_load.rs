//! TERM while transfers are under way; then the way to end gently.

use std::time::{Duration, Instant};

use pen_test::{End, Pattern, Place, Sig, TestServer, Wire};

use crate::rows::Row;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    starred: true,
    run,
    ..Row::new(
        51,
        "TERM, and the gentle end, with 20 transfers under way",
        "TERM: RST for what is cut, never FIN, at once; gently: all complete, no new client",
    )
};

/// Transfers at once, bytes of each, and bytes per step with a pause.
const TRANSFERS: usize = 20;
const SIZE: usize = 3_000_000;
const STEP: usize = 30_000;
const PAUSE: Duration = Duration::from_millis(10);

fn run(stage: &Stage) -> Verdict {
    let cut = ended(stage, Sig::Term);
    let gentle = match stage.subject {
        Subject::Pen | Subject::Nginx => Some(Sig::Quit),
        Subject::Haproxy => Some(Sig::Usr1),
        Subject::Classic => None,
    };
    let resets = cut.ends.iter().filter(|end| **end == Seen::Reset).count();
    let lies = cut.ends.iter().filter(|end| **end == Seen::Short).count();
    let seconds = cut.time.as_secs_f64();
    let mut figures = format!("TERM: {resets} RST, {lies} false FIN, {seconds:.1} s");
    let mut right = lies == 0 && cut.status == Some(0) && cut.time < Duration::from_secs(5);
    match gentle.map(|signal| ended(stage, signal)) {
        None => figures += "; no gentle end",
        Some(drained) => {
            let whole = drained.ends.iter().filter(|end| **end == Seen::Whole).count();
            right &= whole == TRANSFERS && !drained.served_new;
            let new = if drained.served_new { ", new clients served" } else { "" };
            figures += &format!("; gently: {whole} of {TRANSFERS} complete{new}");
        }
    }
    Verdict::of(right, figures)
}

/// What a client has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// Everything.
    Whole,
    /// A reset.
    Reset,
    /// An end of stream before everything.
    Short,
}

struct Ended {
    ends: Vec<Seen>,
    time: Duration,
    status: Option<i32>,
    served_new: bool,
}

fn ended(stage: &Stage, signal: Sig) -> Ended {
    let pattern = Pattern::new(7).take(SIZE);
    let slow = {
        let pattern = pattern.clone();
        TestServer::start(
            "slow",
            std::sync::Arc::new(move |served| {
                for step in pattern.chunks(STEP) {
                    if served.send(step).is_err() {
                        return;
                    }
                    std::thread::sleep(PAUSE);
                }
            }),
        )
    };
    let setup = Setup::of([slow.word()]).with(Subject::Pen, Scope::Global, "drain_timeout 0");
    let mut balancer = stage.start(&setup);
    let clients: Vec<_> = (0..TRANSFERS)
        .filter_map(|_| Wire::connect(&balancer.place).ok())
        .map(|wire| std::thread::spawn(move || wire.read_to_end()))
        .collect();
    pen_test::until("transfers under way", || (slow.open_now() == TRANSFERS).then_some(()));
    std::thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    balancer.signal(signal);
    std::thread::sleep(Duration::from_millis(300));
    let served_new = serves(&balancer.place);
    let status = balancer.wait_end();
    let time = begun.elapsed();
    let seen = |(bytes, end): (Vec<u8>, End)| match end {
        End::Eof if bytes == pattern => Seen::Whole,
        End::Eof => Seen::Short,
        _ => Seen::Reset,
    };
    let ends = clients.into_iter().filter_map(|c| c.join().ok()).map(seen).collect();
    Ended { ends, time, status, served_new }
}

/// Whether a client that comes now gets bytes.
fn serves(place: &Place) -> bool {
    Wire::connect(place).is_ok_and(|wire| {
        wire.set_patience(Duration::from_millis(500));
        wire.read_some(&mut [0; 1]).is_ok()
    })
}
