//! Storms of signals, and standing still for a while, with connections open.

use std::time::{Duration, Instant};

use pen_test::{Farm, Sig, Wire, acts};
use rustix::process::{Pid, Signal, kill_process};

use crate::load::Load;
use crate::rows::Row;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    // The server waits that much longer for the clients who say nothing meanwhile.
    environment: &[("PEN_TEST_SCALE", "6")],
    ..Row::new(
        65,
        "storms of signals; stopped and continued; 500 connections open",
        "no connection lost, no visit fails",
    )
};

fn run(stage: &Stage) -> Verdict {
    let farm = Farm::of(1, &acts::banner());
    let mut setup = Setup::of(farm.words(""));
    setup.again = matches!(stage.subject, Subject::Pen | Subject::Classic);
    let mut balancer = stage.start(&setup);
    let open: Vec<Wire> = (0..stage.of(500, 100))
        .filter_map(|_| Wire::connect(&balancer.place).ok())
        .filter(|wire| !wire.read_line().is_empty())
        .collect();
    let load = Load::on(&balancer.place, 4, 200, Duration::from_secs(20));
    let harmless: &[Signal] = match stage.subject {
        Subject::Pen | Subject::Classic => {
            &[Signal::USR1, Signal::HUP, Signal::WINCH, Signal::PIPE, Signal::CHILD]
        }
        // USR1 ends HAProxy, WINCH nginx's workers.
        Subject::Haproxy => &[Signal::HUP, Signal::WINCH, Signal::PIPE, Signal::CHILD],
        Subject::Nginx => &[Signal::USR1, Signal::PIPE, Signal::CHILD],
    };
    let end = Instant::now() + Duration::from_secs(stage.of(10, 2));
    let pid = i32::try_from(balancer.pid()).ok().and_then(Pid::from_raw).expect("a process");
    while Instant::now() < end {
        for signal in harmless {
            // One that has ended is noticed below.
            let _ = kill_process(pid, *signal);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    if !balancer.lives() {
        return Verdict::of(false, format!("ended: {:?}", balancer.ended()));
    }
    balancer.pids().into_iter().for_each(|pid| Sig::Stop.send(pid));
    std::thread::sleep(Duration::from_secs(stage.of(10, 2)));
    balancer.pids().into_iter().for_each(|pid| Sig::Cont.send(pid));
    std::thread::sleep(Duration::from_secs(1));
    let outcome = load.stop();
    let alive = open.iter().filter(|wire| echoes(wire)).count();
    let right = outcome.failed() == 0 && alive == open.len() && !open.is_empty();
    Verdict::of(right, format!("{alive} of {} open ones live, {}", open.len(), outcome.line()))
}

fn echoes(wire: &Wire) -> bool {
    wire.send("still\n").is_ok() && wire.read_line() == "still\n"
}
