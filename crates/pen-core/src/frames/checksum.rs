//! The checksum of IP, TCP, UDP and ICMP: the complement of a sum in ones' complement.

use std::net::{IpAddr, Ipv6Addr};

/// A sum under way. Parts of odd length can only be the last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// Adds bytes; an odd one at the end counts as if a 0 followed.
    #[must_use]
    pub fn with(mut self, bytes: &[u8]) -> Self {
        let (pairs, rest) = bytes.as_chunks::<2>();
        for pair in pairs {
            self.0 += u64::from(u16::from_be_bytes(*pair));
        }
        if let [last] = rest {
            self.0 += u64::from(u16::from_be_bytes([*last, 0]));
        }
        self
    }

    /// Adds the header that is summed but not sent.
    #[must_use]
    pub fn pseudo(self, from: IpAddr, to: IpAddr, protocol: u8, length: usize) -> Self {
        let sum = match (from, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => self.with(&from.octets()).with(&to.octets()),
            _ => self.with(&v6(from).octets()).with(&v6(to).octets()),
        };
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        sum.with(&length.to_be_bytes()).with(&[0, protocol])
    }

    /// The checksum to send; 0 if a valid one was among what was added.
    #[must_use]
    pub fn finish(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !u16::try_from(sum).unwrap_or(u16::MAX)
    }
}

fn v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}
