//! Where messages to the operator end: standard error, syslog, or both while starting.

use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::path::Path;

use pen_core::limits;
use pen_sys::syslog::{self, Priority, Syslog};
use pen_sys::{clock, localtime};

use super::patient::Patient;

/// The open sinks, owned by the log thread.
pub(super) struct Sinks {
    error: Box<dyn Write + Send>,
    output: Patient<io::Stdout>,
    syslog: Option<Syslog>,
    /// Standard error takes all messages (foreground), important ones (starting) or none.
    to_error: ToError,
    /// Messages that no sink took since one last did.
    unsaid: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ToError {
    All,
    Important,
    Nothing,
}

impl Sinks {
    /// Standard error only.
    pub(super) fn foreground() -> Self {
        Self::new(Box::new(Patient::new(io::stderr())), None)
    }

    /// Syslog, and standard error for what is important.
    pub(super) fn background() -> Self {
        let log = Syslog::open(Path::new(syslog::PATH), "pen");
        Self::new(Box::new(Patient::new(io::stderr())), Some(log))
    }

    pub(super) fn new(error: Box<dyn Write + Send>, syslog: Option<Syslog>) -> Self {
        let to_error = if syslog.is_some() { ToError::Important } else { ToError::All };
        let output = Patient::new(io::stdout());
        Self { error, output, syslog, to_error, unsaid: 0 }
    }

    /// The start is over.
    pub(super) fn started(&mut self) {
        if self.syslog.is_some() {
            self.to_error = ToError::Nothing;
        }
    }

    /// Writes a message; `lines`: each line of the text is one.
    pub(super) fn message(&mut self, wall: i64, important: bool, lines: bool, text: &str) {
        if lines {
            for line in text.lines() {
                self.line(wall, important, line);
            }
        } else {
            self.line(wall, important, text);
        }
    }

    /// Writes to standard output. With nobody to read, the text is lost.
    pub(super) fn show(&mut self, text: &str) {
        let _ = self.output.write_all(text.as_bytes());
    }

    /// Writes a message of the log thread itself.
    pub(super) fn own(&mut self, text: &str) {
        self.line(clock::wall_seconds(), true, text);
    }

    fn line(&mut self, wall: i64, important: bool, text: &str) {
        if self.unsaid != 0 {
            let lost = format!("{} messages were lost: nobody took them", self.unsaid);
            if self.put(wall, true, &lost).is_ok() {
                self.unsaid = 0;
            }
        }
        if self.put(wall, important, &escaped(text)).is_err() {
            self.unsaid = self.unsaid.saturating_add(1);
        }
    }

    fn put(&mut self, wall: i64, important: bool, line: &str) -> io::Result<()> {
        let to_error = match self.to_error {
            ToError::All => true,
            ToError::Important => important,
            ToError::Nothing => false,
        };
        let error = if to_error {
            let text = format!("{}: {line}\n", localtime::stamp(wall));
            self.error.write_all(text.as_bytes()).and_then(|()| self.error.flush())
        } else {
            Ok(())
        };
        match &mut self.syslog {
            Some(log) => log.send(Priority::Debug, wall, line),
            None => error,
        }
    }
}

impl fmt::Debug for Sinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sinks").field("syslog", &self.syslog).finish_non_exhaustive()
    }
}

/// One printable line of at most [`limits::MESSAGE_MAX`] bytes: control characters become `\xNN`,
/// so that nothing a client sends can forge a line or steer a terminal.
fn escaped(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if line.len() >= limits::MESSAGE_MAX {
            line.push_str("...");
            break;
        }
        if c.is_control() {
            // Writing to a string cannot fail.
            let _ = write!(line, "\\x{:02x}", u32::from(c));
        } else {
            line.push(c);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_lines_bounded() {
        assert_eq!(escaped("a\tb\r\n\u{1b}[0m\u{9b}é\0"), "a\\x09b\\x0d\\x0a\\x1b[0m\\x9bé\\x00");
        let long = escaped(&"x".repeat(5_000));
        assert_eq!(long.len(), limits::MESSAGE_MAX + 3);
        assert!(long.ends_with("x..."));
    }
}
