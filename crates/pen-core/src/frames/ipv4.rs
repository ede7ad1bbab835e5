//! IPv4.

use super::{Fragment, Malformed, Packet, chunk, word};

/// Whether all of the packet must be there, or only its beginning, as in what ICMP quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// A packet from the wire.
    Yes,
    /// A quotation.
    Beginning,
}

const MORE: u16 = 0x2000;
const OFFSET: u16 = 0x1fff;

/// Reads a packet. Its header checksum is the receiver's business: frames are passed on unchanged.
///
/// # Errors
/// It is no IPv4 packet.
pub fn parse(bytes: &[u8], whole: Whole) -> Result<Packet<'_>, Malformed> {
    let short = Malformed::Short;
    let first = *bytes.first().ok_or(short)?;
    if first >> 4 != 4 {
        return Err(Malformed::Field);
    }
    let header = usize::from(first & 15) * 4;
    if header < 20 {
        return Err(Malformed::Length);
    }
    let total = usize::from(word(bytes, 2).ok_or(short)?);
    if total < header {
        return Err(Malformed::Length);
    }
    let present = match whole {
        Whole::Yes => bytes.get(..total).ok_or(Malformed::Length)?,
        Whole::Beginning => bytes.get(..total).unwrap_or(bytes),
    };
    let payload = present.get(header..).ok_or(short)?;
    let id = word(bytes, 4).ok_or(short)?;
    let place = word(bytes, 6).ok_or(short)?;
    let (offset, more) = ((place & OFFSET).checked_mul(8), place & MORE != 0);
    let offset = offset.ok_or(Malformed::Field)?;
    let fragment = (offset != 0 || more).then_some(Fragment { id: u32::from(id), offset, more });
    let protocol = *bytes.get(9).ok_or(short)?;
    let from = std::net::Ipv4Addr::from(chunk::<4>(bytes, 12).ok_or(short)?);
    let to = std::net::Ipv4Addr::from(chunk::<4>(bytes, 16).ok_or(short)?);
    Ok(Packet { from: from.into(), to: to.into(), protocol, fragment, payload })
}
