//! Errors of ICMP and ICMPv6: what they quote tells whom they are about.

use super::{Packet, ipv4, ipv6};

/// ICMP's number in IPv4.
pub const V4: u8 = 1;
/// ICMPv6's number in IPv6.
pub const V6: u8 = 58;

/// The beginning of the packet that an error in `packet` is about; `None` if it is no error.
#[must_use]
pub fn quoted<'a>(packet: &Packet<'a>) -> Option<Packet<'a>> {
    if !packet.is_beginning() {
        return None;
    }
    let kind = *packet.payload.first()?;
    let quotation = packet.payload.get(8..)?;
    match (packet.protocol, packet.to.is_ipv4()) {
        // Unreachable ("too big" is one of these), time exceeded, parameter problem.
        (V4, true) if matches!(kind, 3 | 11 | 12) => {
            ipv4::parse(quotation, ipv4::Whole::Beginning).ok()
        }
        // Unreachable, too big, time exceeded, parameter problem.
        (V6, false) if matches!(kind, 1..=4) => ipv6::parse(quotation, ipv6::Whole::Beginning).ok(),
        _ => None,
    }
}
