//! Words to options and operands, as getopt(3) with permutation does it. One walker for all programs.

use super::Stop;
use crate::near::{hint, shown};

/// What the walker has to know of an option.
pub(super) trait Row: 'static {
    fn letter(&self) -> Option<char>;
    fn long(&self) -> Option<&'static str>;
    /// What the value is called, if it takes one.
    fn value(&self) -> Option<&'static str>;
    fn help(&self) -> &'static str;
    /// As an operator writes it.
    fn form(&self) -> String;
    fn value_is_optional(&self) -> bool {
        false
    }
    fn is_old(&self) -> bool {
        false
    }
}

/// What stands at one place.
pub(super) enum Item<R: Row> {
    Option {
        row: &'static R,
        /// As messages name it: `-t`, `--demo`.
        shown: String,
        value: Option<String>,
    },
    Operand(String),
}

/// Walks over the words.
pub(super) struct Getopt<R: Row> {
    program: &'static str,
    table: &'static [R],
    words: std::iter::Peekable<std::vec::IntoIter<String>>,
    /// What is left of a cluster of flags.
    cluster: String,
    operands_only: bool,
    failed: bool,
}

impl<R: Row> Getopt<R> {
    pub(super) fn new(program: &'static str, table: &'static [R], words: Vec<String>) -> Self {
        let words = words.into_iter().peekable();
        Self { program, table, words, cluster: String::new(), operands_only: false, failed: false }
    }

    fn item(&mut self) -> Option<Result<Item<R>, Stop>> {
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

    fn letter(&mut self, letter: char) -> Result<Item<R>, Stop> {
        let Some(row) = self.table.iter().find(|o| o.letter() == Some(letter)) else {
            return Err(self.unknown_letter(letter));
        };
        let name = format!("-{letter}");
        let value = match row.value() {
            None => None,
            Some(_) if !self.cluster.is_empty() => Some(std::mem::take(&mut self.cluster)),
            Some(what) => Some(self.words.next().ok_or_else(|| self.missing(&name, what))?),
        };
        Ok(Item::Option { row, shown: name, value })
    }

    fn long(&mut self, text: &str) -> Result<Item<R>, Stop> {
        let (word, attached) = match text.split_once('=') {
            Some((word, value)) => (word, Some(value.to_owned())),
            None => (text, None),
        };
        let Some(row) = self.table.iter().find(|o| o.long() == Some(word)) else {
            let near = hint(word, self.table.iter().filter_map(Row::long));
            let near = near.replace("mean '", "mean '--");
            return Err(self.unknown(&format!("--{word}"), &near));
        };
        let name = format!("--{word}");
        let value = self.long_value(row, &name, attached)?;
        Ok(Item::Option { row, shown: name, value })
    }

    fn long_value(
        &mut self,
        row: &R,
        name: &str,
        attached: Option<String>,
    ) -> Result<Option<String>, Stop> {
        match (row.value(), attached) {
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
            .find(|o| o.letter() == Some(other) && !o.is_old())
            .map_or_else(String::new, |o| format!("; did you mean '{}', {}?", o.form(), o.help()));
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
impl<R: Row> Iterator for Getopt<R> {
    type Item = Result<Item<R>, Stop>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let item = self.item();
        self.failed = matches!(item, Some(Err(_)));
        item
    }
}
