//! TLS: the only folder that names rustls.
//!
//! What is published to the workers is here: a [`Terminator`] turns the clients of a service into
//! TLS clients, [`Dialers`] say which servers are spoken to in TLS. A connection keeps what it
//! started with. Sessions are in `session`, what is told of them in `facts`, what is read from files
//! for clients in `material`, for servers in `outward`. Deliberately not here: settings and their
//! words (pen-core), and when which bytes move (`engine`, `worker`).

mod facts;
mod fault;
pub mod material;
pub mod outward;
mod session;
mod system;
#[cfg(test)]
pub mod testing;

use std::sync::Arc;

use pen_core::servers::ServerRef;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};

pub use fault::Trouble;
pub use session::{Session, Wire};

/// What makes the clients of a service TLS clients.
#[derive(Clone, Debug)]
pub struct Terminator {
    /// Certificates, versions, ciphers, tickets.
    pub config: Arc<ServerConfig>,
}

/// How one server is spoken to in TLS.
#[derive(Clone, Debug)]
pub struct Dialer {
    /// Roots, versions, ciphers, sessions to resume.
    pub config: Arc<ClientConfig>,
    /// The name its certificate must have, sent as SNI.
    pub name: ServerName<'static>,
}

/// The servers of a service that are spoken to in TLS; one that is not in it is plain.
#[derive(Clone, Debug, Default)]
pub struct Dialers {
    /// By slot of the table; may be shorter than the table.
    pub servers: Vec<Option<Arc<Dialer>>>,
    /// The emergency server's.
    pub emergency: Option<Arc<Dialer>>,
    /// The abuse server's.
    pub abuse: Option<Arc<Dialer>>,
}

impl Dialers {
    /// How `server` is spoken to; `None` is plain.
    pub fn of(&self, server: ServerRef) -> Option<&Arc<Dialer>> {
        match server {
            ServerRef::Regular(n) => self.servers.get(usize::try_from(n).ok()?)?.as_ref(),
            ServerRef::Emergency => self.emergency.as_ref(),
            ServerRef::Abuse => self.abuse.as_ref(),
        }
    }
}
