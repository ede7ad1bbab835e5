//! `memory`: what is used, what may be, and what is done about it.

use std::fmt::Write;

use serde::Serialize;

/// The budget at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MemoryRow {
    /// Bytes in use: of the control group where it sets the limit, else of the process.
    pub used: u64,
    /// Bytes that may be used; 0 = nobody sets a limit.
    pub budget: u64,
    /// The limit of the control group; 0 = none.
    pub limit: u64,
    /// [`Stage::word`](crate::memory::Stage::word).
    pub stage: &'static str,
    /// Seconds after which idle connections end while memory is short; 0 = as configured.
    pub idle_s: u32,
    /// Connections closed so far because memory was short.
    pub shed: u64,
}

/// `memory`: a line.
#[must_use]
pub fn text(row: &MemoryRow) -> String {
    let MemoryRow { used, budget, limit, stage, idle_s, shed } = row;
    let mut out = format!("stage {stage} used {used}");
    for (word, value) in
        [("budget", *budget), ("limit", *limit), ("idle_timeout", (*idle_s).into())]
    {
        if value != 0 {
            // Writing to a string cannot fail.
            let _ = write!(out, " {word} {value}");
        }
    }
    out + &format!(" shed {shed}\n")
}

/// `memory json`
#[must_use]
pub fn json(row: &MemoryRow) -> String {
    super::json::line(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_tell_the_same() {
        let row = MemoryRow { used: 5, budget: 0, limit: 0, stage: "calm", idle_s: 0, shed: 0 };
        assert_eq!(text(&row), "stage calm used 5 shed 0\n");
        let row = MemoryRow { used: 9, budget: 10, limit: 14, stage: "tight", idle_s: 60, shed: 3 };
        assert_eq!(text(&row), "stage tight used 9 budget 10 limit 14 idle_timeout 60 shed 3\n");
        assert_eq!(
            json(&row),
            "{\"used\":9,\"budget\":10,\"limit\":14,\"stage\":\"tight\",\"idle_s\":60,\"shed\":3}\n"
        );
    }
}
