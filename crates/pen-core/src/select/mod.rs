//! Choosing the first server for a client. One file per algorithm; failover is in `journey`.
//!
//! Order: remembered server (unless round robin), prio, weight, hash, round robin.

pub mod hash;
pub mod prio;
pub mod roundrobin;
pub mod weight;

use std::cell::OnceCell;
use std::net::IpAddr;

use crate::acl::{Countries, CountryCode};
use crate::addr::Peer;
use crate::moment::Moment;
use crate::service::Live;

pub use roundrobin::Cursor;

#[cfg(test)]
mod tests;

/// Who asks.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// Address and port.
    pub peer: Peer,
    /// The slot of the server it used last.
    pub remembered: Option<u32>,
    /// Where it comes from, once an access list wanted to know.
    country: OnceCell<Option<CountryCode>>,
}

impl Visitor {
    /// The client at `peer`, which used the server in slot `remembered` last.
    #[must_use]
    pub fn new(peer: Peer, remembered: Option<u32>) -> Self {
        Self { peer, remembered, country: OnceCell::new() }
    }

    /// The country of the visitor, whose address is `ip`. The first answer stays.
    pub(crate) fn country(
        &self,
        ip: IpAddr,
        countries: Option<&dyn Countries>,
    ) -> Option<CountryCode> {
        *self.country.get_or_init(|| countries?.country(ip))
    }
}

/// The slot to try first, or `None` if there is no candidate (then the emergency server is next).
/// A remembered server is answered whether it is available or not, as long as its slot is set; the
/// algorithms answer available servers only.
#[must_use]
pub fn first(live: &Live, cursor: &Cursor, visitor: &Visitor, now: Moment) -> Option<u32> {
    let mode = live.config.mode;
    if let Some(slot) = remembered(live, visitor).filter(|_| !mode.roundrobin) {
        return Some(slot);
    }
    let available = |n| available(live, n, now);
    if mode.prio {
        prio::choose(&live.servers, available)
    } else if mode.weight {
        weight::choose(&live.servers, available)
    } else if mode.hash {
        live.hash.choose(visitor.peer, mode.roundrobin, available)
    } else {
        cursor.advance(live.servers.len(), available)
    }
}

/// The slot of the server the visitor used last, if clients are remembered and it is still set.
#[must_use]
pub fn remembered(live: &Live, visitor: &Visitor) -> Option<u32> {
    visitor
        .remembered
        .filter(|_| !live.config.mode.forgetful)
        .filter(|&slot| live.servers.get(slot as usize).is_some_and(|s| s.is_set()))
}

/// Whether slot `n` may be proposed: it is set and not blacklisted. Limits and access lists are
/// looked at when it is tried.
#[must_use]
pub fn available(live: &Live, n: usize, now: Moment) -> bool {
    live.servers
        .get(n)
        .is_some_and(|s| s.is_set() && !s.load.blacklisted(now, live.config.blacklist_s))
}
