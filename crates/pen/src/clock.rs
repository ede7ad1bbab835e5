//! The clocks as the core's types: one that never jumps for decisions, one that people read.

use pen_core::limits;
use pen_core::moment::{Moment, WallMs, WallSeconds};

/// The monotonic clock. The process starts long after its zero, so that what happened before has its
/// moment, too.
pub fn now() -> Moment {
    Moment(u64::from(limits::SECONDS_MAX) * 1000).plus_ms(pen_sys::clock::monotonic_ms())
}

/// The wall clock, for log lines and reports only.
pub fn wall() -> WallSeconds {
    WallSeconds(pen_sys::clock::wall_seconds())
}

/// The wall clock to the millisecond, for lines that programs read only.
pub fn wall_ms() -> WallMs {
    WallMs(pen_sys::clock::wall_ms())
}
