//! Files of commands, as text: reading one changes settings wholly or not at all; a fault says file, line
//! and column.
//!
//! The same code serves start-up, `--check`, `include` and reload. How files get into memory is the caller's
//! business ([`Files`]); how many they are, how deep they include each other and how long their lines are is
//! bounded here. Deliberately not here: making settings true, and performing what lines ask for beside
//! settings.

use std::fmt;

use crate::addr::Names;
use crate::command::{self, Context, Done, Effect, Fault, Report};
use crate::config::Config;
use crate::limits;

/// Where files come from.
pub trait Files {
    /// What is in the file at `path`: never without end, and read without waiting for anybody.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn read(&self, path: &str) -> Result<Vec<u8>, Unread>;
}

/// Why a file could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// It does not exist.
    pub missing: bool,
    /// What the operator is told.
    pub message: String,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFault {
    /// The file, as it was named.
    pub file: String,
    /// Line and column at fault, from 1; `None` if the file could not be read at all.
    pub at: Option<(usize, usize)>,
    /// What it is.
    pub message: String,
    /// The file asked for does not exist (an included one is an ordinary fault).
    pub missing: bool,
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some((line, column)) => {
                write!(f, "{}:{line}:{column}: error: {}", self.file, self.message)
            }
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

/// Something a line answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Ready text.
    Text(String),
    /// A report that needs a look at running state.
    Report {
        /// About this service.
        service: String,
        /// What is asked.
        report: Report,
        /// The json twin is wanted.
        json: bool,
    },
}

/// What came of lines beside the settings they changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Replies in their order.
    pub said: Vec<Said>,
    /// What is to be done once the settings are true, in order; includes are done already.
    pub effects: Vec<Effect>,
    /// Lines for the log.
    pub notices: Vec<String>,
    /// Files that were read, as they were named.
    pub files: Vec<String>,
}

impl Outcome {
    /// Takes in what came after.
    pub fn append(&mut self, after: Self) {
        self.said.extend(after.said);
        self.effects.extend(after.effects);
        self.notices.extend(after.notices);
        self.files.extend(after.files);
    }

    /// Takes in what one applied line brought; its includes are left to the caller.
    pub fn absorb(&mut self, done: Done, json: bool) -> Vec<Effect> {
        if !done.reply.is_empty() {
            self.said.push(Said::Text(done.reply));
        }
        if let Some((service, report)) = done.report {
            self.said.push(Said::Report { service, report, json });
        }
        self.notices.extend(done.notices);
        let is_include = |e: &Effect| matches!(e, Effect::Include { .. });
        let (includes, effects) = done.effects.into_iter().partition(is_include);
        self.effects.extend::<Vec<Effect>>(effects);
        includes
    }
}

/// Applies the file at `path` and what it includes to `config`: wholly or not at all. `context` is
/// where the reading starts.
///
/// # Errors
/// The first fault; `config` is as before.
pub fn read(
    config: &mut Config,
    context: &Context,
    path: &str,
    names: &dyn Names,
    files: &dyn Files,
) -> Result<Outcome, FileFault> {
    let mut reading = Reading {
        config: config.clone(),
        context: context.clone(),
        names,
        files,
        outcome: Outcome::default(),
    };
    reading.file(path, 0)?;
    *config = reading.config;
    Ok(reading.outcome)
}

struct Reading<'a> {
    config: Config,
    context: Context,
    names: &'a dyn Names,
    files: &'a dyn Files,
    outcome: Outcome,
}

impl Reading<'_> {
    fn file(&mut self, path: &str, depth: usize) -> Result<(), FileFault> {
        let text = self.files.read(path).map_err(|Unread { missing, message }| FileFault {
            file: path.to_owned(),
            at: None,
            message,
            missing,
        })?;
        self.outcome.files.push(path.to_owned());
        // Some editors mark UTF-8 text at its beginning.
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
        for (n, line) in text.split(|b| *b == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let fault = |f: Fault| FileFault {
                file: path.to_owned(),
                at: Some((n + 1, f.column + 1)),
                message: f.message,
                missing: false,
            };
            for include in self.line(path, n + 1, line).map_err(fault)? {
                self.include(include, depth).map_err(|e| match e {
                    Ok(inner) => inner,
                    Err(f) => fault(f),
                })?;
            }
        }
        Ok(())
    }

    /// Applies one line and returns the files it includes.
    fn line(&mut self, path: &str, number: usize, line: &[u8]) -> Result<Vec<Effect>, Fault> {
        let fault = |message: String, column| Fault { message, column };
        if line.len() > limits::LINE_MAX {
            let message = format!("the line is longer than {} bytes", limits::LINE_MAX);
            return Err(fault(message, limits::LINE_MAX));
        }
        let text = std::str::from_utf8(line)
            .map_err(|e| fault("the line is not UTF-8 text".to_owned(), e.valid_up_to()))?;
        let Some(line) = command::parse(text, self.context.door)? else { return Ok(Vec::new()) };
        let mut done = command::apply(&mut self.config, &mut self.context, &line, self.names)?;
        for notice in &mut done.notices {
            *notice = format!("{path}:{number}: {notice}");
        }
        Ok(self.outcome.absorb(done, line.json))
    }

    /// An included file starts in the context of its line and returns to it. A file that is not
    /// there is the including line's fault.
    fn include(&mut self, effect: Effect, depth: usize) -> Result<(), Result<FileFault, Fault>> {
        let Effect::Include { service, path } = effect else { return Ok(()) };
        if depth + 1 >= limits::INCLUDE_DEPTH_MAX {
            let message = format!(
                "cannot include {path}: files include each other more than {} deep",
                limits::INCLUDE_DEPTH_MAX
            );
            return Err(Err(Fault { message, column: 0 }));
        }
        if self.outcome.files.len() >= limits::INCLUDES_MAX {
            let message =
                format!("cannot include {path}: more than {} files in all", limits::INCLUDES_MAX);
            return Err(Err(Fault { message, column: 0 }));
        }
        let back = std::mem::replace(&mut self.context.service, service);
        let result = self.file(&path, depth + 1);
        self.context.service = back;
        result.map_err(|f| match f.at {
            None => Err(Fault { message: format!("cannot include {f}"), column: 0 }),
            Some(_) => Ok(f),
        })
    }
}
