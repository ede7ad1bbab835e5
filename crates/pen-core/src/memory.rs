//! What is done when memory runs short: stages, so that Pen sheds load before the kernel ends it.
//!
//! The budget is what Pen may use. Near it idle connections go earlier and less is read ahead; at it
//! nobody new comes in; beyond it connections are closed (`shedding`). At every stage it is bounded how
//! much may be taken before somebody looks again (`allowance`). Deliberately not here: how much is used,
//! and who does these things.

mod allowance;
mod shedding;

use crate::limits;

pub use allowance::Allowance;
pub use shedding::{Holding, Shedder, choose};

/// How short memory is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Stage {
    /// There is enough.
    #[default]
    Calm,
    /// Idle connections and flows end earlier, spare connections are closed, reads are small and no
    /// flow is spliced anew.
    Tight,
    /// Beside that nobody is accepted, and a new flow takes the place of a quiet one. If it lasts,
    /// stalled and long quiet connections are closed.
    Full,
    /// Beside that connections are closed until less is used, stalled ones and those with the most
    /// unsent bytes first.
    Critical,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 4] = [Self::Calm, Self::Tight, Self::Full, Self::Critical];

    /// The word of reports, metrics and tests.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Tight => "tight",
            Self::Full => "full",
            Self::Critical => "critical",
        }
    }

    /// What Pen does, for the operator.
    #[must_use]
    pub fn doing(self) -> &'static str {
        match self {
            Self::Calm => "all is as usual",
            Self::Tight => "idle connections end earlier, spare ones are closed, reads are small",
            Self::Full => {
                "new clients wait in the kernel's queue, idle connections end earlier, if it lasts \
                 stalled and long quiet ones are closed"
            }
            Self::Critical => {
                "connections with the most unsent bytes are closed, new clients wait in the \
                 kernel's queue"
            }
        }
    }

    /// The stage with this number; the calm one for a number that none has.
    #[must_use]
    pub fn of_number(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or_default()
    }

    /// Percent of the budget from which on it holds.
    fn threshold(self) -> u64 {
        match self {
            Self::Calm => 0,
            Self::Tight => limits::MEMORY_TIGHT_PERCENT,
            Self::Full => limits::MEMORY_FULL_PERCENT,
            Self::Critical => limits::MEMORY_CRITICAL_PERCENT,
        }
    }

    /// The stage when `used` bytes of `budget` are in use. A stage is left only when clearly less is
    /// used than what led to it, so that it does not come and go.
    #[must_use]
    pub fn after(self, used: u64, budget: u64) -> Self {
        let percent = percent(used, budget);
        let entered = Self::ALL.into_iter().rev().find(|s| percent >= s.threshold());
        let slack = limits::MEMORY_LEAVE_PERCENT;
        let kept = Self::ALL
            .into_iter()
            .rev()
            .find(|s| *s <= self && (*s == Self::Calm || percent + slack >= s.threshold()));
        entered.max(kept).unwrap_or_default()
    }
}

/// `used` in percent of `budget`, rounded down; no budget is never short.
#[must_use]
pub fn percent(used: u64, budget: u64) -> u64 {
    used.saturating_mul(100).checked_div(budget).unwrap_or(0)
}

/// Seconds after which idle connections and flows end while memory is short; 0 = as configured. The
/// more is used the fewer.
#[must_use]
pub fn idle_s(stage: Stage, used: u64, budget: u64) -> u32 {
    if stage == Stage::Calm {
        return 0;
    }
    let (from, to) = (limits::MEMORY_TIGHT_PERCENT, limits::MEMORY_CRITICAL_PERCENT);
    let (first, last) = (limits::MEMORY_IDLE_FIRST_S, limits::MEMORY_IDLE_LAST_S);
    let way = percent(used, budget).clamp(from, to) - from;
    let less = u64::from(first - last) * way / (to - from);
    first - u32::try_from(less).unwrap_or(first - last)
}

/// The shorter of two timeouts in seconds, of which 0 is none.
#[must_use]
pub fn shorter(configured_s: u32, shed_s: u32) -> u32 {
    match (configured_s, shed_s) {
        (0, other) | (other, 0) => other,
        (a, b) => a.min(b),
    }
}

/// The budget: what is configured, else the usual share of the limit that the system sets, if any.
#[must_use]
pub fn budget(configured: u64, limit: Option<u64>) -> u64 {
    match (configured, limit) {
        (0, None) => 0,
        (0, Some(limit)) => limit / 100 * limits::MEMORY_SHARE_PERCENT,
        (configured, _) => configured,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_come_at_their_share_and_leave_a_little_below() {
        use Stage::*;
        let rows = [
            (Calm, 0, Calm),
            (Calm, 84, Calm),
            (Calm, 85, Tight),
            (Calm, 95, Full),
            (Calm, 98, Critical),
            (Calm, 500, Critical),
            (Tight, 82, Tight),
            (Tight, 81, Calm),
            (Full, 92, Full),
            (Full, 91, Tight),
            (Critical, 95, Critical),
            (Critical, 94, Full),
            (Critical, 91, Tight),
            (Critical, 10, Calm),
        ];
        for (was, used, stage) in rows {
            assert_eq!(was.after(used, 100), stage, "{was:?} at {used} %");
        }
        assert_eq!(Critical.after(1 << 40, 0), Calm, "without a budget");
    }

    #[test]
    fn stages_have_their_numbers() {
        for (n, stage) in (0_u8..).zip(Stage::ALL) {
            assert_eq!((stage as u8, Stage::of_number(n)), (n, stage));
        }
        assert_eq!(Stage::of_number(9), Stage::Calm);
    }

    #[test]
    fn idle_timeouts_shrink_with_what_is_left() {
        assert_eq!(idle_s(Stage::Calm, 84, 100), 0);
        let (first, last) = (limits::MEMORY_IDLE_FIRST_S, limits::MEMORY_IDLE_LAST_S);
        assert_eq!(idle_s(Stage::Tight, 82, 100), first);
        assert_eq!(idle_s(Stage::Tight, 85, 100), first);
        assert!((last..first).contains(&idle_s(Stage::Full, 95, 100)));
        assert_eq!(idle_s(Stage::Critical, 98, 100), last);
        assert_eq!(idle_s(Stage::Critical, 900, 100), last);
        assert_eq!([shorter(0, 0), shorter(5, 0), shorter(0, 7), shorter(5, 7)], [0, 5, 7, 5]);
    }

    #[test]
    fn the_budget_is_what_was_asked_for_or_a_share_of_the_limit() {
        assert_eq!(budget(0, None), 0);
        assert_eq!(budget(0, Some(1_000)), 700);
        assert_eq!(budget(5, Some(1_000)), 5);
        assert_eq!(budget(5, None), 5);
    }
}
