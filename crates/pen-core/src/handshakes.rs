//! Unfinished TLS handshakes by client: nobody may keep more than a share of them open.
//!
//! A client is an IPv4 address, a /64 network of IPv6 (one user has at least that), or all Unix
//! clients together. Rows exist only while a handshake is unfinished.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::addr::ClientAddr;

/// The table.
#[derive(Debug, Default)]
pub struct Handshakes {
    unfinished: BTreeMap<Option<IpAddr>, u32>,
}

impl Handshakes {
    /// A client begins one, unless it has `max` unfinished ones.
    pub fn begin(&mut self, client: ClientAddr, max: u32) -> bool {
        let count = self.unfinished.entry(key(client)).or_default();
        let admitted = *count < max;
        if admitted {
            *count += 1;
        } else if *count == 0 {
            self.unfinished.remove(&key(client));
        }
        admitted
    }

    /// One that was begun is over.
    pub fn end(&mut self, client: ClientAddr) {
        let Some(count) = self.unfinished.get_mut(&key(client)) else {
            debug_assert!(false, "a handshake ended that was not begun");
            return;
        };
        *count -= 1;
        if *count == 0 {
            self.unfinished.remove(&key(client));
        }
    }
}

fn key(client: ClientAddr) -> Option<IpAddr> {
    client.network(32, 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(ip: &str) -> ClientAddr {
        ClientAddr::from_ip(ip.parse().unwrap())
    }

    #[test]
    fn a_client_has_its_share_and_no_row_afterwards() {
        let mut table = Handshakes::default();
        for ip in ["10.0.0.1", "10.0.0.2"] {
            assert!(table.begin(client(ip), 2) && table.begin(client(ip), 2));
            assert!(!table.begin(client(ip), 2));
        }
        table.end(client("10.0.0.1"));
        assert!(table.begin(client("10.0.0.1"), 2));
        for ip in ["10.0.0.1", "10.0.0.2"] {
            table.end(client(ip));
            table.end(client(ip));
        }
        assert!(!table.begin(client("10.0.0.3"), 0));
        assert!(table.unfinished.is_empty());
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let mut table = Handshakes::default();
        assert!(table.begin(client("2001:db8::1"), 1));
        assert!(!table.begin(client("2001:db8::ffff:1"), 1));
        assert!(table.begin(client("2001:db8:0:1::1"), 1));
        table.end(client("2001:db8::2"));
        assert!(table.begin(client("2001:db8::3"), 1));
    }
}
