//! What a host needs for the settings, judged from facts: `pen --check --live`.
//!
//! Each finding is one line with the command that mends it, if one is known. Nothing is asked of the
//! system here, and nothing is changed by anybody. Deliberately not here: gathering the facts.

use std::fmt;
use std::io;
use std::net::IpAddr;

use crate::config::{Config, ServiceConfig};
use crate::limits;

mod sandbox;
mod segment;

pub use sandbox::{Sandboxed, not_sandboxed, sandboxed};
pub use segment::{Segment, Tarpit};

/// What was found on the host.
#[derive(Debug)]
pub struct Facts {
    /// Descriptors that the process may have.
    pub descriptors: u64,
    /// Why sockets cannot carry foreign addresses, if they cannot.
    pub opaque: Option<String>,
    /// The listening addresses, in the order of the settings.
    pub doors: Vec<Door>,
    /// The servers with an internet address.
    pub ways: Vec<Way>,
    /// Whether a rule of the packet filter looks at sockets; `None` if nobody may know.
    pub filter_sees_sockets: Option<bool>,
    /// The services with direct server return.
    pub segments: Vec<Segment>,
}

/// A listening address.
#[derive(Debug)]
pub struct Door {
    /// Of this service.
    pub service: String,
    /// As given.
    pub text: String,
    /// Its address and port.
    pub ip: IpAddr,
    /// It may come later.
    pub freebind: bool,
    /// What the system said when it was tried.
    pub refused: Option<io::ErrorKind>,
}

/// The way to a server.
#[derive(Debug)]
pub struct Way {
    /// Of this service.
    pub service: String,
    /// Number or word of the server.
    pub server: String,
    /// Where it is.
    pub ip: IpAddr,
    /// The interface, `None` without a route.
    pub interface: Option<String>,
    /// It is this machine itself.
    pub local: bool,
    /// The way of its answers to clients that are not of this machine.
    pub back: Back,
}

/// What becomes of an answer to a client's address that a server sends here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// It is delivered here.
    Here,
    /// It is delivered here if it carries this mark.
    Marked(u32),
    /// `rp_filter` throws it away.
    Filtered,
    /// It goes elsewhere.
    Elsewhere,
}

/// How good a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it must be.
    Good,
    /// It may be wanted.
    Caution,
    /// Pen cannot do what the settings say.
    Wrong,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How good it is.
    pub verdict: Verdict,
    /// What it is.
    pub text: String,
    /// The command that mends it.
    pub mend: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.verdict {
            Verdict::Good => "good",
            Verdict::Caution => "caution",
            Verdict::Wrong => "wrong",
        };
        write!(f, "{word}: {}", self.text)?;
        match &self.mend {
            Some(command) => write!(f, "; do: {command}"),
            None => Ok(()),
        }
    }
}

fn good(text: String) -> Finding {
    Finding { verdict: Verdict::Good, text, mend: None }
}

fn wrong_plainly(text: String) -> Finding {
    Finding { verdict: Verdict::Wrong, text, mend: None }
}

fn caution(text: String, mend: Option<String>) -> Finding {
    Finding { verdict: Verdict::Caution, text, mend }
}

fn wrong(text: String, mend: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Wrong, text, mend: Some(mend.into()) }
}

/// All findings, in a fixed order: descriptors, listening addresses, ways to servers, transparent
/// services, direct server return.
#[must_use]
pub fn findings(config: &Config, facts: &Facts) -> Vec<Finding> {
    let mut all = vec![descriptors(config, facts.descriptors)];
    all.extend(facts.doors.iter().map(door));
    all.extend(facts.ways.iter().map(way));
    for service in config.services.iter().filter(|s| s.transparent) {
        transparent(service, facts, &mut all);
    }
    all.extend(facts.segments.iter().flat_map(segment::findings));
    all
}

fn descriptors(config: &Config, have: u64) -> Finding {
    let wanted: u64 = config.services.iter().filter_map(|s| s.conn_max).map(u64::from).sum();
    let need = wanted.saturating_mul(2).saturating_add(u64::from(limits::DESCRIPTOR_RESERVE));
    if wanted > 0 && need > have {
        let text = format!(
            "{wanted} connections (conn_max) need {need} descriptors, {have} are \
             allowed (LimitNOFILE of systemd)"
        );
        return wrong(text, format!("ulimit -n {need}"));
    }
    let room = have.saturating_sub(u64::from(limits::DESCRIPTOR_RESERVE)) / 2;
    good(format!("{have} descriptors are allowed, enough for some {room} connections"))
}

fn door(door: &Door) -> Finding {
    let Door { service, text, ip, freebind, refused } = door;
    let head = format!("service {service}: listening address {text}");
    let family = if ip.is_ipv4() { "" } else { "-6 " };
    match refused {
        None => good(format!("{head} is free")),
        Some(io::ErrorKind::AddrInUse) => {
            caution(format!("{head} is in use: by a Pen that runs, or by another program"), None)
        }
        Some(io::ErrorKind::AddrNotAvailable) if *freebind => {
            caution(format!("{head} is no address of this machine yet (freebind)"), None)
        }
        Some(io::ErrorKind::AddrNotAvailable) => wrong(
            format!("{head} is no address of this machine"),
            format!("ip {family}addr add {ip} dev INTERFACE"),
        ),
        Some(io::ErrorKind::PermissionDenied) => wrong(
            format!("{head} is for root only"),
            "start Pen as root with -u USER, or setcap cap_net_bind_service+ep on it",
        ),
        Some(other) => wrong(format!("{head} cannot be had ({other})"), "look at the address"),
    }
}

fn way(way: &Way) -> Finding {
    let Way { service, server, ip, interface, .. } = way;
    let head = format!("service {service}: server {server} ({ip})");
    let family = if ip.is_ipv4() { "" } else { "-6 " };
    match interface {
        Some(interface) => good(format!("{head} is reached by {interface}")),
        None => wrong(
            format!("{head}: there is no route to it"),
            format!("ip {family}route add {ip} via GATEWAY"),
        ),
    }
}

fn transparent(service: &ServiceConfig, facts: &Facts, all: &mut Vec<Finding>) {
    let name = &service.name;
    all.push(match &facts.opaque {
        None => {
            good(format!("service {name}: transparent: this user may carry clients' addresses"))
        }
        Some(why) => wrong(
            format!(
                "service {name}: transparent: the kernel refuses {why}: CAP_NET_RAW is missing"
            ),
            "start Pen as root with -u USER, or setcap cap_net_raw+ep on it",
        ),
    });
    for way in facts.ways.iter().filter(|w| w.service == *name) {
        if let Some(interface) = &way.interface {
            all.push(way_back(way, interface, facts.filter_sees_sockets));
        }
    }
}

fn way_back(way: &Way, interface: &str, filter: Option<bool>) -> Finding {
    let Way { service, server, ip, local, back, .. } = way;
    let head = format!("service {service}: transparent: answers of server {server} ({ip})");
    let family = if ip.is_ipv4() { "" } else { "-6 " };
    if *local {
        let text = format!("{head} do not leave this machine: only its own clients can be served");
        return caution(text, None);
    }
    match (back, filter) {
        (Back::Here, _) => good(format!("{head} come back to Pen")),
        (Back::Marked(mark), Some(true)) => good(format!(
            "{head} come back to Pen if the packet filter marks them {mark}; it looks at sockets"
        )),
        (Back::Marked(mark), None) => caution(
            format!(
                "{head} come back to Pen if they carry mark {mark}; whether the packet \
                 filter sets it cannot be seen by this user"
            ),
            Some("nft list ruleset".to_owned()),
        ),
        (Back::Marked(mark), Some(false)) => wrong(
            format!("{head} would come back with mark {mark}, which nothing sets"),
            format!(
                "nft add table inet pen && nft add chain inet pen answers '{{ type filter hook \
                 prerouting priority mangle; policy accept; }}' && nft add rule inet pen answers \
                 iifname \"{interface}\" socket transparent 1 meta mark set {mark}"
            ),
        ),
        (Back::Filtered, _) => wrong(
            format!("{head} are thrown away by rp_filter at {interface}"),
            format!("sysctl -w net.ipv4.conf.{interface}.rp_filter=2"),
        ),
        (Back::Elsewhere, _) => wrong(
            format!(
                "{head} do not come back to Pen: nothing delivers them here (docs/transparent.md)"
            ),
            format!(
                "ip {family}rule add iif {interface} lookup 100 && ip {family}route add local default \
                 dev lo table 100"
            ),
        ),
    }
}

#[cfg(test)]
mod tests;
