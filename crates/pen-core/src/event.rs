//! Events: what the operator should know of, each with a stable key and stable fields, as one line for
//! programs and people.
//!
//! An [`Event`] is told by whoever notices it; the [`Limiter`] holds back what repeats, the [`Ring`]
//! numbers and keeps the newest, a [`Occurrence`] prints itself as text or JSON. The closed lists of keys
//! and details are in `keys`, and `docs/logs.md` explains each one (a test keeps it complete).
//! Deliberately not here: who tells what, and where lines go.

mod keys;
mod limiter;
mod line;
mod ring;
#[cfg(test)]
mod tests;

use crate::servers::ServerRef;

pub use keys::{Detail, EventKey, Severity};
pub use limiter::{Due, Limiter, Verdict};
pub use line::{Occurrence, lost_json, lost_line};
pub use ring::{Ring, Since};

/// What an event is about; what repeats is told apart by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    /// What happened.
    pub key: EventKey,
    /// At which service.
    pub service: Option<&'a str>,
    /// At which server of it.
    pub server: Option<ServerRef>,
    /// Why, one word of a closed list.
    pub cause: Option<&'static str>,
}

impl<'a> Subject<'a> {
    /// An event of the process.
    #[must_use]
    pub fn new(key: EventKey) -> Self {
        Self { key, service: None, server: None, cause: None }
    }

    /// At a service.
    #[must_use]
    pub fn at(self, service: &'a str) -> Self {
        Self { service: Some(service), ..self }
    }

    /// At a server of the service.
    #[must_use]
    pub fn server(self, server: ServerRef) -> Self {
        Self { server: Some(server), ..self }
    }

    /// Why.
    #[must_use]
    pub fn because(self, cause: &'static str) -> Self {
        Self { cause: Some(cause), ..self }
    }

    /// An event about this, of which no more is known.
    #[must_use]
    pub fn event(self) -> Event {
        Event {
            key: self.key,
            service: self.service.map(str::to_owned),
            server: self.server,
            cause: self.cause,
            address: None,
            details: Vec::new(),
            text: String::new(),
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub key: EventKey,
    /// At which service.
    pub service: Option<String>,
    /// At which server.
    pub server: Option<ServerRef>,
    /// The address it is about: of the server, of the listener.
    pub address: Option<String>,
    /// Why, one word of a closed list.
    pub cause: Option<&'static str>,
    /// What else there is to know.
    pub details: Vec<(Detail, Value)>,
    /// A sentence for people.
    pub text: String,
}

/// The value of a detail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Number(u64),
    /// Any text.
    Text(String),
}

impl From<u64> for Value {
    fn from(n: u64) -> Self {
        Self::Number(n)
    }
}

impl From<u32> for Value {
    fn from(n: u32) -> Self {
        Self::Number(n.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl Event {
    /// With the address it is about.
    #[must_use]
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// With a detail.
    #[must_use]
    pub fn with(mut self, detail: Detail, value: impl Into<Value>) -> Self {
        self.details.push((detail, value.into()));
        self
    }

    /// With a sentence for people.
    #[must_use]
    pub fn saying(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }
}
