//! Memory and descriptors in the course of a soak.

use std::fmt;
use std::time::Duration;

use super::town::Town;

/// What grows by more than this in an hour leaks.
const SLOPE_MAX_KIB: f64 = 1_024.0;
/// A run that is shorter says nothing about a slope in an hour: it may grow by so much at all.
const GROWTH_MAX_KIB: u64 = 16 * 1_024;
/// Descriptors that may be there or not: pipes that are kept for bulky flows (up to 64 per worker, two
/// descriptors each, and how many depends on how many were bulky at once), sessions that are about to end.
const DESCRIPTORS_PLAY: usize = 64;

/// One look.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    at: Duration,
    anonymous_kib: u64,
    descriptors: usize,
    idle: bool,
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let idle = if self.idle { "" } else { " (not idle)" };
        write!(f, "{:7} KiB, {:3} descriptors{idle}", self.anonymous_kib, self.descriptors)
    }
}

/// All looks.
#[derive(Clone, Debug, Default)]
pub struct Gauge {
    looks: Vec<Look>,
}

impl Gauge {
    /// Looks, once nothing is connected.
    pub fn look(&mut self, town: &mut Town, at: Duration) -> Look {
        let idle = town.wait_idle();
        let vitals = town.vitals();
        let look = Look {
            at,
            anonymous_kib: vitals.map_or(0, |v| v.anonymous_kib),
            descriptors: vitals.map_or(0, |v| v.descriptors),
            idle,
        };
        if vitals.is_some() {
            self.looks.push(look);
        }
        look
    }

    /// KiB per hour by least squares, the first quarter left out: what is made once is made there.
    fn slope(&self) -> f64 {
        let looks = self.looks.get(self.looks.len() / 4..).unwrap_or_default();
        let count = looks.len() as f64;
        let hours = |look: &Look| look.at.as_secs_f64() / 3_600.0;
        let mean = |of: &dyn Fn(&Look) -> f64| looks.iter().map(of).sum::<f64>() / count.max(1.0);
        let (mean_x, mean_y) = (mean(&hours), mean(&|l| l.anonymous_kib as f64));
        let apart = |l: &Look| hours(l) - mean_x;
        let up: f64 = looks.iter().map(|l| apart(l) * (l.anonymous_kib as f64 - mean_y)).sum();
        let across: f64 = looks.iter().map(|l| apart(l) * apart(l)).sum();
        if across > 0.0 { up / across } else { 0.0 }
    }

    fn quarter(&self, last: bool) -> &[Look] {
        let quarter = (self.looks.len() / 4).max(1).min(self.looks.len());
        let from = if last { self.looks.len() - quarter } else { 0 };
        self.looks.get(from..from + quarter).unwrap_or_default()
    }

    fn descriptors(&self, last: bool) -> usize {
        self.quarter(last).iter().map(|l| l.descriptors).max().unwrap_or(0)
    }

    fn memory(&self, last: bool) -> u64 {
        self.quarter(last).iter().map(|l| l.anonymous_kib).max().unwrap_or(0)
    }

    /// The figures in a line.
    pub fn line(&self) -> String {
        format!(
            "memory {} KiB in the first quarter, {} in the last, slope {:+.0} KiB/h; \
             descriptors {} and {}; {} looks",
            self.memory(false),
            self.memory(true),
            self.slope(),
            self.descriptors(false),
            self.descriptors(true),
            self.looks.len()
        )
    }

    /// What is not as it should be after that time.
    pub fn wrong(&self, time: Duration) -> Vec<String> {
        let mut wrong = Vec::new();
        let long = time >= Duration::from_secs(3_300);
        if long && self.slope() > SLOPE_MAX_KIB {
            wrong.push(format!("memory grows by {:.0} KiB/h", self.slope()));
        }
        if self.memory(true) > self.memory(false) + GROWTH_MAX_KIB {
            wrong.push("memory grows".into());
        }
        if self.descriptors(true) > self.descriptors(false) + DESCRIPTORS_PLAY {
            wrong.push("descriptors grow".into());
        }
        let busy = self.looks.iter().filter(|l| !l.idle).count();
        if busy > 0 {
            wrong.push(format!("connections without clients at {busy} looks"));
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauge(growth_kib: u64, growth_descriptors: usize) -> Gauge {
        let look = |n: usize| Look {
            at: Duration::from_secs(30 * n as u64),
            anonymous_kib: 10_000 + n as u64 % 3 + growth_kib * n as u64 / 120,
            descriptors: 50 + growth_descriptors * n / 120,
            idle: true,
        };
        Gauge { looks: (0..120).map(look).collect() }
    }

    #[test]
    fn what_is_flat_is_right_and_what_grows_is_found() {
        let hour = Duration::from_secs(3_600);
        assert!(gauge(0, 0).wrong(hour).is_empty());
        let slope = gauge(5_000, 0).slope();
        assert!((4_900.0..5_100.0).contains(&slope), "{slope}");
        assert_eq!(gauge(5_000, 0).wrong(hour).len(), 1);
        assert_eq!(gauge(0, 100).wrong(hour), ["descriptors grow"]);
        // In a short run the same numbers are a slope of nothing.
        assert!(gauge(5_000, 0).wrong(hour / 12).is_empty());
    }
}
