//! One of eight servers is killed under load, and comes back.

use std::time::{Duration, Instant};

use pen_test::{Place, Wire};

use crate::rows::Row;
use crate::serve::Served;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::trial::{PATIENCE, after, back, direct, unhurt};
use crate::verdict::Verdict;
use crate::visitors::{Crowd, sources};

pub const ROW: Row = Row {
    starred: true,
    run,
    ..Row::new(
        23,
        "kill -9 of one of 8 servers under 2,000 connections a second",
        "only what it was serving breaks; no later one fails; p99 within 2x quiet; back in rotation",
    )
};

const SERVERS: u8 = 8;
const PACE: u32 = 2_000;
/// Connections that stay open all the time.
const HELD: usize = 80;

fn run(stage: &Stage) -> Verdict {
    let time = Duration::from_secs(stage.of(8, 2));
    let mut servers: Vec<Served> = (0..SERVERS).map(Served::number).collect();
    let setup =
        Setup { checks: true, blacklist_s: 2, ..Setup::of(servers.iter().map(Served::word)) };
    let balancer = stage.start(&setup);
    let (place, sources): (_, Vec<_>) = (&balancer.place, sources().take(12).collect());
    let held = hold(place);
    let begun = Instant::now();
    let crowd = Crowd::of(place, &sources, PACE, PATIENCE);
    std::thread::sleep(time);
    let machine = direct(&servers[1].place());
    let killed = Instant::now();
    servers[0].kill();
    let dead = Instant::now();
    std::thread::sleep(time);
    let restarted = Instant::now();
    servers[0].start();
    let again = back(place, &sources, "s0", Duration::from_secs(10));
    let visits = crowd.for_another(time);
    let pace = visits.count() as f64 / begun.elapsed().as_secs_f64();

    let quiet = visits.clone().before(killed).and(visits.clone().since(restarted));
    let loud = visits.clone().since(dead).before(restarted);
    let (right, figures) = unhurt(&quiet, &loud, &machine.stop().before(restarted));
    let cut = visits.clone().before(dead).failed();
    let broken = broken(&held);
    let own = held.iter().filter(|(_, name)| name == "s0").count();
    let failed = visits.clone().since(dead).failed();
    let words = format!(
        "{pace:.0}/s; after the kill {failed} of {} failed; in flight broke {} of {HELD} held \
         ({own} were its) and {cut} short; back {}",
        visits.clone().since(dead).count(),
        broken.len(),
        after(again),
    );
    let only_its = broken.iter().all(|name| name == "s0") && broken.len() == own;
    // What was under way when it was killed: at most one visit of each client.
    let right = right && failed == 0 && only_its && cut <= 2 * sources.len() && again.is_some();
    Verdict::of(right, format!("{figures}; {words}"))
}

/// Connections that stay, with the name of their server.
fn hold(place: &Place) -> Vec<(Wire, String)> {
    let one = |_| {
        let wire = Wire::connect(place).ok()?;
        let name = wire.read_line().split_whitespace().next()?.to_owned();
        Some((wire, name))
    };
    let end = Instant::now() + Duration::from_secs(10);
    (0..HELD).take_while(|_| Instant::now() < end).filter_map(one).collect()
}

/// The servers of those connections on which nothing comes back.
fn broken(held: &[(Wire, String)]) -> Vec<String> {
    held.iter().for_each(|(wire, _)| drop(wire.send(b"still there?\n")));
    let end = Instant::now() + Duration::from_secs(5);
    let works = |wire: &Wire| {
        let left = end.saturating_duration_since(Instant::now());
        wire.set_patience(left.max(Duration::from_millis(10)));
        !wire.read_line().is_empty()
    };
    held.iter().filter(|(wire, _)| !works(wire)).map(|(_, name)| name.clone()).collect()
}
