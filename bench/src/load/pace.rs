//! The timetable of an open loop: what is due begins late rather than never.

use std::collections::VecDeque;

use super::Kind;

/// A timetable.
pub struct Pace {
    interval: Option<f64>,
    planned: u64,
    stopped: bool,
    due: VecDeque<u64>,
}

impl Pace {
    /// Of a kind of load; off unless it is paced.
    pub fn new(kind: Kind) -> Self {
        let interval = match kind {
            Kind::Paced(rate) => Some(1e9 / rate),
            _ => None,
        };
        Self { interval, planned: 0, stopped: false, due: VecDeque::new() }
    }

    /// Whether operations have times.
    pub fn is_on(&self) -> bool {
        self.interval.is_some()
    }

    /// Nothing more will fall due.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// When the next one falls due, in nanoseconds from the start.
    pub fn next(&self) -> Option<u64> {
        let interval = self.interval.filter(|_| !self.stopped)?;
        Some((self.planned as f64 * interval) as u64)
    }

    /// Notes everything that is due by now.
    pub fn fall_due(&mut self, now: u64) {
        while let Some(at) = self.next().filter(|at| *at <= now) {
            self.due.push_back(at);
            self.planned += 1;
        }
    }

    /// The first that is due and was not begun.
    pub fn take(&mut self) -> Option<u64> {
        self.due.pop_front()
    }

    /// How many are due and were not begun.
    pub fn waiting(&self) -> usize {
        self.due.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_missed_keeps_its_time() {
        let mut pace = Pace::new(Kind::Paced(1000.0));
        pace.fall_due(0);
        assert_eq!(pace.take(), Some(0));
        pace.fall_due(3_500_000);
        assert_eq!(pace.waiting(), 3);
        assert_eq!(pace.take(), Some(1_000_000));
        pace.stop();
        pace.fall_due(u64::MAX);
        assert_eq!(pace.waiting(), 2);
        assert!(!Pace::new(Kind::Keep).is_on());
    }
}
