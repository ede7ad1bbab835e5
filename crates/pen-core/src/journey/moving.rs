//! The use of a server that may change servers on its way: a flow of datagrams.

use std::mem;
use std::sync::Arc;

use super::asking::Asking;
use super::{Held, Journey, Passed, Round, Step};
use crate::moment::Moment;
use crate::reasons::{ConnectFailure, Refusal};
use crate::select::Visitor;
use crate::servers::ServerRef;
use crate::service::Live;

impl Journey {
    /// As [`Journey::start`], with `first` as the slot to try first: who drives the journey has
    /// chosen it.
    pub fn start_with(
        live: &Live,
        first: Option<u32>,
        visitor: &Visitor,
        now: Moment,
        mut passed: impl FnMut(ServerRef, Refusal),
    ) -> (Self, Step) {
        Self::start_at(live, first, visitor, now, &mut passed)
    }

    /// Whether the server in use may be used on: it is where it was, and it is not blacklisted.
    #[must_use]
    pub fn may_stay(&self, live: &Live, now: Moment) -> bool {
        let (Some(server), Some(spot)) =
            (self.current.and_then(|which| live.server(which)), self.in_use())
        else {
            return false;
        };
        server.moves == spot.moves
            && Arc::ptr_eq(&server.load, &spot.load)
            && server.is_set()
            && !spot.load.blacklisted(now, live.config.blacklist_s)
    }

    /// The server in use reported a failure. If there is another one that can be used, in table
    /// order or the emergency server, the journey goes there and the failed one is blacklisted. Else
    /// it stays where it is, and nobody is blacklisted: such a report can be forged, and trying on
    /// costs less than turning everybody away. `Some` is the new server, with a place that is
    /// reserved.
    pub fn lost(
        &mut self,
        live: &Live,
        visitor: &Visitor,
        failure: ConnectFailure,
        now: Moment,
        mut passed: impl FnMut(ServerRef, Refusal),
    ) -> Option<ServerRef> {
        let from = self.current?;
        self.in_use()?;
        let Held::Place(spot) = mem::replace(&mut self.held, Held::Nothing) else { return None };
        spot.load.count_failure(failure);
        self.current = None;
        self.round = match from {
            ServerRef::Regular(initial) => Round::Running { initial, crowded: None },
            ServerRef::Emergency | ServerRef::Abuse => Round::Never,
        };
        let asking = Asking { live, visitor: Some(visitor), now };
        match self.find_other(&asking, from, &mut passed) {
            Some(server) => {
                self.blame(live, (from, &spot), failure, now);
                Some(server)
            }
            None => {
                self.current = Some(from);
                self.held = Held::Place(spot);
                None
            }
        }
    }

    fn find_other(
        &mut self,
        asking: &Asking<'_>,
        from: ServerRef,
        passed: Passed<'_>,
    ) -> Option<ServerRef> {
        match self.go_on(asking, from, passed) {
            Step::Connect(server) => Some(server),
            Step::Close(_) => None,
        }
    }
}
