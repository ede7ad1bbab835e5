//! Time as the core sees it: milliseconds on a clock that never jumps.
//!
//! The shell reads the monotonic clock once per loop turn and passes the value in. Wall-clock time
//! is only ever text (log lines, status page) and has its own type, so the two cannot be mixed.

/// Milliseconds on the monotonic clock, from a zero that lies long before the process started: what an
/// earlier process remembered has its moment, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

impl Moment {
    /// The moment `ms` milliseconds later (saturating).
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// The moment `s` seconds later (saturating).
    #[must_use]
    pub fn plus_s(self, s: u32) -> Self {
        self.plus_ms(u64::from(s) * 1000)
    }

    /// Milliseconds from `earlier` to `self`; 0 if `earlier` is in the future.
    #[must_use]
    pub fn since_ms(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole seconds from `earlier` to `self`; 0 if `earlier` is in the future.
    #[must_use]
    pub fn since_s(self, earlier: Self) -> u64 {
        self.since_ms(earlier) / 1000
    }
}

/// Seconds since 1970 (UTC), for log lines and reports only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct WallSeconds(pub i64);

/// Milliseconds since 1970 (UTC), for lines that programs read only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct WallMs(pub i64);
