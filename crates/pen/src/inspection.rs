//! Gathers what `pen --check --live` judges: descriptors, ports, routes, rights, segments. Changes
//! nothing; ports are bound for a moment.

use std::net::{IpAddr, SocketAddr};

use pen_core::addr::Place;
use pen_core::config::{Config, Protocol, ServerConfig, ServiceConfig};
use pen_core::inspection::{self, Back, Door, Facts, Finding, Way};
use pen_sys::routes::{self, Packet, Route};
use pen_sys::sockets::Binding;
use pen_sys::{datagrams, rlimit, sockets};
use rustix::io::Errno;

use crate::dsr;

/// Clients that belong to no machine at hand: addresses for documentation.
const CLIENTS: [&str; 2] = ["203.0.113.77", "2001:db8:ffff::77"];

/// Looks at this host for `config`.
#[must_use]
pub fn inspect(config: &Config) -> Vec<Finding> {
    let services = &config.services;
    // One with direct server return listens at no address and connects to nobody.
    let by_socket = || services.iter().filter(|s| s.dsr.interface.is_none());
    let facts = Facts {
        descriptors: rlimit::raise_descriptors(),
        opaque: sockets::foreign_permitted(true).err().map(|why| why.to_string()),
        doors: by_socket().flat_map(doors).collect(),
        ways: by_socket().flat_map(ways).collect(),
        filter_sees_sockets: routes::filter_sees_sockets().ok(),
        segments: services.iter().filter_map(dsr::inspect).collect(),
    };
    inspection::findings(config, &facts)
}

fn doors(service: &ServiceConfig) -> Vec<Door> {
    let try_at = |address: SocketAddr| match service.protocol {
        Protocol::Tcp => sockets::tcp_probe(address, Binding::here(true)),
        Protocol::Udp => datagrams::probe(address, Binding::here(true)),
    };
    let tcp = service.listen.iter().filter_map(|listen| match &listen.place {
        Place::Tcp(address) => Some((listen, *address)),
        Place::Unix(_) => None,
    });
    tcp.map(|(listen, address)| Door {
        service: service.name.clone(),
        text: listen.text.clone(),
        ip: address.ip(),
        freebind: service.sockets.freebind,
        refused: try_at(address).err().map(|e| e.kind()),
    })
    .collect()
}

fn ways(service: &ServiceConfig) -> Vec<Way> {
    let regular = service.servers.iter().enumerate().map(|(n, s)| (n.to_string(), s));
    let outside = [("emergency", &service.emergency), ("abuse", &service.abuse)];
    let outside = outside.into_iter().filter_map(|(word, s)| Some((word.to_owned(), s.as_ref()?)));
    regular.chain(outside).filter_map(|(word, s)| way(service, word, s)).collect()
}

fn way(service: &ServiceConfig, server: String, config: &ServerConfig) -> Option<Way> {
    let ip = config.host.ip().filter(|ip| !ip.is_unspecified())?;
    let route = match routes::route(Packet { to: ip, arriving: None, mark: 0 }) {
        // A unit may forbid to ask (RestrictAddressFamilies=): that says nothing of the route.
        Err(e) if e.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error()) => return None,
        asked => asked.ok(),
    };
    let (interface, local, back) = match route {
        None => (None, false, Back::Elsewhere),
        Some(Route::Here) => (Some("lo".to_owned()), true, Back::Here),
        Some(Route::Out(number)) => {
            let name = routes::interface(number).unwrap_or_else(|_| number.to_string());
            (Some(name), false, back(ip, number))
        }
    };
    Some(Way { service: service.name.clone(), server, ip, interface, local, back })
}

/// What becomes of an answer of `server` to some client, that arrives by the interface that leads to
/// the server.
fn back(server: IpAddr, interface: u32) -> Back {
    let client = CLIENTS.iter().filter_map(|c| c.parse::<IpAddr>().ok());
    let Some(client) = client.into_iter().find(|c| c.is_ipv4() == server.is_ipv4()) else {
        return Back::Elsewhere;
    };
    let arrives =
        |mark| routes::route(Packet { to: client, arriving: Some((server, interface)), mark });
    let plain = arrives(0);
    if plain.as_ref().is_ok_and(|r| *r == Route::Here) {
        return Back::Here;
    }
    let marks = routes::marks(server.is_ipv4()).unwrap_or_default();
    let marked: Vec<_> = marks.into_iter().map(|m| (m, arrives(m))).collect();
    if let Some((mark, _)) =
        marked.iter().find(|(_, r)| r.as_ref().is_ok_and(|r| *r == Route::Here))
    {
        return Back::Marked(*mark);
    }
    let crosses = |r: &std::io::Result<Route>| {
        r.as_ref().is_err_and(|e| e.kind() == std::io::ErrorKind::CrossesDevices)
    };
    match crosses(&plain) || marked.iter().any(|(_, r)| crosses(r)) {
        true => Back::Filtered,
        false => Back::Elsewhere,
    }
}
