//! Rows 49 to 68: processes, settings, control, logs, time.

use super::Row;

/// Them.
pub const ROWS: &[Row] = &[];
