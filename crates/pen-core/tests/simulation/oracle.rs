//! What must happen, by a plain reading of the rules: slow, obvious, without the crate's atomics and
//! short cuts. Only the hash algorithm's own answer is taken from the crate, which proves it apart.

use pen_core::addr::{ClientAddr, Host};
use pen_core::config::{ServerConfig, ServiceConfig};
use pen_core::journey::Step;
use pen_core::moment::Moment;
use pen_core::reasons::{CloseReason, Refusal};
use pen_core::select::Visitor;
use pen_core::servers::ServerRef;
use pen_core::service::Live;

use crate::books::Books;
use crate::cast::client_number;

/// An entry of an access list: verdict, client number, how many of its low bits do not matter.
pub type Rule = (bool, u32, u32);

/// Everything a decision depends on.
pub struct Scene<'a> {
    pub config: &'a ServiceConfig,
    pub live: &'a Live,
    pub rules: &'a [Vec<Rule>],
    pub books: &'a Books,
    pub cursor: u32,
    pub now: Moment,
}

/// What a journey must remember between two decisions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Route {
    /// The slot tried first.
    pub initial: Option<u32>,
    /// The first one passed over because of its pending connects.
    pub crowded: Option<u32>,
    /// That one was the last chance, and it was taken.
    pub over: bool,
}

/// A decision: the step, who was passed over and why, and where round robin stands after it.
#[derive(Debug, PartialEq)]
pub struct Decision {
    pub route: Route,
    pub step: Step,
    pub passed: Vec<(ServerRef, Refusal)>,
    pub cursor: u32,
}

impl Scene<'_> {
    /// Whether access list `list` permits the client.
    pub fn permits(&self, list: u8, client: ClientAddr) -> bool {
        let Some((number, is_v6)) = client_number(client) else { return true };
        let rules = &self.rules[usize::from(list)];
        // Even entries are IPv4, odd ones IPv6: see `World::set_rules`.
        for (n, &(verdict, address, free_bits)) in rules.iter().enumerate() {
            if (n % 2 == 1) == is_v6 && number >> free_bits == address >> free_bits {
                return verdict;
            }
        }
        rules.last().is_none_or(|&(verdict, _, _)| !verdict)
    }

    /// The first decision about a client that may come in.
    pub fn start(&self, visitor: &Visitor) -> Decision {
        let (initial, cursor) = self.first(visitor);
        let mut search = Search::new(self, visitor, Route { initial, ..Route::default() });
        let step = match initial {
            None => search.last_resort(),
            Some(slot) => match search.try_out(ServerRef::Regular(slot)) {
                Some(step) => step,
                None => search.fail_over(slot),
            },
        };
        search.decided(step, cursor)
    }

    /// The decision about a client that `client_acl` denies.
    pub fn denied(&self, visitor: &Visitor) -> Decision {
        let mut search = Search::new(self, visitor, Route::default());
        let step = search.try_out(ServerRef::Abuse);
        search.decided(step.unwrap_or(Step::Close(CloseReason::ClientDenied)), self.cursor)
    }

    /// The decision after `from` failed (its record tells that already).
    pub fn after(&self, route: Route, from: ServerRef, visitor: &Visitor) -> Decision {
        let mut search = Search::new(self, visitor, route);
        let step = match (from, route.initial) {
            (ServerRef::Abuse, _) => Step::Close(CloseReason::ClientDenied),
            (ServerRef::Regular(slot), Some(_)) => search.fail_over(slot),
            _ => Step::Close(CloseReason::NoServer),
        };
        search.decided(step, self.cursor)
    }

    /// The slots that may be proposed.
    pub fn available(&self) -> Vec<u32> {
        let servers = 0..self.config.servers.len() as u32;
        servers
            .filter(|&slot| {
                is_set(&self.config.servers[slot as usize])
                    && !self.blacklisted(ServerRef::Regular(slot))
            })
            .collect()
    }

    /// Whether `which` is left out now.
    pub fn blacklisted(&self, which: ServerRef) -> bool {
        let time_ms = u64::from(self.config.blacklist_s) * 1000;
        self.books.of(which).is_some_and(|r| {
            self.now < r.sentenced_until
                || r.failed_at.is_some_and(|at| self.now.0 < at.0 + time_ms)
        })
    }

    /// Why `which` is not to be used by `visitor` (an idler if `None`).
    pub fn refusal(
        &self,
        which: ServerRef,
        visitor: Option<&Visitor>,
        last_chance: bool,
    ) -> Option<Refusal> {
        let server = self.settings(which).expect("asked about servers that exist");
        let record = self.books.of(which).expect("every server has a record");
        let remembered = visitor.and_then(|v| self.remembered(v));
        let taken = record.pending + record.established;
        let room = server.max == 0
            || taken < server.max
            || (remembered.map(ServerRef::Regular) == Some(which) && taken < server.hard);
        let acl_asked = which != ServerRef::Abuse || server.acl != self.config.client_acl;
        let denied = |v: &Visitor| acl_asked && !self.permits(server.acl, v.peer.addr);
        if !is_set(server) {
            Some(Refusal::Unset)
        } else if self.blacklisted(which) {
            Some(Refusal::Blacklisted)
        } else if visitor.is_some_and(denied) {
            Some(Refusal::DeniedByAcl)
        } else if !room {
            Some(Refusal::Full)
        } else if !last_chance && record.pending >= (self.config.pending_max / 2).max(1) {
            Some(Refusal::PendingShare)
        } else {
            None
        }
    }

    /// Whether a client can only go to the server it is sent to first.
    pub fn is_the_only_choice(&self) -> bool {
        self.config.mode.stubborn || self.config.servers.len() == 1
    }

    fn first(&self, visitor: &Visitor) -> (Option<u32>, u32) {
        let mode = self.config.mode;
        let server = |slot: u32| &self.config.servers[slot as usize];
        if let (Some(slot), false) = (self.remembered(visitor), mode.roundrobin) {
            return (Some(slot), self.cursor);
        }
        let available = self.available();
        let choice = if mode.prio {
            available.into_iter().min_by_key(|&slot| (server(slot).prio, slot))
        } else if mode.weight {
            let load = |slot| {
                let record = self.books.of(ServerRef::Regular(slot)).expect("a slot of the table");
                let taken = u64::from(record.pending + record.established);
                taken * 256 / u64::from(server(slot).weight)
            };
            let weighty = available.into_iter().filter(|&slot| server(slot).weight > 0);
            weighty.min_by_key(|&slot| (load(slot), slot))
        } else if mode.hash {
            let may = |slot: usize| available.contains(&(slot as u32));
            self.live.hash.choose(visitor.peer, mode.roundrobin, may)
        } else {
            let count = self.config.servers.len() as u32;
            let turn = (1..=count).map(|n| (self.cursor + n) % count);
            let choice = turn.into_iter().find(|slot| available.contains(slot));
            return (choice, choice.unwrap_or(self.cursor));
        };
        (choice, self.cursor)
    }

    fn remembered(&self, visitor: &Visitor) -> Option<u32> {
        let slot = visitor.remembered?;
        (!self.config.mode.forgetful && is_set(&self.config.servers[slot as usize])).then_some(slot)
    }

    fn settings(&self, which: ServerRef) -> Option<&ServerConfig> {
        match which {
            ServerRef::Regular(slot) => self.config.servers.get(slot as usize),
            ServerRef::Emergency => self.config.emergency.as_ref(),
            ServerRef::Abuse => self.config.abuse.as_ref(),
        }
    }
}

/// The search for a server, once it is known where to begin.
struct Search<'a> {
    scene: &'a Scene<'a>,
    visitor: &'a Visitor,
    route: Route,
    passed: Vec<(ServerRef, Refusal)>,
}

impl<'a> Search<'a> {
    fn new(scene: &'a Scene<'a>, visitor: &'a Visitor, route: Route) -> Self {
        Self { scene, visitor, route, passed: Vec::new() }
    }

    fn decided(self, step: Step, cursor: u32) -> Decision {
        Decision { route: self.route, step, passed: self.passed, cursor }
    }

    fn fail_over(&mut self, from: u32) -> Step {
        if self.scene.config.mode.stubborn {
            return Step::Close(CloseReason::Stubborn);
        }
        if self.route.over {
            return self.last_resort();
        }
        let count = self.scene.config.servers.len() as u32;
        let mut slot = (from + 1) % count;
        while Some(slot) != self.route.initial {
            if let Some(step) = self.try_out(ServerRef::Regular(slot)) {
                return step;
            }
            slot = (slot + 1) % count;
        }
        self.route.over = true;
        let crowded = self.route.crowded.and_then(|slot| self.try_out(ServerRef::Regular(slot)));
        crowded.unwrap_or_else(|| self.last_resort())
    }

    fn last_resort(&mut self) -> Step {
        self.try_out(ServerRef::Emergency).unwrap_or(Step::Close(CloseReason::NoServer))
    }

    fn try_out(&mut self, which: ServerRef) -> Option<Step> {
        self.scene.settings(which)?;
        let last_chance = match which {
            ServerRef::Regular(_) => self.route.over || self.scene.is_the_only_choice(),
            ServerRef::Emergency => true,
            ServerRef::Abuse => false,
        };
        match (self.scene.refusal(which, Some(self.visitor), last_chance), which) {
            (None, _) => return Some(Step::Connect(which)),
            (Some(Refusal::PendingShare), ServerRef::Regular(slot)) => {
                self.route.crowded = self.route.crowded.or(Some(slot));
                self.passed.push((which, Refusal::PendingShare));
            }
            (Some(refusal), _) => self.passed.push((which, refusal)),
        }
        None
    }
}

fn is_set(server: &ServerConfig) -> bool {
    server.host != Host::Unset && server.port != 0
}
