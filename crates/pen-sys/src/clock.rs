//! The two clocks: one that never jumps, for everything that is measured, and the wall clock, for
//! text only.
//!
//! Deliberately not here: timers and sleeping. Reading either clock is a vDSO call of some tens of
//! nanoseconds; the coarse clocks are not used because they lag by up to a tick, and a loop that
//! waits for a deadline on them wakes too early and spins.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::event::Timespec;

/// Milliseconds since the first call of this function in the process; boot makes that call.
/// Monotonic, the same on all threads.
#[must_use]
pub fn monotonic_ms() -> u64 {
    static START: OnceLock<u64> = OnceLock::new();
    let now = kernel_monotonic_us() / 1_000;
    now.saturating_sub(*START.get_or_init(|| now))
}

/// Microseconds of the kernel's monotonic clock, as systemd wants them in `MONOTONIC_USEC=`.
#[must_use]
pub fn kernel_monotonic_us() -> u64 {
    let t = monotonic();
    let seconds = u64::try_from(t.tv_sec).unwrap_or(0);
    let us = u64::try_from(t.tv_nsec).unwrap_or(0) / 1_000;
    seconds.saturating_mul(1_000_000).saturating_add(us)
}

/// Through the C library, which finds the vDSO also where a tool such as valgrind has hidden it.
fn monotonic() -> libc::timespec {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local value that the call fills; the clock always exists, so the
    // call does not fail, and if it did the value would be the zeroes above.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut t) };
    t
}

/// Seconds since 1970 (UTC); negative on a machine that believes in an earlier year.
#[must_use]
pub fn wall_seconds() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(d) => i64::try_from(d.as_secs()).unwrap_or(i64::MAX),
        Err(e) => i64::try_from(e.duration().as_secs()).map_or(i64::MIN, |s| -s),
    }
}

/// Milliseconds since 1970 (UTC); negative on a machine that believes in an earlier year.
#[must_use]
pub fn wall_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(d) => i64::try_from(d.as_millis()).unwrap_or(i64::MAX),
        Err(e) => i64::try_from(e.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    }
}

/// A number of milliseconds as the calls that wait take it.
#[must_use]
pub fn timespec(ms: u64) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(ms / 1_000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(ms % 1_000).unwrap_or(0) * 1_000_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic_time_advances() {
        let (a, ka) = (monotonic_ms(), kernel_monotonic_us());
        std::thread::sleep(std::time::Duration::from_millis(5));
        let (b, kb) = (monotonic_ms(), kernel_monotonic_us());
        assert!(b >= a + 5, "{a} {b}");
        assert!(kb >= ka + 5_000, "{ka} {kb}");
    }

    #[test]
    fn the_wall_clock_is_in_this_century() {
        assert!(wall_seconds() > 1_600_000_000);
        assert!(wall_ms() / 1_000 >= wall_seconds() - 1);
    }
}
