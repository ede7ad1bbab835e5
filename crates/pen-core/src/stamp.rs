//! The wall clock as text for lines that programs read: ISO 8601, UTC, milliseconds.

use std::fmt::Write;

use crate::calendar;
use crate::moment::WallMs;

const DAY_MS: i64 = 86_400_000;

/// Appends `2026-11-21T19:20:00.123Z`; a year that does not have four digits is `@` and milliseconds.
pub fn iso(out: &mut String, at: WallMs) {
    let (days, ms) = (at.0.div_euclid(DAY_MS), at.0.rem_euclid(DAY_MS));
    let (year, month, day) = calendar::date(days);
    if !(0..=9999).contains(&year) {
        // Writing to a string cannot fail.
        let _ = write!(out, "@{}", at.0);
        return;
    }
    // By hand: a line of a log begins with it.
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let parts = [
        (3, 4, year),
        (6, 2, month),
        (9, 2, day),
        (12, 2, ms / 3_600_000),
        (15, 2, ms / 60_000 % 60),
        (18, 2, ms / 1_000 % 60),
        (22, 3, ms % 1_000),
    ];
    for (last, width, mut number) in parts {
        for at in text.iter_mut().take(last + 1).rev().take(width) {
            *at = b'0' + u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
        }
    }
    // It is of ASCII.
    out.push_str(std::str::from_utf8(&text).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_text() {
        let rows = [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "@253402300800000"),
            (i64::MAX, "@9223372036854775807"),
            (i64::MIN, "@-9223372036854775808"),
        ];
        for (ms, expected) in rows {
            let mut text = String::new();
            iso(&mut text, WallMs(ms));
            assert_eq!(text, expected);
        }
    }
}
