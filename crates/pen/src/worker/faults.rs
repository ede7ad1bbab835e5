//! Defects on demand, for tests of what becomes of them. Not part of a release.
//!
//! `PEN_TEST_FAULT` has a word and the address of the clients who meet it:
//!
//! | Word | What happens |
//! |---|---|
//! | `panic-accept` | a panic when a client has its number and its server, before it is a connection |
//! | `panic-timer` | a panic when a connection has timed out |
//! | `panic-early` | a panic at an event before bytes move |
//! | `panic-open` | a panic at an event of an open connection |
//! | `panic-ending` | a panic while a connection is ended |
//! | `stall` | an event of an open connection never ends |
//! | `stall-frame` | a frame from there keeps its thread for ever (IPv4, without VLAN tags) |

use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

use pen_core::addr::ClientAddr;

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

/// At a frame of direct server return.
pub fn at_frame(bytes: &[u8]) {
    let from = bytes.get(26..).and_then(|rest| rest.first_chunk::<4>());
    let from = from.map(|octets| ClientAddr::from_ip(IpAddr::from(*octets)));
    if word_for(from) == Some("stall-frame") {
        stall();
    }
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
