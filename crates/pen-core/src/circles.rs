//! Servers that are Pen itself: what goes to them comes back, and round for ever.
//!
//! Finds what the settings of this process show: a server that is a listening address of its own
//! service, or services that lead to each other in a circle, directly or over routes. Asked when
//! settings are complete. A way through another process cannot be seen here.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use crate::addr::{Host, Place};
use crate::config::{Config, Protocol, ServerConfig, ServiceConfig};
use crate::routes;

#[cfg(test)]
mod tests;

/// A sentence about the first circle, or nothing. `is_ours` says whether this machine has an
/// address; it is asked about servers whose port a listener for all addresses has.
#[must_use]
pub fn fault(config: &Config, is_ours: impl Fn(IpAddr) -> bool) -> Option<String> {
    let doors = Doors::of(config);
    let numbers: HashMap<&str, usize> =
        config.services.iter().enumerate().map(|(n, s)| (s.name.as_str(), n)).collect();
    let ways: Vec<Vec<Way<'_>>> = config
        .services
        .iter()
        .map(|service| {
            let routed = routes::targets(service).filter_map(|name| numbers.get(name));
            let routed = routed.map(|&to| Way { to, server: None });
            let served = servers(service).filter_map(|server| {
                let (to, listen) = doors.taking(service.protocol, server, &is_ours)?;
                Some(Way { to, server: Some((server, listen)) })
            });
            served.chain(routed).collect()
        })
        .collect();
    // Routes alone make no circle (`routes::fault`), so each circle has a server that leads into it.
    let mut known = vec![Known::Nothing; ways.len()];
    let circle = (0..ways.len()).find_map(|start| circle_from(start, &ways, &mut known))?;
    Some(sentence(config, &circle))
}

/// A way from one service to another.
#[derive(Clone, Copy)]
struct Way<'a> {
    to: usize,
    /// The server that is the other service's listening address, and how that is written; `None`
    /// is a route.
    server: Option<(&'a ServerConfig, &'a str)>,
}

/// What is known of a service.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Nothing,
    /// It is on the way that is looked at.
    OnTheWay,
    /// No circle can be reached from it.
    Harmless,
}

/// A circle that can be reached from `start`: its services, each with the way to the next.
fn circle_from<'a>(
    start: usize,
    ways: &[Vec<Way<'a>>],
    known: &mut [Known],
) -> Option<Vec<(usize, Way<'a>)>> {
    if known.get(start) != Some(&Known::Nothing) {
        return None;
    }
    // The services on the way, each with the number of its ways that were looked at. Not by
    // recursion: there may be many.
    let mut path = vec![(start, 0)];
    *known.get_mut(start)? = Known::OnTheWay;
    while let Some((at, next)) = path.last_mut() {
        let Some(way) = ways.get(*at).and_then(|w| w.get(*next)) else {
            *known.get_mut(*at)? = Known::Harmless;
            path.pop();
            continue;
        };
        *next += 1;
        match known.get(way.to)? {
            Known::Harmless => {}
            Known::Nothing => {
                *known.get_mut(way.to)? = Known::OnTheWay;
                path.push((way.to, 0));
            }
            Known::OnTheWay => {
                let taken = path.iter().skip_while(|(at, _)| *at != way.to);
                let taken =
                    taken.filter_map(|(at, next)| Some((*at, *ways.get(*at)?.get(next - 1)?)));
                return Some(taken.collect());
            }
        }
    }
    None
}

/// Every server that clients of `service` may be sent to.
fn servers(service: &ServiceConfig) -> impl Iterator<Item = &ServerConfig> {
    let dummy = service.dummy && service.protocol == Protocol::Tcp;
    let all = service.servers.iter().chain(&service.emergency).chain(&service.abuse);
    all.filter(move |_| !dummy && has_sockets(service))
}

/// With direct server return nothing is accepted and nothing is connected.
fn has_sockets(service: &ServiceConfig) -> bool {
    service.dsr.interface.is_none()
}

fn sentence(config: &Config, circle: &[(usize, Way<'_>)]) -> String {
    let name = |n: usize| config.services.get(n).map_or("", |s| s.name.as_str());
    let steps: Vec<String> = circle
        .iter()
        .map(|(from, way)| match way.server {
            Some((server, listen)) => {
                let at = text(server);
                let whose = match way.to == *from {
                    true => "its own".to_owned(),
                    false => format!("service {}'s", name(way.to)),
                };
                format!(
                    "service {}: server {at} is {whose} listening address {listen}",
                    name(*from)
                )
            }
            None => format!("service {}: a route leads to service {}", name(*from), name(way.to)),
        })
        .collect();
    let what = if steps.len() == 1 { "what goes there comes back" } else { "this is a circle" };
    format!("{}: {what}", steps.join("; "))
}

fn text(server: &ServerConfig) -> String {
    match &server.host {
        Host::Unset => "none".to_owned(),
        Host::Ip(ip) => SocketAddr::new(*ip, server.port).to_string(),
        Host::Name { name, ip } => {
            format!("{name} ({})", SocketAddr::new(*ip, server.port))
        }
        Host::Unix(path) => path.display().to_string(),
    }
}

/// Which service listens where, and how the address is written.
#[derive(Default)]
struct Doors<'a> {
    internet: HashMap<(Protocol, IpAddr, u16), (usize, &'a str)>,
    unix: HashMap<&'a Path, (usize, &'a str)>,
}

impl<'a> Doors<'a> {
    fn of(config: &'a Config) -> Self {
        let mut doors = Self::default();
        for (number, service) in config.services.iter().enumerate().filter(|(_, s)| has_sockets(s))
        {
            for listen in &service.listen {
                let owner = (number, listen.text.as_str());
                match &listen.place {
                    Place::Tcp(at) => {
                        let key = (service.protocol, at.ip().to_canonical(), at.port());
                        doors.internet.insert(key, owner);
                    }
                    Place::Unix(path) => {
                        doors.unix.insert(path, owner);
                    }
                }
            }
        }
        doors
    }

    /// Who takes what is sent to `server`: as the kernel has it, the listener at the very address
    /// before the one for all addresses of its family, and that one before the one for all.
    fn taking(
        &self,
        protocol: Protocol,
        server: &ServerConfig,
        is_ours: impl Fn(IpAddr) -> bool,
    ) -> Option<(usize, &'a str)> {
        let ip = match &server.host {
            Host::Unset => return None,
            Host::Unix(path) => return self.unix.get(path.as_path()).copied(),
            Host::Ip(ip) | Host::Name { ip, .. } => ip.to_canonical(),
        };
        // To the kernel nobody's address is this machine.
        let ip = match ip {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let at = |ip: IpAddr| self.internet.get(&(protocol, ip, server.port)).copied();
        let all_of_four = || ip.is_ipv4().then(|| at(Ipv4Addr::UNSPECIFIED.into())).flatten();
        at(ip).or_else(|| {
            let all = all_of_four().or_else(|| at(Ipv6Addr::UNSPECIFIED.into()));
            all.filter(|_| ip.is_loopback() || is_ours(ip))
        })
    }
}
