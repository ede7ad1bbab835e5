//! The program is replaced while it serves.

use std::sync::Arc;
use std::time::Duration;

use pen_test::acts::Act;
use pen_test::{End, Pattern, Scratch, Sig, TestServer, Wire, until};

use crate::load::Load;
use crate::rows::Row;
use crate::running::Running;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    starred: true,
    run,
    limit: Duration::from_secs(240),
    ..Row::new(
        52,
        "the program replaced 20 times under load, transfers under way",
        "no visit fails, no transfer is cut",
    )
};

/// Bytes of a transfer, of one step of it, and the pause between two.
const SIZE: usize = 2_000_000;
const STEP: usize = 20_000;
const PAUSE: Duration = Duration::from_millis(10);
/// Transfers that are under way when it begins.
const TRANSFERS: usize = 10;

fn run(stage: &Stage) -> Verdict {
    match stage.subject {
        Subject::Classic => return Verdict::without("an end and a start"),
        Subject::Nginx => {
            return Verdict::skipped("it does so only as a daemon, not in the foreground");
        }
        Subject::Pen | Subject::Haproxy => {}
    }
    let sockets = Scratch::new();
    let expose = sockets.path("exposed").display().to_string();
    let server = TestServer::start("s0", slow_or_short());
    let mut setup = Setup::of([server.word()]).with(
        Subject::Haproxy,
        Scope::Global,
        format!("stats socket {expose} expose-fd listeners"),
    );
    setup.again = stage.subject == Subject::Haproxy;
    let balancer = stage.start(&setup);
    let place = balancer.place.clone();
    let transfers: Vec<_> = (0..TRANSFERS)
        .map(|_| {
            let wire = Wire::connect(&place);
            std::thread::spawn(move || wire.is_ok_and(|wire| whole(&wire)))
        })
        .collect();
    let load = Load::on(&place, 8, stage.of(1_500, 400), Duration::from_secs(5));
    std::thread::sleep(Duration::from_millis(500));
    let count = stage.of(20, 4);
    for _ in 0..count {
        replace(&balancer);
        std::thread::sleep(Duration::from_millis(500));
    }
    let outcome = load.stop();
    let complete = transfers.into_iter().filter_map(|t| t.join().ok()).filter(|w| *w).count();
    stop(&balancer);
    let right = outcome.failed() == 0 && complete == TRANSFERS && outcome.asked() > 100;
    let figures = format!("{count} times: {}, {complete} of {TRANSFERS} whole", outcome.line());
    Verdict::of(right, figures)
}

/// Says who it is; who then asks for more gets it slowly.
fn slow_or_short() -> Act {
    let pattern = Pattern::new(7).take(SIZE);
    Arc::new(move |served| {
        if served.send("s0\n").is_err() || served.read_line() != "slow\n" {
            return;
        }
        for step in pattern.chunks(STEP) {
            if served.send(step).is_err() {
                return;
            }
            std::thread::sleep(PAUSE);
        }
    })
}

fn whole(wire: &Wire) -> bool {
    if wire.read_line() != "s0\n" || wire.send("slow\n").is_err() {
        return false;
    }
    let (bytes, end) = wire.read_to_end();
    end == End::Eof && bytes == Pattern::new(7).take(SIZE)
}

/// A new process serves when this returns.
fn replace(balancer: &Running) {
    match balancer.subject {
        Subject::Pen => {
            let before = serving(balancer).expect("it tells its number");
            Sig::Usr2.send(before);
            until("a new process", || serving(balancer).filter(|pid| *pid != before));
        }
        Subject::Haproxy => {
            let before = balancer.pids();
            balancer.signal(Sig::Usr2);
            until("a new worker", || {
                balancer.pids().iter().any(|pid| !before.contains(pid)).then_some(())
            });
        }
        Subject::Nginx | Subject::Classic => {}
    }
}

/// The process in charge.
fn serving(balancer: &Running) -> Option<u32> {
    balancer.control("pid")?.trim().parse().ok()
}

/// The process in charge is none of ours any more.
fn stop(balancer: &Running) {
    if let Some(pid) = serving(balancer) {
        Sig::Kill.send(pid);
    }
}
