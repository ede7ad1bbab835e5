//! What a connection of the load generator speaks through: the socket itself, or TLS over it.

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use socket2::Socket;

use crate::tls::Session;

/// A socket that does not block, and perhaps a TLS session on it.
pub struct Wire {
    socket: Socket,
    session: Option<Box<Session>>,
}

impl Wire {
    /// Of a socket that is connecting.
    pub fn new(socket: Socket, session: Option<Session>) -> Self {
        Self { socket, session: session.map(Box::new) }
    }

    /// Takes bytes; answers how many.
    ///
    /// # Errors
    /// `AGAIN` while it cannot.
    pub fn send(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        match &mut self.session {
            Some(session) => session.send(&self.socket, bytes),
            None => send(&self.socket, bytes, SendFlags::NOSIGNAL),
        }
    }

    /// Sends what was taken and could not go. That it fails is an event as well.
    pub fn flush(&mut self) {
        if let Some(session) = &mut self.session {
            let _ = session.flush(&self.socket);
        }
    }

    /// Bytes in `buffer`; none at the end of the stream.
    ///
    /// # Errors
    /// `AGAIN` without any.
    pub fn recv<'b>(&mut self, buffer: &'b mut [u8]) -> Result<&'b [u8], Errno> {
        if let Some(session) = &mut self.session {
            return session.recv(&self.socket, buffer);
        }
        let (count, _) = recv(&self.socket, &mut *buffer, RecvFlags::empty())?;
        Ok(buffer.get(..count).unwrap_or_default())
    }

    /// Whether a read of so many bytes emptied the socket.
    pub fn is_empty_after(&self, count: usize, wanted: usize) -> bool {
        self.session.is_none() && count < wanted
    }

    /// Whether bytes must wait for a handshake.
    pub fn is_handshaking(&self) -> bool {
        self.session.as_ref().is_some_and(|s| s.is_handshaking())
    }

    /// Whether the session is one that was asked for.
    pub fn is_as_wanted(&self) -> bool {
        self.session.as_ref().is_none_or(|s| s.is_as_wanted())
    }

    /// Ends the stream to the other side.
    pub fn finish(&mut self) {
        if let Some(session) = &mut self.session {
            session.finish(&self.socket);
        }
        let _ = shutdown(&self.socket, Shutdown::Write);
    }
}

impl Drop for Wire {
    /// A client that leaves says so; without TLS the kernel does.
    fn drop(&mut self) {
        if let Some(session) = self.session.as_mut().filter(|s| !s.is_handshaking()) {
            session.finish(&self.socket);
        }
    }
}
