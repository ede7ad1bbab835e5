//! Every listener of the process by name: what is handed over to the process that takes its place, and
//! what the service manager keeps over a restart.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use pen_core::addr::Place;
use pen_core::config::Protocol;

use super::{Door, Gates};

/// A listener.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Sockets of one address have the same one; those of different addresses never.
    pub name: String,
    /// The socket.
    pub socket: Arc<OwnedFd>,
}

/// Those of services, each socket once.
#[must_use]
pub fn of(gates: &Gates) -> Vec<Kept> {
    let mut kept = Vec::new();
    for gate in gates.values().flatten() {
        let mut doors: Vec<&Door> = gate.doors.iter().collect();
        doors.sort_by_key(|d| d.id);
        doors.dedup_by_key(|d| d.id);
        let name = name(gate.protocol, &gate.place);
        let of_door = |d: &&Door| Kept { name: name.clone(), socket: Arc::clone(&d.socket) };
        kept.extend(doors.iter().map(of_door));
    }
    kept
}

/// The name of the listeners at `place`. It has no colon, which service managers put between names,
/// and nothing that is not plain text.
#[must_use]
pub fn name(protocol: Protocol, place: &Place) -> String {
    let (kind, place) = match (protocol, place) {
        (Protocol::Tcp, Place::Tcp(_)) => ("tcp", place.to_string()),
        (Protocol::Udp, _) => ("udp", place.to_string()),
        (Protocol::Tcp, Place::Unix(_)) => ("unix", place.to_string()),
    };
    let mut name = format!("{kind}=");
    for byte in place.bytes() {
        match byte {
            b':' => name.push('_'),
            b'_' | b'%' | 0..=b' ' | 0x7f.. => name += &format!("%{byte:02x}"),
            plain => name.push(char::from(plain)),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_places_apart_and_have_no_colon() {
        let ip = |text: &str| Place::Tcp(text.parse().unwrap());
        let unix = |text: &str| Place::Unix(text.into());
        let rows = [
            (Protocol::Tcp, ip("127.0.0.1:80"), "tcp=127.0.0.1_80"),
            (Protocol::Udp, ip("[::1]:53"), "udp=[__1]_53"),
            (Protocol::Tcp, unix("/run/a:b"), "unix=/run/a_b"),
            (Protocol::Tcp, unix("/run/a_b c%"), "unix=/run/a%5fb%20c%25"),
            (Protocol::Tcp, unix("/run/\u{e9}"), "unix=/run/%c3%a9"),
        ];
        for (protocol, place, expected) in rows {
            assert_eq!(name(protocol, &place), expected);
        }
    }
}
