//! The nearest valid word to a mistyped one, and how foreign words are shown in messages.
//!
//! Used wherever an operator's word is not understood: commands, keys, options, names.

use crate::limits::SHOWN_MAX;

/// The candidate that `word` was most likely meant to be: at most a third of its letters away
/// (at least one), counting a swap of neighbours as one. Case is ignored. `None` if nothing is
/// near.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(SHOWN_MAX).flat_map(char::to_lowercase).collect();
    let allowed = (word.len() / 3).max(1);
    candidates
        .into_iter()
        .filter(|c| c.chars().count().abs_diff(word.len()) <= allowed)
        .map(|c| (distance(&word, &c.to_lowercase().chars().collect::<Vec<_>>()), c))
        .filter(|(d, _)| *d <= allowed)
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c)
}

/// `; did you mean 'X'?`, or nothing.
#[must_use]
pub fn hint<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map_or_else(String::new, |near| format!("; did you mean '{near}'?"))
}

/// `word` in quotes, on one line whatever its bytes are, cut when it is very long.
#[must_use]
pub fn shown(word: &str) -> String {
    let mut text = String::new();
    for c in word.chars().take(SHOWN_MAX) {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    if word.chars().nth(SHOWN_MAX).is_some() {
        text.push_str("...");
    }
    format!("'{text}'")
}

/// Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`.
#[expect(
    clippy::indexing_slicing,
    reason = "rows are one longer than `b`, and `i` and `j` count `a` and `b`"
)]
fn distance(a: &[char], b: &[char]) -> usize {
    let mut older: Vec<usize> = Vec::new();
    let mut old: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, cb) in b.iter().enumerate() {
            let mut best = (old[j] + usize::from(ca != cb)).min(old[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *ca == b[j - 1] && a[i - 1] == *cb {
                best = best.min(older[j - 1] + 1);
            }
            row.push(best);
        }
        older = std::mem::replace(&mut old, row);
    }
    old.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words() {
        let words = ["blacklist", "hash", "no", "pid", "prio", "roundrobin"];
        for (typed, meant) in [
            ("blacklits", Some("blacklist")),
            ("PID", Some("pid")),
            ("roundrobbin", Some("roundrobin")),
            ("hsah", Some("hash")),
            ("frobnicate", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, words), meant, "{typed}");
        }
    }

    #[test]
    fn shown_words_stay_on_one_line() {
        assert_eq!(shown("a\nb\u{7}"), "'a\\nb\\u{7}'");
        assert_eq!(shown(&"x".repeat(100)), format!("'{}...'", "x".repeat(64)));
    }
}
