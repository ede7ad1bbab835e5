//! A datagram socket that another program of this machine reads: the log daemon, the journal.
//!
//! It is connected when opened (before a jail hides it), never blocks, and is connected anew, at most once
//! a second, after the other program was restarted. Inside a jail that works only if the jail has the
//! socket too. Deliberately not here: what the datagrams say.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use crate::clock;

/// Least time between two attempts to connect.
const RETRY_MS: u64 = 1_000;

/// The way to the other program.
#[derive(Debug)]
pub struct Letterbox {
    path: PathBuf,
    socket: Option<UnixDatagram>,
    tried_ms: u64,
}

impl Letterbox {
    /// Connects to the socket at `path`. If nobody is there he is looked for again later.
    #[must_use]
    pub fn open(path: &Path) -> Self {
        let socket = connect(path).ok();
        Self { path: path.to_owned(), socket, tried_ms: clock::monotonic_ms() }
    }

    /// Sends one datagram. Never blocks.
    ///
    /// # Errors
    /// It is lost: nobody listens (`NotConnected` between two attempts), or the other's queue is full
    /// (`WouldBlock`).
    pub fn post(&mut self, datagram: &[u8]) -> io::Result<()> {
        if let Some(socket) = &self.socket {
            match socket.send(datagram) {
                Ok(_) => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Err(e),
                // He is gone or was replaced: below he is looked for anew.
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

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}
