//! TCP listeners.
//!
//! Workers of one process share an address by SO_REUSEPORT, one listener each. That option alone
//! would let a second copy of the program join by accident, so an address is probed first without
//! it. Probing and binding are two calls because a process that already holds the address must
//! skip the first.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr, set_socket_reuseport};
use rustix::net::{
    AddressFamily, Protocol, SocketFlags, SocketType, bind, getsockname, ipproto, listen,
    socket_with,
};

use super::options;

/// What carries the streams of a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    #[default]
    Tcp,
    /// Multipath TCP; who does not speak it gets TCP.
    Multipath,
}

/// What is asked of a listener's address, of TCP or UDP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Binding {
    /// An IPv6 address takes IPv6 clients only, else `[::]` takes IPv4 clients too.
    pub v6only: bool,
    /// The machine need not have the address: clients come when it does.
    pub freebind: bool,
}

impl Binding {
    /// At an address that the machine has.
    #[must_use]
    pub fn here(v6only: bool) -> Self {
        Self { v6only, freebind: false }
    }
}

/// Whether `address` is free: nobody, this process included, listens on it or on an address that
/// covers it. Says nothing for port 0.
///
/// # Errors
/// `AddrInUse` if it is taken, or why it cannot be bound at all.
pub fn tcp_probe(address: SocketAddr, binding: Binding) -> io::Result<()> {
    bound(address, Transport::Tcp, binding, false).map(drop)
}

/// A listener at `address`. Further calls with the same address give further listeners, among
/// which the kernel spreads clients, whatever their transports. `backlog`: connections that may wait
/// to be accepted.
///
/// # Errors
/// What socket, bind or listen says.
pub fn tcp_bind(
    address: SocketAddr,
    transport: Transport,
    backlog: u32,
    binding: Binding,
) -> io::Result<OwnedFd> {
    tcp_bind_dressed(address, transport, backlog, binding, |_| ())
}

/// The same, with `dress` called before the first client can come: clients inherit options when they
/// connect.
///
/// # Errors
/// What socket, bind or listen says.
pub fn tcp_bind_dressed(
    address: SocketAddr,
    transport: Transport,
    backlog: u32,
    binding: Binding,
    dress: impl FnOnce(BorrowedFd<'_>),
) -> io::Result<OwnedFd> {
    let socket = bound(address, transport, binding, true)?;
    dress(socket.as_fd());
    listen(&socket, i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket)
}

/// The address a socket is bound to; tells the port when 0 was asked for.
///
/// # Errors
/// What getsockname says, or that this is no internet socket.
pub fn local_address(socket: impl AsFd) -> io::Result<SocketAddr> {
    Ok(SocketAddr::try_from(getsockname(socket)?)?)
}

/// Whether this kernel refuses to make sockets of `transport`, and why.
#[must_use]
pub fn lacks(transport: Transport) -> Option<io::Error> {
    let flags = SocketFlags::CLOEXEC;
    let protocol = Some(protocol_of(transport));
    match socket_with(AddressFamily::INET, SocketType::STREAM, flags, protocol) {
        // Too few descriptors say nothing about the transport.
        Ok(_) | Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => None,
        Err(e) => Some(e.into()),
    }
}

fn protocol_of(transport: Transport) -> Protocol {
    match transport {
        Transport::Tcp => ipproto::TCP,
        Transport::Multipath => ipproto::MPTCP,
    }
}

fn bound(
    address: SocketAddr,
    transport: Transport,
    binding: Binding,
    share: bool,
) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let protocol = Some(protocol_of(transport));
    let socket = socket_with(family, SocketType::STREAM, flags, protocol)?;
    // Connections of an earlier process may still be in TIME_WAIT.
    set_socket_reuseaddr(&socket, true)?;
    if share {
        set_socket_reuseport(&socket, true)?;
    }
    if address.is_ipv6() {
        set_ipv6_v6only(&socket, binding.v6only)?;
    }
    if binding.freebind {
        permit_absent(&socket, address.is_ipv4())?;
    }
    bind(&socket, &address)?;
    Ok(socket)
}

/// Lets a socket, of IPv4 or of IPv6, be bound to an address that the machine does not have yet.
pub(crate) fn permit_absent(socket: impl AsFd, ipv4: bool) -> io::Result<()> {
    let (level, option) = match ipv4 {
        true => (libc::IPPROTO_IP, libc::IP_FREEBIND),
        false => (libc::IPPROTO_IPV6, libc::IPV6_FREEBIND),
    };
    options::set(socket, level, option, 1)
}
