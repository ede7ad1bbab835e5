//! Access lists: ten per service, first match decides, no match is the opposite of the last entry,
//! an empty list permits, Unix peers are always permitted.
//!
//! An entry keeps what was written, for printing; host bits are masked when it is compared, so
//! `permit 10.0.0.5 255.255.255.0` means the whole network. Entries of the other family are skipped
//! but still count as "last entry". The country of a client is asked for when a country entry is
//! reached, and once at most; a client whose country is not known matches no country entry.
//! Deliberately not here: where countries come from.

use std::cell::LazyCell;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::addr::ClientAddr;

#[cfg(test)]
mod tests;

/// Two letters, upper case, as in ISO 3166: `SE`.
pub type CountryCode = [u8; 2];

/// What knows the countries of addresses, without waiting.
pub trait Countries: fmt::Debug + Send + Sync {
    /// The country of `ip`, if it is known.
    fn country(&self, ip: IpAddr) -> Option<CountryCode>;
}

/// Reads a code of two letters in either case; `None` for anything else.
#[must_use]
pub fn country_code(text: &str) -> Option<CountryCode> {
    match text.as_bytes() {
        [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
            Some([a.to_ascii_uppercase(), b.to_ascii_uppercase()])
        }
        _ => None,
    }
}

/// What an entry does with the clients it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Let in.
    Permit,
    /// Keep out.
    Deny,
}

/// Whom an entry matches. Made by [`Whom::v4`], [`Whom::v6`] and [`Whom::country`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// IPv4 addresses that agree with `address` where `mask` has ones. The ones need not be
    /// contiguous.
    V4 {
        /// As written, host bits included.
        address: Ipv4Addr,
        /// The mask.
        mask: Ipv4Addr,
    },
    /// IPv6 addresses that agree with `address` in the first `prefix` bits.
    V6 {
        /// As written, host bits included.
        address: Ipv6Addr,
        /// 0 to 128.
        prefix: u8,
    },
    /// Addresses of this country.
    Country(CountryCode),
}

impl Whom {
    /// IPv4 addresses under a mask; a single address has the mask 255.255.255.255.
    #[must_use]
    pub fn v4(address: Ipv4Addr, mask: Ipv4Addr) -> Self {
        Self::V4 { address, mask }
    }

    /// IPv6 addresses under a prefix of 0 to 128 bits; `None` for a longer one. A network of
    /// IPv4-mapped addresses is an IPv4 network, as mapped clients are IPv4 clients.
    #[must_use]
    pub fn v6(address: Ipv6Addr, prefix: u8) -> Option<Self> {
        match (address.to_ipv4_mapped(), prefix) {
            (_, 129..) => None,
            (Some(v4), 96..) => {
                let ones = u32::from(prefix - 96);
                let mask = u32::MAX.checked_shl(32 - ones).unwrap_or(0);
                Some(Self::V4 { address: v4, mask: mask.into() })
            }
            _ => Some(Self::V6 { address, prefix }),
        }
    }

    /// A country by its code of two letters, in either case; `None` for anything else.
    #[must_use]
    pub fn country(code: &str) -> Option<Self> {
        country_code(code).map(Self::Country)
    }

    /// `country` is asked by country entries only.
    fn matches(&self, ip: IpAddr, country: impl FnOnce() -> Option<CountryCode>) -> bool {
        match (*self, ip) {
            (Self::V4 { address, mask }, IpAddr::V4(ip)) => {
                (u32::from(address) ^ u32::from(ip)) & u32::from(mask) == 0
            }
            (Self::V6 { address, prefix }, IpAddr::V6(ip)) => {
                let host_bits = 128 - u32::from(prefix);
                (u128::from(address) ^ u128::from(ip)).checked_shr(host_bits).unwrap_or(0) == 0
            }
            (Self::Country(code), _) => country() == Some(code),
            (Self::V4 { .. }, IpAddr::V6(_)) | (Self::V6 { .. }, IpAddr::V4(_)) => false,
        }
    }
}

/// As the command prints it: `10.0.0.0 255.0.0.0`, `fe80::/10`, `country SE`.
impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4 { address, mask } => write!(f, "{address} {mask}"),
            Self::V6 { address, prefix } => write!(f, "{address}/{prefix}"),
            Self::Country([a, b]) => write!(f, "country {}{}", char::from(*a), char::from(*b)),
        }
    }
}

/// One line of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What happens on a match.
    pub verdict: Verdict,
    /// Whom it matches.
    pub whom: Whom,
}

/// As the command prints it: `permit 10.0.0.0 255.0.0.0`, `deny fe80::/10`, `permit country SE`.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Permit => "permit",
            Verdict::Deny => "deny",
        };
        write!(f, "{verdict} {}", self.whom)
    }
}

/// One list, entries in order.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AccessList {
    /// The entries in the order they were given.
    pub entries: Vec<Entry>,
}

impl AccessList {
    /// Whether `client` may pass. `country` is asked when a country entry is reached, once at most.
    #[must_use]
    pub fn permits(
        &self,
        client: ClientAddr,
        country: impl FnOnce(IpAddr) -> Option<CountryCode>,
    ) -> bool {
        let (ClientAddr::Ip(ip), Some(last)) = (client, self.entries.last()) else { return true };
        let ip = ip.to_canonical();
        let country = LazyCell::new(|| country(ip));
        match self.entries.iter().find(|e| e.whom.matches(ip, || *country)) {
            Some(entry) => entry.verdict == Verdict::Permit,
            None => last.verdict == Verdict::Deny,
        }
    }

    /// Whether an entry names a country.
    #[must_use]
    pub fn names_countries(&self) -> bool {
        self.entries.iter().any(|e| matches!(e.whom, Whom::Country(_)))
    }
}
