//! Routes: where a service sends clients by what their TLS hello says, without decrypting anything.
//!
//! Precedence: the exact name, the wildcard with the longest rest, the first route in the order of
//! the settings whose protocol the client offers, the default. Here are the settings and their words;
//! what traffic looks into is in `table`, whether the routes of all services fit together in
//! `fitting`.

mod fitting;
mod hop;
mod table;

#[cfg(test)]
mod tests;

use std::fmt;

use crate::config::ServiceConfig;
use crate::limits;

pub use fitting::fault;
pub use hop::{Hop, hop};
pub use table::{Row, Table};

/// One route of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Which clients it is for; a service has one route at most for each.
    pub when: When,
    /// Where they go.
    pub to: To,
}

/// Which clients a route is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// Those that ask for this name: lower case, no dot at the end. `*.` at the beginning stands for
    /// one or more labels.
    Sni(String),
    /// Those that offer this protocol.
    Alpn(String),
    /// All others, and those that do not speak TLS.
    Default,
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// Another service, as if the client had come to it.
    Service(String),
    /// This server of the service's own table, and no other.
    Server(u32),
    /// To this service, as if it had no routes.
    Here,
    /// Nowhere.
    Close,
}

/// The services that the routes of a service lead to.
pub fn targets(service: &ServiceConfig) -> impl Iterator<Item = &str> {
    service.routes.iter().filter_map(|route| match &route.to {
        To::Service(name) => Some(name.as_str()),
        To::Server(_) | To::Here | To::Close => None,
    })
}

/// A host name as it is compared: lower case, no dot at the end.
///
/// # Errors
/// Why it is none.
pub fn host_name(text: &str) -> Result<String, &'static str> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if name.len() > limits::DOMAIN_MAX {
        Err("is longer than a host name can be")
    } else if !name.split('.').all(|label| !label.is_empty() && label.bytes().all(valid)) {
        Err("is no host name; international names are written as xn--...")
    } else {
        Ok(name.to_ascii_lowercase())
    }
}

impl When {
    /// A name as `route sni` takes it.
    ///
    /// # Errors
    /// Why it is none.
    pub fn sni(text: &str) -> Result<Self, &'static str> {
        match text.strip_prefix("*.") {
            Some(rest) if rest.contains('*') => Err("has more than one '*'"),
            Some(rest) => host_name(rest).map(|rest| Self::Sni(format!("*.{rest}"))),
            None if text.contains('*') => Err("has a '*' elsewhere than as its first label"),
            None => host_name(text).map(Self::Sni),
        }
    }

    /// A protocol as `route alpn` takes it.
    ///
    /// # Errors
    /// Why it is none.
    pub fn alpn(text: &str) -> Result<Self, &'static str> {
        if text.len() > usize::from(u8::MAX) {
            return Err("is longer than the name of a protocol can be");
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("has letters that the names of protocols do not have");
        }
        Ok(Self::Alpn(text.to_owned()))
    }

    /// `sni`, `alpn` or `default`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sni(_) => "sni",
            Self::Alpn(_) => "alpn",
            Self::Default => "default",
        }
    }

    /// The name or protocol; there is none for the default.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Sni(name) | Self::Alpn(name) => Some(name),
            Self::Default => None,
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} {name}", self.kind()),
            None => f.write_str(self.kind()),
        }
    }
}

impl fmt::Display for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(name) => write!(f, "service {name}"),
            Self::Server(n) => write!(f, "server {n}"),
            Self::Here => f.write_str("here"),
            Self::Close => f.write_str("close"),
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.when, self.to)
    }
}
