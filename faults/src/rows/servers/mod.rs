//! Rows 18 to 31: servers that fail.

mod all_down;
mod black_hole;
mod flapping;
mod killed;
mod limits;
mod ourselves;
mod paused;
mod pending;
mod ports;
mod queue_full;
mod refused;
mod short_connections;
mod steered;
mod stopped;
mod table_change;
mod unreachable;

use super::Row;

/// Them.
pub const ROWS: &[Row] = &[
    refused::ROW,
    black_hole::ROW,
    pending::ROW,
    steered::ROW,
    unreachable::ROW,
    queue_full::ROW,
    stopped::ROW,
    killed::ROW,
    paused::ROW,
    flapping::ROW,
    all_down::ROW,
    limits::ROW,
    table_change::ROW,
    ourselves::ROW,
    ports::ROW,
    short_connections::ROW,
];
