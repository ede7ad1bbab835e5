//! Servers with a limit of connections, and far more clients than that.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pen_test::{Place, Wire};

use crate::rows::Row;
use crate::serve::Served;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        27,
        "limits of servers under 1,000 clients at once",
        "no server ever sees more than its limit, all places are used and given back",
    )
};

const SERVERS: u8 = 4;
/// Connections that each may have.
const LIMIT: usize = 50;
const CLIENTS: usize = 1_000;
/// Rounds of clients that come and go.
const ROUNDS: usize = 3;

fn run(stage: &Stage) -> Verdict {
    let servers: Vec<Served> = (0..SERVERS).map(Served::number).collect();
    let setup = Setup::of(servers.iter().map(Served::word))
        .with(Subject::Pen, Scope::Server, format!(":{LIMIT}:{LIMIT}"))
        .with(Subject::Classic, Scope::Server, format!(":{LIMIT}:{LIMIT}"))
        .with(Subject::Haproxy, Scope::Server, format!("maxconn {LIMIT}"))
        .with(Subject::Nginx, Scope::Server, format!("max_conns={LIMIT}"))
        .with(Subject::Haproxy, Scope::Service, "timeout queue 2s");
    // Each process of nginx counts for itself.
    let setup = if stage.subject == Subject::Nginx { Setup { threads: 1, ..setup } } else { setup };
    let balancer = stage.start(&setup);
    let mut served = Vec::new();
    for _ in 0..stage.of(3 * ROUNDS, ROUNDS) {
        served.push(storm(&balancer.place));
    }
    let peaks: Vec<usize> = servers.iter().map(|s| peak(s).unwrap_or(usize::MAX)).collect();
    let highest = peaks.iter().max().copied().unwrap_or_default();
    let full = LIMIT * usize::from(SERVERS);
    let last = served.last().copied().unwrap_or_default();
    let least = served.iter().min().copied().unwrap_or_default();
    let words = format!(
        "most seen {highest} of {LIMIT}; served at once {least} to {} of {full}, last {last}",
        served.iter().max().copied().unwrap_or_default()
    );
    Verdict::of(highest == LIMIT && least == full, words)
}

/// All clients at once: how many are served while all stay.
fn storm(place: &Place) -> usize {
    let end = Instant::now() + Duration::from_secs(8);
    let threads: Vec<_> = (0..20)
        .map(|_| {
            let place = place.clone();
            std::thread::spawn(move || {
                let connect = |_| Wire::connect(&place).ok();
                (0..CLIENTS / 20).filter_map(connect).collect::<Vec<_>>()
            })
        })
        .collect();
    let clients: Vec<Wire> = threads.into_iter().filter_map(|t| t.join().ok()).flatten().collect();
    let mut names = BTreeMap::new();
    for client in &clients {
        let left = end.saturating_duration_since(Instant::now());
        client.set_patience(left.max(Duration::from_millis(1)));
        let line = client.read_line();
        if let Some(name) = line.split_whitespace().next() {
            *names.entry(name.to_owned()).or_insert(0) += 1;
        }
    }
    let served = names.values().sum();
    drop(clients);
    // Until the balancer has given all places back.
    std::thread::sleep(Duration::from_millis(500));
    served
}

/// The most connections that a server has ever had: by a connection past the balancer, which it counts.
fn peak(server: &Served) -> Option<usize> {
    let line = Wire::connect(&server.place()).ok()?.read_line();
    line.split_whitespace().nth(3)?.parse().ok()
}
