//! Settings of direct server return and of the tarpit.

use std::net::IpAddr;

use crate::limits;

/// What a service does on the segment of its interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dsr {
    /// Frames are forwarded on this interface, and no connection is accepted.
    pub interface: Option<String>,
    /// The service address of listening addresses that are only a port.
    pub ip: Option<IpAddr>,
    /// The list of addresses that are a tarpit.
    pub tarpit_acl: Option<u8>,
    /// Addresses are asked for before the tarpit answers for them.
    pub tarpit_check: bool,
    /// Answers of the tarpit per second, at least 1.
    pub tarpit_rate: u32,
    /// Another machine answers for the service's addresses.
    pub standby: bool,
}

impl Default for Dsr {
    fn default() -> Self {
        Self {
            interface: None,
            ip: None,
            tarpit_acl: None,
            tarpit_check: true,
            tarpit_rate: limits::TARPIT_RATE_DEFAULT,
            standby: false,
        }
    }
}
