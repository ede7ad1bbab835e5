//! Which server a client would get now, and why each other one would not.
//!
//! Nothing is decided here a second time: the real search runs on a copy that nobody else sees
//! ([`Live::detached`]), with a copy of the round-robin position, and every connect it begins is told
//! to have failed, until it ends. What it does, in its order, is the answer. So asking changes
//! nothing, and a client that came at the same moment would get what was answered.
//!
//! A client comes to its service by itself or over routes ([`path`]); where frames are passed on the
//! table decides ([`frames`]). Deliberately not here: words for people (`report::explain`).

mod answer;
pub mod frames;
pub mod path;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::addr::{ClientAddr, Peer};
use crate::arrivals::{Arrivals, Excess};
use crate::config::{Protocol, Spread};
use crate::hello::Hello;
use crate::journey::{self, Journey, Step, Way};
use crate::moment::Moment;
use crate::reasons::{CloseReason, ConnectFailure, Refusal};
use crate::select::{self, Cursor, Rule, Visitor};
use crate::servers::{Server, ServerRef};
use crate::service::Live;

pub use answer::{Answer, By, Outcome, Skip, Standing, Trial};

/// Who would come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// From where.
    pub client: ClientAddr,
    /// From which port, if that is given.
    pub port: Option<u16>,
    /// What it would say first, if that is given.
    pub hello: Option<Hello>,
}

impl Question {
    fn peer(&self) -> Peer {
        Peer { addr: self.client, port: self.port.unwrap_or(0) }
    }
}

/// The service that it comes to, at one moment.
#[derive(Debug)]
pub struct Scene<'a> {
    /// Settings, servers and their loads.
    pub live: &'a Live,
    /// The round-robin position.
    pub cursor: &'a Cursor,
    /// The server that is remembered for the client.
    pub remembered: Option<u32>,
    /// The limit that the client's source has reached.
    pub excess: Option<Excess>,
    /// The present.
    pub now: Moment,
}

/// The limit that the client's source has reached, if it has.
#[must_use]
pub fn excess(
    question: &Question,
    live: &Live,
    arrivals: &Arrivals,
    now: Moment,
) -> Option<Excess> {
    if !live.limits_source_of(&Visitor::new(question.peer(), None)) {
        return None;
    }
    arrivals.look(question.client, &live.config.limit, now).err()
}

/// What becomes of a client that is served this way.
#[must_use]
pub fn explain(question: &Question, way: Way, scene: &Scene<'_>) -> Answer {
    let live = scene.live.detached();
    let asker = Asker {
        visitor: Visitor::new(question.peer(), scene.remembered),
        cursor: scene.cursor.copy(),
        now: scene.now,
        live: &live,
    };
    let tcp = live.config.protocol == Protocol::Tcp;
    // A datagram of a client that is denied is dropped before its source is looked at.
    let dropped = !tcp && way == Way::Denied && live.abuse.is_none();
    if let Some(excess) = scene.excess.filter(|_| !dropped) {
        let outcome = Outcome::Closed(CloseReason::OverLimit);
        return asker.unasked(By::Limit(excess), outcome, |_| Standing::Skipped(Skip::OverLimit));
    }
    match way {
        Way::Free if tcp && live.config.dummy => {
            asker.unasked(By::Dummy, Outcome::Dummy, |_| Standing::Skipped(Skip::Dummy))
        }
        Way::Free => asker.free(question.port.is_some()),
        way => {
            let by = if way == Way::Denied { By::Denied } else { By::Route };
            asker.search(by, |asker, passed| {
                Journey::along(way, asker.live, &asker.cursor, &asker.visitor, asker.now, passed)
            })
        }
    }
}

/// Who asks, with the copy that is asked.
struct Asker<'a> {
    live: &'a Live,
    cursor: Cursor,
    visitor: Visitor,
    now: Moment,
}

type Passed<'a> = &'a mut dyn FnMut(ServerRef, Refusal);

impl Asker<'_> {
    /// The search of a client that is served as any other.
    fn free(&self, port_known: bool) -> Answer {
        let config = &self.live.config;
        let per_datagram =
            config.protocol == Protocol::Udp && config.udp_spread == Spread::Datagram;
        // Datagrams that are spread one by one are not sent where others went.
        let stranger = Visitor::new(self.visitor.peer, None);
        let chooser = if per_datagram { &stranger } else { &self.visitor };
        let rule = select::rule(self.live, chooser);
        let any =
            || (0..self.live.servers.len()).any(|n| select::available(self.live, n, self.now));
        if rule == Rule::HashPort && !port_known && any() {
            return self.unasked(By::Rule(rule), Outcome::ByPort, |server| self.could(server));
        }
        let propose = |by: &Visitor| select::first(self.live, &self.cursor, by, self.now);
        let (rule, slot) = match propose(chooser) {
            None if per_datagram => {
                (select::rule(self.live, &self.visitor), propose(&self.visitor))
            }
            slot => (rule, slot),
        };
        let by = if slot.is_some() { By::Rule(rule) } else { By::Nothing };
        self.search(by, |asker, passed| {
            Journey::start_with(asker.live, slot, &asker.visitor, asker.now, passed)
        })
    }

    /// Begins a search and lets every connect fail until it ends.
    fn search(&self, by: By, begin: impl FnOnce(&Self, Passed<'_>) -> (Journey, Step)) -> Answer {
        let mut trials: Vec<Trial> = Vec::new();
        let mut turns = 0;
        let pass = |trials: &mut Vec<Trial>, server, refusal| {
            trials.push(Trial { server, standing: Standing::Refused(refusal) });
        };
        let (mut journey, first) =
            begin(self, &mut |server, refusal| pass(&mut trials, server, refusal));
        let mut step = first;
        let end = loop {
            let server = match step {
                Step::Connect(server) => server,
                Step::Close(reason) => break reason,
            };
            turns += 1;
            let before = trials.iter().position(|t| t.server == server);
            let crowded = before.map(|at| trials.remove(at)).is_some();
            trials.push(Trial { server, standing: Standing::Tried { turn: turns, crowded } });
            let failure = ConnectFailure::Refused;
            step =
                journey.failed(self.live, &self.visitor, failure, self.now, |server, refusal| {
                    pass(&mut trials, server, refusal);
                });
        };
        journey.end(0, 0);
        let outcome = match first {
            Step::Connect(server) => Outcome::Server(server),
            Step::Close(reason) => Outcome::Closed(reason),
        };
        let seen: BTreeSet<i64> = trials.iter().map(|t| t.server.number()).collect();
        let rest = self.servers().filter(|server| !seen.contains(&server.number()));
        trials.extend(rest.map(|server| Trial { server, standing: self.not_come_to(by, server) }));
        Answer { by, outcome, trials, at_last: (turns > 0).then_some(end) }
    }

    /// An answer without a search.
    fn unasked(
        &self,
        by: By,
        outcome: Outcome,
        standing: impl Fn(ServerRef) -> Standing,
    ) -> Answer {
        let trials = self.servers().map(|server| Trial { server, standing: standing(server) });
        Answer { by, outcome, trials: trials.collect(), at_last: None }
    }

    /// Why the search does not come to a server.
    fn not_come_to(&self, by: By, server: ServerRef) -> Standing {
        let unset = self.live.server(server).is_none_or(|s| !s.is_set());
        match (by, server) {
            (_, ServerRef::Regular(_)) if unset => Standing::Refused(Refusal::Unset),
            (By::Denied, _) => Standing::Skipped(Skip::ClientDenied),
            (By::Route, ServerRef::Regular(_) | ServerRef::Emergency) => {
                Standing::Skipped(Skip::Route)
            }
            (_, ServerRef::Abuse) => Standing::Skipped(Skip::NotDenied),
            (By::Nothing, _) => match self.refusal(server) {
                Some(refusal) => Standing::Refused(refusal),
                None => Standing::Skipped(Skip::Weightless),
            },
            _ => Standing::Skipped(Skip::Stubborn),
        }
    }

    /// Whether a server would take the client.
    fn could(&self, server: ServerRef) -> Standing {
        match server {
            ServerRef::Abuse => Standing::Skipped(Skip::NotDenied),
            ServerRef::Emergency => Standing::Skipped(Skip::Last),
            ServerRef::Regular(_) => {
                self.refusal(server).map_or(Standing::Possible, Standing::Refused)
            }
        }
    }

    fn refusal(&self, server: ServerRef) -> Option<Refusal> {
        journey::refusal(self.live, &self.visitor, server, self.now)
    }

    fn servers(&self) -> impl Iterator<Item = ServerRef> {
        all(&self.live.servers, self.live)
    }
}

/// The servers of the table, then those outside it.
fn all(table: &[Server], live: &Live) -> impl Iterator<Item = ServerRef> {
    let outside = [ServerRef::Emergency, ServerRef::Abuse];
    let table = (0..).zip(table).map(|(n, _)| ServerRef::Regular(n));
    table.chain(outside.into_iter().filter(|&which| live.server(which).is_some()))
}
