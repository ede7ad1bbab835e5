//! Listeners that a service manager opened and hands over (sd_listen_fds' protocol): the descriptors
//! from 3 on, as many as `$LISTEN_FDS` says, if `$LISTEN_PID` is this process.
//!
//! Own lines rather than a crate: two numbers of the environment and three questions to a socket.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::fs::OFlags;
use rustix::io::FdFlags;
use rustix::net::sockopt::{socket_acceptconn, socket_type};
use rustix::net::{SocketAddrUnix, SocketType, getsockname, listen};

/// The first descriptor that is handed over.
const FIRST: RawFd = 3;
/// Nobody hands over more; a larger number is none.
const MOST: u32 = 4_096;

/// A listening stream socket.
#[derive(Debug)]
pub struct Handed {
    /// The socket, non-blocking and not inherited any further.
    pub socket: OwnedFd,
    /// Where it listens.
    pub place: Place,
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
/// listening stream socket is closed; the second part of the answer is how many those were.
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
        match listener(&socket) {
            Ok(Some(place)) => taken.push(Handed { socket, place }),
            Ok(None) => others += 1,
            Err(_) => {
                others += 1;
                // Not open: there is nothing to close.
                std::mem::forget(socket);
            }
        }
    }
    (taken, others)
}

fn listener(socket: &OwnedFd) -> io::Result<Option<Place>> {
    rustix::io::fcntl_setfd(socket, FdFlags::CLOEXEC)?;
    let is_stream = socket_type(socket).is_ok_and(|kind| kind == SocketType::STREAM);
    if !is_stream || !socket_acceptconn(socket).unwrap_or(false) {
        return Ok(None);
    }
    let flags = rustix::fs::fcntl_getfl(socket)?;
    rustix::fs::fcntl_setfl(socket, flags | OFlags::NONBLOCK)?;
    let address = getsockname(socket)?;
    if let Ok(ip) = SocketAddr::try_from(address.clone()) {
        return Ok(Some(Place::Ip(ip)));
    }
    let path = SocketAddrUnix::try_from(address).ok();
    let path = path.as_ref().and_then(SocketAddrUnix::path_bytes);
    Ok(path.map(|bytes| Place::Unix(PathBuf::from(std::ffi::OsStr::from_bytes(bytes)))))
}

/// Sets how many connections may wait at a listener.
///
/// # Errors
/// What listen says.
pub fn set_backlog(socket: &OwnedFd, backlog: u32) -> io::Result<()> {
    Ok(listen(socket, i32::try_from(backlog).unwrap_or(i32::MAX))?)
}
