//! What cannot be listened on as a configuration says, found before anything is opened.

use std::collections::HashMap;

use pen_core::addr::{Host, Place};
use pen_core::config::{Config, Protocol, ServerConfig, ServiceConfig};

/// A sentence about the first thing that cannot be listened on as `config` says: an address that it
/// has twice, or a Unix socket where UDP is spoken.
#[must_use]
pub fn impossible(config: &Config) -> Option<String> {
    listed_twice(config).or_else(|| config.services.iter().find_map(udp_over_unix))
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
