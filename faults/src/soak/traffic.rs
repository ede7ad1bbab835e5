//! All kinds of traffic at once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use pen_test::Wire;

use super::services::{Map, ask};
use crate::dice::Dice;
use crate::exchange::plan::Plan;
use crate::exchange::{Fault, exchange};
use crate::load::Wrong;
use crate::secure;

/// A kind of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Plain,
    Six,
    Bulk,
    Tls,
    Shown,
    Unix,
    Http,
    Datagrams,
    Control,
    Metrics,
}

/// Kinds, and how many do it at once.
const CROWD: [(Kind, usize); 10] = [
    (Kind::Plain, 5),
    (Kind::Six, 1),
    (Kind::Bulk, 1),
    (Kind::Tls, 3),
    (Kind::Shown, 1),
    (Kind::Unix, 2),
    (Kind::Http, 2),
    (Kind::Datagrams, 2),
    (Kind::Control, 1),
    (Kind::Metrics, 1),
];

/// Between two steps of one visitor: a soak is not a benchmark.
const PAUSE: Duration = Duration::from_millis(15);
/// The same for those who ask Pen about itself, and those who move much.
const LONG_PAUSE: Duration = Duration::from_millis(500);

#[derive(Clone, Debug, Default)]
struct Count {
    played: u64,
    /// While there was a fault, or just after.
    excused: BTreeMap<Fault, u64>,
    /// While all was well.
    unexcused: BTreeMap<Fault, u64>,
}

type Counts = BTreeMap<Kind, Count>;

struct Shared {
    map: Map,
    stop: AtomicBool,
    quiet: Arc<AtomicBool>,
    /// Steps hold it for reading; who wants a pause takes it for writing.
    gate: RwLock<()>,
    numbers: AtomicU64,
    counts: Mutex<Counts>,
}

/// Traffic that goes on until it is ended.
pub struct Traffic {
    shared: Arc<Shared>,
    /// There is no fault, and the last one is over for a while.
    pub quiet: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Traffic {
    /// Begins all kinds.
    pub fn begin(map: &Map, seed: u64) -> Self {
        let quiet = Arc::new(AtomicBool::new(false));
        let shared = Arc::new(Shared {
            map: map.clone(),
            stop: AtomicBool::new(false),
            quiet: Arc::clone(&quiet),
            gate: RwLock::new(()),
            numbers: AtomicU64::new(seed << 32),
            counts: Mutex::default(),
        });
        let visitor = |kind| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || visit(&shared, kind))
        };
        let crowd = CROWD.into_iter().flat_map(|(kind, n)| std::iter::repeat_n(kind, n));
        let threads = crowd.map(visitor).collect();
        Self { shared, quiet, threads }
    }

    /// Does something while nobody asks for anything.
    pub fn paused<T>(&self, job: impl FnOnce() -> T) -> T {
        let _closed = self.shared.gate.write().unwrap_or_else(PoisonError::into_inner);
        job()
    }

    /// How much there was so far.
    pub fn line(&self) -> String {
        let counts = self.counts();
        let all: u64 = counts.values().map(|c| c.played).sum();
        let excused: u64 = counts.values().flat_map(|c| c.excused.values()).sum();
        let unexcused: u64 = counts.values().flat_map(|c| c.unexcused.values()).sum();
        format!("{all} done, {excused} failed in faults, {unexcused} without")
    }

    /// Ends it.
    pub fn end(mut self) -> Sum {
        self.shared.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
        Sum { counts: self.counts(), late: self.shared.map.book.late() }
    }

    fn counts(&self) -> Counts {
        self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What came of the traffic.
pub struct Sum {
    counts: Counts,
    /// What servers have said too late to know whether there was a fault.
    late: BTreeMap<Fault, usize>,
}

impl Sum {
    /// Each kind in a line.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.counts.iter().map(|(kind, count)| {
            let mut line = format!("{kind:?}: {} done", count.played);
            if !count.excused.is_empty() {
                let _ = write!(line, ", during faults {:?}", count.excused);
            }
            line
        })
    }

    /// What must not have happened.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (kind, count) in &self.counts {
            for (fault, n) in count.excused.iter().filter(|(fault, _)| fault.is_corruption()) {
                wrong.push(format!("{kind:?}: {n} times {fault:?} during a fault"));
            }
            for (fault, n) in &count.unexcused {
                wrong.push(format!("{kind:?}: {n} times {fault:?} without a fault"));
            }
            if count.played == 0 {
                wrong.push(format!("{kind:?}: nothing was done"));
            }
        }
        for (fault, n) in self.late.iter().filter(|(fault, _)| fault.is_corruption()) {
            wrong.push(format!("{n} times {fault:?} seen by servers whose client had aborted"));
        }
        wrong
    }
}

fn visit(shared: &Shared, kind: Kind) {
    while !shared.stop.load(Ordering::SeqCst) {
        std::thread::sleep(match kind {
            Kind::Control | Kind::Metrics | Kind::Bulk | Kind::Shown => LONG_PAUSE,
            _ => PAUSE,
        });
        let open = shared.gate.read().unwrap_or_else(PoisonError::into_inner);
        let calm = shared.quiet.load(Ordering::SeqCst);
        let number = shared.numbers.fetch_add(1, Ordering::SeqCst);
        let outcome = step(&shared.map, kind, number);
        let calm = calm && shared.quiet.load(Ordering::SeqCst);
        drop(open);
        let mut counts = shared.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(kind).or_default();
        match outcome {
            Ok(()) => count.played += 1,
            Err(fault) if calm => *count.unexcused.entry(fault).or_default() += 1,
            Err(fault) => *count.excused.entry(fault).or_default() += 1,
        }
    }
}

fn step(map: &Map, kind: Kind, number: u64) -> Result<(), Fault> {
    let exchanged = |wire, plan: &Plan| exchange(wire, plan, &map.book).map(drop);
    match kind {
        Kind::Plain => exchanged(Wire::connect(&map.plain), &Plan::of(number)),
        Kind::Six => exchanged(Wire::connect(&map.six), &Plan::of(number)),
        Kind::Bulk => exchanged(Wire::connect(&map.bulk), &Plan::bulky(number)),
        Kind::Shown => greeting(map),
        Kind::Tls => exchanged(Wire::dial(&map.tls).tls().connect(), &Plan::of(number)),
        Kind::Unix => exchanged(Wire::connect(&map.unix), &Plan::clean(number)),
        Kind::Http => requests(map, number),
        Kind::Datagrams => datagrams(map, number),
        Kind::Control => {
            let line = ["servers json", "status json", "overview json", "memory", "events"];
            let line = line.get((number % 5) as usize).copied().unwrap_or_default();
            ask(&map.control, line).filter(|a| !a.is_empty()).map(drop).ok_or(Fault::Cut)
        }
        Kind::Metrics => scrape(map),
    }
}

/// A greeting in TLS, by a server whose certificate is verified.
fn greeting(map: &Map) -> Result<(), Fault> {
    let seen = secure::visit(&map.trust, &map.shown, secure::NAME, pen_test::deadline());
    match seen {
        Ok((_, name, _)) if name.starts_with('c') => Ok(()),
        Ok(_) => Err(Fault::Mismatch),
        Err(Wrong::NotConnected) => Err(Fault::NotConnected),
        Err(Wrong::Silence) => Err(Fault::Stuck),
        Err(_) => Err(Fault::Cut),
    }
}

/// A few requests on one connection, in pieces; each answer names its request and the client.
fn requests(map: &Map, number: u64) -> Result<(), Fault> {
    let mut dice = Dice::new(number);
    let wire = Wire::connect(&map.http).map_err(|_| Fault::NotConnected)?;
    for n in 0..1 + dice.below(5) {
        let path = format!("/{number}/{n}");
        let request = format!("GET {path} HTTP/1.1\r\nHost: soak\r\n\r\n");
        for piece in request.as_bytes().chunks(1 + dice.length(60)) {
            wire.send(piece).map_err(|_| Fault::Cut)?;
        }
        let mut length = 0;
        loop {
            let line = wire.read_line();
            match line.trim_end() {
                "" if line.is_empty() => return Err(Fault::Cut),
                "" => break,
                field => {
                    let value = field.strip_prefix("Content-Length: ");
                    length = value.and_then(|v| v.parse().ok()).unwrap_or(length);
                }
            }
        }
        let body = wire.read_exact(length).map_err(|_| Fault::Cut)?;
        if body != format!("{path} 127.0.0.1").into_bytes() {
            return Err(Fault::Mismatch);
        }
    }
    Ok(())
}

/// A few datagrams from a port of its own. Some may be lost, none may be another's.
fn datagrams(map: &Map, number: u64) -> Result<(), Fault> {
    let mut dice = Dice::new(number);
    // An address of its own: a late answer to somebody who had the same port before is nobody's fault.
    let [.., high, low] = number.to_be_bytes();
    let here = Ipv4Addr::new(127, 1, high, low.clamp(1, 254));
    let socket = UdpSocket::bind((here, 0)).map_err(|_| Fault::NotConnected)?;
    let patience = Some(Duration::from_millis(500));
    socket.set_read_timeout(patience).map_err(|_| Fault::NotConnected)?;
    let mut answer = vec![0; 65_536];
    let (sent, mut answered) = (1 + dice.below(8), 0);
    for n in 0..sent {
        let mut request = vec![(n % 251) as u8; 16 + dice.length(1_400)];
        request.splice(..8, number.to_be_bytes());
        socket.send_to(&request, map.udp).map_err(|_| Fault::NotConnected)?;
        // An answer that came too late for the one before is not this one's.
        while let Ok(length) = socket.recv(&mut answer) {
            let got = answer.get(..length).unwrap_or_default();
            if got.get(..8) != Some(&number.to_be_bytes()[..]) {
                return Err(Fault::Mismatch);
            }
            if got == request {
                answered += 1;
                break;
            }
        }
    }
    // Some may be lost; a service that answers none of several is not there.
    if sent >= 4 && answered == 0 { Err(Fault::Stuck) } else { Ok(()) }
}

fn scrape(map: &Map) -> Result<(), Fault> {
    let wire = Wire::connect(&map.metrics).map_err(|_| Fault::NotConnected)?;
    let accept = "Accept: application/openmetrics-text; version=1.0.0\r\n";
    let request =
        format!("GET /metrics HTTP/1.1\r\nHost: soak\r\n{accept}Connection: close\r\n\r\n");
    wire.send(request).map_err(|_| Fault::Cut)?;
    let (page, _) = wire.read_to_end();
    if page.ends_with(b"# EOF\n") { Ok(()) } else { Err(Fault::Cut) }
}
