//! What direct server return finds on this host, for `pen --check --live`. Hears and sends nothing.

use std::fs;
use std::net::Ipv4Addr;

use pen_core::config::ServiceConfig;
use pen_core::inspection::{Segment, Tarpit};

use super::link::{self, Link};
use super::view;

/// What is found for `service`, if it has direct server return.
#[must_use]
pub fn inspect(service: &ServiceConfig) -> Option<Segment> {
    let interface = service.dsr.interface.clone()?;
    let seen = link::look(&interface);
    let own = |ip| seen.as_ref().is_ok_and(|l: &Link| l.addresses.iter().any(|a| a.ip == ip));
    let mut addresses: Vec<_> = view::doors(service).iter().map(|d| (d.0, own(d.0))).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let forwards = [("ipv4", interface.as_str()), ("ipv6", "all")].map(|(family, place)| {
        let path = format!("/proc/sys/net/{family}/conf/{place}/forwarding");
        fs::read_to_string(path).is_ok_and(|word| word.trim() != "0")
    });
    Some(Segment {
        service: service.name.clone(),
        up: seen.as_ref().map(|link| link.up).map_err(Clone::clone),
        deaf: link::permitted().err(),
        addresses,
        forwards,
        tarpit: seen.ok().and_then(|link| tarpit(service, &link, &interface)),
        interface,
    })
}

fn tarpit(service: &ServiceConfig, link: &Link, interface: &str) -> Option<Tarpit> {
    let ground = view::ground(service, link)?;
    let taken = neighbours(interface).into_iter().filter(|ip| ground.covers(*ip)).collect();
    Some(Tarpit { checks: service.dsr.tarpit_check, taken })
}

/// Whom the kernel has found on the interface.
fn neighbours(interface: &str) -> Vec<Ipv4Addr> {
    /// The flag of an entry that is complete.
    const COMPLETE: &str = "0x2";
    let table = fs::read_to_string("/proc/net/arp").unwrap_or_default();
    let found = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [ip, _, COMPLETE, _, _, at] = words.as_slice() else { return None };
        if *at == interface { ip.parse().ok() } else { None }
    };
    table.lines().filter_map(found).collect()
}
