//! An open log: a file that is appended to, a socket that sends datagrams, the system's log or journal.
//!
//! Opened by whoever changes the settings, so that a failure is in the reply and the old log stays;
//! written by the log thread only. Nothing here waits.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;

use pen_core::moment::WallMs;
use pen_sys::syslog::{self, Priority, Syslog};

use super::file::FileLog;
use super::journal::{self, Fields, Journal};
use super::{Batch, Form, Place};

/// An open log.
#[derive(Debug)]
pub struct Target {
    inner: Inner,
    /// Lines lost since the log last worked.
    lost: u64,
    /// Those of them that nobody was told of.
    unsettled: u64,
}

#[derive(Debug)]
enum Inner {
    File(FileLog),
    Datagrams { name: String, socket: UdpSocket },
    Syslog(Syslog),
    Journal(Journal),
}

/// One line with what a journal wants to know of it.
pub(super) struct Line<'a> {
    pub(super) wall: WallMs,
    pub(super) priority: Priority,
    /// With its end.
    pub(super) text: &'a str,
    /// Calls what it is given with each field.
    pub(super) fields: &'a mut Fields<'a>,
}

impl Target {
    /// Opens the log. A file is created with the permissions 0640 less the umask; it is never
    /// waited for (a FIFO needs a reader). A system's log or journal that is not there is looked for again
    /// when there are lines.
    ///
    /// # Errors
    /// The text for the operator, which names the place.
    pub fn open(place: &Place) -> Result<Self, String> {
        let inner = match place {
            Place::File(path) => FileLog::open(path).map(Inner::File),
            Place::Stdout => FileLog::stdout().map(Inner::File),
            Place::Datagrams(name, address) => {
                open_socket(*address).map(|s| Inner::Datagrams { name: name.clone(), socket: s })
            }
            Place::Syslog => Ok(Inner::Syslog(Syslog::open(Path::new(syslog::PATH), "pen"))),
            Place::Journal => return Ok(Self::journal_at(Path::new(journal::PATH))),
        };
        inner.map(Self::new).map_err(|e| format!("log {place}: {e}"))
    }

    /// The journal at another place.
    pub(super) fn journal_at(path: &Path) -> Self {
        Self::new(Inner::Journal(Journal::open(path)))
    }

    fn new(inner: Inner) -> Self {
        Self { inner, lost: 0, unsettled: 0 }
    }

    /// As the operator knows it.
    pub(super) fn name(&self) -> String {
        match &self.inner {
            Inner::File(log) => log.name(),
            Inner::Datagrams { name, .. } => name.clone(),
            Inner::Syslog(_) => "syslog".to_owned(),
            Inner::Journal(_) => "journald".to_owned(),
        }
    }

    /// Takes lines of the classic log; answers whether something was written or sent. Lines in the form of
    /// another kind of target come from the moment of a change and are lost.
    pub(super) fn take(&mut self, batch: &Batch) -> io::Result<bool> {
        match (&mut self.inner, batch.form()) {
            (Inner::File(log), Form::File) => {
                if log.take(batch.bytes()) {
                    self.flush()
                } else {
                    Ok(false)
                }
            }
            (Inner::Datagrams { socket, .. }, Form::Datagrams) => {
                let (mut result, mut failed) = (Ok(!batch.is_empty()), 0);
                for line in batch.lines() {
                    if let Err(e) = send(socket, line) {
                        failed += 1;
                        result = Err(e);
                    }
                }
                self.lose(failed);
                result
            }
            _ => {
                self.lose(batch.count());
                Ok(false)
            }
        }
    }

    /// Takes one line; answers whether something was written or sent.
    pub(super) fn line(&mut self, line: Line<'_>) -> io::Result<bool> {
        let Line { wall, priority, text, fields } = line;
        let bare = text.strip_suffix('\n').unwrap_or(text);
        let sent = match &mut self.inner {
            Inner::File(log) => {
                return if log.take(text.as_bytes()) { self.flush() } else { Ok(false) };
            }
            Inner::Datagrams { socket, .. } => send(socket, text.as_bytes()),
            Inner::Syslog(log) => log.send(priority, wall.0.div_euclid(1_000), bare),
            Inner::Journal(journal) => journal.send(priority, bare, fields),
        };
        self.lose(u64::from(sent.is_err()));
        sent.map(|()| true)
    }

    /// Writes what is buffered; answers whether there was something. On an error the lines that were
    /// not written are lost.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        let Inner::File(log) = &mut self.inner else { return Ok(false) };
        let some = log.has_some();
        let (lost, result) = log.flush();
        self.lose(lost);
        result.map(|()| some)
    }

    /// Opens the file anew by its name, for a log that was renamed. On an error the old file
    /// stays. Nothing to do for others.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        let Inner::File(log) = &mut self.inner else { return Ok(()) };
        log.reopen()
    }

    /// Lines lost so far.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Lines lost so far; counting starts again.
    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// Lines lost since this was asked last.
    pub(super) fn settle_lost(&mut self) -> u64 {
        std::mem::take(&mut self.unsettled)
    }

    fn lose(&mut self, lines: u64) {
        self.lost = self.lost.saturating_add(lines);
        self.unsettled = self.unsettled.saturating_add(lines);
    }
}

fn open_socket(to: SocketAddr) -> io::Result<UdpSocket> {
    let from: SocketAddr = match to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(from)?;
    socket.connect(to)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn send(socket: &UdpSocket, line: &[u8]) -> io::Result<()> {
    match socket.send(line) {
        // The answer to an earlier datagram; taking it clears the way for this one.
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => match socket.send(line) {
            // A log server that is down is not worth a word: it is not asked to be there.
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            other => other.map(|_| ()),
        },
        other => other.map(|_| ()),
    }
}
