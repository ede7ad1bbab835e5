//! Lines to the journal of systemd, each field apart: one datagram per line, in the journal's own
//! protocol (`NAME=value`, one per line; values here never hold an end of line).
//!
//! Deliberately not here: the socket (`pen_sys::letterbox`).

use std::io;
use std::path::Path;

use pen_sys::letterbox::Letterbox;
use pen_sys::syslog::Priority;

/// Where the journal listens.
pub(super) const PATH: &str = "/run/systemd/journal/socket";

/// What calls another function with each name and value.
pub(super) type Fields<'a> = dyn FnMut(&mut dyn FnMut(&str, &str)) + 'a;

/// The way to the journal.
#[derive(Debug)]
pub(super) struct Journal {
    letterbox: Letterbox,
    datagram: String,
}

impl Journal {
    /// Connects to the journal at `path` ([`PATH`] but for tests).
    pub(super) fn open(path: &Path) -> Self {
        Self { letterbox: Letterbox::open(path), datagram: String::new() }
    }

    /// Sends one line; `fields` calls what it is given with each name and value.
    ///
    /// # Errors
    /// The line is lost: nobody listens, or the journal's queue is full.
    pub(super) fn send(
        &mut self,
        priority: Priority,
        line: &str,
        fields: &mut Fields<'_>,
    ) -> io::Result<()> {
        let mut datagram = std::mem::take(&mut self.datagram);
        datagram.clear();
        datagram.push_str("SYSLOG_IDENTIFIER=pen\nPRIORITY=");
        datagram.push_str(&(priority as u8).to_string());
        put(&mut datagram, "\nMESSAGE", line);
        fields(&mut |name, value| {
            datagram.push_str("PEN_");
            datagram.extend(name.chars().map(|c| c.to_ascii_uppercase()));
            put(&mut datagram, "", value);
        });
        let sent = self.letterbox.post(datagram.as_bytes());
        self.datagram = datagram;
        sent
    }
}

/// Appends `name=value` and the end of the line. Values are escaped before they come here; one that were
/// not would end its field early, so an end of line in it becomes a blank.
fn put(datagram: &mut String, name: &str, value: &str) {
    datagram.push_str(name);
    datagram.push('=');
    datagram.extend(value.chars().map(|c| if c == '\n' { ' ' } else { c }));
    datagram.push('\n');
}
