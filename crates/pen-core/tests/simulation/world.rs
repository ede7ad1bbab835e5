//! The service of a simulation and all that is open in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pen_core::addr::{ClientAddr, Peer};
use pen_core::clients::{ClientId, ClientTable, Visit};
use pen_core::config::ServiceConfig;
use pen_core::explain::{self, Answer, Outcome, Question};
use pen_core::journey::{Journey, Step, Way};
use pen_core::moment::Moment;
use pen_core::reasons::{CloseReason, ConnectFailure};
use pen_core::select::{Cursor, Visitor};
use pen_core::servers::ServerRef;
use pen_core::service::Live;
use pen_core::slots::Slots;

use crate::books::Books;
use crate::cast::{client_address, new_server};
use crate::chance::Chance;
use crate::deeds::Deed;
use crate::oracle::{Decision, Route, Rule, Scene};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Connecting,
    Open,
}

#[derive(Debug)]
pub struct Connection {
    number: u32,
    journey: Journey,
    /// `None` for an idler.
    client: Option<(Visitor, ClientId)>,
    route: Route,
    pub state: State,
    pub server: ServerRef,
    /// The record of the load it holds a place at.
    book: usize,
    /// How often the server had moved when the connect began.
    moves: u32,
}

/// A client's last visit and the server it used last.
#[derive(Debug)]
struct Memory {
    id: ClientId,
    at: Moment,
    server: Option<u32>,
}

#[derive(Debug)]
pub struct World {
    pub chance: Chance,
    pub config: ServiceConfig,
    pub live: Live,
    pub now: Moment,
    cursor: Cursor,
    /// Where round robin must stand.
    turn: u32,
    idler_cursor: Cursor,
    pub clients: ClientTable,
    pub numbers: Slots,
    pub connections: Vec<Connection>,
    pub books: Books,
    pub rules: Vec<Vec<Rule>>,
    /// Slots whose machine is dead.
    dead: BTreeSet<u32>,
    pub moves: BTreeMap<u32, u32>,
    memory: BTreeMap<ClientAddr, Memory>,
    opened: u64,
    pub closed: BTreeMap<&'static str, u64>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mut config = ServiceConfig::new("simulation");
        config.servers = (0..1 + chance.below(5)).map(|_| new_server(&mut chance)).collect();
        let live = Live::new(Arc::new(config.clone()));
        let mut books = Books::default();
        books.follow(&live);
        Self {
            clients: ClientTable::new(1 + chance.below(50), [seed, 1]),
            numbers: Slots::new(1 + chance.below(30)),
            chance,
            config,
            live,
            now: Moment(0),
            cursor: Cursor::default(),
            turn: 0,
            idler_cursor: Cursor::default(),
            connections: Vec::new(),
            books,
            rules: vec![Vec::new(); 10],
            dead: BTreeSet::new(),
            moves: BTreeMap::new(),
            memory: BTreeMap::new(),
            opened: 0,
            closed: BTreeMap::new(),
        }
    }

    pub fn is_alive(&self, server: ServerRef) -> bool {
        !matches!(server, ServerRef::Regular(slot) if self.dead.contains(&slot))
    }

    pub fn perform(&mut self, deed: Deed) {
        match deed {
            Deed::Arrive { client, port } => self.arrive(client, port),
            Deed::Connects(n) => self.connects(n),
            Deed::Fails(n, failure) => self.fails(n, failure),
            Deed::Moves { connection, sent, received } => {
                let connection = &self.connections[connection];
                connection.journey.count_bytes(sent, received);
                self.count(
                    connection.book,
                    connection.client.as_ref().map(|c| c.1),
                    sent,
                    received,
                );
            }
            Deed::Ends { connection, sent, received } => {
                self.ends(connection, sent, received, CloseReason::ClientFinished);
            }
            Deed::Waits { ms } => self.now = self.now.plus_ms(ms),
            Deed::Idler => self.idler(),
            Deed::Power { slot } => {
                if !self.dead.remove(&slot) {
                    self.dead.insert(slot);
                }
            }
            Deed::Turns(knob) => self.turn_knob(knob),
        }
    }

    pub fn close_everything(&mut self) {
        while !self.connections.is_empty() {
            self.ends(0, 1, 1, CloseReason::Shutdown);
        }
        assert_eq!(self.numbers.used(), 0);
    }

    /// Everything that must be true between two steps.
    pub fn check_the_books(&self) {
        self.books.check(self.now, self.config.blacklist_s);
        let mut counted = vec![(0, 0); self.books.all.len()];
        for connection in &self.connections {
            match connection.state {
                State::Connecting => counted[connection.book].0 += 1,
                State::Open => counted[connection.book].1 += 1,
            }
            assert_eq!(connection.journey.server(), Some(connection.server));
        }
        for (n, (_, record)) in self.books.all.iter().enumerate() {
            assert_eq!((record.pending, record.established), counted[n], "load {n}");
        }
        let open = self.connections.len();
        assert_eq!(self.opened, open as u64 + self.closed.values().sum::<u64>());
        assert_eq!(self.numbers.used() as usize, open);
        let numbers: BTreeSet<u32> = self.connections.iter().map(|c| c.number).collect();
        assert_eq!(numbers.len(), open, "a number was given twice");
        assert!(numbers.iter().all(|&n| n < self.numbers.max()));
        let rows: BTreeSet<ClientAddr> =
            self.clients.entries(0..u32::MAX, self.now, 0).map(|e| e.addr).collect();
        assert_eq!(
            rows.len(),
            self.clients.entries(0..u32::MAX, self.now, 0).count(),
            "a client has two rows"
        );
        assert!(rows.len() <= self.clients.max() as usize);
    }

    fn scene(&self) -> Scene<'_> {
        Scene {
            config: &self.config,
            live: &self.live,
            rules: &self.rules,
            books: &self.books,
            cursor: self.turn,
            now: self.now,
        }
    }

    fn arrive(&mut self, client: u32, port: u16) {
        let pending: u32 = self.books.all.iter().map(|(_, record)| record.pending).sum();
        if pending >= self.config.pending_max {
            return;
        }
        let Some(number) = self.numbers.take() else {
            assert_eq!(self.numbers.used(), self.numbers.max());
            return;
        };
        let peer = Peer { addr: client_address(client), port };
        let seen = self.clients.look(peer.addr, self.now, self.config.tracking_s);
        let visit = self.clients.visit(peer.addr, self.now, self.config.tracking_s);
        assert_eq!(seen, visit.remembered, "a look and a visit");
        self.check_memory(peer.addr, visit);
        let visitor = Visitor::new(peer, visit.remembered);
        let mut passed = Vec::new();
        let hear = |server, refusal| passed.push((server, refusal));
        let permitted = self.scene().permits(self.config.client_acl, peer.addr);
        let told = self.explain(&visitor, permitted);
        let list = &self.config.acls[usize::from(self.config.client_acl)];
        assert_eq!(list.permits(peer.addr, |_| None), permitted);
        let (expected, (journey, step)) = if permitted {
            let expected = self.scene().start(&visitor);
            (expected, Journey::start(&self.live, &self.cursor, &visitor, self.now, hear))
        } else {
            (self.scene().denied(&visitor), Journey::denied(&self.live, &visitor, self.now, hear))
        };
        let Decision { route, cursor, .. } = expected;
        assert_eq!(Decision { route, step, passed, cursor }, expected);
        let outcome = match step {
            Step::Connect(server) => Outcome::Server(server),
            Step::Close(reason) => Outcome::Closed(reason),
        };
        assert_eq!(told.outcome, outcome, "what was explained is not what happened");
        self.turn = cursor;
        self.opened += 1;
        self.goes_on(number, journey, route, Some((visitor, visit.id)), step);
    }

    /// What is said that would happen; that asking changes nothing is for the books to notice.
    fn explain(&self, visitor: &Visitor, permitted: bool) -> Answer {
        let Peer { addr, port } = visitor.peer;
        let question = Question { client: addr, port: Some(port), hello: None };
        let (live, cursor) = (&self.live, &self.cursor);
        let scene = explain::Scene {
            live,
            cursor,
            remembered: visitor.remembered,
            excess: None,
            now: self.now,
        };
        explain::explain(&question, Way::of(permitted), &scene)
    }

    /// A table may forget a client, but not make anything up.
    fn check_memory(&mut self, addr: ClientAddr, visit: Visit) {
        let now = Memory { id: visit.id, at: self.now, server: visit.remembered };
        let before = self.memory.insert(addr, now);
        if visit.remembered.is_some() {
            let before = before.expect("nobody is remembered who was never here");
            let old = u64::from(self.config.tracking_s) * 1000;
            assert!(
                old == 0 || self.now.since_ms(before.at) <= old,
                "{addr} was here too long ago"
            );
            assert_eq!((visit.id, visit.remembered), (before.id, before.server), "{addr}");
        }
    }

    fn idler(&mut self) {
        let Some(number) = self.numbers.take() else { return };
        let (journey, step) = Journey::idler(&self.live, &self.idler_cursor, self.now);
        let scene = self.scene();
        let usable = |slot: &u32| {
            scene.refusal(ServerRef::Regular(*slot), None, scene.is_the_only_choice()).is_none()
        };
        let usable: Vec<u32> = scene.available().into_iter().filter(usable).collect();
        match step {
            Step::Connect(ServerRef::Regular(slot)) => assert!(usable.contains(&slot)),
            other => {
                assert_eq!(other, Step::Close(CloseReason::NoServer));
                assert!(usable.is_empty(), "{usable:?} could have been used");
            }
        }
        self.opened += 1;
        self.goes_on(number, journey, Route::default(), None, step);
    }

    /// Does what a journey's step says.
    fn goes_on(
        &mut self,
        number: u32,
        mut journey: Journey,
        route: Route,
        client: Option<(Visitor, ClientId)>,
        step: Step,
    ) {
        match step {
            Step::Close(reason) => {
                journey.end(0, 0);
                self.close(number, reason);
            }
            Step::Connect(server) => {
                let book = self.books.number(server).expect("a server that exists");
                self.books.all[book].1.pending += 1;
                if let (ServerRef::Regular(slot), Some((visitor, id))) = (server, &client) {
                    let id = *id;
                    self.clients.remember(id, slot);
                    let memory = self.memory.get_mut(&visitor.peer.addr);
                    if let Some(memory) = memory.filter(|memory| memory.id == id) {
                        memory.server = Some(slot);
                    }
                }
                let moves = self.moves_of(server);
                let state = State::Connecting;
                let connection =
                    Connection { number, journey, client, route, state, server, book, moves };
                self.connections.push(connection);
            }
        }
    }

    fn connects(&mut self, n: usize) {
        let connection = &mut self.connections[n];
        connection.journey.connected();
        connection.state = State::Open;
        let record = &mut self.books.all[connection.book].1;
        record.pending -= 1;
        record.established += 1;
    }

    fn fails(&mut self, n: usize, failure: ConnectFailure) {
        let Connection { number, mut journey, client, route, server, book, moves, .. } =
            self.connections.swap_remove(n);
        let same_place = self.moves_of(server) == moves;
        let record = &mut self.books.all[book].1;
        record.pending -= 1;
        if failure.blames_server() && same_place {
            record.failed_at = Some(self.now);
        }
        let nobody = Visitor::new(Peer { addr: ClientAddr::Unix, port: 0 }, None);
        let visitor = client.as_ref().map_or(nobody, |(visitor, _)| visitor.clone());
        let mut expected = self.scene().after(route, server, &visitor);
        if expected.step == Step::Close(CloseReason::NoServer) && !failure.blames_server() {
            expected.step = Step::Close(CloseReason::OutOfResources);
        }
        let mut passed = Vec::new();
        let hear = |server, refusal| passed.push((server, refusal));
        let step = journey.failed(&self.live, &visitor, failure, self.now, hear);
        let route = expected.route;
        assert_eq!(Decision { route, step, passed, cursor: self.turn }, expected);
        self.goes_on(number, journey, route, client, step);
    }

    fn ends(&mut self, n: usize, sent: u64, received: u64, reason: CloseReason) {
        let mut connection = self.connections.swap_remove(n);
        connection.journey.end(sent, received);
        let record = &mut self.books.all[connection.book].1;
        match connection.state {
            State::Connecting => record.pending -= 1,
            State::Open => record.established -= 1,
        }
        self.count(connection.book, connection.client.map(|c| c.1), sent, received);
        self.close(connection.number, reason);
    }

    fn count(&mut self, book: usize, client: Option<ClientId>, sent: u64, received: u64) {
        let record = &mut self.books.all[book].1;
        record.sent += sent;
        record.received += received;
        if let Some(id) = client {
            self.clients.count_bytes(id, received, sent);
        }
    }

    fn close(&mut self, number: u32, reason: CloseReason) {
        self.numbers.release(number);
        *self.closed.entry(reason.word()).or_default() += 1;
    }

    fn moves_of(&self, server: ServerRef) -> u32 {
        match server {
            ServerRef::Regular(slot) => self.moves.get(&slot).copied().unwrap_or(0),
            ServerRef::Emergency | ServerRef::Abuse => 0,
        }
    }
}
