//! Taking a waiting client off a listener.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{SocketFlags, acceptfrom_with};

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// An internet address, as the kernel gave it: an IPv4 client of an IPv6 listener is mapped.
    Ip(SocketAddr),
    /// A process on this machine.
    Unix,
}

/// What became of one attempt to accept.
#[derive(Debug)]
pub enum Accepted {
    /// A client, with a descriptor that does not block.
    Client(OwnedFd, Peer),
    /// Nobody waits.
    Nobody,
    /// The client that waited is gone; the next one may wait behind it.
    Gone,
    /// Descriptors or memory ran out; the client still waits.
    Shortage(io::Error),
    /// The listener itself is of no use.
    Broken(io::Error),
}

/// Takes one client off `listener`.
pub fn accept(listener: impl AsFd) -> Accepted {
    match acceptfrom_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
        Ok((fd, address)) => {
            let ip = address.and_then(|a| SocketAddr::try_from(a).ok());
            Accepted::Client(fd, ip.map_or(Peer::Unix, Peer::Ip))
        }
        Err(Errno::AGAIN) => Accepted::Nobody,
        Err(e @ (Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)) => {
            Accepted::Shortage(e.into())
        }
        Err(
            e @ (Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::OPNOTSUPP | Errno::FAULT),
        ) => Accepted::Broken(e.into()),
        // Linux hands on errors of the waiting connection (accept(2)); firewalls add EPERM.
        Err(_) => Accepted::Gone,
    }
}
