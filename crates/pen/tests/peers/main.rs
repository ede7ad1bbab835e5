//! Scenarios with real programs: nginx, Apache and curl, redis, socat, Prometheus, the classic pen and its log tools;
//! over TLS openssl, h2load, Python; over UDP unbound, dig, dnsperf, rsyslog, SIPp.
//!
//! They run only with `PEN_PEERS=1` (`.ci/run` sets it); then a missing program is a failure.
//! Without it each says that it was skipped, so that `cargo test` needs nothing but Rust.
#![forbid(unsafe_code)]

mod classic;
mod collector;
mod datagrams;
mod interactive;
mod passthrough;
mod prometheus;
mod redis;
mod secure;
mod web;
mod weblogs;

use std::path::PathBuf;
use std::process::Command;

use pen_test::{Place, Program, Scratch, Wire, until};

/// Where the program is, or nothing when real programs are not asked for.
///
/// # Panics
/// When they are asked for and this one is missing.
fn find(name: &str) -> Option<PathBuf> {
    if std::env::var_os("PEN_PEERS").is_none() {
        eprintln!("skipped: PEN_PEERS is not set, {name} is not looked for");
        return None;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    places.push("/usr/sbin".into());
    let found = places.into_iter().map(|dir| dir.join(name)).find(|p| p.is_file());
    assert!(found.is_some(), "PEN_PEERS is set but {name} is not installed");
    found
}

/// A real server that runs until it is dropped.
struct Real {
    program: Program,
    place: Place,
    scratch: Scratch,
}

impl Real {
    /// Starts `command` and waits until it listens at `place`.
    fn start(command: Command, place: Place, scratch: Scratch) -> Self {
        let program = Program::start(command, &scratch);
        let mut real = Self { program, place, scratch };
        until("a real server to listen", || {
            let ended = real.program.ended();
            assert_eq!(ended, None, "it ended: {}", real.program.stderr());
            Wire::connect(&real.place).ok()
        });
        real
    }
}
