//! Times as web servers write them: `09/Jan/2002:00:28:50 +0100`.

use std::io::Write as _;

use crate::calendar;
use crate::moment::WallSeconds;

const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];
const DAY: i64 = 86_400;

/// A time with or without its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebTime {
    /// In UTC.
    pub wall: WallSeconds,
    /// It said its zone; else it was taken for UTC.
    pub zoned: bool,
}

impl WebTime {
    /// Reads `DD/Mon/YYYY:HH:MM:SS`, with a zone `+HHMM` or without one.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (local, zone) = text.split_at_checked(20).unwrap_or((text, b""));
        let &[
            d0,
            d1,
            b'/',
            m0,
            m1,
            m2,
            b'/',
            y0,
            y1,
            y2,
            y3,
            b':',
            h0,
            h1,
            b':',
            i0,
            i1,
            b':',
            s0,
            s1,
        ] = local
        else {
            return None;
        };
        let month = (1..).zip(MONTHS).find(|(_, name)| name.eq_ignore_ascii_case(&[m0, m1, m2]))?.0;
        let (year, day) = (number(&[y0, y1, y2, y3])?, number(&[d0, d1])?);
        let (hour, minute, second) = (number(&[h0, h1])?, number(&[i0, i1])?, number(&[s0, s1])?);
        // A leap second is the first one of the next minute.
        if !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let days = calendar::days((year, month, day));
        if calendar::date(days) != (year, month, day) {
            return None;
        }
        let seconds = days * DAY + hour * 3600 + minute * 60 + second;
        let offset = offset(zone)?;
        let wall = WallSeconds(seconds - offset.unwrap_or(0));
        Some(Self { wall, zoned: offset.is_some() })
    }
}

/// Appends a time as `DD/Mon/YYYY:HH:MM:SS +0000`.
pub fn append_utc(out: &mut Vec<u8>, wall: WallSeconds) {
    let (days, seconds) = (wall.0.div_euclid(DAY), wall.0.rem_euclid(DAY));
    let (year, month, day) = calendar::date(days);
    let name = usize::try_from(month - 1).ok().and_then(|m| MONTHS.get(m).copied());
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let name = String::from_utf8_lossy(name.unwrap_or(b"???"));
    let written = write!(out, "{day:02}/{name}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000");
    debug_assert!(written.is_ok(), "a Vec takes everything");
}

/// Seconds east of UTC; `None` inside if there is no zone.
fn offset(zone: &[u8]) -> Option<Option<i64>> {
    match *zone {
        [] => Some(None),
        [b' ', sign @ (b'+' | b'-'), h0, h1, m0, m1] => {
            let (hours, minutes) = (number(&[h0, h1])?, number(&[m0, m1])?);
            let size = (hours <= 15 && minutes <= 59).then_some(hours * 3600 + minutes * 60)?;
            Some(Some(if sign == b'-' { -size } else { size }))
        }
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
}
