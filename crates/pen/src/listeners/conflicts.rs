//! What cannot be listened on as a configuration says, found before anything is opened.

use std::collections::HashMap;

use pen_core::addr::{Host, Place};
use pen_core::config::{Config, Protocol, ServerConfig, ServiceConfig};

/// A sentence about the first thing that cannot be listened on as `config` says: an address that it
/// has twice, a Unix socket where UDP is spoken, or what direct server return cannot have.
#[must_use]
pub fn impossible(config: &Config) -> Option<String> {
    let services = || config.services.iter();
    listed_twice(config)
        .or_else(|| services().find_map(udp_over_unix))
        .or_else(|| services().find_map(no_port))
        .or_else(|| services().find_map(no_frames))
}

/// Every port of an address can be had with direct server return only.
fn no_port(service: &ServiceConfig) -> Option<String> {
    let portless = |place: &Place| matches!(place, Place::Tcp(address) if address.port() == 0);
    let mut all = service.listen.iter().filter(|_| service.dsr.interface.is_none());
    let text = &all.find(|l| portless(&l.place))?.text;
    Some(format!("cannot listen on {text}: no such port (all ports are for dsr_if only)"))
}

/// What direct server return cannot have.
fn no_frames(service: &ServiceConfig) -> Option<String> {
    let interface = service.dsr.interface.as_ref()?;
    let name = &service.name;
    let here = format!("service {name}: dsr_if {interface}");
    for listen in &service.listen {
        let text = &listen.text;
        match &listen.place {
            Place::Unix(_) => return Some(format!("{here}: {text} is no address of the segment")),
            Place::Tcp(address) if address.ip().is_unspecified() && service.dsr.ip.is_none() => {
                return Some(format!(
                    "{here}: listening address {text} does not say which address the service has: \
                     write it before the port, or use dsr_ip"
                ));
            }
            Place::Tcp(_) => {}
        }
    }
    let unix = service.servers.iter().find(|s| matches!(s.host, Host::Unix(_)))?;
    Some(format!("{here}: server {} is not on the segment", unix.host))
}

fn udp_over_unix(service: &ServiceConfig) -> Option<String> {
    if service.protocol != Protocol::Udp {
        return None;
    }
    let name = &service.name;
    if let Some(listen) = service.listen.iter().find(|l| matches!(l.place, Place::Unix(_))) {
        let text = &listen.text;
        return Some(format!(
            "cannot listen on {text}: service {name} speaks UDP, which has no Unix sockets"
        ));
    }
    let unix = |server: &ServerConfig| match &server.host {
        Host::Unix(path) => Some(path.display().to_string()),
        _ => None,
    };
    let mut all = service.servers.iter().chain(&service.emergency).chain(&service.abuse);
    let path = all.find_map(unix)?;
    Some(format!(
        "service {name} speaks UDP, which has no Unix sockets: server {path} cannot be used"
    ))
}

fn listed_twice(config: &Config) -> Option<String> {
    let mut owners: HashMap<(Protocol, &Place), &str> = HashMap::new();
    for service in &config.services {
        for listen in &service.listen {
            let Some(owner) = owners.insert((service.protocol, &listen.place), &service.name)
            else {
                continue;
            };
            let text = &listen.text;
            return Some(if owner == service.name {
                format!("cannot listen on {text}: service {owner} lists it twice")
            } else {
                format!(
                    "cannot listen on {text}: it is listed twice, by services {owner} and {}",
                    service.name
                )
            });
        }
    }
    None
}
