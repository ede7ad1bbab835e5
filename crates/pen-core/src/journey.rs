//! A connection's search for a server: first choice, failover, emergency, end.
//!
//! A journey holds at most one place at one server, and gives it back when it is dropped at the latest.
//! Whoever drives it says what happened; it answers with the next step. It never connects to a server
//! twice, so it always ends.
//!
//! A server at which half of `pending_max` connects are pending already is passed over as long as
//! there is another one to go to. A client is not turned away for it: when the table offers nothing
//! else, it goes to the first server it passed over for that reason. So one silent server cannot
//! take all pending connects, and a burst of clients for the only server loses nobody. What is
//! pending there beyond the server's equal part does not count against `pending_max`: clients who may
//! go nowhere else wait for their server, and the others do not wait for them.

use std::iter;
use std::sync::Arc;

use crate::moment::Moment;
use crate::reasons::{CloseReason, ConnectFailure, Refusal};
use crate::select::{self, Cursor, Visitor};
use crate::servers::ServerRef;
use crate::service::Live;

use asking::Asking;
use held::{Held, Spot};

pub use trail::{Trail, Try, Why};

pub use way::Way;

mod asking;
mod held;
mod moving;
#[cfg(test)]
mod tests;
mod trail;
mod way;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Connect to this server; a place at it is reserved.
    Connect(ServerRef),
    /// Give up and close the client.
    Close(CloseReason),
}

/// The search, and later the use, of a server by one connection.
#[derive(Debug)]
pub struct Journey {
    round: Round,
    current: Option<ServerRef>,
    held: Held,
    /// A server was passed over because it cannot be shown the client's address.
    unseen: bool,
    /// More than one was passed over because of their pending connects.
    torn: bool,
    /// What it met on its way, if the service has a connection log.
    trail: Option<Box<Trail>>,
}

/// How far failover has come.
#[derive(Clone, Copy, Debug)]
enum Round {
    /// There is none: no candidate, a denied client, an idler.
    Never,
    /// Going round the table.
    Running {
        /// The slot tried first; the round ends when it comes to it again.
        initial: u32,
        /// The first slot passed over because of its pending connects.
        crowded: Option<u32>,
    },
    /// The table has nothing more to offer.
    Over,
}

impl Journey {
    /// Chooses the first server. `passed` hears of every server that was passed over and why.
    pub fn start(
        live: &Live,
        cursor: &Cursor,
        visitor: &Visitor,
        now: Moment,
        mut passed: impl FnMut(ServerRef, Refusal),
    ) -> (Self, Step) {
        let left_out = trail::left_out(live, visitor, now);
        let first = select::first(live, cursor, visitor, now);
        let (mut journey, step) = Self::start_at(live, first, visitor, now, &mut passed);
        if let Some(mut trail) = left_out {
            trail.append(journey.trail.take());
            journey.trail = Some(trail);
        }
        (journey, step)
    }

    fn start_at(
        live: &Live,
        first: Option<u32>,
        visitor: &Visitor,
        now: Moment,
        passed: Passed<'_>,
    ) -> (Self, Step) {
        let mut journey = Self::new(first);
        let asking = Asking { live, visitor: Some(visitor), now };
        let step = match first {
            None => journey.try_emergency(&asking, passed),
            Some(slot) if journey.attempt(&asking, ServerRef::Regular(slot), passed) => {
                Step::Connect(ServerRef::Regular(slot))
            }
            Some(slot) => journey.go_on(&asking, ServerRef::Regular(slot), passed),
        };
        (journey, step)
    }

    /// The journey of a client that `client_acl` denies: to the abuse server or the end.
    pub fn denied(
        live: &Live,
        visitor: &Visitor,
        now: Moment,
        mut passed: impl FnMut(ServerRef, Refusal),
    ) -> (Self, Step) {
        let mut journey = Self::new(None);
        let asking = Asking { live, visitor: Some(visitor), now };
        let step = if journey.attempt(&asking, ServerRef::Abuse, &mut passed) {
            Step::Connect(ServerRef::Abuse)
        } else {
            Step::Close(CloseReason::ClientDenied)
        };
        (journey, step)
    }

    /// The journey of a client that a route sends to one server of the table: there or to the end.
    pub fn only(
        live: &Live,
        visitor: &Visitor,
        slot: u32,
        now: Moment,
        mut passed: impl FnMut(ServerRef, Refusal),
    ) -> (Self, Step) {
        let mut journey = Self::new(None);
        let (asking, server) =
            (Asking { live, visitor: Some(visitor), now }, ServerRef::Regular(slot));
        let step = if journey.attempt(&asking, server, &mut passed) {
            Step::Connect(server)
        } else {
            Step::Close(CloseReason::NoServer)
        };
        (journey, step)
    }

    /// An idler: a spare connection to the next server in turn, outside the round-robin position
    /// of clients (`cursor` is the idlers' own). It counts like any connection, no access list is
    /// asked, and it neither fails over nor uses the emergency server.
    pub fn idler(live: &Live, cursor: &Cursor, now: Moment) -> (Self, Step) {
        let mut journey = Self::new(None);
        let asking = Asking { live, visitor: None, now };
        let count = live.servers.len();
        for _ in 0..count {
            let Some(slot) = cursor.advance(count, |n| select::available(live, n, now)) else {
                break;
            };
            let server = ServerRef::Regular(slot);
            if journey.attempt(&asking, server, &mut |_, _| ()) {
                return (journey, Step::Connect(server));
            }
        }
        (journey, Step::Close(CloseReason::NoServer))
    }

    /// The connect failed: gives the place back, blacklists the server if it is to blame, answers
    /// the next server in table order, then the emergency server, then the end. `live` may be a
    /// later publication than the one the journey started with.
    pub fn failed(
        &mut self,
        live: &Live,
        visitor: &Visitor,
        failure: ConnectFailure,
        now: Moment,
        mut passed: impl FnMut(ServerRef, Refusal),
    ) -> Step {
        let (Some(from), Held::Place(spot)) =
            (self.current.take(), std::mem::replace(&mut self.held, Held::Nothing))
        else {
            debug_assert!(false, "a connect failed that was not under way");
            return Step::Close(CloseReason::NoServer);
        };
        debug_assert!(!spot.is_established(), "a connect failed that had succeeded");
        spot.load.count_failure(failure);
        self.blame(live, (from, &spot), failure, now);
        // It may be the place that the next step takes.
        drop(spot);
        match self.go_on(&Asking { live, visitor: Some(visitor), now }, from, &mut passed) {
            // The client did have a server, and is to see what that one did.
            Step::Close(CloseReason::NoServer | CloseReason::Stubborn)
                if failure == ConnectFailure::Reset =>
            {
                Step::Close(CloseReason::ServerReset)
            }
            Step::Close(CloseReason::NoServer) => Step::Close(match failure {
                ConnectFailure::LocalResources => CloseReason::OutOfResources,
                ConnectFailure::NotTransparent => CloseReason::NotTransparent,
                _ => CloseReason::NoServer,
            }),
            step => step,
        }
    }

    /// The connect succeeded.
    pub fn connected(&mut self) {
        match &mut self.held {
            Held::Place(spot) if !spot.is_established() => spot.establish(),
            _ => debug_assert!(false, "a connect succeeded that was not under way"),
        }
    }

    /// Whatever is held is given back; bytes moved are counted: `sent` to the server, `received`
    /// from it. To be called once at most, at the end of the connection, in whatever state it is; what a
    /// journey holds that is dropped without it is given back too, uncounted.
    pub fn end(&mut self, sent: u64, received: u64) {
        self.count_bytes(sent, received);
        let held = std::mem::replace(&mut self.held, Held::Ended);
        debug_assert!(!matches!(held, Held::Ended), "a connection ended twice");
    }

    /// Bytes moved since the last time this was called (while the connection lives).
    pub fn count_bytes(&self, sent: u64, received: u64) {
        match &self.held {
            Held::Place(spot) => spot.load.count_bytes(sent, received),
            Held::Nothing | Held::Ended => {
                debug_assert!(sent == 0 && received == 0, "bytes moved without a server");
            }
        }
    }

    /// What it met on its way: nothing, if the service has no connection log.
    #[must_use]
    pub fn trail(&self) -> Option<&Trail> {
        self.trail.as_deref()
    }

    /// Whether the server in use, or being connected, is still where the journey found it.
    #[must_use]
    pub fn is_where_it_was(&self, live: &Live) -> bool {
        match (&self.held, self.current.and_then(|which| live.server(which))) {
            (Held::Place(spot), Some(server)) => {
                server.moves == spot.moves && Arc::ptr_eq(&server.load, &spot.load)
            }
            _ => false,
        }
    }

    /// Takes over what another journey of the same client met before.
    pub fn follow_on(&mut self, before: &mut Self) {
        if let Some(mut trail) = before.trail.take() {
            trail.append(self.trail.take());
            self.trail = Some(trail);
        }
    }

    /// Whether the connect under way counts against `pending_max`: not if more than the server's part of
    /// it are pending there already, unless there is another server that the client could wait for.
    #[must_use]
    pub fn counts_as_pending(&self, live: &Live) -> bool {
        match &self.held {
            Held::Place(spot) if !spot.is_established() => {
                self.torn || spot.load.pending() <= live.pending_part
            }
            _ => false,
        }
    }

    /// Whether the operator believes that the server in use is out.
    #[must_use]
    pub fn is_told_out(&self) -> bool {
        self.in_use().is_some_and(|spot| spot.load.is_told_out())
    }

    /// The server of the connection: the one being connected to or used.
    #[must_use]
    pub fn server(&self) -> Option<ServerRef> {
        self.current
    }

    /// The place at the server that is used.
    fn in_use(&self) -> Option<&Spot> {
        match &self.held {
            Held::Place(spot) if spot.is_established() => Some(spot),
            _ => None,
        }
    }

    fn new(initial: Option<u32>) -> Self {
        let round =
            initial.map_or(Round::Never, |initial| Round::Running { initial, crowded: None });
        Self { round, current: None, held: Held::Nothing, unseen: false, torn: false, trail: None }
    }

    /// The step after `from` could not be used.
    fn go_on(&mut self, asking: &Asking<'_>, from: ServerRef, passed: Passed<'_>) -> Step {
        let slot = match from {
            ServerRef::Abuse => return Step::Close(CloseReason::ClientDenied),
            ServerRef::Emergency => return Step::Close(self.no_server()),
            ServerRef::Regular(slot) => slot,
        };
        let initial = match self.round {
            Round::Never => return Step::Close(self.no_server()),
            _ if asking.live.config.mode.stubborn => return Step::Close(CloseReason::Stubborn),
            Round::Over => return self.try_emergency(asking, passed),
            Round::Running { initial, .. } => initial,
        };
        let next = rest_of_the_round(initial, slot, asking.live.servers.len())
            .map(ServerRef::Regular)
            .find(|&server| self.attempt(asking, server, passed));
        if let Some(server) = next {
            return Step::Connect(server);
        }
        if let Round::Running { crowded: Some(slot), .. } =
            std::mem::replace(&mut self.round, Round::Over)
        {
            let server = ServerRef::Regular(slot);
            if self.attempt(asking, server, passed) {
                return Step::Connect(server);
            }
        }
        self.try_emergency(asking, passed)
    }

    fn try_emergency(&mut self, asking: &Asking<'_>, passed: Passed<'_>) -> Step {
        if self.attempt(asking, ServerRef::Emergency, passed) {
            Step::Connect(ServerRef::Emergency)
        } else {
            Step::Close(self.no_server())
        }
    }

    /// A server failed: it is blacklisted if it is to blame and still where it was.
    fn blame(
        &mut self,
        live: &Live,
        (from, spot): (ServerRef, &Spot),
        failure: ConnectFailure,
        now: Moment,
    ) {
        if live.config.connection_log.is_some() {
            Trail::note(&mut self.trail, from, Why::Failed(failure));
        }
        let same_place = live.server(from).is_none_or(|s| s.moves == spot.moves);
        if failure.blames_server() && same_place {
            spot.load.fail(now);
        }
    }

    /// Why the search ends without a server.
    fn no_server(&self) -> CloseReason {
        if self.unseen { CloseReason::NotTransparent } else { CloseReason::NoServer }
    }

    /// Takes a place at `which`, or tells `passed` why not. A server that does not exist (no
    /// emergency server, say) is passed over without a word.
    fn attempt(&mut self, asking: &Asking<'_>, which: ServerRef, passed: Passed<'_>) -> bool {
        debug_assert!(matches!(self.held, Held::Nothing), "a second place for one connection");
        match asking.reserve(which, self.must_spare(asking, which)) {
            None => false,
            Some(Ok(spot)) => {
                self.current = Some(which);
                self.held = Held::Place(spot);
                true
            }
            Some(Err(refusal)) => {
                self.unseen |= refusal == Refusal::NotTransparent;
                self.note_crowd(which, refusal);
                asking.count(which, refusal);
                if asking.live.config.connection_log.is_some() {
                    Trail::note(&mut self.trail, which, Why::Refused(refusal));
                }
                passed(which, refusal);
                false
            }
        }
    }

    /// Whether half of the pending connects must be left to others: not where there is nowhere else
    /// to go.
    fn must_spare(&self, asking: &Asking<'_>, which: ServerRef) -> bool {
        match which {
            ServerRef::Abuse => true,
            ServerRef::Emergency => false,
            ServerRef::Regular(_) => {
                if matches!(self.round, Round::Never) && asking.visitor.is_some() {
                    return false;
                }
                let alone = asking.live.servers.len() == 1 || asking.live.config.mode.stubborn;
                !alone && !matches!(self.round, Round::Over)
            }
        }
    }

    fn note_crowd(&mut self, which: ServerRef, refusal: Refusal) {
        if let (Round::Running { crowded, .. }, ServerRef::Regular(slot), Refusal::PendingShare) =
            (&mut self.round, which, refusal)
        {
            self.torn |= crowded.is_some();
            crowded.get_or_insert(slot);
        }
    }
}

/// Why the visitor would not be taken by a server, apart from the server's pending connects. For a copy
/// that nobody else sees ([`Live::detached`]): where there is no reason, a place is taken and given back.
pub(crate) fn refusal(
    live: &Live,
    visitor: &Visitor,
    which: ServerRef,
    now: Moment,
) -> Option<Refusal> {
    Asking { live, visitor: Some(visitor), now }.reserve(which, false)?.err()
}

type Passed<'a> = &'a mut dyn FnMut(ServerRef, Refusal);

/// The slots that failover has not been to after `slot`, in its order: up to the end of a table of
/// `count` servers, then from its beginning, until it comes round to `initial`. Written without
/// "modulo" so that it ends in a table that changed size on the way, too.
fn rest_of_the_round(initial: u32, slot: u32, count: usize) -> impl Iterator<Item = u32> {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let (first, wrapped) = if slot >= initial {
        (slot.saturating_add(1)..count, 0..initial.min(count))
    } else {
        (slot + 1..initial.min(count), 0..0)
    };
    iter::chain(first, wrapped)
}
