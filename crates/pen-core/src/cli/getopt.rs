//! Words to options and operands, as getopt(3) with permutation does it.

use super::Stop;
use super::options::{Kind, OPTIONS, Opt};
use crate::near::{hint, shown};

/// What stands at one place.
pub(super) enum Item {
    Option {
        kind: Kind,
        /// As messages name it: `-t`, `--demo`.
        shown: String,
        value: Option<String>,
    },
    Operand(String),
}

/// Walks over the words.
pub(super) struct Getopt {
    words: std::iter::Peekable<std::vec::IntoIter<String>>,
    /// What is left of a cluster of flags.
    cluster: String,
    operands_only: bool,
    failed: bool,
}

impl Getopt {
    pub(super) fn new(words: Vec<String>) -> Self {
        let words = words.into_iter().peekable();
        Self { words, cluster: String::new(), operands_only: false, failed: false }
    }

    fn item(&mut self) -> Option<Result<Item, Stop>> {
        if let Some(letter) = self.cluster.chars().next() {
            self.cluster.drain(..letter.len_utf8());
            return Some(self.letter(letter));
        }
        let word = self.words.next()?;
        if self.operands_only || word == "-" || !word.starts_with('-') {
            return Some(Ok(Item::Operand(word)));
        }
        if word == "--" {
            self.operands_only = true;
            return self.item();
        }
        if let Some(long) = word.strip_prefix("--") {
            return Some(self.long(long));
        }
        self.cluster = word[1..].to_owned();
        self.item()
    }

    fn letter(&mut self, letter: char) -> Result<Item, Stop> {
        let Some(opt) = OPTIONS.iter().find(|o| o.letter == Some(letter)) else {
            return Err(unknown_letter(letter));
        };
        let name = format!("-{letter}");
        let value = match opt.value {
            None => None,
            Some(_) if !self.cluster.is_empty() => Some(std::mem::take(&mut self.cluster)),
            Some(what) => Some(self.words.next().ok_or_else(|| missing(&name, what))?),
        };
        Ok(Item::Option { kind: opt.kind, shown: name, value })
    }

    fn long(&mut self, text: &str) -> Result<Item, Stop> {
        let (word, attached) = match text.split_once('=') {
            Some((word, value)) => (word, Some(value.to_owned())),
            None => (text, None),
        };
        let Some(opt) = OPTIONS.iter().find(|o| o.long == Some(word)) else {
            let near = hint(word, OPTIONS.iter().filter_map(|o| o.long));
            let near = near.replace("mean '", "mean '--");
            return Err(unknown(&format!("--{word}"), &near));
        };
        let name = format!("--{word}");
        let value = self.long_value(opt, &name, attached)?;
        Ok(Item::Option { kind: opt.kind, shown: name, value })
    }

    fn long_value(
        &mut self,
        opt: &Opt,
        name: &str,
        attached: Option<String>,
    ) -> Result<Option<String>, Stop> {
        match (opt.value, attached) {
            (None, Some(_)) => Err(Stop::misuse(&format!("option {name} takes no value"))),
            (None, None) => Ok(None),
            (Some(_), Some(value)) => Ok(Some(value)),
            (Some(_), None) if opt.value_is_optional() => {
                // The next word is the value if it can be one: a number.
                let number = |w: &String| !w.is_empty() && w.bytes().all(|b| b.is_ascii_digit());
                Ok(self.words.next_if(number))
            }
            (Some(what), None) => self.words.next().ok_or_else(|| missing(name, what)).map(Some),
        }
    }
}

/// Ends after the first error.
impl Iterator for Getopt {
    type Item = Result<Item, Stop>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let item = self.item();
        self.failed = matches!(item, Some(Err(_)));
        item
    }
}

fn missing(name: &str, what: &str) -> Stop {
    Stop::misuse(&format!("option {name} needs a value, {what}"))
}

/// The nearest letter is the same one in the other case.
fn unknown_letter(letter: char) -> Stop {
    let other = if letter.is_lowercase() {
        letter.to_ascii_uppercase()
    } else {
        letter.to_ascii_lowercase()
    };
    let near = OPTIONS
        .iter()
        .find(|o| o.letter == Some(other) && !o.is_old())
        .map_or_else(String::new, |o| format!("; did you mean '{}', {}?", o.form(), o.help));
    unknown(&format!("-{letter}"), &near)
}

/// `near` is a question, or nothing.
fn unknown(option: &str, near: &str) -> Stop {
    let see = if near.is_empty() { "; see" } else { " See" };
    Stop::misuse(&format!("unknown option {}{near}{see} pen --help", shown(option)))
}
