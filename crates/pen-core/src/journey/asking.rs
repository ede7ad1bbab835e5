//! Asking one server for a place: the checks that refuse without connecting, in their order.

use super::held::Spot;
use crate::addr::{ClientAddr, Place};
use crate::moment::Moment;
use crate::reasons::Refusal;
use crate::select::{self, Visitor};
use crate::servers::{Server, ServerRef};
use crate::service::Live;
use crate::transparent;

/// What a server is asked with.
pub struct Asking<'a> {
    /// The publication of the moment.
    pub live: &'a Live,
    /// `None` for an idler.
    pub visitor: Option<&'a Visitor>,
    /// The present.
    pub now: Moment,
}

impl Asking<'_> {
    /// Takes a place at `which` if all rules allow it; `None` if there is no such server.
    /// With `spare` no more than half of `pending_max` may be pending there.
    pub fn reserve(&self, which: ServerRef, spare: bool) -> Option<Result<Spot, Refusal>> {
        let live = self.live;
        let server = live.server(which)?;
        if !server.is_set() {
            return Some(Err(Refusal::Unset));
        }
        if live.config.transparent && !self.can_be_shown(server) {
            return Some(Err(Refusal::NotTransparent));
        }
        if server.load.blacklisted(self.now, live.config.blacklist_s) {
            return Some(Err(Refusal::Blacklisted));
        }
        if !self.admitted(which, server.config.acl) {
            return Some(Err(Refusal::DeniedByAcl));
        }
        let known = self.visitor.and_then(|v| select::remembered(live, v));
        let limit = match server.config.max {
            0 => 0,
            max if known.map(ServerRef::Regular) == Some(which) => max.max(server.config.hard),
            max => max,
        };
        let pending_share = if spare { (live.config.pending_max / 2).max(1) } else { 0 };
        let taken = server.load.reserve(limit, pending_share);
        Some(taken.map(|()| Spot::pending(&server.load, server.moves)))
    }

    /// Counts that a client passed the server over. An idler has no client that would wait longer for it.
    pub fn count(&self, which: ServerRef, refusal: Refusal) {
        if let (Some(_), Some(server)) = (self.visitor, self.live.server(which)) {
            server.load.count_refusal(refusal);
        }
    }

    /// Whether a connection to the server can carry the address it has to. A Unix server is shown
    /// none, so none is wrong.
    fn can_be_shown(&self, server: &Server) -> bool {
        let client = self.visitor.map_or(ClientAddr::Unix, |v| v.peer.addr);
        match server.place() {
            Some(Place::Tcp(to)) => transparent::departure(&self.live.config, client, to).is_ok(),
            _ => true,
        }
    }

    /// Whether the server's access list admits the visitor. The list that sent a client to the abuse
    /// server is not asked a second time: it would keep everybody out who is meant to get there.
    fn admitted(&self, which: ServerRef, list: u8) -> bool {
        let Some(visitor) = self.visitor else { return true };
        if which == ServerRef::Abuse && list == self.live.config.client_acl {
            return true;
        }
        self.live.admits(list, visitor)
    }
}
