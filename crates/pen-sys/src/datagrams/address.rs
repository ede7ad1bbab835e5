//! Internet addresses to and from the kernel's form.

use std::mem::size_of;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// An address that the kernel writes or reads.
pub type Raw = libc::sockaddr_in6;

/// What is before the kernel has written anything.
pub fn blank() -> Raw {
    Raw {
        sin6_family: 0,
        sin6_port: 0,
        sin6_flowinfo: 0,
        sin6_addr: libc::in6_addr { s6_addr: [0; 16] },
        sin6_scope_id: 0,
    }
}

/// Writes `address`; answers the length of what counts.
pub fn write(address: SocketAddr, raw: &mut Raw) -> libc::socklen_t {
    match address {
        SocketAddr::V4(v4) => {
            let four = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from(*v4.ip()).to_be() },
                sin_zero: [0; 8],
            };
            // SAFETY: `raw` is larger than a sockaddr_in and at least as strictly aligned, and both
            // are plain numbers; the rest of it keeps its old values.
            unsafe { (raw as *mut Raw).cast::<libc::sockaddr_in>().write(four) };
            size_of::<libc::sockaddr_in>() as libc::socklen_t
        }
        SocketAddr::V6(v6) => {
            *raw = Raw {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
            size_of::<libc::sockaddr_in6>() as libc::socklen_t
        }
    }
}

/// What the kernel wrote, or `None` if that is no internet address.
pub fn read(raw: &Raw, length: libc::socklen_t) -> Option<SocketAddr> {
    let length = usize::try_from(length).ok()?;
    match i32::from(raw.sin6_family) {
        libc::AF_INET if length >= size_of::<libc::sockaddr_in>() => {
            // SAFETY: `raw` is larger than a sockaddr_in and at least as strictly aligned, all of it
            // is initialised, and every bit pattern is a valid sockaddr_in.
            let four = unsafe { (&raw const *raw).cast::<libc::sockaddr_in>().read() };
            let ip = Ipv4Addr::from(u32::from_be(four.sin_addr.s_addr));
            Some((ip, u16::from_be(four.sin_port)).into())
        }
        libc::AF_INET6 if length >= size_of::<libc::sockaddr_in6>() => {
            let ip = Ipv6Addr::from(raw.sin6_addr.s6_addr);
            let port = u16::from_be(raw.sin6_port);
            Some(SocketAddrV6::new(ip, port, 0, raw.sin6_scope_id).into())
        }
        _ => None,
    }
}
