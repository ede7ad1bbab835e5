//! Datagram sockets and their options.

use std::io;
use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseport};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, socket_with};

use crate::sockets::{Binding, NotTransparent, foreign, permit_absent};

/// Whether `address` is free: no other socket receives there or at an address that covers it.
/// Says nothing for port 0.
///
/// # Errors
/// `AddrInUse` if it is taken, or why it cannot be bound at all.
pub fn probe(address: SocketAddr, binding: Binding) -> io::Result<()> {
    bound(address, binding, false).map(drop)
}

/// A socket that receives at `address`. Further calls with the same address give further sockets,
/// among which the kernel spreads senders. `buffer`: bytes of its
/// receive buffer, as far as the kernel permits. At a wildcard address it tells to which address
/// each datagram was sent.
///
/// # Errors
/// What socket or bind says.
pub fn listener(address: SocketAddr, binding: Binding, buffer: usize) -> io::Result<OwnedFd> {
    let socket = bound(address, binding, true)?;
    furnish(&socket, address, buffer)?;
    Ok(socket)
}

/// Makes a socket that somebody else opened at `address` what [`listener`] gives.
///
/// # Errors
/// What setsockopt says.
pub fn furnish(socket: &OwnedFd, address: SocketAddr, buffer: usize) -> io::Result<()> {
    if address.ip().is_unspecified() {
        match address {
            SocketAddr::V4(_) => set(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)?,
            SocketAddr::V6(_) => set(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)?,
        }
    }
    prefer(socket, buffer);
    Ok(())
}

/// What datagrams to servers leave from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The address; an unspecified one is the kernel's choice for each datagram.
    pub ip: IpAddr,
    /// This machine need not have it.
    pub foreign: bool,
}

/// A socket with a port of its own, chosen by the kernel, from which datagrams go to many
/// destinations of the family of `origin`, and which reports what became of them (see
/// [`super::next_bounce`]).
///
/// # Errors
/// What socket or bind says: no descriptor, no port, the address is not this machine's; that the
/// kernel does not let the socket carry a foreign one is a [`crate::sockets::NotTransparent`].
pub fn local_port(origin: Origin, buffer: usize) -> io::Result<OwnedFd> {
    let address = SocketAddr::new(origin.ip, 0);
    let socket = open(address, true)?;
    if origin.foreign {
        foreign::permit(&socket, address.is_ipv4())?;
    }
    bind(&socket, &address).map_err(|e| match origin.foreign {
        true => NotTransparent { asked: "bind to that address", error: e.into() }.into(),
        false => io::Error::from(e),
    })?;
    match origin.ip {
        IpAddr::V4(_) => set(&socket, libc::IPPROTO_IP, libc::IP_RECVERR, 1)?,
        IpAddr::V6(_) => set(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, 1)?,
    }
    prefer(&socket, buffer);
    Ok(socket)
}

/// Datagrams that the kernel dropped because the socket's receive buffer was full.
#[must_use]
pub fn dropped(socket: impl AsFd) -> u32 {
    /// The position of the drops among the numbers of SO_MEMINFO (`linux/sock_diag.h`).
    const DROPS: usize = 8;
    let mut numbers = [0_u32; DROPS + 1];
    let mut length = size_of_val(&numbers) as libc::socklen_t;
    // SAFETY: the descriptor is open (it is borrowed); the pointer and the length describe one local
    // array of numbers, which the kernel writes no more than.
    let answer = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            numbers.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if answer == 0 { numbers[DROPS] } else { 0 }
}

fn bound(address: SocketAddr, binding: Binding, share: bool) -> io::Result<OwnedFd> {
    let socket = open(address, binding.v6only)?;
    if share {
        set_socket_reuseport(&socket, true)?;
    }
    if binding.freebind {
        permit_absent(&socket, address.is_ipv4())?;
    }
    bind(&socket, &address)?;
    Ok(socket)
}

/// A socket of the family of `address`.
fn open(address: SocketAddr, v6only: bool) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::DGRAM, flags, Some(ipproto::UDP))?;
    if address.is_ipv6() {
        set_ipv6_v6only(&socket, v6only)?;
    }
    Ok(socket)
}

/// What is nice to have: joined datagrams, and a receive buffer of this many bytes.
fn prefer(socket: &OwnedFd, buffer: usize) {
    let bytes = i32::try_from(buffer).unwrap_or(i32::MAX);
    // Beyond the system's maximum it takes a capability; without it the maximum has to do.
    if set(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes).is_err() {
        let _ = set(socket, libc::SOL_SOCKET, libc::SO_RCVBUF, bytes);
    }
    // Without it every datagram comes alone.
    let _ = set(socket, libc::SOL_UDP, libc::UDP_GRO, 1);
}

fn set(socket: &OwnedFd, level: i32, option: i32, value: i32) -> io::Result<()> {
    let length = size_of::<i32>() as libc::socklen_t;
    // SAFETY: the descriptor is open (it is borrowed), and the pointer and the length describe one
    // local integer, which the kernel only reads.
    let answer = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), length)
    };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The address that stands for the kernel's choice, in the family of `of`.
#[must_use]
pub fn any(of: IpAddr) -> IpAddr {
    match of {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}
