//! Words to options and operands, as getopt(3) with permutation does it. One walker for all programs.

use super::Stop;
use super::opt::{Meaning, Opt};
use crate::near::{hint, shown};

/// What stands at one place.
pub(super) enum Item<M: Meaning> {
    Option {
        row: &'static Opt<M>,
        /// As messages name it: `-t`, `--demo`.
        shown: String,
        value: Option<String>,
    },
    Operand(String),
}

/// Walks over the words.
pub(super) struct Getopt<M: Meaning> {
    program: &'static str,
    table: &'static [Opt<M>],
    words: std::iter::Peekable<std::vec::IntoIter<String>>,
    /// What is left of a cluster of flags.
    cluster: String,
    operands_only: bool,
    /// The first operand ends the options.
    front: bool,
    failed: bool,
}

impl<M: Meaning> Getopt<M> {
    pub(super) fn new(program: &'static str, table: &'static [Opt<M>], words: Vec<String>) -> Self {
        let words = words.into_iter().peekable();
        Self {
            program,
            table,
            words,
            cluster: String::new(),
            operands_only: false,
            front: false,
            failed: false,
        }
    }

    /// With options in front of the first operand only.
    pub(super) fn front(self) -> Self {
        Self { front: true, ..self }
    }

    fn item(&mut self) -> Option<Result<Item<M>, Stop>> {
        if let Some(letter) = self.cluster.chars().next() {
            self.cluster.drain(..letter.len_utf8());
            return Some(self.letter(letter));
        }
        let word = self.words.next()?;
        if self.operands_only || word == "-" || !word.starts_with('-') {
            self.operands_only |= self.front;
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

    fn letter(&mut self, letter: char) -> Result<Item<M>, Stop> {
        let Some(row) = self.table.iter().find(|o| o.letter == Some(letter)) else {
            return Err(self.unknown_letter(letter));
        };
        let name = format!("-{letter}");
        let value = match row.value {
            None => None,
            Some(_) if !self.cluster.is_empty() => Some(std::mem::take(&mut self.cluster)),
            Some(what) => Some(self.words.next().ok_or_else(|| self.missing(&name, what))?),
        };
        Ok(Item::Option { row, shown: name, value })
    }

    fn long(&mut self, text: &str) -> Result<Item<M>, Stop> {
        let (word, attached) = match text.split_once('=') {
            Some((word, value)) => (word, Some(value.to_owned())),
            None => (text, None),
        };
        let Some(row) = self.table.iter().find(|o| o.long == Some(word)) else {
            let near = hint(word, self.table.iter().filter_map(|o| o.long));
            let near = near.replace("mean '", "mean '--");
            return Err(self.unknown(&format!("--{word}"), &near));
        };
        let name = format!("--{word}");
        let value = self.long_value(row, &name, attached)?;
        Ok(Item::Option { row, shown: name, value })
    }

    fn long_value(
        &mut self,
        row: &Opt<M>,
        name: &str,
        attached: Option<String>,
    ) -> Result<Option<String>, Stop> {
        match (row.value, attached) {
            (None, Some(_)) => Err(self.misuse(&format!("option {name} takes no value"))),
            (None, None) => Ok(None),
            (Some(_), Some(value)) => Ok(Some(value)),
            (Some(_), None) if row.value_is_optional() => {
                // The next word is the value if it can be one: a number.
                let number = |w: &String| !w.is_empty() && w.bytes().all(|b| b.is_ascii_digit());
                Ok(self.words.next_if(number))
            }
            (Some(what), None) => {
                self.words.next().ok_or_else(|| self.missing(name, what)).map(Some)
            }
        }
    }

    fn missing(&self, name: &str, what: &str) -> Stop {
        self.misuse(&format!("option {name} needs a value, {what}"))
    }

    /// The nearest letter is the same one in the other case.
    fn unknown_letter(&self, letter: char) -> Stop {
        let other = if letter.is_lowercase() {
            letter.to_ascii_uppercase()
        } else {
            letter.to_ascii_lowercase()
        };
        let near = self
            .table
            .iter()
            .find(|o| o.letter == Some(other) && !o.is_old())
            .map_or_else(String::new, |o| format!("; did you mean '{}', {}?", o.form(), o.help));
        self.unknown(&format!("-{letter}"), &near)
    }

    /// `near` is a question, or nothing.
    fn unknown(&self, option: &str, near: &str) -> Stop {
        let see = if near.is_empty() { "; see" } else { " See" };
        let option = shown(option);
        self.misuse(&format!("unknown option {option}{near}{see} {} --help", self.program))
    }

    fn misuse(&self, message: &str) -> Stop {
        Stop::misuse_of(self.program, message)
    }
}

/// Ends after the first error.
impl<M: Meaning> Iterator for Getopt<M> {
    type Item = Result<Item<M>, Stop>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let item = self.item();
        self.failed = matches!(item, Some(Err(_)));
        item
    }
}
