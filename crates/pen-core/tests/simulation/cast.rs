//! Who plays in the simulation: addresses of clients and servers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pen_core::addr::{ClientAddr, Host};
use pen_core::config::ServerConfig;

use crate::chance::Chance;

/// How many different clients there are. The last one comes over a Unix socket.
pub const CLIENTS: u32 = 40;

/// The number of a client and whether it comes over IPv6; `None` over a Unix socket.
pub fn client_number(client: ClientAddr) -> Option<(u32, bool)> {
    match client {
        ClientAddr::Ip(IpAddr::V4(ip)) => Some((u32::from(ip.octets()[3]), false)),
        ClientAddr::Ip(IpAddr::V6(ip)) => Some((u32::from(ip.segments()[7]), true)),
        ClientAddr::Unix => None,
    }
}

/// Every third client comes over IPv6, every fifth as IPv4 mapped into IPv6.
pub fn client_address(client: u32) -> ClientAddr {
    match client {
        n if n == CLIENTS - 1 => ClientAddr::Unix,
        n if n % 3 == 0 => ClientAddr::from_ip(IpAddr::V6(v6(n))),
        n if n % 5 == 0 => ClientAddr::from_ip(IpAddr::V6(v4(n).to_ipv6_mapped())),
        n => ClientAddr::from_ip(IpAddr::V4(v4(n))),
    }
}

pub fn v4(n: u32) -> Ipv4Addr {
    (0xc000_0200 + n).into()
}

pub fn v6(n: u32) -> Ipv6Addr {
    ((0x2001_0db8 << 96) + u128::from(n)).into()
}

pub fn new_server(chance: &mut Chance) -> ServerConfig {
    let host = Host::Ip(IpAddr::V4(Ipv4Addr::new(10, 0, 0, chance.below(250) as u8)));
    // Ports do not repeat in practice, so that a new address is another place.
    ServerConfig { host, port: 1 + chance.below(60_000) as u16, ..ServerConfig::default() }
}
