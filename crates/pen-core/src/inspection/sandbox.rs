//! What a host makes of the sandbox.

use std::path::PathBuf;

use super::{Finding, caution, good, wrong_plainly};
use crate::sandbox::Level;

/// What came of shutting a process in and of trying what is forbidden.
#[derive(Clone, Debug, Default)]
pub struct Sandboxed {
    /// As the settings ask.
    pub level: Level,
    /// The number of the kernel's Landlock, if it has one.
    pub landlock: Option<i32>,
    /// It does not know all the rules that are asked for.
    pub partly: bool,
    /// Why system calls are not filtered.
    pub unfiltered: Option<String>,
    /// Forbidden things that were tried.
    pub tried: usize,
    /// Those that were not refused.
    pub permitted: Vec<&'static str>,
    /// Directories that are to be written to and do not exist.
    pub missing: Vec<PathBuf>,
}

/// Judges it.
#[must_use]
pub fn sandboxed(facts: &Sandboxed) -> Vec<Finding> {
    let level = facts.level.word();
    if facts.level == Level::Off {
        return vec![caution(
            "sandbox off: Pen keeps every right that it starts with".to_owned(),
            None,
        )];
    }
    let mut all = Vec::new();
    all.push(match (&facts.unfiltered, facts.permitted.as_slice()) {
        (Some(why), _) => {
            caution(format!("sandbox {level}: this kernel filters no system calls: {why}"), None)
        }
        (None, []) => good(format!(
            "sandbox {level}: {} forbidden things were tried, all were refused",
            facts.tried
        )),
        (None, permitted) => {
            wrong_plainly(format!("sandbox {level}: not refused: {}", permitted.join(", ")))
        }
    });
    all.push(match (facts.landlock, facts.partly) {
        (None, _) => {
            caution(format!("sandbox {level}: this kernel has no rules for files (Landlock)"), None)
        }
        (Some(n), true) => {
            good(format!("sandbox {level}: rules for files as far as Landlock {n} has them"))
        }
        (Some(n), false) => good(format!("sandbox {level}: rules for files by Landlock {n}")),
    });
    all.extend(facts.missing.iter().map(|place| {
        let place = place.display();
        let text =
            format!("sandbox {level}: {place} does not exist, nothing can be written there later");
        caution(text, Some(format!("mkdir -p {place}")))
    }));
    all
}

/// A process cannot be shut in at all.
#[must_use]
pub fn not_sandboxed(why: String) -> Vec<Finding> {
    vec![wrong_plainly(why)]
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn each_verdict() {
        let on =
            Sandboxed { level: Level::On, landlock: Some(7), tried: 14, ..Sandboxed::default() };
        let verdicts = |facts: &Sandboxed| -> Vec<_> {
            sandboxed(facts).into_iter().map(|f| f.verdict).collect()
        };
        assert_eq!(verdicts(&on), [Verdict::Good, Verdict::Good]);
        let off = Sandboxed { level: Level::Off, ..on.clone() };
        assert_eq!(verdicts(&off), [Verdict::Caution]);
        let leaky = Sandboxed { permitted: vec!["execute a program"], ..on.clone() };
        assert_eq!(verdicts(&leaky), [Verdict::Wrong, Verdict::Good]);
        let bare = Sandboxed {
            landlock: None,
            unfiltered: Some("no such call".to_owned()),
            missing: vec!["/no/such".into()],
            ..on
        };
        assert_eq!(verdicts(&bare), [Verdict::Caution; 3]);
    }
}
