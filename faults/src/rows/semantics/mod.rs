//! Rows 1 to 17: what becomes of streams, byte by byte, and of their ends.

mod bad_wire;
mod half_close;
mod integrity;
mod server_reset;

use super::Row;

/// Them.
pub const ROWS: &[Row] = &[
    half_close::ROW,
    server_reset::ROW,
    integrity::PLAIN,
    integrity::TLS,
    integrity::UNIX,
    integrity::SIX_TO_FOUR,
    integrity::SPLICE,
    integrity::BAD_WIRE,
    integrity::COUNTERS,
    bad_wire::ROW,
];
