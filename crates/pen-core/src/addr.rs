//! Addresses: of clients, of servers, of listening places; and the door to names.
//!
//! An IPv4 address that arrives mapped into IPv6 (`::ffff:a.b.c.d`) is IPv4 everywhere.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

/// Where a client comes from, as far as Pen remembers it. The port is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClientAddr {
    /// An IPv4 or IPv6 address, never an IPv4-mapped one (see [`ClientAddr::from_ip`]).
    Ip(IpAddr),
    /// Any peer of a Unix socket: all of them are one client.
    Unix,
}

impl ClientAddr {
    /// The client at `ip`, with IPv4-mapped IPv6 turned into IPv4.
    #[must_use]
    pub fn from_ip(ip: IpAddr) -> Self {
        Self::Ip(ip.to_canonical())
    }

    /// The network it is in: the first `prefix4` bits of an IPv4 address, `prefix6` of an IPv6 one.
    /// `None` for peers of Unix sockets.
    #[must_use]
    pub fn network(self, prefix4: u8, prefix6: u8) -> Option<IpAddr> {
        let Self::Ip(ip) = self else { return None };
        Some(match ip {
            IpAddr::V4(ip) => {
                let host_bits = u32::BITS.saturating_sub(prefix4.into());
                let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
                Ipv4Addr::from_bits(ip.to_bits() & mask).into()
            }
            IpAddr::V6(ip) => {
                let host_bits = u128::BITS.saturating_sub(prefix6.into());
                let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
                Ipv6Addr::from_bits(ip.to_bits() & mask).into()
            }
        })
    }
}

impl fmt::Display for ClientAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

/// A client's address with its port (0 for Unix peers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The address.
    pub addr: ClientAddr,
    /// The port, 0 for Unix peers.
    pub port: u16,
}

/// A place a stream can be connected to or listened on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix stream socket.
    Unix(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(a) => a.fmt(f),
            Self::Unix(p) => p.display().fmt(f),
        }
    }
}

/// A server's host as configured and as resolved.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Host {
    /// An unset slot; never connected to.
    #[default]
    Unset,
    /// A numeric address.
    Ip(IpAddr),
    /// A host name with the address it resolved to.
    Name {
        /// As the operator wrote it.
        name: String,
        /// What the resolver answered.
        ip: IpAddr,
    },
    /// A Unix stream socket.
    Unix(PathBuf),
}

impl Host {
    /// The numeric address, if it has one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) | Self::Name { ip, .. } => Some(*ip),
            Self::Unset | Self::Unix(_) => None,
        }
    }

    /// As the operator wrote it: the name where there is one. For `write`.
    #[must_use]
    pub fn as_written(&self) -> String {
        match self {
            Self::Name { name, .. } => name.clone(),
            other => other.to_string(),
        }
    }
}

/// As the reports print it: the resolved address, a path, or `0.0.0.0` for an unset slot.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset => f.write_str("0.0.0.0"),
            Self::Ip(ip) | Self::Name { ip, .. } => ip.fmt(f),
            Self::Unix(p) => p.display().fmt(f),
        }
    }
}

/// A listening address: the text as given (it is the reply of `listen`) and what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// As the operator wrote it.
    pub text: String,
    /// Where that is.
    pub place: Place,
}

/// The door to names that need a look outside: the shell implements it (files, resolver), tests
/// with a table. Asked only while settings change, never for traffic.
pub trait Names {
    /// The port of a service name (`smtp`) in the tcp database, or `None`.
    fn port(&self, service: &str) -> Option<u16>;
    /// The first address of a host name, or the resolver's reason why there is none.
    ///
    /// # Errors
    /// The text for the operator.
    fn host(&self, name: &str) -> Result<IpAddr, String>;
}
