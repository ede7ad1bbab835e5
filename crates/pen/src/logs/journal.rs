//! Lines to the journal of systemd, each field apart: one datagram per line, in the journal's own
//! protocol (`NAME=value`, one per line; values here never hold an end of line).
//!
//! Never waits. A journal that is not there, or was started anew, is looked for once a second.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use pen_sys::clock;
use pen_sys::syslog::Priority;

/// Where the journal listens.
pub(super) const PATH: &str = "/run/systemd/journal/socket";
/// Least time between two attempts to connect.
const RETRY_MS: u64 = 1_000;

/// What calls another function with each name and value.
pub(super) type Fields<'a> = dyn FnMut(&mut dyn FnMut(&str, &str)) + 'a;

/// The way to the journal.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    socket: Option<UnixDatagram>,
    tried_ms: u64,
    datagram: String,
}

impl Journal {
    /// Connects to the journal at `path` ([`PATH`] but for tests).
    pub(super) fn open(path: &Path) -> Self {
        let socket = connect(path).ok();
        let tried_ms = clock::monotonic_ms();
        Self { path: path.to_owned(), socket, tried_ms, datagram: String::new() }
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
        let sent = self.deliver(datagram.as_bytes());
        self.datagram = datagram;
        sent
    }

    fn deliver(&mut self, datagram: &[u8]) -> io::Result<()> {
        if let Some(socket) = &self.socket {
            match socket.send(datagram) {
                Ok(_) => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Err(e),
                // The journal is gone or was replaced: below it is looked for anew.
                Err(_) => self.socket = None,
            }
        }
        let now = clock::monotonic_ms();
        if now.saturating_sub(self.tried_ms) < RETRY_MS {
            return Err(io::ErrorKind::NotConnected.into());
        }
        self.tried_ms = now;
        self.socket.insert(connect(&self.path)?).send(datagram).map(|_| ())
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

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}
