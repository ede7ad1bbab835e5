//! Rows 32 to 48: running out of things, and those who want it.

mod greed;
mod slowloris;
mod syn_flood;

use super::Row;

/// Them.
pub const ROWS: &[Row] = &[
    slowloris::TLS,
    slowloris::HTTP,
    slowloris::PROXY,
    syn_flood::ROW,
    greed::ADDRESS,
    greed::NETWORK,
    greed::RATE_ROW,
];
