//! As many short connections as there is time for: who keeps the ended ones, and does anything run out?

use std::fs;
use std::time::{Duration, Instant};

use pen_test::Place;

use crate::rows::Row;
use crate::serve::Served;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::verdict::Verdict;
use crate::visitors::{Visits, paid, sources};

pub const ROW: Row = Row {
    run,
    ..Row::new(
        31,
        "tens of thousands of short connections, TIME_WAIT",
        "no error for want of a port; it is known who keeps the ended ones",
    )
};

const CLIENTS: usize = 8;

fn run(stage: &Stage) -> Verdict {
    let servers: Vec<Served> = (0..2).map(Served::number).collect();
    let balancer = stage.start(&Setup::of(servers.iter().map(Served::word)));
    let time = Duration::from_secs(stage.of(40, 4));
    let threads: Vec<_> = (0..CLIENTS)
        .map(|n| {
            let place = balancer.place.clone();
            std::thread::spawn(move || visit_for(&place, n, time))
        })
        .collect();
    let visits =
        threads.into_iter().filter_map(|t| t.join().ok()).fold(Visits::default(), Visits::and);
    let resting = resting(balancer.place.port(), &servers);
    let words = format!(
        "{} connections, {} failed; TIME_WAIT: {} at clients, {} at the balancer's door, {} at its \
         connections to servers, {} at servers",
        visits.count(),
        visits.failed(),
        resting[0],
        resting[1],
        resting[2],
        resting[3]
    );
    Verdict::of(visits.failed() == 0 && visits.count() > 1_000, words)
}

/// One client after the other, each from four addresses in turn.
fn visit_for(place: &Place, n: usize, time: Duration) -> Visits {
    let sources: Vec<String> = sources().skip(n * 4).take(4).collect();
    let end = Instant::now() + time;
    let visits = sources.iter().cycle().take_while(|_| Instant::now() < end);
    Visits(visits.map(|s| paid(place, s, Duration::from_secs(5))).collect())
}

/// Ended connections that rest: at clients, at the balancer towards clients, at it towards servers, at
/// servers.
fn resting(door: u16, servers: &[Served]) -> [usize; 4] {
    let table = fs::read_to_string("/proc/thread-self/net/tcp").unwrap_or_default();
    let servers: Vec<u16> = servers.iter().map(|s| s.at.port()).collect();
    let mut count = [0; 4];
    for line in table.lines() {
        let mut words = line.split_whitespace().skip(1);
        let port = |word: Option<&str>| {
            word.and_then(|w| u16::from_str_radix(w.rsplit(':').next()?, 16).ok())
        };
        let (own, other) = (port(words.next()), port(words.next()));
        if words.next() != Some("06") {
            continue;
        }
        let is_server = |p: Option<u16>| p.is_some_and(|p| servers.contains(&p));
        let place = match (own, other) {
            (_, other) if other == Some(door) => 0,
            (own, _) if own == Some(door) => 1,
            (_, other) if is_server(other) => 2,
            _ => 3,
        };
        if let Some(n) = count.get_mut(place) {
            *n += 1;
        }
    }
    count
}
