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
    /// What that is too old to refuse.
    pub unknown: Vec<&'static str>,
    /// Why system calls are not filtered.
    pub unfiltered: Option<String>,
    /// Forbidden things that were tried, of those that this kernel has the means to refuse.
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
    all.extend(facts.unfiltered.as_ref().map(|why| {
        caution(format!("sandbox {level}: this kernel filters no system calls: {why}"), None)
    }));
    all.push(match (facts.tried, facts.permitted.as_slice()) {
        (0, _) => caution(format!("sandbox {level}: nothing is refused"), None),
        (tried, []) => {
            good(format!("sandbox {level}: {tried} forbidden things were tried, all were refused"))
        }
        (_, permitted) => {
            wrong_plainly(format!("sandbox {level}: not refused: {}", permitted.join(", ")))
        }
    });
    all.push(match (facts.landlock, facts.unknown.as_slice()) {
        (None, _) => {
            caution(format!("sandbox {level}: this kernel has no rules for files (Landlock)"), None)
        }
        (Some(n), []) => good(format!("sandbox {level}: rules for files by Landlock {n}")),
        (Some(n), unknown) => {
            let unknown = unknown.join(", ");
            let text = format!("rules for files as far as Landlock {n} has them: not {unknown}");
            caution(format!("sandbox {level}: {text}"), None)
        }
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
            Sandboxed { level: Level::On, landlock: Some(7), tried: 20, ..Sandboxed::default() };
        let verdicts = |facts: &Sandboxed| -> Vec<_> {
            sandboxed(facts).into_iter().map(|f| f.verdict).collect()
        };
        assert_eq!(verdicts(&on), [Verdict::Good, Verdict::Good]);
        let off = Sandboxed { level: Level::Off, ..on.clone() };
        assert_eq!(verdicts(&off), [Verdict::Caution]);
        let leaky = Sandboxed { permitted: vec!["execute a program"], ..on.clone() };
        assert_eq!(verdicts(&leaky), [Verdict::Wrong, Verdict::Good]);
        let old = Sandboxed { landlock: Some(5), unknown: vec!["signals"], ..on.clone() };
        assert_eq!(verdicts(&old), [Verdict::Good, Verdict::Caution]);
        let bare = Sandboxed {
            tried: 0,
            landlock: None,
            unfiltered: Some("no such call".to_owned()),
            missing: vec!["/no/such".into()],
            ..on
        };
        assert_eq!(verdicts(&bare), [Verdict::Caution; 4]);
    }
}
