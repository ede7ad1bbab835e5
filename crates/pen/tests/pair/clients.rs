//! What clients notice: new connections all the time, from several addresses, and connections that stay.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pen_test::dial_from;

use crate::hall::{CLIENTS, Hall, VIP};

/// One try to be served takes no longer.
const PATIENCE: Duration = Duration::from_millis(1_000);
/// A connection that has not ended this long after the address has moved is stuck.
const STUCK: Duration = Duration::from_secs(10);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(10);

/// A try: which client, when it began and ended, and the server that answered.
#[derive(Clone, Copy, Debug)]
struct Try {
    client: u8,
    began: Instant,
    ended: Instant,
    server: Option<u8>,
}

/// Clients at work.
pub struct Crowd {
    stop: Arc<AtomicBool>,
    tries: Arc<Mutex<Vec<Try>>>,
    asking: Vec<JoinHandle<()>>,
    held: Vec<JoinHandle<Held>>,
}

/// What became of a connection that stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    WentOn,
    Ended,
    Stuck,
}

/// What they noticed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// From the last try that was served before the trouble to the first one after it.
    pub without_service: Duration,
    /// Tries that were not served.
    pub failed: usize,
    /// Clients whose server was another one afterwards.
    pub wrong: usize,
    /// Connections that were open and neither ended nor went on.
    pub stuck: usize,
    /// Connections that ended.
    pub ended: usize,
}

impl Crowd {
    /// They begin.
    pub fn start(hall: &Hall) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tries = Arc::new(Mutex::new(Vec::new()));
        let (mut asking, mut held) = (Vec::new(), Vec::new());
        hall.client.inside(|| {
            for client in 1..=CLIENTS {
                let (stop, tries) = (Arc::clone(&stop), Arc::clone(&tries));
                asking.push(std::thread::spawn(move || ask_on(client, &stop, &tries)));
            }
        });
        hall.client.inside(|| {
            for client in 1..=CLIENTS {
                let stop = Arc::clone(&stop);
                held.push(std::thread::spawn(move || hold(client, &stop)));
            }
        });
        let crowd = Self { stop, tries, asking, held };
        // Everybody has been served.
        pen_test::until("all clients to be served", || {
            let tries = crowd.tries();
            (1..=CLIENTS)
                .all(|c| tries.iter().any(|t| t.client == c && t.server.is_some()))
                .then_some(())
        });
        crowd
    }

    fn tries(&self) -> Vec<Try> {
        self.tries.lock().expect("nobody panics with it").clone()
    }

    /// Waits until all are served by tries that began after `since`, and for a while longer.
    pub fn wait_served(&self, since: Instant) {
        let patience = Instant::now() + Duration::from_secs(30);
        let all = || {
            let tries = self.tries();
            (1..=CLIENTS).all(|c| {
                let mut own = tries.iter().rev().filter(|t| t.client == c);
                own.clone().take(10).all(|t| t.server.is_some() && t.began > since)
                    && own.nth(10).is_some()
            })
        };
        while !all() {
            assert!(Instant::now() < patience, "the service does not come back");
            std::thread::sleep(PAUSE);
        }
    }

    /// They end. `trouble` began then.
    pub fn end(self, trouble: Instant) -> Seen {
        self.stop.store(true, Ordering::Release);
        let tries = self.tries();
        for thread in self.asking {
            thread.join().expect("asking does not panic");
        }
        let served = |t: &&Try| t.server.is_some();
        let after = || tries.iter().filter(|t| t.ended > trouble);
        let mut seen =
            Seen { failed: after().filter(|t| t.server.is_none()).count(), ..Seen::default() };
        if seen.failed > 0 {
            let first = after().filter(|t| t.server.is_none()).map(|t| t.began).min();
            let last = after().filter(|t| t.server.is_none()).map(|t| t.ended).max();
            let (first, last) = (first.expect("some failed"), last.expect("some failed"));
            let before = tries.iter().filter(served).filter(|t| t.ended <= first).map(|t| t.ended);
            // Some fail before others do: what counts is when nobody was served.
            let good: Vec<Instant> = tries.iter().filter(served).map(|t| t.ended).collect();
            let from = before.max().unwrap_or(first);
            seen.without_service = longest_gap(good, from, last);
        }
        for client in 1..=CLIENTS {
            let own = || tries.iter().filter(|t| t.client == client);
            let before = own().filter(served).rfind(|t| t.ended <= trouble).and_then(|t| t.server);
            let now = own().rfind(served).and_then(|t| t.server);
            seen.wrong += usize::from(before != now);
        }
        for thread in self.held {
            match thread.join().expect("holding does not panic") {
                Held::WentOn => {}
                Held::Ended => seen.ended += 1,
                Held::Stuck => seen.stuck += 1,
            }
        }
        seen
    }
}

/// The longest time between two of these moments, from `from` on, up to the first after `last`.
fn longest_gap(mut good: Vec<Instant>, from: Instant, last: Instant) -> Duration {
    good.sort();
    let (mut before, mut longest) = (from, Duration::ZERO);
    for at in good.into_iter().filter(|at| *at > from) {
        longest = longest.max(at - before);
        before = at;
        if at > last {
            break;
        }
    }
    longest
}

fn source(client: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::from([192, 0, 2, 100 + client]), 0)
}

fn connect(client: u8) -> Option<TcpStream> {
    let to = SocketAddr::new(VIP.parse().expect("an address"), 80);
    let wire = dial_from(source(client), to, PATIENCE).ok()?;
    wire.set_read_timeout(Some(PATIENCE)).expect("it is longer than 0");
    Some(wire)
}

/// The server that answers.
fn served(client: u8) -> Option<u8> {
    let mut line = String::new();
    BufReader::new(connect(client)?).read_line(&mut line).ok()?;
    line.split_whitespace().next()?.parse().ok()
}

fn ask_on(client: u8, stop: &AtomicBool, tries: &Mutex<Vec<Try>>) {
    while !stop.load(Ordering::Acquire) {
        let began = Instant::now();
        let server = served(client);
        let done = Try { client, began, ended: Instant::now(), server };
        tries.lock().expect("nobody panics with it").push(done);
        std::thread::sleep(PAUSE);
    }
}

/// A connection on which lines go there and back, until it ends. A client that waits says something now
/// and then, as an application or TCP keepalive does: who says nothing cannot learn that its connection is
/// gone.
fn hold(client: u8, stop: &AtomicBool) -> Held {
    let Some(wire) = (0..50).find_map(|_| connect(client)) else { return Held::Stuck };
    wire.set_read_timeout(Some(PAUSE * 20)).expect("it is longer than 0");
    let mut lines = BufReader::new(wire);
    let (mut line, mut heard) = (String::new(), Instant::now());
    let is_late = |e: &std::io::Error| {
        matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
    };
    loop {
        line.clear();
        match lines.read_line(&mut line) {
            Ok(1..) => heard = Instant::now(),
            Err(e) if is_late(&e) && heard.elapsed() > STUCK => return Held::Stuck,
            Err(e) if is_late(&e) => {}
            _ => return Held::Ended,
        }
        let quiet = heard.elapsed() > PATIENCE;
        if stop.load(Ordering::Acquire) && !quiet {
            return Held::WentOn;
        }
        std::thread::sleep(PAUSE * 5);
        if lines.get_mut().write_all(b"still there?\n").is_err() {
            return Held::Ended;
        }
    }
}
