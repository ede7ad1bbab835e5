//! The socket options of a service, from its settings to the kernel's words.
//!
//! [`check`] tries them on a socket before they become true: what nobody could serve with is an
//! error, what is refused or cut is a warning, and the service goes on without it.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd};

use pen_core::addr::Place;
use pen_core::config::{Config, ServiceConfig};
use pen_sys::sockets::{self, Options, Probes, Refused, Transport};
use rustix::net::listen;

use crate::listeners::Gate;

/// What sockets of `service` are asked for.
#[must_use]
pub fn of(service: &ServiceConfig) -> Options<'_> {
    let wanted = &service.sockets;
    let some = |n: u32| (n > 0).then_some(n);
    let bytes = |n: u32| some(n).and_then(|n| usize::try_from(n).ok());
    Options {
        nodelay: service.tcp_nodelay,
        keepalive: wanted.keepalive.map(|k| Probes {
            idle_s: k.idle_s,
            interval_s: k.interval_s,
            count: k.count,
        }),
        user_timeout_ms: some(wanted.user_timeout_s).map(|s| s.saturating_mul(1_000)),
        receive_buffer: bytes(wanted.rcvbuf),
        send_buffer: bytes(wanted.sndbuf),
        congestion: wanted.congestion.as_deref(),
        bytes_follow: false,
    }
}

/// What carries the streams of listeners; TCP where the kernel has no Multipath TCP.
#[must_use]
pub fn transport(multipath: bool) -> Transport {
    match multipath && sockets::lacks(Transport::Multipath).is_none() {
        true => Transport::Multipath,
        false => Transport::Tcp,
    }
}

/// Tries the options of all services of `new` that differ from `old`. Answers warnings.
///
/// # Errors
/// A sentence for the operator: a congestion control that the kernel does not offer.
pub fn check(old: &Config, new: &Config) -> Result<Vec<String>, String> {
    let mut warnings = Vec::new();
    for service in &new.services {
        if old.service(&service.name).is_none_or(|o| o.sockets != service.sockets) {
            warnings.extend(check_one(service)?);
        }
    }
    Ok(warnings)
}

fn check_one(service: &ServiceConfig) -> Result<Vec<String>, String> {
    let options = of(service);
    // Without a socket to try them on they will have to show.
    let Ok((refused, receive, send)) = sockets::try_on(&options) else { return Ok(Vec::new()) };
    let name = &service.name;
    if let (Some(wanted), true) =
        (options.congestion, refused.iter().any(|r| r.option == "TCP_CONGESTION"))
    {
        let offered = offered();
        return Err(format!(
            "service {name}: congestion {wanted}: the kernel does not offer it to this user; it \
             offers {offered}"
        ));
    }
    let mut warnings: Vec<String> = refused.iter().map(|r| refusal(service, r)).collect();
    let mut cut = |word: &str, wanted: Option<usize>, got: usize, knob: &str| {
        if let Some(wanted) = wanted.filter(|w| *w > got) {
            warnings
                .push(format!("service {name}: {word} {wanted}: the kernel gives {got} ({knob})"));
        }
    };
    cut("rcvbuf", options.receive_buffer, receive, "net.core.rmem_max");
    cut("sndbuf", options.send_buffer, send, "net.core.wmem_max");
    if service.sockets.mptcp
        && let Some(why) = sockets::lacks(Transport::Multipath)
    {
        warnings.push(format!(
            "service {name}: mptcp: this kernel offers no Multipath TCP ({why}); it listens with TCP"
        ));
    }
    Ok(warnings)
}

/// Gives a listening socket the options that accepted ones inherit. Answers what was refused.
pub fn dress(socket: BorrowedFd<'_>, service: &ServiceConfig) -> Vec<Refused> {
    sockets::dress_again(socket, &of(service), service.sockets.defer_accept_s)
}

/// Gives listening sockets the options that accepted ones inherit, and the length of their queue.
/// A socket that refuses an option still serves; that is told.
pub fn tune(gates: &[Gate], service: &ServiceConfig) -> Vec<String> {
    let mut refusals = Vec::new();
    let backlog = i32::try_from(service.backlog).unwrap_or(i32::MAX);
    let doors = gates.iter().flat_map(|g| g.doors.iter().map(move |d| (&g.place, d)));
    for (place, door) in doors {
        let socket = &*door.socket;
        if door.datagram {
            continue;
        }
        if matches!(place, Place::Tcp(_)) {
            let refused = dress(socket.as_fd(), service);
            refusals.extend(refused.iter().map(|r| refusal(service, r)));
        }
        let _ = listen(socket, backlog);
    }
    refusals
}

/// The sentence about an option that the kernel refused.
#[must_use]
pub fn refusal(service: &ServiceConfig, refused: &Refused) -> String {
    let Refused { option, error } = refused;
    format!(
        "service {}: the kernel refuses {option} ({error}); connections go on without it",
        service.name
    )
}

/// The congestion controls that this process may use.
fn offered() -> String {
    let list = match rustix::process::geteuid().is_root() {
        true => "tcp_available_congestion_control",
        false => "tcp_allowed_congestion_control",
    };
    let list = fs::read_to_string(format!("/proc/sys/net/ipv4/{list}"));
    list.map_or_else(
        |_| "others".to_owned(),
        |l| l.split_whitespace().collect::<Vec<_>>().join(", "),
    )
}

#[cfg(test)]
mod tests;
