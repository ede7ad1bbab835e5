//! A line taken apart into words, and a cursor over them that makes good faults.

use super::Fault;
use crate::limits::{LINE_MAX, WORDS_MAX};
use crate::near::{hint, shown};

/// A word of a line with its place, for messages that come after parsing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word.
    pub text: String,
    /// Byte offset in the line.
    pub column: usize,
}

/// The words of a line, separated by blanks.
///
/// # Errors
/// A line that is too long, has too many words, or holds control characters other than blanks.
pub(super) fn split(line: &str) -> Result<Vec<(&str, usize)>, Fault> {
    if line.len() > LINE_MAX {
        return Err(Fault::new(format!("the line is longer than {LINE_MAX} bytes"), LINE_MAX));
    }
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace());
        if rest.is_empty() {
            return Ok(words);
        }
        let column = line.len() - rest.len();
        let end = rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.chars().any(char::is_control) {
            return Err(Fault::new(format!("control characters in {}", shown(word)), column));
        }
        if words.len() == WORDS_MAX {
            return Err(Fault::new(
                format!("more than {WORDS_MAX} words at {}", shown(word)),
                column,
            ));
        }
        words.push((word, column));
        rest = after;
    }
}

/// What is left of a line while its command reads its arguments.
pub(super) struct Args<'a> {
    /// The command word, as messages name it.
    pub(super) word: &'static str,
    /// Where it stands.
    pub(super) column: usize,
    pub(super) rest: std::slice::Iter<'a, (&'a str, usize)>,
}

impl<'a> Args<'a> {
    pub(super) fn next(&mut self) -> Option<(&'a str, usize)> {
        self.rest.next().copied()
    }

    /// The next word, which must be there.
    pub(super) fn need(&mut self, what: &str) -> Result<(&'a str, usize), Fault> {
        let fault = Fault::new(format!("'{}' needs {what}", self.word), self.column);
        self.next().ok_or(fault)
    }

    pub(super) fn need_word(&mut self, what: &str) -> Result<Word, Fault> {
        self.need(what).map(owned)
    }

    /// The next word as a number within `low..=high`.
    pub(super) fn need_number(&mut self, what: &str, low: i64, high: i64) -> Result<i64, Fault> {
        let word = self.need(&format!("{what} ({low} to {high})"))?;
        number(self.word, word, low, high)
    }

    /// The next word as one of `choices`.
    pub(super) fn need_choice<T: Copy>(&mut self, choices: &[(&str, T)]) -> Result<T, Fault> {
        let all: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let (word, column) = self.need(&format!("one of {}", all.join(", ")))?;
        choices.iter().find(|(name, _)| *name == word).map(|(_, value)| *value).ok_or_else(|| {
            let near = hint(word, all.iter().copied());
            let message =
                format!("{}: {} is none of {}{near}", self.word, shown(word), all.join(", "));
            Fault::new(message, column)
        })
    }
}

pub(super) fn owned((text, column): (&str, usize)) -> Word {
    Word { text: text.to_owned(), column }
}

/// `word` as a number within `low..=high`; `command` is named in the fault.
pub(super) fn number(
    command: &str,
    word: (&str, usize),
    low: i64,
    high: i64,
) -> Result<i64, Fault> {
    number_within(command, word, (low, high), (low, high))
}

/// `word` as a number within `accepted`; the fault tells the range `told`.
pub(super) fn number_within(
    command: &str,
    (word, column): (&str, usize),
    (low, high): (i64, i64),
    told: (i64, i64),
) -> Result<i64, Fault> {
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if let Some(n) = word.parse().ok().filter(|n| is_number && (low..=high).contains(n)) {
        return Ok(n);
    }
    let why = if is_number { "out of range" } else { "not a number" };
    let message = format!("{command}: {} is {why}; it takes {} to {}", shown(word), told.0, told.1);
    Err(Fault::new(message, column))
}
