//! The outermost header: whom a frame is for, whom it is from, VLAN tags, and what it carries.

use super::{Mac, Malformed, chunk, word};
use crate::limits;

/// IPv4.
pub const IPV4: u16 = 0x0800;
/// ARP.
pub const ARP: u16 = 0x0806;
/// IPv6.
pub const IPV6: u16 = 0x86dd;
/// A VLAN tag follows.
const TAG: u16 = 0x8100;
/// A provider's VLAN tag follows.
const PROVIDER_TAG: u16 = 0x88a8;

/// A frame, as a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Whom it is for.
    pub to: Mac,
    /// Who sent it, as it claims.
    pub from: Mac,
    /// The VLAN tags, as they are.
    pub tags: &'a [u8],
    /// What the payload is.
    pub kind: u16,
    /// What it carries, with padding.
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads a frame as it came from the wire, without its checksum.
    ///
    /// # Errors
    /// It is too short, or has more tags than there are uses for.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let short = Malformed::Short;
        let to = chunk(bytes, 0).map(Mac).ok_or(short)?;
        let from = chunk(bytes, 6).map(Mac).ok_or(short)?;
        let mut at = 12;
        let mut kind = word(bytes, at).ok_or(short)?;
        for _ in 0..limits::VLAN_TAGS_MAX {
            if !matches!(kind, TAG | PROVIDER_TAG) {
                break;
            }
            at += 4;
            kind = word(bytes, at).ok_or(short)?;
        }
        if matches!(kind, TAG | PROVIDER_TAG) {
            return Err(Malformed::Headers);
        }
        let tags = bytes.get(12..at).ok_or(short)?;
        let payload = bytes.get(at + 2..).ok_or(short)?;
        Ok(Self { to, from, tags, kind, payload })
    }
}

/// The header of a frame with `tags`; 14 to 22 bytes.
pub(super) fn header(to: Mac, from: Mac, tags: &[u8], kind: u16) -> Header {
    let mut header = Header { bytes: [0; 22], len: 0 };
    for part in [&to.0[..], &from.0[..], tags, &kind.to_be_bytes()[..]] {
        let end = header.len + part.len();
        if let Some(place) = header.bytes.get_mut(header.len..end) {
            place.copy_from_slice(part);
            header.len = end;
        }
    }
    header
}

/// A header that was built.
pub(super) struct Header {
    bytes: [u8; 22],
    len: usize,
}

impl Header {
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}
