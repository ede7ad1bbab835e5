//! Names for tests.

use std::net::{IpAddr, Ipv4Addr};

use crate::addr::Names;

/// Knows a few names.
pub(crate) struct Table;

impl Names for Table {
    fn port(&self, service: &str) -> Option<u16> {
        match service {
            "smtp" => Some(25),
            "http" => Some(80),
            _ => None,
        }
    }

    fn host(&self, name: &str) -> Result<IpAddr, String> {
        match name {
            "localhost" => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            "web.example" => Ok(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
            _ => Err("unknown host".to_owned()),
        }
    }
}
