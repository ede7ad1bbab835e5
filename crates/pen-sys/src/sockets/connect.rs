//! Starting connections.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, ipproto, socket_with,
};

use super::foreign::{self, NotTransparent};
use super::options::{self, Options};
use super::unix;

/// The address that a connection leaves from; the kernel chooses the port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// Whichever the kernel takes.
    #[default]
    Any,
    /// An address of this machine.
    Own(IpAddr),
    /// An address this machine need not have. The way back is somebody else's business.
    Foreign(IpAddr),
}

/// What to connect to.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// TCP.
    Tcp {
        /// Where to.
        to: SocketAddr,
        /// Where from; of the same family as `to`.
        from: Source,
        /// What the socket is told first; what is refused is left out.
        options: &'a Options<'a>,
    },
    /// A Unix stream socket.
    Unix(&'a Path),
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Established.
    Done,
    /// Writable, or in error (ask [`super::take_error`]), when decided.
    Pending,
}

/// Starts a connection and returns without waiting for it.
///
/// # Errors
/// What socket, bind or connect says at once. A Unix socket whose queue is full is
/// `ConnectionRefused`: the kernel offers no way to wait for room. That the kernel does not let the
/// connection carry a foreign address is a [`NotTransparent`].
pub fn connect_start(target: Target<'_>) -> io::Result<(OwnedFd, Progress)> {
    let (socket, started) = match target {
        Target::Unix(path) => {
            let address = SocketAddrUnix::new(path)?;
            let socket = unix::stream()?;
            let started = connect(&socket, &address);
            (socket, started)
        }
        Target::Tcp { to, from, options } => {
            let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
            options::dress(&socket, options);
            leave_from(&socket, from)?;
            let started = connect(&socket, &to);
            if let (Source::Foreign(_), Err(Errno::INVAL)) = (from, started) {
                // A loopback address on its way to another machine, say.
                let error = Errno::INVAL.into();
                return Err(NotTransparent { asked: "connect from that address", error }.into());
            }
            (socket, started)
        }
    };
    match started {
        Ok(()) => Ok((socket, Progress::Done)),
        Err(Errno::INPROGRESS | Errno::INTR) => Ok((socket, Progress::Pending)),
        Err(Errno::AGAIN) if matches!(target, Target::Unix(_)) => {
            Err(io::Error::new(io::ErrorKind::ConnectionRefused, "its queue is full"))
        }
        Err(e) => Err(e.into()),
    }
}

fn leave_from(socket: &OwnedFd, from: Source) -> io::Result<()> {
    match from {
        Source::Any => Ok(()),
        Source::Own(address) => {
            port_at_connect(socket);
            Ok(bind(socket, &SocketAddr::new(address, 0))?)
        }
        Source::Foreign(address) => {
            foreign::permit(socket, address.is_ipv4())?;
            port_at_connect(socket);
            bind(socket, &SocketAddr::new(address, 0)).map_err(|e| {
                io::Error::from(NotTransparent { asked: "bind to that address", error: e.into() })
            })
        }
    }
}

/// Whether `address` is one of this machine's, so that a connection may leave from it. Without
/// descriptors to ask with the answer is yes: the connect has its own error then.
#[must_use]
pub fn is_ours(address: IpAddr) -> bool {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let asked = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, Some(ipproto::TCP))
        .and_then(|socket| {
            port_at_connect(&socket);
            bind(&socket, &SocketAddr::new(address, 0))
        });
    asked != Err(Errno::ADDRNOTAVAIL)
}

/// Lets the kernel choose the port when it knows the destination, so that one source address
/// serves 64 k connections to each server and not in all. Without it everything still works, with
/// fewer ports, so a refusal is of no interest.
fn port_at_connect(socket: &OwnedFd) {
    let _ = options::set(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1);
}
