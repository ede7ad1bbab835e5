//! The listening socket of `metrics`, and who may come in.
//!
//! As at the control socket: over TCP the access list decides, an empty one lets in loopback only; a Unix
//! socket is made with mode 0600 and lets in root and Pen's own user.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use pen_core::addr::{Listen, Place};
use pen_core::limits;
use pen_sys::sockets::{self, Accepted, Binding, Peer, Transport};

use crate::listeners::stock::Kept;

/// Only the owner may connect.
const MODE: u32 = 0o600;

/// The listening socket.
#[derive(Debug)]
pub struct Door {
    /// Where, as given.
    pub listen: Listen,
    socket: Arc<OwnedFd>,
}

/// Who came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// From this address.
    Ip(IpAddr),
    /// This user of this machine.
    User(u32),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::User(uid) => write!(f, "uid {uid}"),
        }
    }
}

/// What a knock brought.
pub(super) enum Visitor {
    /// Somebody.
    Is(OwnedFd, Who),
    /// Nobody is there any more.
    Nobody,
    /// Somebody who was gone before it could be said who it was.
    Gone,
    /// Descriptors or memory ran out; the visitor still waits.
    Shortage(io::Error),
}

impl Door {
    /// Opens the socket. `ours`: this process has that port already, and need not prove that it is free.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn open(listen: &Listen, ours: bool) -> Result<Self, String> {
        let socket = match &listen.place {
            Place::Tcp(address) => {
                let here = Binding::here(false);
                let free = if ours { Ok(()) } else { sockets::tcp_probe(*address, here) };
                free.and_then(|()| {
                    sockets::tcp_bind(*address, Transport::Tcp, limits::WEB_BACKLOG, here)
                })
            }
            Place::Unix(path) => sockets::unix_bind(path, limits::WEB_BACKLOG, Some(MODE)),
        };
        let socket = socket.map_err(|e| format!("cannot show metrics at {}: {e}", listen.text))?;
        Ok(Self::adopt(listen, socket))
    }

    /// The socket at `listen` that somebody else opened.
    #[must_use]
    pub fn adopt(listen: &Listen, socket: OwnedFd) -> Self {
        Self { listen: listen.clone(), socket: Arc::new(socket) }
    }

    /// Its name among the listeners.
    pub(super) fn kept(&self) -> Kept {
        Kept { name: "metrics".to_owned(), socket: Arc::clone(&self.socket) }
    }

    /// Whether it has the port of `place`.
    pub(super) fn is_near(&self, place: &Place) -> bool {
        let port = |place: &Place| match place {
            Place::Tcp(address) => Some(address.port()),
            Place::Unix(_) => None,
        };
        port(place).is_some() && port(place) == port(&self.listen.place)
    }

    /// Whether others than this machine can reach it.
    pub(super) fn is_public(&self) -> bool {
        matches!(self.listen.place, Place::Tcp(address) if !address.ip().is_loopback())
    }

    /// Takes the next one in.
    pub(super) fn admit(&self) -> Visitor {
        match sockets::accept(&self.socket) {
            Accepted::Client(socket, Peer::Ip(address)) => {
                Visitor::Is(socket, Who::Ip(address.ip().to_canonical()))
            }
            Accepted::Client(socket, Peer::Unix) => match sockets::peer_uid(&socket) {
                Ok(uid) => Visitor::Is(socket, Who::User(uid)),
                Err(_) => Visitor::Gone,
            },
            Accepted::Nobody => Visitor::Nobody,
            Accepted::Gone => Visitor::Gone,
            Accepted::Shortage(e) | Accepted::Broken(e) => Visitor::Shortage(e),
        }
    }
}

impl AsFd for Door {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
