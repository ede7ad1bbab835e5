//! Waiting for facts, never for time: polls with a deadline.

use std::path::Path;
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

/// What a file that another process still writes holds so far, up to the end of its last whole line: a reader may
/// come between two pages of one write. Empty when there is no such file.
#[must_use]
pub fn whole_lines(path: &Path) -> String {
    let mut text = std::fs::read(path).unwrap_or_default();
    text.truncate(text.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1));
    String::from_utf8_lossy(&text).into_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_still_written_is_left_out() {
        let scratch = crate::Scratch::new();
        for (written, whole) in [("", ""), ("one", ""), ("one\n", "one\n"), ("one\ntw", "one\n")] {
            scratch.write("log", written);
            assert_eq!(whole_lines(&scratch.path("log")), whole);
        }
        assert_eq!(whole_lines(&scratch.path("none")), "");
    }
}
