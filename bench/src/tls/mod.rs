//! TLS in the benchmark: the same certificate, version, group and cipher for everybody.
//!
//! The balancer ends TLS, the servers speak plainly. The client (rustls) offers one version, X25519
//! and AES-128-GCM and nothing else, so that nobody is compared with another algorithm, and it
//! verifies the certificate. What the load generator pays for that is in its own column.
//!
//! Not here: how bytes are checked (`load`) and what is said (`protocol`): both are as without TLS.

mod certificates;
mod clients;
mod idle;
mod session;
pub mod settings;
mod workloads;

pub use certificates::Certificates;
pub use clients::Clients;
pub use idle::{ask, open};
pub use session::Session;
pub use workloads::all;

/// The kind of key of the balancer's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// ECDSA with P-256.
    P256,
    /// RSA with 2048 bits.
    Rsa,
}

/// The version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 1.2
    V12,
    /// 1.3
    V13,
}

/// What TLS a subject is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Its certificate.
    pub key: Key,
    /// The only version clients offer.
    pub version: Version,
    /// Clients come back with their tickets, and a handshake that is not resumed counts as wrong.
    pub resumed: bool,
}

#[cfg(test)]
mod tests;
