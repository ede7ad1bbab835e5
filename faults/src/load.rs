//! Clients that come at a steady pace, with the time each took and what went wrong.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pen_test::{Place, Wire};

/// How a client's visit went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// No connection.
    NotConnected,
    /// An end of stream, or a reset, instead of the answer.
    Ended,
    /// Nothing within the visitor's patience.
    Silence,
}

/// What came of a load.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Visits that were answered, with the time from connect to answer, in order of time.
    pub times: Vec<Duration>,
    /// The others.
    pub wrong: BTreeMap<Wrong, usize>,
    /// Answers by their first word: the name of the server.
    pub servers: BTreeMap<String, usize>,
}

impl Outcome {
    /// Visits that were not answered.
    pub fn failed(&self) -> usize {
        self.wrong.values().sum()
    }

    /// All visits.
    pub fn asked(&self) -> usize {
        self.times.len() + self.failed()
    }

    /// The time that a share (0 to 1) of the answered did not exceed; zero without any.
    pub fn quantile(&self, share: f64) -> Duration {
        let last = self.times.len().saturating_sub(1);
        let place = (last as f64 * share).round() as usize;
        self.times.get(place).copied().unwrap_or_default()
    }

    /// `n asked, m failed (how), p99 t ms`.
    pub fn line(&self) -> String {
        let how = match self.wrong.is_empty() {
            true => String::new(),
            false => format!(" {:?}", self.wrong),
        };
        let p99 = self.quantile(0.99).as_secs_f64() * 1e3;
        format!("{} asked, {} failed{how}, p99 {p99:.1} ms", self.asked(), self.failed())
    }

    fn add(&mut self, visit: Result<(Duration, String), Wrong>) {
        match visit {
            Ok((time, name)) => {
                self.times.push(time);
                *self.servers.entry(name).or_default() += 1;
            }
            Err(wrong) => *self.wrong.entry(wrong).or_default() += 1,
        }
    }
}

/// Visitors who connect, read one line from the server, and leave.
pub struct Load {
    stop: Arc<AtomicBool>,
    outcome: Arc<Mutex<Outcome>>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// `per_second` visits in all by `threads` visitors, from 127.0.0.1, with `patience` each. A visitor
    /// who was kept waiting comes back at once, so the pace holds as long as the visitors suffice.
    pub fn on(place: &Place, threads: u32, per_second: u32, patience: Duration) -> Self {
        Self::from(place, None, threads, per_second, patience)
    }

    /// The same from another address.
    pub fn from(
        place: &Place,
        source: Option<&str>,
        threads: u32,
        per_second: u32,
        patience: Duration,
    ) -> Self {
        let (place, source) = (place.clone(), source.map(str::to_owned));
        Self::of(threads, per_second, move || visit(&place, source.as_deref(), patience))
    }

    /// The same with visits of another kind.
    pub fn of(
        threads: u32,
        per_second: u32,
        visit: impl Fn() -> Result<(Duration, String), Wrong> + Send + Sync + 'static,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let outcome = Arc::new(Mutex::new(Outcome::default()));
        let pause = Duration::from_secs(1) * threads / per_second.max(1);
        let visit = Arc::new(visit);
        let visitor = |n| {
            let (stop, outcome) = (Arc::clone(&stop), Arc::clone(&outcome));
            let visit = Arc::clone(&visit);
            std::thread::spawn(move || {
                let mut next = Instant::now() + pause * n / threads;
                while !stop.load(Ordering::SeqCst) {
                    std::thread::sleep(next.saturating_duration_since(Instant::now()));
                    next += pause;
                    let visit = visit();
                    outcome.lock().unwrap_or_else(PoisonError::into_inner).add(visit);
                }
            })
        };
        let threads = (0..threads).map(visitor).collect();
        Self { stop, outcome, threads }
    }

    /// What came of it since the last call, while it goes on.
    pub fn so_far(&self) -> Outcome {
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = std::mem::take(&mut *outcome);
        taken.times.sort_unstable();
        taken
    }

    /// Lets it go on for `time` and answers what came of it.
    pub fn during(&self, time: Duration) -> Outcome {
        drop(self.so_far());
        std::thread::sleep(time);
        self.so_far()
    }

    /// Ends it: what came of it since the last call.
    pub fn stop(mut self) -> Outcome {
        self.end();
        self.so_far()
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end();
    }
}

/// One visit: how long it took until the server's line was there, and the line's first word.
///
/// # Errors
/// What went wrong.
pub fn visit(
    place: &Place,
    source: Option<&str>,
    patience: Duration,
) -> Result<(Duration, String), Wrong> {
    let begun = Instant::now();
    let dial = Wire::dial(place);
    let dial = source.into_iter().fold(dial, |dial, source| dial.from(source));
    let wire = dial.connect().map_err(|_| Wrong::NotConnected)?;
    wire.set_patience(patience);
    let mut line = Vec::new();
    let mut chunk = [0; 256];
    while line.last() != Some(&b'\n') {
        match wire.read_some(&mut chunk) {
            Ok(n) => line.extend_from_slice(chunk.get(..n).unwrap_or_default()),
            Err(pen_test::End::Silence) => return Err(Wrong::Silence),
            Err(_) => return Err(Wrong::Ended),
        }
    }
    let line = String::from_utf8_lossy(&line);
    let name = line.split_whitespace().next().unwrap_or_default().to_owned();
    Ok((begun.elapsed(), name))
}
