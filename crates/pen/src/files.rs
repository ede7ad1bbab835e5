//! Files of commands, and files that Pen writes.
//!
//! Reading a file changes settings wholly or not at all; a fault says file, line and column. The
//! same code serves start-up, `--check`, `include` and reload. Only regular files of bounded size
//! are read, so that no device, pipe or directory can stop the control thread. Deliberately not
//! here: making settings true, and performing what lines ask for beside settings.

use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use pen_core::addr::Names;
use pen_core::command::{self, Context, Done, Effect, Fault, Report};
use pen_core::config::Config;
use pen_core::limits;
use rustix::fs::OFlags;

/// Opening a pipe would wait for the other end; for files this changes nothing.
const NOT_WAITING: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY);

/// Permissions of files that Pen makes, less the umask: nobody else writes them, even if the program
/// that started Pen has no umask.
const MODE: u32 = 0o644;

/// What changes when a file is written or replaced: device and number, length, time of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(u64, u64, u64, i64, i64);

impl Stamp {
    /// Of an open file.
    #[must_use]
    pub fn of(file: &Metadata) -> Self {
        Self(file.dev(), file.ino(), file.len(), file.ctime(), file.ctime_nsec())
    }

    /// Of the file at `path`; `None` if there is none that can be seen.
    #[must_use]
    pub fn at(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|file| Self::of(&file))
    }
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
pub fn read_file(
    config: &mut Config,
    context: &Context,
    path: &str,
    names: &dyn Names,
) -> Result<Outcome, FileFault> {
    let mut reading = Reading {
        config: config.clone(),
        context: context.clone(),
        names,
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
    outcome: Outcome,
}

impl Reading<'_> {
    fn file(&mut self, path: &str, depth: usize) -> Result<(), FileFault> {
        let (text, _) = read_bounded(Path::new(path), limits::FILE_MAX).map_err(|e| FileFault {
            file: path.to_owned(),
            at: None,
            missing: e.kind() == io::ErrorKind::NotFound,
            message: e.to_string(),
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
        let back = std::mem::replace(&mut self.context.service, service);
        let result = self.file(&path, depth + 1);
        self.context.service = back;
        result.map_err(|f| match f.at {
            None => Err(Fault { message: format!("cannot include {f}"), column: 0 }),
            Some(_) => Ok(f),
        })
    }
}

/// The contents of a regular file of at most `max` bytes, and what it was when it was opened.
///
/// # Errors
/// What the kernel says, or that it is something else or too large.
pub fn read_bounded(path: &Path, max: u64) -> io::Result<(Vec<u8>, Metadata)> {
    let other = |text: String| Err(io::Error::other(text));
    let file =
        OpenOptions::new().read(true).custom_flags(NOT_WAITING.bits().cast_signed()).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return other("it is a directory, not a file".to_owned());
    }
    if !metadata.is_file() {
        return other("it is no regular file".to_owned());
    }
    let mut bytes = Vec::new();
    if metadata.len() <= max {
        file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    }
    if metadata.len() > max || u64::try_from(bytes.len()).unwrap_or(u64::MAX) > max {
        return other(format!("it is larger than {max} bytes"));
    }
    Ok((bytes, metadata))
}

/// Replaces the contents of the file at `path`. Readers see the old or the new contents where the
/// directory lets Pen make a file; else the file is written in place.
///
/// # Errors
/// What the kernel says.
pub fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let old = path.symlink_metadata();
    // What is a link, has other names or belongs to someone else must stay the file it is.
    let ours = rustix::process::geteuid().as_raw();
    let replaceable =
        old.as_ref().map_or(true, |m| m.is_file() && m.nlink() == 1 && m.uid() == ours);
    if replaceable {
        let mode = old.ok().map(|m| m.permissions().mode() & 0o7777);
        if replace_whole(path, contents, mode).is_ok() {
            return Ok(());
        }
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .mode(MODE)
        .truncate(true)
        .custom_flags(NOT_WAITING.bits().cast_signed())
        .open(path)?;
    file.write_all(contents)
}

fn replace_whole(path: &Path, contents: &[u8], mode: Option<u32>) -> io::Result<()> {
    let aside = aside(path)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&aside)?;
    let result = fill(&mut file, contents, mode).and_then(|()| fs::rename(&aside, path));
    if result.is_err() {
        // It is ours: it was made a moment ago under a name that did not exist.
        let _ = fs::remove_file(&aside);
    }
    result
}

fn fill(file: &mut File, contents: &[u8], mode: Option<u32>) -> io::Result<()> {
    if let Some(mode) = mode {
        file.set_permissions(fs::Permissions::from_mode(mode))?;
    }
    file.write_all(contents)
}

fn aside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", std::process::id()));
    Ok(path.with_file_name(hidden))
}

#[cfg(test)]
mod tests;
