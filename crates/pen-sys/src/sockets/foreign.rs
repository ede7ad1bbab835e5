//! Sockets that carry an address this machine does not have.

use std::error::Error;
use std::fmt;
use std::io;
use std::os::fd::AsFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::options;

/// The kernel does not let a socket carry such an address.
#[derive(Debug)]
pub struct NotTransparent {
    /// What was asked of it.
    pub asked: &'static str,
    /// What it said.
    pub error: io::Error,
}

impl NotTransparent {
    /// Whether `error` is one.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for NotTransparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.asked, self.error)
    }
}

impl Error for NotTransparent {}

impl From<NotTransparent> for io::Error {
    fn from(why: NotTransparent) -> Self {
        Self::new(why.error.kind(), why)
    }
}

/// Lets an internet socket, of IPv4 or of IPv6, be bound to any address.
pub(crate) fn permit(socket: impl AsFd, ipv4: bool) -> Result<(), NotTransparent> {
    let (level, option, asked) = match ipv4 {
        true => (libc::IPPROTO_IP, libc::IP_TRANSPARENT, "IP_TRANSPARENT"),
        false => (libc::IPPROTO_IPV6, libc::IPV6_TRANSPARENT, "IPV6_TRANSPARENT"),
    };
    options::set(socket, level, option, 1).map_err(|error| NotTransparent { asked, error })
}

/// Lets a connected internet socket go on with an address that the machine no longer has, if this thread
/// may.
pub fn carry_foreign(socket: impl AsFd) {
    let family = rustix::net::getsockname(&socket).map(|address| address.address_family());
    // Without the right it stays as it is; other sockets have no such address.
    let _ = match family {
        Ok(AddressFamily::INET) => permit(socket, true),
        Ok(AddressFamily::INET6) => permit(socket, false),
        _ => Ok(()),
    };
}

/// Whether this thread may make sockets that carry any address.
///
/// # Errors
/// What the kernel refused. That there are no sockets to try it with is no refusal.
pub fn foreign_permitted(ipv4: bool) -> Result<(), NotTransparent> {
    let family = if ipv4 { AddressFamily::INET } else { AddressFamily::INET6 };
    match socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None) {
        Ok(socket) => permit(socket, ipv4),
        Err(_) => Ok(()),
    }
}
