//! Control clients that say nothing, dribble, or never read what they asked for.

use std::io::{Read, Write};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use pen_test::{Farm, Place};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::crowd::{Crowd, Talk};
use crate::load::Load;
use crate::rows::Row;
use crate::settings;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    starred: true,
    run,
    ..Row::new(
        55,
        "500 idle, dribbling or deaf control clients",
        "no visit fails, the operator is answered, all are dropped (judged after 7 s)",
    )
};

fn run(stage: &Stage) -> Verdict {
    if stage.subject == Subject::Nginx {
        return Verdict::without("no control socket");
    }
    let farm = Farm::banners(1);
    let setup = Setup::of(farm.words("")).with(Subject::Haproxy, Scope::Global, "stats timeout 5s");
    let balancer = stage.start(&setup);
    let load = Load::on(&balancer.place, 4, 100, Duration::from_secs(3));
    let quiet = load.during(Duration::from_secs(1));
    let (name, line) = match stage.subject {
        Subject::Haproxy => (settings::HAPROXY_CONTROL, "show stat"),
        _ => (settings::CONTROL, "servers"),
    };
    let place = Place::Unix(balancer.scratch.path(name));
    let lines = format!("{line}\n").repeat(50);
    let talks = [("", "", 200), (line, " ", 200), (&lines, &lines, 100)];
    let crowds = talks.map(|(first, then, count)| {
        let talk = Talk { first: first.into(), then: then.into() };
        Crowd::of(&place, &[IpAddr::from([127, 0, 0, 1])], count, talk)
    });
    std::thread::sleep(Duration::from_millis(500));
    let (answered, slowest) = asked(&place, line);
    let fates = crowds.map(|crowd| crowd.watch(Duration::from_secs(stage.of(15, 7))));
    let outcome = load.stop();
    let held: usize = fates.iter().map(|fate| fate.held).sum();
    let last = fates.iter().map(crate::crowd::Fate::last).max().unwrap_or_default();
    let right = outcome.failed() == 0 && outcome.asked() > 50 && answered == ASKED && held == 0;
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let text = format!(
        "visits failed {} of {}, p99 {:.1} ms (quiet {:.1}); operator answered {answered} of {ASKED}, \
         slowest {:.0} ms; {held} still there, last dropped after {:.1} s",
        outcome.failed(),
        outcome.asked(),
        ms(outcome.quantile(0.99)),
        ms(quiet.quantile(0.99)),
        ms(slowest),
        last.as_secs_f64()
    );
    Verdict::of(right, text)
}

/// How long the operator waits.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the operator asks.
const ASKED: usize = 3;

/// How often the operator is answered, and the longest that an answer took.
fn asked(control: &Place, line: &str) -> (usize, Duration) {
    let mut slowest = Duration::ZERO;
    let answers = (0..ASKED).filter(|_| {
        let begun = Instant::now();
        let there = answer(control, line).is_some();
        slowest = slowest.max(begun.elapsed());
        there
    });
    (answers.count(), slowest)
}

/// The beginning of the answer; an operator waits for it, and for a place in the queue before, for some
/// seconds.
fn answer(control: &Place, line: &str) -> Option<u8> {
    let Place::Unix(path) = control else { return None };
    let end = Instant::now() + PATIENCE;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).ok()?;
    socket.set_nonblocking(true).ok()?;
    while socket.connect(&SockAddr::unix(path).ok()?).is_err() {
        if Instant::now() > end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    socket.set_nonblocking(false).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    { &socket }.write_all(format!("{line}\n").as_bytes()).ok()?;
    let mut byte = [0];
    { &socket }.read_exact(&mut byte).ok()?;
    Some(byte[0])
}
