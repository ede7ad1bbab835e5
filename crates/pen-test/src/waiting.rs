//! Waiting for facts, never for time: polls with a deadline.

use std::time::{Duration, Instant};

/// Between two looks at a fact. Short, because every scenario pays it.
const STEP: Duration = Duration::from_millis(2);

/// `time` stretched by the environment's `PEN_TEST_SCALE` (a positive number; 1 when absent).
#[must_use]
pub fn scaled(time: Duration) -> Duration {
    let scale = std::env::var("PEN_TEST_SCALE").ok().and_then(|s| s.parse::<f64>().ok());
    time.mul_f64(scale.filter(|s| *s > 0.0).unwrap_or(1.0))
}

/// After this long something is broken: 10 seconds, scaled.
#[must_use]
pub fn deadline() -> Duration {
    scaled(Duration::from_secs(10))
}

/// Looks until `probe` answers something.
///
/// # Panics
/// When the deadline passes first; the message says `what` was waited for.
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + deadline();
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(Instant::now() < end, "gave up waiting for {what}");
        std::thread::sleep(STEP);
    }
}

/// Whether `probe` stays true for the whole of `time`.
pub fn holds(time: Duration, mut probe: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + time;
    while Instant::now() < end {
        if !probe() {
            return false;
        }
        std::thread::sleep(STEP * 5);
    }
    probe()
}
