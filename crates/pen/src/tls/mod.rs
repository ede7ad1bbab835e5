//! TLS: the only folder that names rustls.
//!
//! What is published to the workers is here: a [`Terminator`] turns the clients of a service into
//! TLS clients, [`Dialers`] say which servers are spoken to in TLS. A connection keeps what it
//! started with. Sessions are in `session`, what is told of them in `facts`, what is read from files
//! for clients in `material`, for servers in `outward`. A Pen that is built without TLS has `absent` in
//! their place. Deliberately not here: settings and their words (pen-core), and when which bytes move
//! (`engine`, `worker`).

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod facts;
#[cfg(feature = "tls")]
mod fault;
#[cfg(feature = "tls")]
mod material;
#[cfg(feature = "tls")]
mod outward;
#[cfg(feature = "tls")]
mod session;
#[cfg(feature = "tls")]
mod system;
#[cfg(test)]
#[cfg(feature = "tls")]
pub mod testing;

use std::sync::Arc;

use pen_core::reasons::TlsFault;
use pen_core::servers::ServerRef;

#[cfg(not(feature = "tls"))]
pub use absent::{Calendar, Dialer, Outward, Session, Terminator, Vault, Wire};
#[cfg(feature = "tls")]
pub use material::{Calendar, Vault};
#[cfg(feature = "tls")]
pub use outward::{Dialer, Outward};
#[cfg(feature = "tls")]
pub use session::{Session, Terminator, Wire};

/// What went wrong in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// To be counted.
    pub fault: TlsFault,
    /// For the operator.
    pub detail: String,
}

impl Trouble {
    /// Trouble that Pen found itself.
    pub fn new(fault: TlsFault, detail: &str) -> Self {
        Self { fault, detail: detail.to_owned() }
    }

    /// The other side went away in the middle.
    pub fn left() -> Self {
        Self::new(TlsFault::Left, "the connection ended in the middle")
    }
}

/// What the operator should know of certificates that were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What is new.
    pub news: Vec<String>,
    /// What is not right.
    pub warnings: Vec<String>,
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
