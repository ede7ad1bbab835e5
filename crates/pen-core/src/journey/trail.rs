//! What a journey remembers of its way, for the connection log: servers that were passed over or
//! failed.

use crate::limits::TRIES_KEPT;
use crate::moment::Moment;
use crate::reasons::{ConnectFailure, Refusal};
use crate::select::{self, Rule, Visitor};
use crate::servers::ServerRef;
use crate::service::Live;

/// Servers that did not become the connection's, in the order in which they were tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    /// The first ones.
    pub tries: Vec<Try>,
    /// How many there were beside them.
    pub more: u32,
}

/// A server that did not become the connection's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Try {
    /// Which.
    pub server: ServerRef,
    /// Why not.
    pub why: Why,
}

/// Why a server did not become the connection's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It was passed over.
    Refused(Refusal),
    /// It failed.
    Failed(ConnectFailure),
}

impl Why {
    /// The word used in logs and tests.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.word(),
            Self::Failed(failure) => failure.word(),
        }
    }
}

/// Servers that the choice itself leaves out, if the service has a connection log: a blacklisted one is
/// no candidate, unless the client used it last.
pub(super) fn left_out(live: &Live, visitor: &Visitor, now: Moment) -> Option<Box<Trail>> {
    if live.config.connection_log.is_none() || select::rule(live, visitor) == Rule::Remembered {
        return None;
    }
    let mut trail = None;
    for (server, slot) in live.servers.iter().zip(0..) {
        if server.is_set() && server.load.blacklisted(now, live.config.blacklist_s) {
            let why = Why::Refused(Refusal::Blacklisted);
            Trail::note(&mut trail, ServerRef::Regular(slot), why);
        }
    }
    trail
}

impl Trail {
    /// Adds the tries of a later journey; those that are there already are not told twice.
    pub(super) fn append(&mut self, later: Option<Box<Self>>) {
        let Some(mut later) = later else { return };
        later.tries.retain(|one| !self.tries.contains(one));
        let room = TRIES_KEPT.saturating_sub(self.tries.len());
        let lost = later.tries.len().saturating_sub(room);
        self.tries.extend(later.tries.into_iter().take(room));
        let lost = u32::try_from(lost).unwrap_or(u32::MAX);
        self.more = self.more.saturating_add(later.more).saturating_add(lost);
    }

    /// Adds a try to what may not be there yet: a journey that meets no obstacle has no trail.
    pub(super) fn note(trail: &mut Option<Box<Self>>, server: ServerRef, why: Why) {
        let trail = trail.get_or_insert_default();
        if trail.tries.len() < TRIES_KEPT {
            trail.tries.push(Try { server, why });
        } else {
            trail.more = trail.more.saturating_add(1);
        }
    }
}
