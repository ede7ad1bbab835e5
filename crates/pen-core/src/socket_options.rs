//! What the sockets of a service are asked for beside moving bytes.
//!
//! Plain data: the daemon asks the kernel, says what is refused, and goes on without it.

use std::fmt;

/// Options of a service's sockets; the default leaves everything to the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SocketOptions {
    /// The kernel probes quiet connections, on both sides.
    pub keepalive: Option<Keepalive>,
    /// Seconds for which a client that says nothing is not accepted; 0 = it is, at once.
    pub defer_accept_s: u32,
    /// Seconds that bytes may stay unacknowledged, on both sides; 0 = as the kernel has it.
    pub user_timeout_s: u32,
    /// Bytes of receive buffers, on both sides; 0 = the kernel's, which grow.
    pub rcvbuf: u32,
    /// Bytes of send buffers, on both sides; 0 = the kernel's, which grow.
    pub sndbuf: u32,
    /// The name of a congestion control, for both sides; `None` = the kernel's.
    pub congestion: Option<String>,
    /// Listeners speak Multipath TCP.
    pub mptcp: bool,
    /// Listeners of TCP and UDP may have addresses that the machine does not have yet.
    pub freebind: bool,
}

/// When and how often a quiet connection is probed; `None` is the kernel's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keepalive {
    /// Seconds of silence before the first probe.
    pub idle_s: Option<u32>,
    /// Seconds between probes.
    pub interval_s: Option<u32>,
    /// Probes without an answer after which the connection is dead.
    pub count: Option<u32>,
}

impl fmt::Display for Keepalive {
    /// The arguments of the command, each with a blank before it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (word, value) in
            [("idle", self.idle_s), ("interval", self.interval_s), ("count", self.count)]
        {
            if let Some(value) = value {
                write!(f, " {word} {value}")?;
            }
        }
        Ok(())
    }
}
