//! The rows, one file each, in the order of the table.

mod exhaustion;
mod life;
mod semantics;
mod servers;

use std::time::Duration;

use crate::options::Options;
use crate::stage::Stage;
use crate::verdict::Verdict;

/// A fault and what is expected.
pub struct Row {
    /// Its number.
    pub number: u8,
    /// Which form of it: a letter, or nothing.
    pub form: &'static str,
    /// One of those that matter most; they run in CI.
    pub starred: bool,
    /// The fault.
    pub title: &'static str,
    /// What is expected, with the figure that decides.
    pub expects: &'static str,
    /// Variables of the environment that it needs from the beginning.
    pub environment: &'static [(&'static str, &'static str)],
    /// It has failed when it takes longer.
    pub limit: Duration,
    /// Plays it.
    pub run: fn(&Stage) -> Verdict,
}

impl Row {
    /// A row to be described further by struct update.
    pub const fn new(number: u8, title: &'static str, expects: &'static str) -> Self {
        Self {
            number,
            form: "",
            starred: false,
            title,
            expects,
            environment: &[],
            limit: Duration::from_secs(120),
            run: |_| Verdict::Skipped(String::new()),
        }
    }

    /// Number and form.
    pub fn id(&self) -> String {
        format!("{}{}", self.number, self.form)
    }

    /// It in a line.
    pub fn line(&self) -> String {
        let star = if self.starred { '*' } else { ' ' };
        format!("{:>4}{star} {}: {}", self.id(), self.title, self.expects)
    }
}

/// All rows.
pub const ALL: [&[Row]; 4] = [semantics::ROWS, servers::ROWS, exhaustion::ROWS, life::ROWS];

/// Those that were asked for.
pub fn wanted(options: &Options) -> Vec<&'static Row> {
    let all = ALL.into_iter().flatten();
    all.filter(|row| options.wants(row)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_order_and_have_different_names() {
        let rows: Vec<_> = ALL.into_iter().flatten().map(|r| (r.number, r.form)).collect();
        assert!(rows.is_sorted_by(|a, b| a < b), "{rows:?}");
    }
}
