//! Rows 18 to 31: servers that fail.

mod refused;

use super::Row;

/// Them.
pub const ROWS: &[Row] = &[refused::ROW];
