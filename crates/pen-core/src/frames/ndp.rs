//! Neighbour discovery: what ARP is for IPv6.

use std::net::Ipv6Addr;

use super::checksum::Sum;
use super::ethernet::{self, header};
use super::{Built, Mac, Malformed, Packet, chunk, icmp, put};

const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
/// Neighbours are asked and answer with the highest hop limit: a router would have lowered it.
const HOP_LIMIT: u8 = 255;
const SOURCE_MAC: u8 = 1;
const TARGET_MAC: u8 = 2;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;
/// All machines of the segment.
const ALL: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// A question or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// It asks for [`Neighbour::target`].
    pub is_question: bool,
    /// Whom it is about.
    pub target: Ipv6Addr,
    /// The hardware address of who asks, or of the target.
    pub mac: Option<Mac>,
}

/// Reads `packet`, whose bytes from the IPv6 header on are `bytes`; `None` if it is about something
/// else.
#[must_use]
pub fn parse(packet: &Packet<'_>, bytes: &[u8]) -> Option<Result<Neighbour, Malformed>> {
    if packet.protocol != icmp::V6 || packet.fragment.is_some() {
        return None;
    }
    let (kind, wanted) = match *packet.payload.first()? {
        SOLICITATION => (true, SOURCE_MAC),
        ADVERTISEMENT => (false, TARGET_MAC),
        _ => return None,
    };
    Some(read(packet, bytes, kind, wanted))
}

fn read(
    packet: &Packet<'_>,
    bytes: &[u8],
    is_question: bool,
    wanted: u8,
) -> Result<Neighbour, Malformed> {
    if bytes.get(7) != Some(&HOP_LIMIT) || packet.payload.get(1) != Some(&0) {
        return Err(Malformed::Field);
    }
    let sum = Sum::default().pseudo(packet.from, packet.to, icmp::V6, packet.payload.len());
    if sum.with(packet.payload).finish() != 0 {
        return Err(Malformed::Field);
    }
    let target = Ipv6Addr::from(chunk::<16>(packet.payload, 8).ok_or(Malformed::Short)?);
    if target.is_multicast() {
        return Err(Malformed::Field);
    }
    let options = packet.payload.get(24..).ok_or(Malformed::Short)?;
    Ok(Neighbour { is_question, target, mac: option(options, wanted)? })
}

/// The hardware address among the options. Each option has at least 8 bytes, so this ends.
fn option(mut options: &[u8], wanted: u8) -> Result<Option<Mac>, Malformed> {
    let mut found = None;
    while let [kind, eights, ..] = *options {
        let length = usize::from(eights) * 8;
        if length == 0 {
            return Err(Malformed::Length);
        }
        if kind == wanted && length == 8 {
            found = chunk(options, 2).map(Mac);
        }
        options = options.get(length..).ok_or(Malformed::Length)?;
    }
    Ok(found)
}

/// Asks the group of `target` who has it, without claiming an address.
#[must_use]
pub fn solicitation(own: Mac, target: Ipv6Addr) -> Built {
    let [.., a, b, c] = target.octets();
    let group =
        Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]));
    let ends = (Ipv6Addr::UNSPECIFIED, group);
    built(Mac::of_group(group), own, &[], ends, (SOLICITATION, 0), target, None)
}

/// Tells who asked for `target` in a packet from `asker` at `asker_mac` that `own` has it. Who has
/// no address yet is told with everybody else.
#[must_use]
pub fn advertisement(
    own: Mac,
    target: Ipv6Addr,
    asker: Ipv6Addr,
    asker_mac: Mac,
    tags: &[u8],
) -> Built {
    let option = Some(own);
    if asker.is_unspecified() {
        let ends = (target, ALL);
        let kind = (ADVERTISEMENT, OVERRIDE);
        return built(Mac::of_group(ALL), own, tags, ends, kind, target, option);
    }
    let kind = (ADVERTISEMENT, SOLICITED | OVERRIDE);
    built(asker_mac, own, tags, (target, asker), kind, target, option)
}

/// Tells everybody that `own` has `ip` now.
#[must_use]
pub fn announcement(own: Mac, ip: Ipv6Addr) -> Built {
    advertisement(own, ip, Ipv6Addr::UNSPECIFIED, Mac::BROADCAST, &[])
}

fn built(
    to: Mac,
    own: Mac,
    tags: &[u8],
    (from_ip, to_ip): (Ipv6Addr, Ipv6Addr),
    (kind, flags): (u8, u8),
    target: Ipv6Addr,
    mac: Option<Mac>,
) -> Built {
    let mut message = [0_u8; 32];
    let [first, _, _, _, flag, ..] = &mut message;
    (*first, *flag) = (kind, flags);
    put(&mut message, 8, &target.octets());
    let mut length = 24;
    if let Some(mac) = mac {
        put(&mut message, 24, &[TARGET_MAC, 1]);
        put(&mut message, 26, &mac.0);
        length = 32;
    }
    let message_bytes = message.get(..length).unwrap_or_default();
    let sum = Sum::default().pseudo(from_ip.into(), to_ip.into(), icmp::V6, length);
    let sum = sum.with(message_bytes).finish();
    put(&mut message, 2, &sum.to_be_bytes());
    let short = u16::try_from(length).unwrap_or_default().to_be_bytes();
    Built::of(&[
        header(to, own, tags, ethernet::IPV6).bytes(),
        &[0x60, 0, 0, 0],
        &short,
        &[icmp::V6, HOP_LIMIT],
        &from_ip.octets(),
        &to_ip.octets(),
        message.get(..length).unwrap_or_default(),
    ])
}
