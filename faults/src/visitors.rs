//! Clients from many addresses at a steady pace, with the beginning of each visit, so that those who
//! came before a fault and those who came after it can be told apart.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pen_test::Place;

use crate::load::{Wrong, visit};

/// One visit.
#[derive(Clone, Debug)]
pub struct Visit {
    /// When the client began to connect.
    pub begun: Instant,
    /// Until the answer, or until it went wrong.
    pub took: Duration,
    /// The name of the server, or what went wrong.
    pub end: Result<String, Wrong>,
}

/// Some visits.
#[derive(Clone, Debug, Default)]
pub struct Visits(pub Vec<Visit>);

impl Visits {
    /// Those that began at `moment` or later.
    pub fn since(mut self, moment: Instant) -> Self {
        self.0.retain(|v| v.begun >= moment);
        self
    }

    /// Those that began before `moment`.
    pub fn before(mut self, moment: Instant) -> Self {
        self.0.retain(|v| v.begun < moment);
        self
    }

    /// Both.
    pub fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Those that were not answered.
    pub fn failed(&self) -> usize {
        self.0.iter().filter(|v| v.end.is_err()).count()
    }

    /// Those that took longer, whatever came of them.
    pub fn slower_than(&self, time: Duration) -> impl Iterator<Item = &Visit> {
        self.0.iter().filter(move |v| v.took > time)
    }

    /// The time that a share (0 to 1) of all visits did not exceed; zero without any.
    pub fn quantile(&self, share: f64) -> Duration {
        let mut times: Vec<Duration> = self.0.iter().map(|v| v.took).collect();
        times.sort_unstable();
        let place = (times.len().saturating_sub(1) as f64 * share).round() as usize;
        times.get(place).copied().unwrap_or_default()
    }

    /// Of 100 visits the slowest but one.
    pub fn p99(&self) -> Duration {
        self.quantile(0.99)
    }

    /// The slowest.
    pub fn slowest(&self) -> Duration {
        self.quantile(1.0)
    }
}

/// Clients who come, read one line, and leave, over and over.
pub struct Crowd {
    stop: Arc<AtomicBool>,
    visits: Arc<Mutex<Visits>>,
    threads: Vec<JoinHandle<()>>,
}

/// Clients at each address at once.
const AT_EACH: u32 = 2;

impl Crowd {
    /// `per_second` visits in all from these addresses, with `patience` each. Who was kept waiting
    /// comes back at once, so the pace holds as long as there are clients who do not wait.
    pub fn of(place: &Place, sources: &[String], per_second: u32, patience: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let visits = Arc::new(Mutex::new(Visits::default()));
        let all = u32::try_from(sources.len()).unwrap_or(u32::MAX).saturating_mul(AT_EACH).max(1);
        let pause = Duration::from_secs(1) * all / per_second.max(1);
        let client = |(n, source): (u32, &String)| {
            let (stop, visits) = (Arc::clone(&stop), Arc::clone(&visits));
            let (place, source) = (place.clone(), source.clone());
            std::thread::spawn(move || {
                let mut next = Instant::now() + pause * n / all;
                while !stop.load(Ordering::SeqCst) {
                    std::thread::sleep(next.saturating_duration_since(Instant::now()));
                    next += pause;
                    let visit = paid(&place, &source, patience);
                    visits.lock().unwrap_or_else(PoisonError::into_inner).0.push(visit);
                }
            })
        };
        let each = sources.iter().flat_map(|s| std::iter::repeat_n(s, AT_EACH as usize));
        let threads = (0..).zip(each).map(client).collect();
        Self { stop, visits, threads }
    }

    /// What ended since the last call, while it goes on.
    pub fn so_far(&self) -> Visits {
        std::mem::take(&mut *self.visits.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets it go on for `time`, then ends it: all since the last call, also who still waited.
    pub fn for_another(self, time: Duration) -> Visits {
        std::thread::sleep(time);
        self.stop()
    }

    /// Ends it: what came of it since the last call.
    pub fn stop(mut self) -> Visits {
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

impl Drop for Crowd {
    fn drop(&mut self) {
        self.end();
    }
}

/// One visit from an address.
pub fn paid(place: &Place, source: &str, patience: Duration) -> Visit {
    let begun = Instant::now();
    let end = visit(place, Some(source), patience).map(|(_, name)| name);
    Visit { begun, took: begun.elapsed(), end }
}

/// The addresses of clients, one after the other: 127.0.1.1, 127.0.1.2 and so on.
pub fn sources() -> impl Iterator<Item = String> {
    (1..250).flat_map(|b| (1..250).map(move |c| format!("127.0.{b}.{c}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visits_are_told_apart_by_their_beginning() {
        let begin = Instant::now();
        let visit = |ms, end| Visit {
            begun: begin + Duration::from_millis(ms),
            took: Duration::from_millis(ms),
            end,
        };
        let visits = Visits(vec![
            visit(1, Ok("s0".into())),
            visit(5, Err(Wrong::Ended)),
            visit(9, Ok("s0".into())),
        ]);
        let later = visits.clone().since(begin + Duration::from_millis(5));
        assert_eq!((later.count(), later.failed()), (2, 1));
        assert_eq!(visits.clone().before(begin + Duration::from_millis(5)).failed(), 0);
        assert_eq!(visits.slowest(), Duration::from_millis(9));
        assert_eq!(visits.slower_than(Duration::from_millis(4)).count(), 2);
    }
}
