//! Host names and port names, asked of the system.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use pen_core::addr::Names;
use pen_core::limits;
use pen_core::listen_word::port_number;
use pen_core::near::shown;
use pen_sys::services::{Protocol, Services};

/// The system's resolver and table of ports.
pub(crate) struct System(Services);

impl System {
    pub(crate) fn load() -> Self {
        Self(Services::load())
    }
}

impl Names for System {
    fn port(&self, service: &str) -> Option<u16> {
        self.0.port(service, Protocol::Udp)
    }

    fn host(&self, name: &str) -> Result<IpAddr, String> {
        hosts(name)?.into_iter().next().ok_or_else(|| "it has no address".to_owned())
    }
}

/// The addresses of a host, IPv4 first: Pen's log names servers by the address that the operator
/// gave, which is seldom IPv6.
pub(crate) fn hosts(name: &str) -> Result<Vec<IpAddr>, String> {
    let bare = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
    let found = (bare, 0).to_socket_addrs();
    let found = found.map_err(|e| format!("cannot resolve {}: {e}", shown(name)))?;
    let mut ips: Vec<IpAddr> = found.map(|address| address.ip().to_canonical()).collect();
    ips.sort_by_key(IpAddr::is_ipv6);
    ips.dedup();
    ips.truncate(limits::PENLOG_ADDRESSES_MAX);
    Ok(ips)
}

/// The places that host and port mean.
pub(crate) fn places(host: &str, port: &str) -> Result<Vec<SocketAddr>, String> {
    let number = port_number(port, &System::load()).filter(|n| *n != 0);
    let number = number.ok_or_else(|| format!("{}: no such port", shown(port)))?;
    Ok(hosts(host)?.into_iter().map(|ip| (ip, number).into()).collect())
}
