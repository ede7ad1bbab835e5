//! Listening addresses that the machine does not have (`freebind`).

use std::io;

use pen_core::addr::Place;
use pen_core::config::ServiceConfig;
use pen_sys::sockets;

use super::Gate;

/// Why an address cannot be had.
pub(super) fn refused(text: &str, why: &io::Error) -> String {
    let hint = match why.kind() {
        io::ErrorKind::AddrNotAvailable => {
            "; no interface has it, and if it is to come later: 'freebind'"
        }
        _ => "",
    };
    format!("cannot listen on {text}: {why}{hint}")
}

/// What is said of a gate whose address the machine does not have yet (`freebind`).
#[must_use]
pub fn absent(gate: &Gate, service: &ServiceConfig) -> Option<String> {
    let Place::Tcp(address) = &gate.place else { return None };
    let absent = service.sockets.freebind
        && !address.ip().is_unspecified()
        && !sockets::is_ours(address.ip());
    absent.then(|| {
        format!(
            "service {}: no interface has the address of {} yet; clients are served as soon as one \
             has it (freebind)",
            service.name, gate.place
        )
    })
}
