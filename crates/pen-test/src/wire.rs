//! One end of a stream in the hands of a test: bytes out, bytes in, and how it ended.
//!
//! Every wait has the stage's deadline; a reset is told apart from an end of stream.

use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::place::Place;
use crate::tls::{Tls, over_tls};
use crate::waiting::deadline;

/// How reading came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The other side finished.
    Eof,
    /// The other side aborted.
    Reset,
    /// Nothing came before the deadline.
    Silence,
}

/// One end of a connected stream. Dropping it closes it.
#[derive(Clone, Debug)]
pub struct Wire(pub(crate) Arc<Inner>);

/// A socket, and what it wears.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) socket: Socket,
    pub(crate) tls: Option<Tls>,
    /// No goodbye.
    aborted: AtomicBool,
    /// Sending met a reset. The kernel tells of it once: who reads next is told of an end of the stream.
    reset: AtomicBool,
}

impl Inner {
    /// Keeps it in mind when this is a reset.
    fn noting<T>(&self, outcome: io::Result<T>) -> io::Result<T> {
        let reset = outcome.as_ref().is_err_and(|e| e.kind() == ErrorKind::ConnectionReset);
        self.reset.fetch_or(reset, Ordering::SeqCst);
        outcome
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let (Some(tls), false) = (&self.tls, self.aborted.load(Ordering::SeqCst)) {
            tls.leave(&self.socket);
        }
    }
}

/// A client's end.
pub type Client = Wire;

impl Wire {
    pub(crate) fn new(socket: Socket, tls: Option<Tls>) -> io::Result<Self> {
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(deadline()))?;
        socket.set_write_timeout(Some(deadline()))?;
        let inner = Arc::new(Inner {
            socket,
            tls,
            aborted: AtomicBool::new(false),
            reset: AtomicBool::new(false),
        });
        if inner.tls.is_some() {
            Tls::shake(&inner);
        }
        Ok(Self(inner))
    }

    /// Connects to `place` from whatever address the kernel takes.
    ///
    /// # Errors
    /// Those of connect(2).
    pub fn connect(place: &Place) -> io::Result<Self> {
        Self::dial(place).connect()
    }

    /// A connection to `place` to be described further.
    #[must_use]
    pub fn dial(place: &Place) -> Dial<'_> {
        let tls = over_tls() && !place.is_plain();
        Dial { place, source: None, receive_buffer: None, protocol: None, tls }
    }

    /// Sends all of `bytes`.
    ///
    /// # Errors
    /// Those of send(2); `WouldBlock` when the deadline passes.
    pub fn send(&self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        match &self.0.tls {
            Some(tls) => tls.send(&self.0.socket, bytes.as_ref()),
            None => self.0.noting({ &self.0.socket }.write_all(bytes.as_ref())),
        }
    }

    /// Sends what fits at once, without waiting.
    ///
    /// # Errors
    /// Those of send(2); `WouldBlock` when nothing fits.
    pub fn send_some(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.socket.set_nonblocking(true)?;
        let sent = match &self.0.tls {
            Some(tls) => tls.send_some(&self.0.socket, bytes),
            None => self.0.noting({ &self.0.socket }.write(bytes)),
        };
        self.0.socket.set_nonblocking(false)?;
        sent
    }

    /// Ends this side's stream; the other direction stays open. An error means that the other side
    /// has left, which reading will tell.
    pub fn finish(&self) {
        match &self.0.tls {
            Some(_) => Tls::finish(&self.0),
            None => drop(self.0.socket.shutdown(Shutdown::Write)),
        }
    }

    /// Closes so that the other side gets a reset.
    ///
    /// # Panics
    /// When the socket option is refused, which does not happen on stream sockets.
    pub fn abort(self) {
        self.0.aborted.store(true, Ordering::SeqCst);
        self.0.socket.set_linger(Some(Duration::ZERO)).expect("SO_LINGER on a stream socket");
        // A thread that reads this socket holds it open; this wakes it without sending anything.
        drop(self.0.socket.shutdown(Shutdown::Read));
    }

    /// Reads once: at least one byte, or how it ended.
    ///
    /// # Errors
    /// The end instead of bytes.
    pub fn read_some(&self, into: &mut [u8]) -> Result<usize, End> {
        if let Some(tls) = &self.0.tls {
            return tls.read_some(&self.0.socket, into);
        }
        loop {
            match { &self.0.socket }.read(into) {
                Ok(0) if self.0.reset.load(Ordering::SeqCst) => return Err(End::Reset),
                Ok(0) => return Err(End::Eof),
                Ok(n) => return Ok(n),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Err(End::Silence);
                }
                Err(_) => return Err(End::Reset),
            }
        }
    }

    /// Reads exactly `count` bytes.
    ///
    /// # Errors
    /// The end, when it comes before; what was read is lost.
    pub fn read_exact(&self, count: usize) -> Result<Vec<u8>, End> {
        let mut all = vec![0; count];
        let mut have = 0;
        while let Some(rest) = all.get_mut(have..).filter(|r| !r.is_empty()) {
            have += self.read_some(rest)?;
        }
        Ok(all)
    }

    /// Reads a line with its end; at the end of the stream, what there is.
    #[must_use]
    pub fn read_line(&self) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        while line.last() != Some(&b'\n') && self.read_some(&mut byte).is_ok() {
            line.extend_from_slice(&byte);
        }
        String::from_utf8_lossy(&line).into_owned()
    }

    /// Reads until the stream ends.
    #[must_use]
    pub fn read_to_end(&self) -> (Vec<u8>, End) {
        let mut all = Vec::new();
        let mut chunk = vec![0; 65_536];
        loop {
            match self.read_some(&mut chunk) {
                Ok(n) => all.extend_from_slice(chunk.get(..n).unwrap_or_default()),
                Err(end) => return (all, end),
            }
        }
    }

    /// Throws away everything until the stream ends.
    #[must_use]
    pub fn end(&self) -> End {
        self.read_to_end().1
    }

    /// Whether the stream has ended already; waits for nothing, takes no bytes.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        if let Some(tls) = &self.0.tls {
            return tls.has_ended(&self.0.socket);
        }
        let mut byte = [MaybeUninit::uninit()];
        if self.0.socket.set_nonblocking(true).is_err() {
            return true;
        }
        let peeked = self.0.noting(self.0.socket.peek(&mut byte));
        let back = self.0.socket.set_nonblocking(false);
        match peeked {
            Ok(n) => n == 0 || back.is_err(),
            Err(e) => e.kind() != ErrorKind::WouldBlock,
        }
    }

    /// Changes how long a read may wait; [`End::Silence`] comes after.
    ///
    /// # Panics
    /// When `patience` is zero.
    pub fn set_patience(&self, patience: Duration) {
        self.0.socket.set_read_timeout(Some(patience)).expect("a read timeout above zero");
    }

    /// Sends small writes at once, as an interactive program does.
    ///
    /// # Panics
    /// On anything but TCP.
    pub fn set_nodelay(&self) {
        self.0.socket.set_tcp_nodelay(true).expect("TCP_NODELAY on a TCP socket");
    }

    /// The address of this end; nothing for Unix sockets.
    #[must_use]
    pub fn own_end(&self) -> Option<SocketAddr> {
        self.0.socket.local_addr().ok().and_then(|a| a.as_socket())
    }

    /// The address of the other end; nothing for Unix sockets.
    #[must_use]
    pub fn other_end(&self) -> Option<SocketAddr> {
        self.0.socket.peer_addr().ok().and_then(|a| a.as_socket())
    }
}

/// A connection that is being described.
#[derive(Debug)]
pub struct Dial<'a> {
    place: &'a Place,
    source: Option<IpAddr>,
    receive_buffer: Option<usize>,
    protocol: Option<Protocol>,
    tls: bool,
}

impl Dial<'_> {
    /// The address to come from, e.g. `127.0.0.5`.
    ///
    /// # Panics
    /// When `source` is no IP address.
    #[must_use]
    pub fn from(mut self, source: &str) -> Self {
        self.source = Some(source.parse().expect("an IP address"));
        self
    }

    /// A small receive buffer (bytes), so that the other side feels soon that nobody reads.
    #[must_use]
    pub fn receive_buffer(mut self, bytes: usize) -> Self {
        self.receive_buffer = Some(bytes);
        self
    }

    /// Speaks Multipath TCP.
    #[must_use]
    pub fn multipath(mut self) -> Self {
        self.protocol = Some(Protocol::MPTCP);
        self
    }

    /// Speaks TLS to a server that shows [`crate::tls_identity`], whatever the scenarios run over.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Connects.
    ///
    /// # Errors
    /// Those of connect(2).
    pub fn connect(self) -> io::Result<Client> {
        let socket = Socket::new(self.place.domain(), Type::STREAM, self.protocol)?;
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        if let Some(source) = self.source {
            socket.bind(&SockAddr::from(SocketAddr::new(source, 0)))?;
        }
        if self.place.domain() == Domain::UNIX {
            socket.connect(&self.place.sock_addr())?;
        } else {
            socket.connect_timeout(&self.place.sock_addr(), deadline())?;
        }
        Wire::new(socket, self.tls.then(Tls::new))
    }
}

/// A plain connection that leaves from `from` (port 0: any) and must be there within `patience`.
///
/// # Errors
/// As the kernel says.
pub fn dial_from(
    from: SocketAddr,
    to: SocketAddr,
    patience: Duration,
) -> io::Result<std::net::TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&from.into())?;
    socket.connect_timeout(&to.into(), patience)?;
    Ok(socket.into())
}
