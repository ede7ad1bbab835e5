//! IPv6 with its extension headers.

use std::net::Ipv6Addr;

use super::{Fragment, Malformed, Packet, chunk, word};
use crate::limits;

pub use super::ipv4::Whole;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION: u8 = 60;

/// Reads a packet up to what carries the ports.
///
/// # Errors
/// It is no IPv6 packet, or it has more extension headers than anybody needs.
pub fn parse(bytes: &[u8], whole: Whole) -> Result<Packet<'_>, Malformed> {
    let short = Malformed::Short;
    if bytes.first().ok_or(short)? >> 4 != 6 {
        return Err(Malformed::Field);
    }
    let length = usize::from(word(bytes, 4).ok_or(short)?);
    let from = Ipv6Addr::from(chunk::<16>(bytes, 8).ok_or(short)?);
    let to = Ipv6Addr::from(chunk::<16>(bytes, 24).ok_or(short)?);
    let rest = bytes.get(40..).ok_or(short)?;
    let payload = match whole {
        Whole::Yes => rest.get(..length).ok_or(Malformed::Length)?,
        Whole::Beginning => rest.get(..length).unwrap_or(rest),
    };
    let next = *bytes.get(6).ok_or(short)?;
    let (protocol, fragment, payload) = skip_extensions(next, payload)?;
    Ok(Packet { from: from.into(), to: to.into(), protocol, fragment, payload })
}

type Carried<'a> = (u8, Option<Fragment>, &'a [u8]);

fn skip_extensions(mut next: u8, mut bytes: &[u8]) -> Result<Carried<'_>, Malformed> {
    let short = Malformed::Short;
    let mut fragment = None;
    for _ in 0..limits::IPV6_HEADERS_MAX {
        let length = match next {
            HOP_BY_HOP | ROUTING | DESTINATION => {
                (usize::from(*bytes.get(1).ok_or(short)?) + 1) * 8
            }
            FRAGMENT => {
                let part = part(bytes).ok_or(short)?;
                fragment = Some(part);
                8
            }
            _ => return Ok((next, fragment, bytes)),
        };
        next = *bytes.first().ok_or(short)?;
        bytes = bytes.get(length..).ok_or(short)?;
        if fragment.is_some_and(|f| f.offset != 0) {
            // What follows is the middle of something.
            return Ok((next, fragment, bytes));
        }
    }
    Err(Malformed::Headers)
}

fn part(bytes: &[u8]) -> Option<Fragment> {
    let place = word(bytes, 2)?;
    let id = u32::from_be_bytes(chunk(bytes, 4)?);
    Some(Fragment { id, offset: place & 0xfff8, more: place & 1 != 0 })
}
