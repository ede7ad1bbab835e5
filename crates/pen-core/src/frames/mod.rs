//! Frames of a local network, read and built: Ethernet with VLAN tags, ARP, IPv4, IPv6, neighbour
//! discovery, TCP, UDP, and the packets that errors of ICMP quote.
//!
//! Every byte that is read comes from somebody who may be hostile: nothing is indexed, lengths that
//! contradict each other are [`Malformed`], and what is read is a view of the frame, never a copy.
//! What is built is complete, checksums included. Deliberately not here: what becomes of a frame
//! (`dsr`, `tarpit`).

pub mod arp;
pub mod checksum;
pub mod ethernet;
pub mod icmp;
pub mod ipv4;
pub mod ipv6;
pub mod ndp;
pub mod tcp;

#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::net::IpAddr;

/// A hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Everybody on the segment.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// Whether it can be the address of one machine.
    #[must_use]
    pub fn is_station(self) -> bool {
        let [first, ..] = self.0;
        first & 1 == 0 && self.0 != [0; 6]
    }

    /// As a number that an atomic can hold; never 0 for a station.
    #[must_use]
    pub fn to_number(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }

    /// What [`Mac::to_number`] was made from; the upper bits do not count.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        let [_, _, a, b, c, d, e, f] = number.to_be_bytes();
        Self([a, b, c, d, e, f])
    }

    /// The address of the group that `ip` is asked for in.
    #[must_use]
    fn of_group(ip: std::net::Ipv6Addr) -> Self {
        let [.., a, b, c, d] = ip.octets();
        Self([0x33, 0x33, a, b, c, d])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// Why bytes are not what they claim to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It ends before its header does.
    Short,
    /// A length contradicts another one, or what is there.
    Length,
    /// A field has a value that it cannot have.
    Field,
    /// More headers in a row than anybody needs.
    Headers,
}

/// What carries the ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// The protocol's number in IP.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

/// A packet of either family, as a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Who sent it, as it claims.
    pub from: IpAddr,
    /// Whom it is for.
    pub to: IpAddr,
    /// What the payload is.
    pub protocol: u8,
    /// It is a part of a packet.
    pub fragment: Option<Fragment>,
    /// What it carries, without padding.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// A packet as the Ethernet type `kind` says; `None` for other types.
    pub fn parse(kind: u16, bytes: &'a [u8]) -> Option<Result<Self, Malformed>> {
        match kind {
            ethernet::IPV4 => Some(ipv4::parse(bytes, ipv4::Whole::Yes)),
            ethernet::IPV6 => Some(ipv6::parse(bytes, ipv6::Whole::Yes)),
            _ => None,
        }
    }

    /// Whether the payload begins where the packet's did, so that it has ports.
    #[must_use]
    pub fn is_beginning(&self) -> bool {
        self.fragment.is_none_or(|f| f.offset == 0)
    }

    /// Source and destination port, if it is `transport` and begins with them.
    #[must_use]
    pub fn ports(&self, transport: Transport) -> Option<(u16, u16)> {
        if self.protocol != transport.number() || !self.is_beginning() {
            return None;
        }
        let &[a, b, c, d] = self.payload.first_chunk::<4>()?;
        Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
    }
}

/// Which part of which packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fragment {
    /// What the parts of one packet have in common.
    pub id: u32,
    /// Bytes of the packet before this part.
    pub offset: u16,
    /// Further parts follow.
    pub more: bool,
}

/// The longest frame that is built: a neighbour advertisement with two VLAN tags.
const BUILT_MAX: usize = 94;

/// A frame that was built, ready to be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Built {
    bytes: [u8; BUILT_MAX],
    len: usize,
}

impl Built {
    /// The frame.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// The parts in a row. Whoever builds knows that they fit.
    fn of(parts: &[&[u8]]) -> Self {
        let mut built = Self { bytes: [0; BUILT_MAX], len: 0 };
        for part in parts {
            let end = built.len + part.len();
            if let Some(place) = built.bytes.get_mut(built.len..end) {
                place.copy_from_slice(part);
                built.len = end;
            }
            debug_assert_eq!(built.len, end, "a frame that is built fits");
        }
        built
    }
}

impl fmt::Debug for Built {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Built({:02x?})", self.bytes())
    }
}

/// Two bytes at `at`, as a number.
fn word(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..)?.first_chunk::<2>()?;
    Some(u16::from_be_bytes(*pair))
}

/// `N` bytes at `at`.
fn chunk<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

/// Writes `what` at `at`. Whoever builds knows that it fits.
fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    let place = bytes.get_mut(at..at + what.len());
    debug_assert!(place.is_some(), "what is built fits");
    if let Some(place) = place {
        place.copy_from_slice(what);
    }
}
