//! The command lines of the companion programs: a table of options each, from which parser, help and
//! manual page come, with the habits of pen's own command line.
//!
//! No words at all, or too few, give the usage as the original did; a wrong word is named with
//! status 2, on standard error.

pub mod mergelogs;
pub mod penlog;
pub mod penlogd;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt::Write;
use std::ops::RangeInclusive;

use super::Stop;
use super::getopt::{Getopt, Item, Row};
use crate::near::shown;

/// Column at which help begins.
const HELP_COLUMN: usize = 14;

/// One option.
pub struct Opt {
    /// `-x`
    pub letter: Option<char>,
    /// `--word`
    pub long: Option<&'static str>,
    /// What the value is called, if it takes one.
    pub value: Option<&'static str>,
    /// One line.
    pub help: &'static str,
    /// More for the manual page, or empty.
    pub manual: &'static str,
}

/// A program and its options, in the order of the manual page.
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// The lines of the synopsis behind the name.
    pub synopsis: &'static [&'static str],
    /// Its options.
    pub options: &'static [Opt],
}

const fn short(letter: char, help: &'static str) -> Opt {
    Opt { letter: Some(letter), long: None, value: None, help, manual: "" }
}

const fn long(word: &'static str, help: &'static str) -> Opt {
    Opt { letter: None, long: Some(word), value: None, help, manual: "" }
}

const HELP: Opt = long("help", "this text");
const VERSION: Opt = long("version", "the version");

impl Opt {
    const fn value(mut self, name: &'static str) -> Self {
        self.value = Some(name);
        self
    }

    const fn manual(mut self, text: &'static str) -> Self {
        self.manual = text;
        self
    }

    /// As an operator writes it: `-n N`, `--help`.
    #[must_use]
    pub fn form(&self) -> String {
        let name = match (self.letter, self.long) {
            (Some(letter), _) => format!("-{letter}"),
            (None, long) => format!("--{}", long.unwrap_or_default()),
        };
        self.value.map_or_else(|| name.clone(), |value| format!("{name} {value}"))
    }
}

impl Row for Opt {
    fn letter(&self) -> Option<char> {
        self.letter
    }

    fn long(&self) -> Option<&'static str> {
        self.long
    }

    fn value(&self) -> Option<&'static str> {
        self.value
    }

    fn help(&self) -> &'static str {
        self.help
    }

    fn form(&self) -> String {
        Self::form(self)
    }
}

impl Tool {
    /// The usage with all options.
    #[must_use]
    pub fn help(&self) -> String {
        let mut text = String::new();
        for (n, line) in self.synopsis.iter().enumerate() {
            let lead = if n == 0 { "usage: " } else { "       " };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{lead}{} {line}", self.name);
        }
        text.push('\n');
        for opt in self.options {
            let _ = writeln!(text, "  {:<HELP_COLUMN$} {}", opt.form(), opt.help);
        }
        text
    }

    /// Hands each option to `set` by its name, answers `--help` and `--version`, gives the operands.
    fn walk(
        &self,
        arguments: impl IntoIterator<Item = OsString>,
        mut set: impl FnMut(&str, String) -> Result<(), Stop>,
    ) -> Result<Vec<String>, Stop> {
        let mut operands = Vec::new();
        let words = super::words(self.name, arguments)?;
        for item in Getopt::new(self.name, self.options, words) {
            match item.map_err(|stop| self.with_usage(stop))? {
                Item::Operand(word) => operands.push(word),
                Item::Option { shown, .. } if shown == "--help" => {
                    return Err(Stop::answer(self.help()));
                }
                Item::Option { shown, .. } if shown == "--version" => {
                    let text = concat!(env!("CARGO_PKG_VERSION"), " (Rust)\n");
                    return Err(Stop::answer(format!("{} {text}", self.name)));
                }
                Item::Option { shown, value, .. } => set(&shown, value.unwrap_or_default())?,
            }
        }
        Ok(operands)
    }

    /// A wrong option gives the usage on standard output too, as the original did.
    fn with_usage(&self, stop: Stop) -> Stop {
        Stop { stdout: self.help(), ..stop }
    }

    fn misuse(&self, message: &str) -> Stop {
        Stop::misuse_of(self.name, message)
    }

    fn number(&self, option: &str, text: &str, range: &RangeInclusive<i64>) -> Result<i64, Stop> {
        let it_takes = || format!("it takes {} to {}", range.start(), range.end());
        let number: i64 = text.parse().map_err(|_| {
            self.misuse(&format!(
                "option {option}: {} is not a number; {}",
                shown(text),
                it_takes()
            ))
        })?;
        if range.contains(&number) {
            return Ok(number);
        }
        Err(self.misuse(&format!("option {option}: '{number}' is out of range; {}", it_takes())))
    }

    fn not_empty(&self, option: &str, text: String) -> Result<String, Stop> {
        if text.is_empty() {
            let message = format!("option {option} needs a value that is not empty");
            return Err(self.misuse(&message));
        }
        Ok(text)
    }
}
