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

/// What proposes the first server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The client used it last.
    Remembered,
    /// It has the lowest priority number.
    Prio,
    /// It is the least loaded for its weight.
    Weight,
    /// The client's address draws it.
    Hash,
    /// The client's address and port draw it.
    HashPort,
    /// It is its turn.
    Roundrobin,
}

/// The slot to try first, or `None` if there is no candidate (then the emergency server is next).
/// A remembered server is answered whether it is available or not, as long as its slot is set; the
/// algorithms answer available servers only.
#[must_use]
pub fn first(live: &Live, cursor: &Cursor, visitor: &Visitor, now: Moment) -> Option<u32> {
    let available = |n| available(live, n, now);
    match rule(live, visitor) {
        Rule::Remembered => remembered(live, visitor),
        Rule::Prio => prio::choose(&live.servers, available),
        Rule::Weight => weight::choose(&live.servers, available),
        rule @ (Rule::Hash | Rule::HashPort) => {
            live.hash.choose(visitor.peer, rule == Rule::HashPort, available)
        }
        Rule::Roundrobin => cursor.advance(live.servers.len(), available),
    }
}

/// The rule by which [`first`] answers for this visitor.
#[must_use]
pub fn rule(live: &Live, visitor: &Visitor) -> Rule {
    let mode = live.config.mode;
    if !mode.roundrobin && remembered(live, visitor).is_some() {
        Rule::Remembered
    } else if mode.prio {
        Rule::Prio
    } else if mode.weight {
        Rule::Weight
    } else if mode.hash {
        if mode.roundrobin { Rule::HashPort } else { Rule::Hash }
    } else {
        Rule::Roundrobin
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
