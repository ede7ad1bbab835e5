//! Completion for shells, made from the tables of options and commands.
//!
//! One script per program and shell; several scripts of a shell one after the other are a script too.
//! What may stand behind a command is read from its forms: small letters stand for themselves,
//! capitals for something. Deliberately not here: anything that asks a running Pen.

mod bash;
mod fish;
mod zsh;

#[cfg(test)]
mod tests;

use super::opt::{Meaning, Opt};
use super::options::OPTIONS;
use super::tools::penctl::OWN_WORDS;
use super::tools::{Tool, mergelogs, penctl, penlog, penlogd};
use crate::command::table::{self, Spec};

/// A shell that can complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

impl Shell {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Bash, Self::Zsh, Self::Fish];

    /// Its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
        }
    }

    /// What the shell looks for when it completes `program`.
    #[must_use]
    pub fn file_name(self, program: &str) -> String {
        match self {
            Self::Bash => program.to_owned(),
            Self::Zsh => format!("_{program}"),
            Self::Fish => format!("{program}.fish"),
        }
    }
}

/// The programs that there is completion for.
pub const PROGRAMS: [&str; 5] = ["pen", "penctl", "penlog", "penlogd", "mergelogs"];

/// The script for one of [`PROGRAMS`]; `None` for another program.
#[must_use]
pub fn script(shell: Shell, program: &str) -> Option<String> {
    let program = Program::find(program)?;
    Some(match shell {
        Shell::Bash => bash::script(&program),
        Shell::Zsh => zsh::script(&program),
        Shell::Fish => fish::script(&program),
    })
}

/// The scripts for all programs, for a shell to read at its start.
#[must_use]
pub fn all(shell: Shell) -> String {
    PROGRAMS.iter().filter_map(|program| script(shell, program)).collect()
}

/// A program as it is completed.
struct Program {
    name: &'static str,
    options: Vec<Choice>,
    /// Its operands are an address and a command.
    controls: bool,
}

/// An option.
struct Choice {
    letter: Option<char>,
    long: Option<&'static str>,
    help: &'static str,
    value: Option<Value>,
}

/// What completes a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    /// A file or directory.
    File,
    /// A user.
    User,
    /// The name of a shell.
    Shell,
    /// Nothing that is known.
    Other,
    /// The same, and it may be left out.
    Optional,
}

impl Choice {
    fn of<M: Meaning>(opt: &Opt<M>) -> Self {
        let value = opt.value.map(|name| match name {
            _ if opt.value_is_optional() => Value::Optional,
            "FILE" | "DIR" | "PENLOG" | "TARGET" | "ADDRESS" => Value::File,
            "USER" => Value::User,
            "SHELL" => Value::Shell,
            _ => Value::Other,
        });
        Self { letter: opt.letter, long: opt.long, help: opt.help, value }
    }

    /// `-t`, `--once`
    fn name(&self) -> String {
        match (self.letter, self.long) {
            (Some(letter), _) => format!("-{letter}"),
            (None, long) => format!("--{}", long.unwrap_or_default()),
        }
    }

    /// Whether the next word is its value.
    fn takes_word(&self) -> bool {
        self.value.is_some_and(|value| value != Value::Optional)
    }
}

impl Program {
    fn find(name: &str) -> Option<Self> {
        let tool = |tool: &Tool| Self {
            name: tool.name,
            options: tool.options.iter().map(Choice::of).collect(),
            controls: tool.name == penctl::TOOL.name,
        };
        match name {
            "pen" => Some(Self {
                name: "pen",
                options: OPTIONS.iter().filter(|o| !o.is_old()).map(Choice::of).collect(),
                controls: false,
            }),
            "penctl" => Some(tool(&penctl::TOOL)),
            "penlog" => Some(tool(&penlog::TOOL)),
            "penlogd" => Some(tool(&penlogd::TOOL)),
            "mergelogs" => Some(tool(&mergelogs::TOOL)),
            _ => None,
        }
    }

    /// The options whose value is completed so.
    fn with_value(&self, value: Value) -> Vec<String> {
        self.options.iter().filter(|o| o.value == Some(value)).map(Choice::name).collect()
    }

    /// The options whose value is the next word.
    fn with_words(&self) -> Vec<String> {
        self.options.iter().filter(|o| o.takes_word()).map(Choice::name).collect()
    }
}

/// The rows of the table that are worth showing.
fn commands() -> impl Iterator<Item = &'static Spec> {
    table::all().filter(|spec| !spec.hidden)
}

/// Words that a command can begin with, with their explanations: the table's, and `penctl`'s own.
fn beginnings() -> Vec<(&'static str, &'static str)> {
    let own = OWN_WORDS.into_iter().filter(|(word, _)| table::find(word).is_none());
    let no = [("no", "take back a setting")];
    commands().map(|spec| (spec.word, spec.help)).chain(no).chain(own).collect()
}

/// Words that can stand behind `no`.
fn deniable() -> Vec<&'static str> {
    commands().filter(|spec| spec.takes_no()).map(|spec| spec.word).collect()
}

/// The words that can stand behind a command as they are, each once, in the order of its forms.
fn literals(spec: &Spec) -> Vec<&'static str> {
    let mut words: Vec<&'static str> = Vec::new();
    for form in spec.forms {
        for piece in form.split([' ', '[', ']', '|']) {
            let literal = piece.starts_with(|c: char| c.is_ascii_lowercase())
                && piece.bytes().all(|b| !b.is_ascii_uppercase());
            if literal && piece != spec.word && piece != "no" && !words.contains(&piece) {
                words.push(piece);
            }
        }
    }
    if spec.json && !words.contains(&"json") {
        words.push("json");
    }
    words
}

/// Whether a file can stand behind a command.
fn takes_file(spec: &Spec) -> bool {
    let mut pieces = spec.forms.iter().flat_map(|form| form.split([' ', '[', ']', '|']));
    pieces.any(|piece| matches!(piece, "FILE" | "KEYFILE" | "DIRECTORY" | "TARGET"))
}
