//! The balancer runs out of descriptors.

use std::process::Command;
use std::time::{Duration, Instant};

use pen_test::{TestServer, Vitals, Wire, acts, scaled};

use crate::rows::Row;
use crate::running::Running;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;
use crate::visitors::paid;

pub const ROW: Row = Row {
    starred: true,
    run,
    ..Row::new(
        32,
        "no descriptors left: TCP",
        "64 for 4,000 connections are refused or said aloud; taken away later: lives, no spinning, \
         control answers, serves again",
    )
};

/// Descriptors left when they are taken away.
const LEFT: u64 = 40;
/// Clients who come then.
const CLIENTS: usize = 150;
/// Processor time (1/100 s) in 2 s that is not called spinning.
pub const CALM: u64 = 20;

fn run(stage: &Stage) -> Verdict {
    let servers: Vec<_> =
        (0..2).map(|n| TestServer::start(&format!("s{n}"), acts::banner())).collect();
    let (at_start, begun) = too_few(stage, &servers);
    let setup = Setup { room: 400, ..Setup::of(servers.iter().map(TestServer::word)) };
    let mut balancer = stage.start(&setup);
    if let Err(why) = squeeze(&balancer) {
        return Verdict::skipped(why);
    }
    let clients: Vec<Wire> = crowd_in(&balancer);
    let ticks = balancer.ticks_in(Duration::from_secs(2));
    let lives = balancer.lives();
    let control = answers(&balancer);
    drop(clients);
    let back = serves_again(&balancer);
    let words = format!(
        "{at_start}; taken away: {}, {ticks} ticks in 2 s, control {}, serves again {}",
        if lives { "lives" } else { "ENDED" },
        match control {
            None => "none",
            Some(true) => "answers",
            Some(false) => "SILENT",
        },
        crate::trial::after(back)
    );
    let right = begun && lives && ticks < CALM && control != Some(false) && back.is_some();
    Verdict::of(right, words)
}

/// What is said to a limit that is far too low, and whether that is right.
fn too_few(stage: &Stage, servers: &[TestServer]) -> (String, bool) {
    let setup = Setup {
        descriptors: Some(64),
        room: 4_000,
        ..Setup::of(servers.iter().map(TestServer::word))
    };
    let mut balancer = match stage.try_start(&setup) {
        Err(_) => return ("refuses to start".into(), true),
        Ok(balancer) => balancer,
    };
    let told = balancer.said().to_lowercase();
    let aloud = ["descriptor", "open files", "exceed", "limit"].iter().any(|w| told.contains(w));
    let clients = crowd_in(&balancer);
    let ticks = balancer.ticks_in(Duration::from_secs(1));
    drop(clients);
    let lives = balancer.lives();
    let words = format!(
        "starts {}, {} with {CLIENTS} clients",
        if aloud { "and says so" } else { "silently" },
        match (lives, ticks < CALM / 2) {
            (false, _) => "ENDS",
            (true, false) => "spins",
            (true, true) => "lives",
        }
    );
    (words, aloud && lives && ticks < CALM / 2)
}

/// Clients who come and stay, at most for ten seconds.
fn crowd_in(balancer: &Running) -> Vec<Wire> {
    let end = Instant::now() + Duration::from_secs(10);
    let dial = |_| Wire::connect(&balancer.place).ok();
    let clients = (0..CLIENTS).take_while(|_| Instant::now() < end).filter_map(dial).collect();
    std::thread::sleep(scaled(Duration::from_millis(500)));
    clients
}

/// Leaves each process a few descriptors more than it has.
///
/// # Errors
/// There is no prlimit here.
pub fn squeeze(balancer: &Running) -> Result<(), String> {
    if answers(balancer).is_some() {
        // It serves a moment before its start is over, which would fail then.
        pen_test::until("the end of the start", || answers(balancer).filter(|answers| *answers));
    }
    for pid in balancer.pids() {
        let has = Vitals::of(pid).map_or(0, |v| v.descriptors as u64);
        let limit = has + LEFT;
        let done = Command::new("prlimit")
            .args(["--pid", &pid.to_string(), &format!("--nofile={limit}:{limit}")])
            .status();
        if !done.is_ok_and(|s| s.success()) {
            return Err("prlimit (util-linux) is not there or may not".into());
        }
    }
    Ok(())
}

/// Whether the control socket answers; `None` without one.
fn answers(balancer: &Running) -> Option<bool> {
    let line = match balancer.subject {
        Subject::Pen | Subject::Classic => "conn_max",
        Subject::Haproxy => "show info",
        Subject::Nginx => return None,
    };
    Some(balancer.control(line).is_some_and(|answer| !answer.is_empty()))
}

/// After how long a client is served again.
fn serves_again(balancer: &Running) -> Option<Duration> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        if paid(&balancer.place, "127.0.0.1", Duration::from_secs(1)).end.is_ok() {
            return Some(begun.elapsed());
        }
    }
    None
}
