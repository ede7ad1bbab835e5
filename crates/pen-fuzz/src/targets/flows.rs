//! The table of UDP flows beside a plain list of them.
//!
//! Steps: one byte says what, the next whose.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use pen_core::addr::{ClientAddr, Host, Peer};
use pen_core::arrivals::Admission;
use pen_core::clients::ClientTable;
use pen_core::config::{ServerConfig, ServiceConfig};
use pen_core::flow::{Beginning, FlowId, FlowKey, FlowTable};
use pen_core::journey::{Journey, Step};
use pen_core::moment::Moment;
use pen_core::reasons::ConnectFailure;
use pen_core::select::{Cursor, Visitor};
use pen_core::service::Live;

use super::named;
use crate::Choices;
use crate::draft::v4;

/// Flows at once.
const ROOM: usize = 6;

fn client(n: u8) -> SocketAddr {
    (Ipv4Addr::new(10, 0, 0, n % 3), 1_000 + u16::from(n % 8)).into()
}

fn key(n: u8) -> FlowKey {
    FlowKey { door: u32::from(n / 128), client: client(n), local: None, server: None }
}

struct World {
    live: Live,
    cursor: Cursor,
    clients: ClientTable,
    table: FlowTable,
    /// Flows with the time of their last datagram, the quietest first, to the second.
    model: Vec<(FlowKey, FlowId, Moment)>,
    /// Flows that are over.
    gone: Vec<FlowId>,
    now: Moment,
}

impl World {
    fn new(bits: u8) -> Self {
        let mut config = ServiceConfig::new("test");
        let server =
            |n| ServerConfig { host: Host::Ip(v4(n)), port: 53, ..ServerConfig::default() };
        config.servers = (1..=1 + bits % 4).map(server).collect();
        config.mode.roundrobin = bits & 16 != 0;
        config.blacklist_s = u32::from(bits >> 6);
        Self {
            live: Live::new(Arc::new(config)),
            cursor: Cursor::default(),
            clients: ClientTable::new(3, [1, 2]),
            table: FlowTable::new([3, 4]),
            model: Vec::new(),
            gone: Vec::new(),
            now: Moment(0),
        }
    }

    fn datagram(&mut self, n: u8) {
        let key = key(n);
        let known = self.table.find(&key);
        let place = self.model.iter().position(|f| f.0 == key);
        assert_eq!(known, place.and_then(|at| self.model.get(at)).map(|f| f.1));
        let Some((id, at)) = known.zip(place) else { return self.open(key) };
        let mut entry = self.model.remove(at);
        let moved = self.table.touch(id, self.now);
        assert_eq!(moved, entry.2.0 / 1_000 < self.now.0 / 1_000, "once a second");
        if moved {
            entry.2 = self.now;
            self.model.push(entry);
        } else {
            self.model.insert(at, entry);
        }
        let Some(flow) = self.table.get_mut(id) else { panic!("found and not there") };
        assert_eq!((flow.key, flow.active), (key, self.now));
        flow.ask(1, 10);
    }

    fn open(&mut self, key: FlowKey) {
        if self.model.len() == ROOM {
            let Some((id, _)) = self.table.quietest() else { panic!("none is the quietest") };
            assert_eq!(self.model.first().map(|f| f.1), Some(id), "a livelier flow makes room");
            self.close(id);
        }
        let peer = Peer { addr: ClientAddr::from_ip(key.client.ip()), port: key.client.port() };
        let visit = self.clients.visit(peer.addr, self.now, 0);
        let visitor = Visitor::new(peer, visit.remembered);
        let (journey, step) =
            Journey::start(&self.live, &self.cursor, &visitor, self.now, |_, _| ());
        let mut journey = journey;
        if let Step::Close(_) = step {
            return journey.end(0, 0);
        }
        journey.connected();
        let beginning = Beginning {
            key,
            number: 0,
            took_place: false,
            admission: Admission::default(),
            client: visit.id,
            visitor,
            journey,
            server: (v4(1), 53).into(),
            port: 1,
        };
        let id = self.table.open(beginning, self.now);
        self.model.push((key, id, self.now));
    }

    fn close(&mut self, id: FlowId) {
        let Some(mut flow) = self.table.close(id) else { panic!("it was there") };
        let moved = flow.settle();
        assert_eq!(flow.settle(), Default::default(), "settled twice");
        flow.journey.end(moved.to_server, moved.to_client);
        self.model.retain(|f| f.1 != id);
        self.gone.push(id);
    }

    /// A server failed: its flow goes to another one or stays.
    fn fail(&mut self, n: u8) {
        let Some(flow) = self.table.find(&key(n)).and_then(|id| self.table.get_mut(id)) else {
            return;
        };
        let (visitor, before) = (flow.visitor.clone(), flow.journey.server());
        let refused = ConnectFailure::Refused;
        let to = flow.journey.lost(&self.live, &visitor, refused, self.now, |_, _| ());
        let Some(to) = to else { return };
        flow.journey.connected();
        assert_ne!(before, Some(to), "moved to the server that failed");
        flow.go_to((v4(1), 53).into(), 2);
    }

    fn check(&self) {
        assert!(self.model.len() <= ROOM && self.table.len() == self.model.len());
        assert_eq!(self.table.ids().count(), self.model.len());
        let quietest = self.table.quietest().map(|(id, _)| id);
        assert_eq!(quietest, self.model.first().map(|f| f.1));
        assert!(self.gone.iter().all(|id| self.table.get(*id).is_none()), "an end was undone");
        let places: u32 = self.live.servers.iter().map(|s| s.load.reserved()).sum();
        assert_eq!(usize::try_from(places).ok(), Some(self.model.len()), "places and flows");
    }
}

pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let mut world = World::new(choices.byte());
    for _ in 0..256 {
        if choices.is_empty() {
            break;
        }
        let (step, n) = (choices.byte(), choices.byte());
        world.now = world.now.plus_ms(u64::from(step / 8) * 100);
        match step % 8 {
            0 => world.fail(n),
            1 => {
                let id = world.table.find(&key(n));
                let over =
                    id.and_then(|id| world.table.get_mut(id)).is_some_and(|f| f.answer(1, 9, 1));
                if let (Some(id), true) = (id, over) {
                    world.close(id);
                }
            }
            2 => {
                while let Some((id, since)) = world.table.quietest()
                    && world.now.since_ms(since) >= 2_000
                {
                    world.close(id);
                }
            }
            3 => {
                let server = world.live.servers.get(usize::from(n % 4));
                server.into_iter().for_each(|s| s.load.sentence(world.now, u32::from(n % 3)));
            }
            4 => {
                let gone = world.gone.get(usize::from(n)).copied();
                assert!(gone.is_none_or(|id| world.table.close(id).is_none()), "ended twice");
            }
            _ => world.datagram(n),
        }
        world.check();
    }
    for id in world.table.ids().collect::<Vec<_>>() {
        world.close(id);
    }
    world.check();
}

pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let ask = |n: u8| [5, n];
    let busy: Vec<u8> = (0..8).flat_map(|n| [ask(n), [85, n], [1, n]]).flatten().collect();
    let full: Vec<u8> = (0..20).flat_map(ask).collect();
    let fails = [[3].to_vec(), (0..6).flat_map(|n| [ask(n), [0, n]]).flatten().collect()].concat();
    let quiet: Vec<u8> =
        (0..5).flat_map(|n| [ask(n), [250, 9], [2, 0], [4, 0]]).flatten().collect();
    named([
        ("questions-and-answers", [vec![1], busy].concat()),
        ("no-room", [vec![18], full].concat()),
        ("servers-fail", fails),
        ("quiet-ones-end", [vec![0x42], quiet].concat()),
    ])
}
