//! Listeners that somebody else opened: what a descriptor is, and those that a service manager hands over
//! (sd_listen_fds' protocol): the descriptors from 3 on, as many as `$LISTEN_FDS` says, if `$LISTEN_PID`
//! is this process.
//!
//! Own lines rather than a crate: two numbers of the environment and a few questions to a socket.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::fs::OFlags;
use rustix::io::FdFlags;
use rustix::net::sockopt::{ipv6_v6only, socket_acceptconn, socket_reuseport, socket_type};
use rustix::net::{SocketAddrUnix, SocketType, getsockname, listen};

/// The first descriptor that is handed over.
const FIRST: RawFd = 3;
/// Nobody hands over more; a larger number is none.
const MOST: u32 = 4_096;

/// A listening stream socket, or a datagram socket that has a port.
#[derive(Debug)]
pub struct Handed {
    /// The socket, non-blocking and not inherited any further.
    pub socket: OwnedFd,
    /// Where it listens.
    pub place: Place,
    /// Datagrams come to it, not connections.
    pub datagram: bool,
    /// Others may be opened at the same place (SO_REUSEPORT).
    pub joinable: bool,
    /// At an IPv6 address: it leaves IPv4 clients to others.
    pub v6only: bool,
    /// The kernel's number of the socket: two descriptors with the same one are the same socket.
    pub number: u64,
}

/// Where a socket listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At an internet address.
    Ip(SocketAddr),
    /// At a path.
    Unix(PathBuf),
}

/// How many descriptors are handed over.
#[must_use]
pub fn count() -> u32 {
    let number = |name| std::env::var(name).ok()?.parse::<u32>().ok();
    match number("LISTEN_PID") {
        Some(pid) if pid == std::process::id() => {
            number("LISTEN_FDS").filter(|n| *n <= MOST).unwrap_or(0)
        }
        _ => 0,
    }
}

/// Takes the listeners among the first `count` descriptors behind the standard ones. What is no
/// listener is closed; the second part of the answer is how many those were.
///
/// Called once, at the start of a process, before it opens anything.
#[must_use]
pub fn take(count: u32) -> (Vec<Handed>, usize) {
    let mut taken = Vec::new();
    let mut others = 0;
    for n in 0..count.min(MOST) {
        let Ok(n) = RawFd::try_from(n) else { break };
        // SAFETY: the service manager opened it for this process, whose other code has opened nothing
        // (the promise of the caller), so nobody else owns it. A number that is not open fails the
        // questions below and is closed in vain.
        let socket = unsafe { OwnedFd::from_raw_fd(FIRST + n) };
        if rustix::io::fcntl_getfd(&socket).is_err() {
            others += 1;
            // Not open: there is nothing to close.
            std::mem::forget(socket);
            continue;
        }
        match recognise(socket) {
            Some(handed) => taken.push(handed),
            None => others += 1,
        }
    }
    (taken, others)
}

/// What a descriptor that somebody handed over listens at; `None` (and it is closed) if it is no listener.
#[must_use]
pub fn recognise(socket: OwnedFd) -> Option<Handed> {
    rustix::io::fcntl_setfd(&socket, FdFlags::CLOEXEC).ok()?;
    let datagram = match socket_type(&socket).ok()? {
        SocketType::STREAM if socket_acceptconn(&socket).unwrap_or(false) => false,
        SocketType::DGRAM => true,
        _ => return None,
    };
    let flags = rustix::fs::fcntl_getfl(&socket).ok()?;
    rustix::fs::fcntl_setfl(&socket, flags | OFlags::NONBLOCK).ok()?;
    let number = rustix::fs::fstat(&socket).ok()?.st_ino;
    let address = getsockname(&socket).ok()?;
    let place = match SocketAddr::try_from(address.clone()) {
        Ok(ip) if datagram && ip.port() == 0 => return None,
        Ok(ip) => Place::Ip(ip),
        Err(_) if datagram => return None,
        Err(_) => {
            let path = SocketAddrUnix::try_from(address).ok()?;
            Place::Unix(PathBuf::from(std::ffi::OsStr::from_bytes(path.path_bytes()?)))
        }
    };
    let joinable = socket_reuseport(&socket).unwrap_or(false);
    let v6only = ipv6_v6only(&socket).unwrap_or(false);
    Some(Handed { socket, place, datagram, joinable, v6only, number })
}

/// Sets how many connections may wait at a listener.
///
/// # Errors
/// What listen says.
pub fn set_backlog(socket: &OwnedFd, backlog: u32) -> io::Result<()> {
    Ok(listen(socket, i32::try_from(backlog).unwrap_or(i32::MAX))?)
}
