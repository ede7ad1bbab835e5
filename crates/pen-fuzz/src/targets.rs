//! The targets, by what they read.

mod acl;
mod choosing;
mod clients;
mod commands;
mod flows;
mod hello;
mod http;
mod includes;
mod logs;
mod maglev;
mod packets;
mod replies;
mod requests;
mod routes;
mod segments;
mod session;
mod state_file;
mod succession;
mod web;
mod words;

use crate::Target;

pub use segments::frames;

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "ethernet", run: packets::ethernet, seeds: packets::frames },
    Target { name: "arp", run: packets::arp, seeds: packets::arps },
    Target { name: "ipv4", run: packets::ipv4, seeds: packets::ipv4s },
    Target { name: "ipv6", run: packets::ipv6, seeds: packets::ipv6s },
    Target { name: "tcp", run: packets::tcp, seeds: packets::segments },
    Target { name: "udp", run: packets::udp, seeds: packets::datagrams },
    Target { name: "icmp", run: packets::icmp, seeds: packets::errors },
    Target { name: "ndp", run: packets::ndp, seeds: packets::neighbours },
    Target { name: "dsr", run: segments::dsr, seeds: segments::services },
    Target { name: "tarpit", run: segments::tarpit, seeds: segments::tarpits },
    Target { name: "flows", run: flows::run, seeds: flows::seeds },
    Target { name: "hello", run: hello::run, seeds: hello::seeds },
    Target { name: "routes", run: routes::run, seeds: routes::seeds },
    Target { name: "http", run: http::run, seeds: http::seeds },
    Target { name: "replies", run: replies::run, seeds: replies::seeds },
    Target { name: "requests", run: requests::run, seeds: requests::seeds },
    Target { name: "acl", run: acl::run, seeds: acl::seeds },
    Target { name: "clients", run: clients::run, seeds: clients::seeds },
    Target { name: "maglev", run: maglev::run, seeds: maglev::seeds },
    Target { name: "commands", run: commands::run, seeds: commands::seeds },
    Target { name: "logs", run: logs::run, seeds: logs::seeds },
    Target { name: "state_file", run: state_file::run, seeds: state_file::seeds },
    Target { name: "web", run: web::run, seeds: web::seeds },
    Target { name: "session", run: session::run, seeds: session::seeds },
    Target { name: "includes", run: includes::run, seeds: includes::seeds },
    Target { name: "words", run: words::run, seeds: words::seeds },
    Target { name: "succession", run: succession::run, seeds: succession::seeds },
    Target { name: "choosing", run: choosing::run, seeds: choosing::seeds },
];

/// Seeds with names.
fn named<const N: usize>(all: [(&str, Vec<u8>); N]) -> Vec<(String, Vec<u8>)> {
    all.map(|(name, bytes)| (name.to_owned(), bytes)).into()
}
