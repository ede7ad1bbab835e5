//! Rows 32 to 48: running out of things, and those who want it.

use super::Row;

/// Them.
pub const ROWS: &[Row] = &[];
