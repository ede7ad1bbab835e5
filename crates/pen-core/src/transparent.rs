//! Whose address a connection to a server carries: Pen's own, the one of `source`, or the client's
//! (`transparent`).
//!
//! Promises: with `transparent` nothing leaves with an address that is not the client's, unless
//! `source` or `transparent_fallback` says so. Deliberately not here: asking the kernel for the address, and
//! the way back of what servers answer (docs/transparent.md).

use std::net::{IpAddr, SocketAddr};

use crate::addr::{ClientAddr, Host, Place};
use crate::config::{ServerConfig, ServiceConfig};

/// What a connection to a server leaves from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// Whatever address of this machine the kernel takes.
    Own,
    /// The address of `source`.
    From(IpAddr),
    /// The client's address, which this machine does not have.
    AsClient(IpAddr),
}

/// Why a server cannot be shown the client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The client came over a Unix socket.
    NoAddress,
    /// One is IPv4, the other IPv6.
    OtherFamily,
    /// The client is the server's own machine, which takes nothing that claims to come from itself.
    Server,
}

impl Obstacle {
    /// For a sentence: `the client's address cannot be carried: ...`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::NoAddress => "a client of a Unix socket has none",
            Self::OtherFamily => "one is IPv4, the other IPv6",
            Self::Server => "the client is the server's own machine",
        }
    }
}

/// What a connection of `client` to the server at `to` leaves from. `source` wins where it is of the
/// server's family.
///
/// # Errors
/// The service is transparent, and the client's address cannot be carried to this server.
pub fn departure(
    service: &ServiceConfig,
    client: ClientAddr,
    to: SocketAddr,
) -> Result<Departure, Obstacle> {
    match service.source {
        Some(source) if source.is_ipv4() == to.is_ipv4() => Ok(Departure::From(source)),
        _ => without_source(service, client, to),
    }
}

/// The same where the address of `source` turned out not to be there.
///
/// # Errors
/// As [`departure`].
pub fn without_source(
    service: &ServiceConfig,
    client: ClientAddr,
    to: SocketAddr,
) -> Result<Departure, Obstacle> {
    if !service.transparent {
        return Ok(Departure::Own);
    }
    match obstacle(client, to.ip()) {
        None => Ok(match client {
            ClientAddr::Ip(ip) => Departure::AsClient(ip),
            ClientAddr::Unix => Departure::Own,
        }),
        Some(_) if service.transparent_fallback => Ok(Departure::Own),
        Some(obstacle) => Err(obstacle),
    }
}

fn obstacle(client: ClientAddr, server: IpAddr) -> Option<Obstacle> {
    let ClientAddr::Ip(client) = client else { return Some(Obstacle::NoAddress) };
    if client.is_ipv4() != server.is_ipv4() {
        return Some(Obstacle::OtherFamily);
    }
    // On one machine there is no other way to be, and none is wrong.
    (client == server && !client.is_loopback()).then_some(Obstacle::Server)
}

/// What of a service's settings contradicts `transparent`, as a sentence for the operator.
#[must_use]
pub fn conflict(service: &ServiceConfig) -> Option<String> {
    let ServiceConfig { name, idlers, .. } = service;
    (service.transparent && service.source.is_none() && *idlers > 0).then(|| {
        format!(
            "service {name}: transparent: 'idlers {idlers}' makes connections before there is a \
             client whose address they could carry; say 'idlers 0' or 'no transparent'"
        )
    })
}

/// Clients and servers of a transparent service that will never find to each other, as sentences.
#[must_use]
pub fn cautions(service: &ServiceConfig) -> Vec<String> {
    if !service.transparent || service.source.is_some() {
        return Vec::new();
    }
    let name = &service.name;
    let then = match service.transparent_fallback {
        true => "Pen's own address is shown (transparent_fallback)",
        false => "none is connected",
    };
    let mut cautions = Vec::new();
    let (mut v4, mut v6) = (false, false);
    for listen in &service.listen {
        match &listen.place {
            Place::Unix(_) => cautions.push(format!(
                "service {name}: transparent: clients at {} have no address to show: {then}",
                listen.text
            )),
            // One for all IPv6 addresses takes IPv4 clients too.
            Place::Tcp(a) => {
                v4 |= a.is_ipv4() || a.ip().is_unspecified();
                v6 |= a.is_ipv6();
            }
        }
    }
    for (word, server) in named(service) {
        match &server.host {
            Host::Unix(path) => cautions.push(format!(
                "service {name}: transparent: server {word} ({}) sees no address, it is a Unix socket",
                path.display()
            )),
            host => match host.ip() {
                Some(ip) if server.port != 0 && !(if ip.is_ipv4() { v4 } else { v6 }) => {
                    let (theirs, its) =
                        if ip.is_ipv4() { ("IPv6", "IPv4") } else { ("IPv4", "IPv6") };
                    cautions.push(format!(
                        "service {name}: transparent: server {word} ({ip}) is {its} and cannot be \
                         shown the addresses of {theirs} clients: {then}"
                    ));
                }
                _ => {}
            },
        }
    }
    cautions
}

/// All servers with the word that means them.
fn named(service: &ServiceConfig) -> impl Iterator<Item = (String, &ServerConfig)> {
    let regular = service.servers.iter().enumerate().map(|(n, s)| (n.to_string(), s));
    let outside = [("emergency", &service.emergency), ("abuse", &service.abuse)];
    let outside = outside.into_iter().filter_map(|(word, s)| Some((word.to_owned(), s.as_ref()?)));
    regular.chain(outside)
}

#[cfg(test)]
mod tests;
