//! Whether the routes of all services fit together. Asked when settings are complete, because a file
//! may name a service before it makes it.

use std::collections::HashMap;

use super::To;
use crate::config::{Config, Protocol, ServiceConfig};
use crate::limits::ROUTE_HOPS_MAX;
use crate::near::{hint, shown};

/// What is wrong with the routes, or nothing.
#[must_use]
pub fn fault(config: &Config) -> Option<String> {
    let services: HashMap<&str, &ServiceConfig> =
        config.services.iter().map(|s| (s.name.as_str(), s)).collect();
    let target = config.services.iter().find_map(|s| missing_target(s, &services));
    target.or_else(|| {
        // Services whose longest way is known, so that each is walked through once.
        let mut known = HashMap::new();
        let names = config.services.iter().map(|s| s.name.as_str());
        names.into_iter().find_map(|name| too_far(name, &services, &mut known).err())
    })
}

fn missing_target(
    service: &ServiceConfig,
    services: &HashMap<&str, &ServiceConfig>,
) -> Option<String> {
    let is_udp = |s: &ServiceConfig| s.protocol == Protocol::Udp;
    service.routes.iter().find_map(|route| {
        let why = match &route.to {
            _ if is_udp(service) => {
                "the service speaks UDP, where there is no TLS hello".to_owned()
            }
            To::Service(name) if services.get(name.as_str()).is_some_and(|s| is_udp(s)) => {
                format!("service {} speaks UDP", shown(name))
            }
            To::Service(name) if !services.contains_key(name.as_str()) => {
                let near = hint(name, services.keys().copied());
                format!("there is no service called {}{near}", shown(name))
            }
            To::Server(n) if usize::try_from(*n).map_or(true, |n| n >= service.servers.len()) => {
                match service.servers.len() {
                    0 => format!("there is no server {n}: the service has none"),
                    count => format!("there is no server {n}; there are 0 to {}", count - 1),
                }
            }
            _ => return None,
        };
        Some(format!("service {}: route {route}: {why}", service.name))
    })
}

/// The number of services a client of `name` may be routed through, or the fault if there are too
/// many: a loop has no end.
fn too_far<'a>(
    name: &'a str,
    services: &HashMap<&'a str, &'a ServiceConfig>,
    known: &mut HashMap<&'a str, usize>,
) -> Result<usize, String> {
    // The way to where the walk is: each service with the routes that are left to be tried.
    let mut way: Vec<(&'a str, std::slice::Iter<'a, super::Route>, usize)> = Vec::new();
    let routes = |name: &str| services.get(name).map_or(&[][..], |s| s.routes.as_slice());
    way.push((name, routes(name).iter(), 0));
    loop {
        let Some((here, rest, hops)) = way.last_mut() else { return Ok(0) };
        let next = rest.find_map(|r| match &r.to {
            To::Service(next) => Some(next.as_str()),
            _ => None,
        });
        match next {
            Some(next) if known.contains_key(next) => {
                *hops = (*hops).max(1 + known.get(next).copied().unwrap_or(0));
            }
            Some(next) => way.push((next, routes(next).iter(), 0)),
            None => {
                let (here, hops) = (*here, *hops);
                known.insert(here, hops);
                way.pop();
                match way.last_mut() {
                    Some((_, _, before)) => *before = (*before).max(1 + hops),
                    None => return Ok(hops),
                }
            }
        }
        let depth = way.len() - 1 + way.last().map_or(0, |(_, _, hops)| *hops);
        if depth > ROUTE_HOPS_MAX {
            let names: Vec<&str> = way.iter().map(|(name, _, _)| *name).collect();
            let loops =
                names.iter().enumerate().any(|(n, name)| names.iter().take(n).any(|n| n == name));
            let what = if loops { "in a circle" } else { "too far" };
            return Err(format!(
                "service {name}: routes lead {what}: {}; {ROUTE_HOPS_MAX} services on are allowed",
                names.join(" -> ")
            ));
        }
    }
}
