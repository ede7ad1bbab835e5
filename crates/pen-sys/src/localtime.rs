//! Local time as text.
//!
//! The C library reads the time zone's file once, at the first conversion; [`load`] makes that
//! conversion happen before a chroot hides the file.

use std::mem::MaybeUninit;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Reads the time zone, so that later conversions need no file.
pub fn load() {
    let _ = broken_down(0);
}

/// `YYYY-MM-DD HH:MM:SS` of `wall` (seconds since 1970, UTC) in local time. A value the C library
/// cannot convert is shown as `@seconds`.
#[must_use]
pub fn stamp(wall: i64) -> String {
    match broken_down(wall) {
        Some(t) => format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            i64::from(t.tm_year) + 1900,
            t.tm_mon + 1,
            t.tm_mday,
            t.tm_hour,
            t.tm_min,
            t.tm_sec
        ),
        None => format!("@{wall}"),
    }
}

/// `Mon dd HH:MM:SS` (day padded with a blank), as syslog wants it.
#[must_use]
pub fn syslog_stamp(wall: i64) -> String {
    let Some(t) = broken_down(wall) else { return format!("@{wall}") };
    let month = usize::try_from(t.tm_mon).ok().and_then(|m| MONTHS.get(m)).unwrap_or(&"???");
    format!("{month} {:2} {:02}:{:02}:{:02}", t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec)
}

fn broken_down(wall: i64) -> Option<libc::tm> {
    let mut tm = MaybeUninit::<libc::tm>::uninit();
    // SAFETY: both pointers are valid for the call: one to a local integer, one to local space
    // for a `tm`. The function is thread safe by POSIX; the environment variable TZ that it may
    // read is never changed by this program.
    let filled = unsafe { libc::localtime_r(&raw const wall, tm.as_mut_ptr()) };
    if filled.is_null() {
        return None;
    }
    // SAFETY: a result that is not null says that the whole `tm` was written.
    Some(unsafe { tm.assume_init() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_have_their_shape() {
        load();
        let s = stamp(1_700_000_000);
        assert_eq!(s.len(), 19, "{s}");
        assert!(s.starts_with("2023-11-1"), "{s}");
        assert!(s.ends_with(":20"), "{s}");
        let m = syslog_stamp(1_700_000_000);
        assert_eq!(m.len(), 15, "{m}");
        assert!(m.starts_with("Nov 1"), "{m}");
        assert_eq!(&syslog_stamp(1_696_300_000)[..6], "Oct  3");
    }

    #[test]
    fn absurd_times_are_still_text() {
        assert_eq!(stamp(i64::MAX), format!("@{}", i64::MAX));
        assert!(stamp(-1).starts_with("1969-12-31") || stamp(-1).starts_with("1970-01-01"));
    }
}
