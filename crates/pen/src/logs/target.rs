//! An open classic log: a file that is appended to, or a socket that sends datagrams.
//!
//! Opened by whoever changes the settings, so that a failure is in the reply and the old log stays;
//! written by the log thread only.

use std::fs::File;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;

use pen_core::limits;
use pen_sys::files;

use super::{Batch, Form, Place};

/// An open log.
#[derive(Debug)]
pub struct Target {
    inner: Inner,
    /// Lines lost since the log last worked.
    lost: u64,
}

#[derive(Debug)]
enum Inner {
    File(FileLog),
    Datagrams { name: String, socket: UdpSocket },
}

#[derive(Debug)]
struct FileLog {
    path: PathBuf,
    file: File,
    /// Whole lines that are not yet written.
    buffer: Vec<u8>,
    /// The last byte in the file is inside a line, because a write was cut short.
    torn: bool,
}

impl Target {
    /// Opens the log. A file is created with the permissions 0640 less the umask; it is never
    /// waited for (a FIFO needs a reader).
    ///
    /// # Errors
    /// The text for the operator, which names the place.
    pub fn open(place: &Place) -> Result<Self, String> {
        let inner = match place {
            Place::File(path) => files::open_log(path).map(|file| {
                Inner::File(FileLog { path: path.clone(), file, buffer: Vec::new(), torn: false })
            }),
            Place::Datagrams(name, address) => {
                open_socket(*address).map(|s| Inner::Datagrams { name: name.clone(), socket: s })
            }
        };
        match inner {
            Ok(inner) => Ok(Self { inner, lost: 0 }),
            Err(e) => Err(format!("log {}: {e}", describe(place))),
        }
    }

    /// As the operator knows it.
    pub(super) fn name(&self) -> String {
        match &self.inner {
            Inner::File(log) => log.path.display().to_string(),
            Inner::Datagrams { name, .. } => name.clone(),
        }
    }

    /// Takes lines; answers whether something was written or sent. Lines in the form of another kind
    /// of target come from the moment of a change and are lost.
    pub(super) fn take(&mut self, batch: &Batch) -> io::Result<bool> {
        match (&mut self.inner, batch.form()) {
            (Inner::File(log), Form::File) => {
                log.buffer.extend_from_slice(batch.bytes());
                if log.buffer.len() >= limits::LOG_BATCH { self.flush() } else { Ok(false) }
            }
            (Inner::Datagrams { socket, .. }, Form::Datagrams) => {
                let mut trouble = Ok(!batch.is_empty());
                for line in batch.lines() {
                    if let Err(e) = send(socket, line) {
                        self.lost = self.lost.saturating_add(1);
                        trouble = Err(e);
                    }
                }
                trouble
            }
            (Inner::File(_), Form::Datagrams) | (Inner::Datagrams { .. }, Form::File) => {
                self.lost = self.lost.saturating_add(batch.count());
                Ok(false)
            }
        }
    }

    /// Writes what is buffered; answers whether there was something. On an error the lines that were
    /// not written are lost.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        let Inner::File(log) = &mut self.inner else { return Ok(false) };
        let some = !log.buffer.is_empty();
        let (lost, result) = log.flush();
        self.lost = self.lost.saturating_add(lost);
        result.map(|()| some)
    }

    /// Opens the file anew by its name, for a log that was renamed. On an error the old file
    /// stays. Nothing to do for datagrams.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        let Inner::File(log) = &mut self.inner else { return Ok(()) };
        log.file = files::open_log(&log.path)?;
        log.torn = false;
        Ok(())
    }

    /// Lines lost so far.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Lines lost so far; counting starts again.
    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }
}

impl FileLog {
    /// Lines lost, and how it went.
    fn flush(&mut self) -> (u64, io::Result<()>) {
        if self.buffer.is_empty() {
            return (0, Ok(()));
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        if self.torn {
            buffer.insert(0, b'\n');
        }
        let mut rest = buffer.as_slice();
        let result = loop {
            if rest.is_empty() {
                break Ok(());
            }
            match self.file.write(rest) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    let (written, unwritten) = rest.split_at(n);
                    self.torn = written.last() != Some(&b'\n');
                    rest = unwritten;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => break Err(e),
            }
        };
        let ends = rest.iter().filter(|b| **b == b'\n').count() as u64;
        // The end that was put in front to close a torn line is no line of its own.
        let own = u64::from(self.torn && rest.len() == buffer.len());
        buffer.clear();
        // Keep the space, but not more than one batch of it.
        buffer.shrink_to(limits::LOG_BATCH);
        self.buffer = buffer;
        (ends.saturating_sub(own), result)
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

fn describe(place: &Place) -> String {
    match place {
        Place::File(path) => path.display().to_string(),
        Place::Datagrams(name, _) => name.clone(),
    }
}
