//! What this Pen was built with, and settings that ask for more.
//!
//! The features `tls` and `web` of the crate are on by default. A setting that needs one that is off is refused
//! by name, at the start, by `--check` and while Pen runs: nothing is silently not done.

use std::fmt::Write;

use pen_core::cli::{self, Stop};
use pen_core::config::{Config, ServerConfig, ServiceConfig, Trust};

/// TLS with clients and servers.
pub const TLS: bool = cfg!(feature = "tls");
/// The web interface: page, probes and metrics.
const WEB: bool = cfg!(feature = "web");

/// What a Pen without TLS says to whoever wants it.
pub const NO_TLS: &str = "this Pen was built without TLS";
const NO_WEB: &str = "this Pen was built without its web interface";

/// The first thing in `config` that this Pen cannot do, as a sentence.
pub fn lacking(config: &Config) -> Option<String> {
    if !WEB && config.process.metrics.is_some() {
        return Some(format!("metrics: {NO_WEB}"));
    }
    if TLS {
        return None;
    }
    config.services.iter().find_map(|service| {
        let what = wants_tls(service)?;
        Some(format!("service {}: {what}: {NO_TLS}", service.name))
    })
}

/// Whose TLS a service wants.
fn wants_tls(service: &ServiceConfig) -> Option<String> {
    if service.tls.is_on() {
        return Some("a certificate (-E, ssl_certificate)".to_owned());
    }
    if let [word, ..] = service.tls.idle_words().as_slice() {
        return Some((*word).to_owned());
    }
    let wants = |server: &ServerConfig| server.tls.trust != Trust::Off;
    let number = service.servers.iter().position(wants).map(|n| format!("server {n} tls"));
    let outside = [&service.emergency, &service.abuse];
    number.or_else(|| outside.into_iter().flatten().any(wants).then(|| "server tls".to_owned()))
}

/// `--version` also tells what is not in this build.
pub fn told(mut stop: Stop) -> Stop {
    if stop.stdout == cli::version() {
        for (there, without) in [(TLS, NO_TLS), (WEB, NO_WEB)] {
            if !there {
                // Writing to a text cannot fail.
                let _ = writeln!(stop.stdout, "{without}");
            }
        }
    }
    stop
}
