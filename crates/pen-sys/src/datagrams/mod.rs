//! Datagrams: sockets that take many senders, and many datagrams per system call.
//!
//! Everything opened here is non-blocking and close-on-exec from its first moment. What the kernel
//! offers beyond plain datagrams (joined datagrams, larger buffers, the address a datagram was sent
//! to) is used where it is there and done without where it is not.
//! Deliberately not here: who is whose client or server, and what to do about errors.

mod address;
mod errors;
mod receive;
mod send;
mod socket;

pub use errors::{Bounce, next_bounce};
pub use receive::{Inbox, Received};
pub use send::{Letter, Outbox};
pub use socket::{Origin, any, dropped, furnish, listener, local_port, probe};

use std::net::IpAddr;

/// One of this machine's addresses, to which a datagram came or from which it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Local {
    /// The address, as the socket's family shows it.
    pub ip: IpAddr,
    /// The interface, where it is part of the address (IPv6 link-local), else 0.
    pub interface: u32,
}

#[cfg(test)]
mod tests;
