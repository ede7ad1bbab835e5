//! One TLS session over a socket that does not block, with the manners of `send` and `recv`.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, NamedGroup};
use socket2::Socket;

use super::certificates::NAME;

/// Plain bytes and encrypted ones that may wait to be sent.
const BUFFER: usize = 256 * 1024;

/// A session; the socket is the caller's.
pub struct Session {
    tls: ClientConnection,
    must_resume: bool,
    /// The other side said that it is done.
    closed: bool,
}

impl Session {
    /// Begins one; nothing is sent yet. `must_resume`: a handshake in full is not what was asked.
    ///
    /// # Errors
    /// The library refuses.
    pub fn new(config: Arc<ClientConfig>, must_resume: bool) -> io::Result<Self> {
        let name = ServerName::try_from(NAME).map_err(io::Error::other)?;
        let mut tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
        tls.set_buffer_limit(Some(BUFFER));
        Ok(Self { tls, must_resume, closed: false })
    }

    /// Whether plain bytes cannot move yet.
    pub fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    /// Whether it was resumed if it had to be, and whether its keys were exchanged as everybody's.
    pub fn is_as_wanted(&self) -> bool {
        let resumed = self.tls.handshake_kind() == Some(HandshakeKind::Resumed);
        let group = self.tls.negotiated_key_exchange_group();
        // A resumed session of TLS 1.2 exchanges none.
        (resumed || !self.must_resume) && group.is_none_or(|g| g.name() == NamedGroup::X25519)
    }

    /// Gives the kernel what waits for it.
    ///
    /// # Errors
    /// `AGAIN` while something still waits.
    pub fn flush(&mut self, socket: &Socket) -> Result<(), Errno> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut &*socket).map_err(|e| errno(&e))?;
        }
        Ok(())
    }

    /// Takes plain bytes once everything before them has gone; answers how many.
    ///
    /// # Errors
    /// `AGAIN` while they cannot be taken.
    pub fn send(&mut self, socket: &Socket, bytes: &[u8]) -> Result<usize, Errno> {
        self.flush(socket)?;
        if self.tls.is_handshaking() {
            return Err(Errno::AGAIN);
        }
        let taken = io::Write::write(&mut self.tls.writer(), bytes).map_err(|e| errno(&e))?;
        match self.flush(socket) {
            Ok(()) | Err(Errno::AGAIN) => Ok(taken),
            Err(error) => Err(error),
        }
    }

    /// Plain bytes in `buffer`, a quarter of which holds the encrypted ones, so that what a record
    /// begun earlier brings has room besides. None: the other side said that it is done.
    ///
    /// # Errors
    /// `AGAIN` without any; `CONNRESET` if the stream ended without saying so.
    pub fn recv<'b>(&mut self, socket: &Socket, buffer: &'b mut [u8]) -> Result<&'b [u8], Errno> {
        let (raw, plain) = buffer.split_at_mut(buffer.len() / 4);
        let mut have = 0;
        while have == 0 && !self.closed {
            let count = match recv(socket, &mut *raw, RecvFlags::empty())? {
                (0, _) => return Err(Errno::CONNRESET),
                (count, _) => count,
            };
            let mut rest = raw.get(..count).unwrap_or_default();
            while !rest.is_empty() {
                self.tls.read_tls(&mut rest).map_err(|e| errno(&e))?;
                let state = self.tls.process_new_packets().map_err(|_| Errno::PROTO)?;
                have += self.take(plain.get_mut(have..).unwrap_or_default())?;
                self.closed |= state.peer_has_closed();
            }
            match self.flush(socket) {
                Ok(()) | Err(Errno::AGAIN) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(plain.get(..have).unwrap_or_default())
    }

    fn take(&mut self, room: &mut [u8]) -> Result<usize, Errno> {
        let mut have = 0;
        loop {
            let free = room.get_mut(have..).unwrap_or_default();
            match self.tls.reader().read(free) {
                Ok(0) => return Ok(have),
                Ok(count) => have += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(have),
                Err(error) => return Err(errno(&error)),
            }
        }
    }

    /// Says that nothing more comes.
    pub fn finish(&mut self, socket: &Socket) {
        self.tls.send_close_notify();
        let _ = self.flush(socket);
    }
}

fn errno(error: &io::Error) -> Errno {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::NotConnected => Errno::AGAIN,
        _ => Errno::from_io_error(error).unwrap_or(Errno::PROTO),
    }
}
