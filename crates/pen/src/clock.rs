//! The clocks as the core's types: one that never jumps for decisions, one that people read.

use pen_core::moment::{Moment, WallMs, WallSeconds};

/// The monotonic clock.
pub fn now() -> Moment {
    Moment(pen_sys::clock::monotonic_ms())
}

/// The wall clock, for log lines and reports only.
pub fn wall() -> WallSeconds {
    WallSeconds(pen_sys::clock::wall_seconds())
}

/// The wall clock to the millisecond, for lines that programs read only.
pub fn wall_ms() -> WallMs {
    WallMs(pen_sys::clock::wall_ms())
}
