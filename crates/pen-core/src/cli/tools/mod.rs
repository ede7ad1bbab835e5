//! The command lines of the companion programs: a table of options each, from which parser, help and
//! manual page come, with the habits of pen's own command line.
//!
//! No words at all, or too few, give the usage as the original did; a wrong word is named with
//! status 2, on standard error.

pub mod mergelogs;
pub mod penctl;
pub mod penlog;
pub mod penlogd;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt::Write;
use std::ops::RangeInclusive;

use super::getopt::{Getopt, Item};
use super::{Opt, Stop};
use crate::near::shown;

/// Column at which help begins.
const HELP_COLUMN: usize = 14;

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
    Opt::short(letter, help, ())
}

const fn long(word: &'static str, help: &'static str) -> Opt {
    Opt::long(word, help, ())
}

const HELP: Opt = long("help", "this text");
const VERSION: Opt = long("version", "the version");

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
        set: impl FnMut(&str, String) -> Result<(), Stop>,
    ) -> Result<Vec<String>, Stop> {
        let words = super::words(self.name, arguments)?;
        self.take(Getopt::new(self.name, self.options, words), set)
    }

    /// The same with options in front of the operands only.
    fn walk_front(
        &self,
        arguments: impl IntoIterator<Item = OsString>,
        set: impl FnMut(&str, String) -> Result<(), Stop>,
    ) -> Result<Vec<String>, Stop> {
        let words = super::words(self.name, arguments)?;
        self.take(Getopt::new(self.name, self.options, words).front(), set)
    }

    fn take(
        &self,
        items: Getopt<()>,
        mut set: impl FnMut(&str, String) -> Result<(), Stop>,
    ) -> Result<Vec<String>, Stop> {
        let mut operands = Vec::new();
        for item in items {
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
