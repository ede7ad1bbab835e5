//! Rows 49 to 67: processes, settings, control, logs, time.

mod broken_file;
mod clock;
mod double_start;
mod end_under_load;
mod hostile_paths;
mod log_gone;
mod logs;
mod privileges;
mod signals;
mod start;

use super::Row;

/// Them.
pub const ROWS: &[Row] = &[
    broken_file::ROW,
    log_gone::ROW,
    end_under_load::ROW,
    double_start::ROW,
    hostile_paths::ROW,
    logs::DISK_FULL,
    logs::STALLED,
    logs::SYSLOG_DEAF,
    logs::FORGED,
    clock::ROW,
    start::ROW,
    signals::ROW,
    privileges::ROW,
];
