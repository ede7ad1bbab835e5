//! Rows 49 to 67: processes, settings, control, logs, time.

mod bad_words;
mod broken_file;
mod clock;
mod control_access;
mod control_storm;
mod defects;
mod double_start;
mod end_under_load;
mod hostile_paths;
mod junk_settings;
mod log_gone;
mod logs;
mod names;
mod privileges;
mod signals;
mod silent_control;
mod start;
mod upgrade;

use super::Row;

/// Them.
pub const ROWS: &[Row] = &[
    broken_file::ROW,
    log_gone::ROW,
    end_under_load::ROW,
    upgrade::ROW,
    double_start::ROW,
    hostile_paths::ROW,
    silent_control::ROW,
    bad_words::ROW,
    control_storm::ROW,
    control_access::ROW,
    junk_settings::ROW,
    logs::DISK_FULL,
    logs::STALLED,
    logs::SYSLOG_DEAF,
    logs::FORGED,
    clock::ROW,
    names::SILENT,
    names::AT_START,
    names::CHANGES,
    start::ROW,
    signals::ROW,
    defects::ROW,
    defects::UDP,
    privileges::ROW,
];
