//! ARP for IPv4 on Ethernet: who has an address.

use std::net::Ipv4Addr;

use super::ethernet::{self, header};
use super::{Built, Mac, Malformed, chunk};

/// Hardware Ethernet, protocol IPv4, and the lengths of their addresses.
const KIND: [u8; 6] = [0, 1, 8, 0, 6, 4];
const REQUEST: u16 = 1;
const REPLY: u16 = 2;

/// A question or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// It asks for [`Arp::target`].
    pub is_request: bool,
    /// Who speaks.
    pub sender_mac: Mac,
    /// The address of who speaks; 0.0.0.0 if it has none.
    pub sender: Ipv4Addr,
    /// Whom it is about.
    pub target: Ipv4Addr,
}

/// Reads what follows the Ethernet header.
///
/// # Errors
/// It is short, or not about IPv4 on Ethernet.
pub fn parse(bytes: &[u8]) -> Result<Arp, Malformed> {
    let short = Malformed::Short;
    if chunk::<6>(bytes, 0).ok_or(short)? != KIND {
        return Err(Malformed::Field);
    }
    let is_request = match super::word(bytes, 6).ok_or(short)? {
        REQUEST => true,
        REPLY => false,
        _ => return Err(Malformed::Field),
    };
    let sender_mac = chunk(bytes, 8).map(Mac).ok_or(short)?;
    let sender = chunk::<4>(bytes, 14).ok_or(short)?.into();
    let target = chunk::<4>(bytes, 24).ok_or(short)?.into();
    Ok(Arp { is_request, sender_mac, sender, target })
}

/// Asks everybody who has `target`, without claiming an address.
#[must_use]
pub fn request(own: Mac, target: Ipv4Addr) -> Built {
    built(Mac::BROADCAST, &[], REQUEST, (own, Ipv4Addr::UNSPECIFIED), (Mac([0; 6]), target))
}

/// Tells who asked `question` in a frame from `to` with `tags` that `own` has the address.
#[must_use]
pub fn reply(own: Mac, to: Mac, question: &Arp, tags: &[u8]) -> Built {
    let asker = (question.sender_mac, question.sender);
    built(to, tags, REPLY, (own, question.target), asker)
}

/// Tells everybody that `own` has `ip` now.
#[must_use]
pub fn announcement(own: Mac, ip: Ipv4Addr) -> Built {
    built(Mac::BROADCAST, &[], REQUEST, (own, ip), (Mac([0; 6]), ip))
}

fn built(
    to: Mac,
    tags: &[u8],
    operation: u16,
    sender: (Mac, Ipv4Addr),
    target: (Mac, Ipv4Addr),
) -> Built {
    Built::of(&[
        header(to, sender.0, tags, ethernet::ARP).bytes(),
        &KIND,
        &operation.to_be_bytes(),
        &sender.0.0,
        &sender.1.octets(),
        &target.0.0,
        &target.1.octets(),
    ])
}
