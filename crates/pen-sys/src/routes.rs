//! Questions to the kernel's routing: which way a packet would go. Nothing is changed.
//!
//! Netlink by hand, because these few questions are all there is.

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send,
    socket_with,
};

use crate::netlink::{
    DONE, DUMP, ERROR, PIECE, REQUEST, attribute, attributes, message, messages, number,
};

/// A packet.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// Where to.
    pub to: IpAddr,
    /// Where from, and the interface it arrives at; without it, it begins here.
    pub arriving: Option<(IpAddr, u32)>,
    /// Its mark, 0 for none.
    pub mark: u32,
}

/// Where it would go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To this machine itself.
    Here,
    /// Out by this interface.
    Out(u32),
}

/// Netlink about routing has the number 0.
const ROUTE: Option<Protocol> = None;
const GET_ROUTE: u16 = 26;
const GET_RULE: u16 = 34;
/// Rules of nftables: its number among the subsystems, and the question.
const GET_FILTER_RULE: u16 = (10 << 8) | 7;
/// Bytes of the message proper of routes and rules; attributes follow.
const BODY: usize = 12;
/// Pieces of a dump that are read; more are not needed to know.
const PIECES_MAX: usize = 4_096;

/// Where `packet` would go.
///
/// # Errors
/// `NetworkUnreachable` and the like without a route, `CrossesDevices` if `rp_filter` would drop it.
pub fn route(packet: Packet) -> io::Result<Route> {
    let whole = if packet.to.is_ipv4() { 32 } else { 128 };
    let from = if packet.arriving.is_some() { whole } else { 0 };
    let mut message = vec![family(packet.to), whole, from, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    attribute(&mut message, 1, &octets(packet.to));
    if let Some((from, interface)) = packet.arriving {
        attribute(&mut message, 2, &octets(from));
        attribute(&mut message, 3, &interface.to_ne_bytes());
    }
    if packet.mark != 0 {
        attribute(&mut message, 16, &packet.mark.to_ne_bytes());
    }
    let socket = ask(ROUTE, GET_ROUTE, REQUEST, &message)?;
    let mut found = Err(io::ErrorKind::InvalidData.into());
    each(&socket, false, |_, body| {
        const LOCAL: u8 = 2;
        const UNICAST: u8 = 1;
        let out = attributes(body, BODY).find(|(kind, _)| *kind == 4).and_then(|(_, v)| number(v));
        found = match (body.get(7).copied(), out) {
            (Some(LOCAL), _) => Ok(Route::Here),
            (Some(UNICAST), Some(out)) => Ok(Route::Out(out)),
            _ => Err(io::ErrorKind::NetworkUnreachable.into()),
        };
    })?;
    found
}

/// The marks that rules of the routing look at.
///
/// # Errors
/// What the kernel says.
pub fn marks(ipv4: bool) -> io::Result<Vec<u32>> {
    let any: IpAddr = if ipv4 { [0, 0, 0, 0].into() } else { [0_u16; 8].into() };
    let mut message = vec![family(any)];
    message.resize(BODY, 0);
    let socket = ask(ROUTE, GET_RULE, REQUEST | DUMP, &message)?;
    let mut marks = Vec::new();
    each(&socket, true, |_, body| {
        let mark = attributes(body, BODY).find(|(kind, _)| *kind == 10);
        marks.extend(mark.and_then(|(_, v)| number(v)).filter(|m| *m != 0));
    })?;
    Ok(marks)
}

/// Whether a rule of nftables (or of its iptables) looks at sockets.
///
/// # Errors
/// `PermissionDenied` for whoever must not know, or what the kernel says.
pub fn filter_sees_sockets() -> io::Result<bool> {
    let socket = ask(Some(netlink::NETFILTER), GET_FILTER_RULE, REQUEST | DUMP, &[0; 4])?;
    let mut seen = false;
    each(&socket, true, |_, body| seen |= body.windows(7).any(|w| w == b"socket\0"))?;
    Ok(seen)
}

fn family(ip: IpAddr) -> u8 {
    let family = if ip.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    u8::try_from(family.as_raw()).unwrap_or_default()
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

fn ask(protocol: Option<Protocol>, kind: u16, flags: u16, body: &[u8]) -> io::Result<OwnedFd> {
    let (family, flavour) = (AddressFamily::NETLINK, SocketType::RAW);
    let socket = socket_with(family, flavour, SocketFlags::CLOEXEC, protocol)?;
    send(&socket, &message(kind, flags, body), SendFlags::empty())?;
    Ok(socket)
}

/// Hears the messages of the answer: their kind and what follows the header.
fn each(socket: &OwnedFd, dump: bool, mut hear: impl FnMut(u16, &[u8])) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    for _ in 0..PIECES_MAX {
        let (_, length) = recv(socket, &mut piece[..], RecvFlags::empty())?;
        for (kind, body) in messages(piece.get(..length).unwrap_or_default()) {
            match kind {
                ERROR => {
                    let code = body.get(..4).and_then(number).map_or(0, u32::cast_signed);
                    return match code {
                        0 => Ok(()),
                        code => Err(io::Error::from_raw_os_error(code.wrapping_neg())),
                    };
                }
                DONE => return Ok(()),
                kind => hear(kind, body),
            }
        }
        if !dump {
            return Ok(());
        }
    }
    Ok(())
}

/// The name of an interface by its number.
///
/// # Errors
/// There is none.
pub fn interface(number: u32) -> io::Result<String> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    Ok(rustix::net::netdevice::index_to_name(&socket, number)?)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn the_way_to_oneself_is_here() {
        for ip in ["127.0.0.1", "127.9.9.9"] {
            let packet = Packet { to: ip.parse().unwrap(), arriving: None, mark: 0 };
            assert_eq!(route(packet).unwrap(), Route::Here, "{ip}");
        }
        assert_eq!(interface(1).unwrap(), "lo");
        assert!(interface(4_000_000).is_err());
    }

    #[test]
    fn what_cannot_be_is_an_error() {
        // The kernel takes no packet that claims to come from everybody.
        let arriving = Some((Ipv4Addr::BROADCAST.into(), 1));
        let packet = Packet { to: Ipv4Addr::LOCALHOST.into(), arriving, mark: 0 };
        assert!(route(packet).is_err());
        assert!(marks(true).is_ok());
    }

    #[test]
    fn broken_answers_are_not_believed() {
        for body in [&[][..], &[0; 11], &[0; 14], &[0; 16], &[255; 40], &[1; 13]] {
            assert!(attributes(body, BODY).all(|(_, v)| v.len() < body.len()));
        }
        let mut body = vec![0; BODY];
        attribute(&mut body, 4, &7_u32.to_ne_bytes());
        let read: Vec<_> = attributes(&body, BODY).collect();
        assert_eq!(read, [(4, &7_u32.to_ne_bytes()[..])]);
    }
}
