//! Defects on demand, for tests of what becomes of them. Not part of a release.
//!
//! `PEN_TEST_FAULT` has a word and the address of the clients who meet it:
//!
//! | Word | What happens |
//! |---|---|
//! | `panic-accept` | a panic when a client has its number and its server, before it is a connection |
//! | `panic-choice` | a panic when a place at a server is taken and nobody keeps it yet |
//! | `panic-timer` | a panic when a connection or a flow has timed out |
//! | `panic-begin` | a panic when a flow that begins has all that it needs |
//! | `panic-datagram` | a panic at a datagram of a client |
//! | `panic-answer` | a panic at an answer to a client |
//! | `panic-send` | a panic while a datagram is sent to a client, or to a server, with that address |
//! | `panic-early` | a panic at an event before bytes move |
//! | `panic-open` | a panic at an event of an open connection |
//! | `panic-ending` | a panic while a connection or a flow is ended |
//! | `stall` | an event of an open connection never ends |
//! | `panic-order` | a panic while a line of a control session that names the address is read |
//! | `panic-report` | a panic in `explain` about that client |
//! | `panic-check`, `panic-swap` | a panic while settings that have a server at the address are looked at; while they become true |
//! | `panic-frame` | a panic at a frame from there (IPv4, without VLAN tags) |
//! | `stall-frame` | a frame from there keeps its thread for ever (IPv4, without VLAN tags) |

use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use pen_core::addr::ClientAddr;
use pen_core::command::Report;
use pen_core::config::Config;

use super::conn::{Conn, Phase};

/// What happens, and to whom.
type Fault = (String, ClientAddr);

fn fault() -> Option<&'static Fault> {
    static FAULT: OnceLock<Option<Fault>> = OnceLock::new();
    let read = || {
        let text = std::env::var("PEN_TEST_FAULT").ok()?;
        let (word, address) = text.split_once(' ')?;
        Some((word.to_owned(), ClientAddr::from_ip(address.parse::<IpAddr>().ok()?)))
    };
    FAULT.get_or_init(read).as_ref()
}

fn word_for(client: Option<ClientAddr>) -> Option<&'static str> {
    fault().filter(|(_, victim)| Some(*victim) == client).map(|(word, _)| word.as_str())
}

fn meant(conn: &Conn) -> Option<&'static str> {
    word_for(Some(conn.visitor.peer.addr))
}

/// At an event of a connection.
pub(super) fn at_event(conn: &Conn) {
    let open = conn.phase == Phase::Open;
    match meant(conn) {
        Some("panic-early") if !open => panic!("a defect on demand, before bytes move"),
        Some("panic-open") if open => panic!("a defect on demand"),
        Some("stall") if open => stall(),
        _ => {}
    }
}

fn stall() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn meets(client: ClientAddr, fault: &str) {
    assert_ne!(word_for(Some(client)), Some(fault), "a defect on demand");
}

/// When a flow that begins has all that it needs.
pub(super) fn at_beginning(client: ClientAddr) {
    meets(client, "panic-begin");
}

/// At a datagram of a flow's client.
pub(super) fn at_datagram(client: SocketAddr) {
    meets(ClientAddr::from_ip(client.ip()), "panic-datagram");
}

/// At an answer of a flow's server.
pub(super) fn at_answer(client: ClientAddr) {
    meets(client, "panic-answer");
}

/// When a datagram is sent to there.
pub(super) fn at_send(to: SocketAddr) {
    meets(ClientAddr::from_ip(to.ip()), "panic-send");
}

/// When a flow has timed out.
pub(super) fn at_flow_timer(client: ClientAddr) {
    meets(client, "panic-timer");
}

/// While a flow is ended.
pub(super) fn at_flow_end(client: ClientAddr) {
    meets(client, "panic-ending");
}

/// At a line of a control session.
pub fn at_order(line: &str) {
    let named = fault().filter(|(_, victim)| line.contains(&victim.to_string()));
    assert!(named.is_none_or(|(word, _)| word != "panic-order"), "a defect on demand, at an order");
}

/// At a report.
pub fn at_report(report: &Report) {
    if let Report::Explain(question) = report {
        meets(question.client, "panic-report");
    }
}

/// When settings are looked at, or become true.
pub fn at_settings(config: &Config, fault: &str) {
    let servers = config.services.iter().flat_map(|s| &s.servers);
    servers.filter_map(|s| s.host.ip()).for_each(|ip| meets(ClientAddr::from_ip(ip), fault));
}

/// At a frame of direct server return.
pub fn at_frame(bytes: &[u8]) {
    let from = bytes.get(26..).and_then(|rest| rest.first_chunk::<4>());
    let from = from.map(|octets| ClientAddr::from_ip(IpAddr::from(*octets)));
    match word_for(from) {
        Some("stall-frame") => stall(),
        Some("panic-frame") => panic!("a defect on demand, at a frame"),
        _ => {}
    }
}

/// When a server is chosen.
pub(super) fn at_choice(conn: &Conn) {
    assert_ne!(meant(conn), Some("panic-choice"), "a defect on demand, at the choice");
}

/// When a client that was accepted holds all that it gets before it is in the tables.
pub(super) fn at_accept(conn: &Conn) {
    assert_ne!(meant(conn), Some("panic-accept"), "a defect on demand, at the beginning");
}

/// When a connection has timed out.
pub(super) fn at_timer(conn: &Conn) {
    assert_ne!(meant(conn), Some("panic-timer"), "a defect on demand, at a timer");
}

/// While a connection is ended.
pub(super) fn at_end(conn: &Conn) {
    assert_ne!(meant(conn), Some("panic-ending"), "a defect on demand, at the end");
}
