//! A bucket that fills by time: how often something may happen in the long run, and how often at once.

use crate::moment::Moment;

/// One of what is counted, in the units of a bucket: what a rate of 1 gains in a second. So a rate of 1
/// gains one unit a millisecond.
const ONE: u64 = 1_000;

/// How fast a bucket fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// How many it gains a second.
    pub(crate) rate: u32,
    /// How many it holds.
    pub(crate) burst: u32,
}

/// The bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    /// What was in it at `filled`; more than it holds is what it holds.
    level: u64,
    filled: Moment,
}

impl Bucket {
    /// One that is full, whatever it holds.
    pub(crate) fn full(now: Moment) -> Self {
        Self { level: u64::MAX, filled: now }
    }

    /// Takes one out, if there is one.
    pub(crate) fn take(&mut self, pace: Pace, now: Moment) -> bool {
        let level = self.level(pace, now);
        let left = level.checked_sub(ONE);
        (self.level, self.filled) = (left.unwrap_or(level), self.filled.max(now));
        left.is_some()
    }

    /// Whether there is one.
    pub(crate) fn has_one(&self, pace: Pace, now: Moment) -> bool {
        self.level(pace, now) >= ONE
    }

    /// Whether no more goes in.
    pub(crate) fn is_full(&self, pace: Pace, now: Moment) -> bool {
        self.level(pace, now) >= capacity(pace)
    }

    fn level(&self, pace: Pace, now: Moment) -> u64 {
        let gained = now.since_ms(self.filled).saturating_mul(u64::from(pace.rate));
        self.level.saturating_add(gained).min(capacity(pace))
    }
}

fn capacity(pace: Pace) -> u64 {
    u64::from(pace.burst) * ONE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back_at_the_rate_and_no_more_than_fits() {
        let pace = Pace { rate: 2, burst: 3 };
        let mut bucket = Bucket::full(Moment(0));
        let taken =
            |bucket: &mut Bucket, at| (0..9).filter(|_| bucket.take(pace, Moment(at))).count();
        assert!(bucket.is_full(pace, Moment(0)));
        assert_eq!(taken(&mut bucket, 0), 3);
        assert!(!bucket.has_one(pace, Moment(499)) && bucket.has_one(pace, Moment(500)));
        assert!(!bucket.take(pace, Moment(499)), "what is refused takes nothing");
        assert_eq!(taken(&mut bucket, 500), 1);
        assert!(!bucket.is_full(pace, Moment(1_999)) && bucket.is_full(pace, Moment(2_000)));
        assert_eq!(taken(&mut bucket, 1 << 40), 3);
        assert_eq!(taken(&mut bucket, 7), 0, "a clock that steps back gives nothing");
        assert!(!Bucket::full(Moment(0)).take(Pace { rate: 0, burst: 0 }, Moment(9)));
    }
}
