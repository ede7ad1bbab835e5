//! The table against a plain model of it, and flows against real loads, with seeded chance.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::*;
use crate::addr::{ClientAddr, Host, Peer};
use crate::clients::ClientTable;
use crate::config::{ServerConfig, ServiceConfig};
use crate::journey::Step;
use crate::reasons::ConnectFailure;
use crate::select::Cursor;
use crate::servers::ServerRef;
use crate::service::Live;

const SERVERS: u32 = 4;
const BOUND: usize = 12;

/// splitmix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % end
    }
}

fn client(n: u64) -> SocketAddr {
    (Ipv4Addr::new(10, 0, 0, (n % 7) as u8), 1000 + n as u16).into()
}

fn key(n: u64) -> FlowKey {
    FlowKey { door: 0, client: client(n), local: None, server: None }
}

fn live(hosts: u32, tune: impl FnOnce(&mut ServiceConfig)) -> Live {
    let mut config = ServiceConfig::new("test");
    config.servers = (0..hosts)
        .map(|n| ServerConfig {
            host: Host::Ip(Ipv4Addr::new(192, 0, 2, n as u8).into()),
            port: 53,
            ..ServerConfig::default()
        })
        .collect();
    tune(&mut config);
    Live::new(Arc::new(config))
}

fn visitor(n: u64) -> Visitor {
    let at = client(n);
    Visitor::new(Peer { addr: ClientAddr::from_ip(at.ip()), port: at.port() }, None)
}

/// A small shell: what the daemon does with a datagram, without sockets.
struct World {
    live: Live,
    cursor: Cursor,
    clients: ClientTable,
    flows: FlowTable,
    counts: Counts,
    /// Keys of the flows in the order of their last datagram, and when that was.
    model: BTreeMap<u16, Moment>,
    now: Moment,
}

impl World {
    fn new(live: Live) -> Self {
        Self {
            live,
            cursor: Cursor::default(),
            clients: ClientTable::new(5, [1, 2]),
            flows: FlowTable::new([3, 4]),
            counts: Counts::default(),
            model: BTreeMap::new(),
            now: Moment(0),
        }
    }

    fn start(&self, visitor: &Visitor) -> Option<(Journey, ServerRef)> {
        let note = |_, _| ();
        match Journey::start(&self.live, &self.cursor, visitor, self.now, note) {
            (mut journey, Step::Connect(server)) => {
                journey.connected();
                Some((journey, server))
            }
            (mut journey, Step::Close(_)) => {
                journey.end(0, 0);
                None
            }
        }
    }

    fn place(&self, server: ServerRef) -> SocketAddr {
        match self.live.server(server).unwrap().place().unwrap() {
            crate::addr::Place::Tcp(at) => at,
            other => panic!("{other}"),
        }
    }

    fn datagram(&mut self, n: u64) {
        let id = match self.flows.find(&key(n)) {
            Some(id) if self.flows.get(id).unwrap().journey.may_stay(&self.live, self.now) => id,
            Some(id) => {
                self.end(id, FlowEnd::NoServer);
                return self.datagram(n);
            }
            None => {
                if self.flows.len() == BOUND {
                    let (oldest, since) = self.flows.quietest().unwrap();
                    let quiet = self.model.values().map(|at| at.0 / 1000).min();
                    assert_eq!(Some(since.0 / 1000), quiet, "a livelier flow was recycled");
                    self.end(oldest, FlowEnd::Recycled);
                }
                let visit = self.clients.visit(visitor(n).peer.addr, self.now, 0);
                let visitor = Visitor::new(visitor(n).peer, visit.remembered);
                let Some((journey, server)) = self.start(&visitor) else {
                    return self.counts.drop(DropReason::NoServer, 1);
                };
                self.counts.opened += 1;
                let beginning = Beginning {
                    admission: Admission::default(),
                    key: key(n),
                    number: 0,
                    took_place: false,
                    client: visit.id,
                    visitor,
                    journey,
                    server: self.place(server),
                    port: n,
                };
                self.flows.open(beginning, self.now)
            }
        };
        self.flows.get_mut(id).unwrap().ask(1, 10);
        self.flows.touch(id, self.now);
        self.model.insert(client(n).port(), self.now);
        self.counts.to_servers += 1;
    }

    fn fail(&mut self, n: u64) {
        let Some(id) = self.flows.find(&key(n)) else { return };
        let flow = self.flows.get_mut(id).unwrap();
        let visitor = flow.visitor.clone();
        let before = flow.journey.server();
        let to =
            flow.journey.lost(&self.live, &visitor, ConnectFailure::Refused, self.now, |_, _| ());
        let Some(to) = to else { return };
        flow.journey.connected();
        assert_ne!(before, Some(to), "moved to the server that failed");
        let place = self.place(to);
        self.flows.get_mut(id).unwrap().go_to(place, n + 1000);
        self.counts.moved += 1;
    }

    fn end(&mut self, id: FlowId, why: FlowEnd) {
        let mut flow = self.flows.close(id).unwrap();
        let moved = flow.settle();
        flow.journey.end(moved.to_server, moved.to_client);
        self.counts.end(why);
        self.model.remove(&flow.key.client.port());
    }

    fn check(&self) {
        assert!(self.flows.len() <= BOUND);
        assert_eq!(self.flows.len(), self.model.len());
        let ended: u64 = self.counts.ended.iter().sum();
        assert_eq!(self.counts.opened, ended + self.flows.len() as u64, "a flow without an end");
        let at_servers: u32 = self.live.servers.iter().map(|s| s.load.reserved()).sum();
        assert_eq!(at_servers as usize, self.flows.len(), "places and flows differ");
    }
}

#[test]
fn every_flow_ends_once_and_gives_its_place_back() {
    for seed in 0..256 {
        let mut chance = Chance(seed);
        let mut world = World::new(live(SERVERS, |c| {
            c.blacklist_s = 1 + (seed % 3) as u32;
            c.mode.roundrobin = seed % 2 == 0;
        }));
        for _ in 0..400 {
            world.now = world.now.plus_ms(chance.below(700));
            let n = chance.below(30);
            match chance.below(10) {
                0 => world.fail(n),
                1 => {
                    let server = chance.below(u64::from(SERVERS)) as usize;
                    let seconds = chance.below(3) as u32;
                    world.live.servers[server].load.sentence(world.now, seconds);
                }
                2 => {
                    if let Some(id) = world.flows.find(&key(n))
                        && world.flows.get_mut(id).unwrap().answer(1, 20, 1)
                    {
                        world.end(id, FlowEnd::Answered);
                    }
                }
                3 => {
                    while let Some((id, since)) = world.flows.quietest()
                        && world.now.since_ms(since) >= 5_000
                    {
                        world.end(id, FlowEnd::IdleTimeout);
                    }
                }
                _ => world.datagram(n),
            }
            world.check();
        }
        for id in world.flows.ids().collect::<Vec<_>>() {
            world.end(id, FlowEnd::Shutdown);
        }
        world.check();
    }
}

#[test]
fn a_lone_server_is_not_blacklisted_for_what_can_be_forged() {
    for (servers, goes) in [(1, None), (2, Some(ServerRef::Regular(1)))] {
        let live = live(servers, |c| c.blacklist_s = 30);
        let visitor = Visitor::new(visitor(1).peer, Some(0));
        let now = Moment(5);
        let (mut journey, step) =
            Journey::start(&live, &Cursor::default(), &visitor, now, |_, _| ());
        assert_eq!(step, Step::Connect(ServerRef::Regular(0)));
        journey.connected();
        assert!(journey.may_stay(&live, now));
        let to = journey.lost(&live, &visitor, ConnectFailure::Refused, now, |_, _| ());
        assert_eq!(to, goes);
        assert_eq!(live.servers[0].load.blacklisted(now, 30), goes.is_some());
        if goes.is_some() {
            journey.connected();
        }
        assert!(journey.may_stay(&live, now));
        assert_eq!(live.servers.iter().map(|s| s.load.established()).sum::<u32>(), 1);
        journey.end(0, 0);
        assert_eq!(live.servers.iter().map(|s| s.load.reserved()).sum::<u32>(), 0);
    }
}

#[test]
fn a_stubborn_service_stays_at_a_server_that_fails() {
    let live = live(2, |c| c.mode.stubborn = true);
    let (mut journey, _) =
        Journey::start(&live, &Cursor::default(), &visitor(1), Moment(5), |_, _| ());
    journey.connected();
    let to = journey.lost(&live, &visitor(1), ConnectFailure::Refused, Moment(5), |_, _| ());
    assert_eq!(to, None);
    assert!(journey.may_stay(&live, Moment(5)));
    journey.end(0, 0);
}

#[test]
fn a_server_that_is_elsewhere_now_is_not_stayed_at() {
    let old = live(2, |_| ());
    let start = |live: &Live| {
        let (mut journey, _) =
            Journey::start(live, &Cursor::default(), &visitor(1), Moment(5), |_, _| ());
        journey.connected();
        journey
    };
    let mut journey = start(&old);
    let Some(ServerRef::Regular(slot)) = journey.server() else { panic!("no server") };
    let mut config = (*old.config).clone();
    assert!(journey.may_stay(&old.rebuilt(Arc::new(config.clone())), Moment(5)), "nothing changed");
    config.servers[slot as usize].port = 54;
    assert!(!journey.may_stay(&old.rebuilt(Arc::new(config.clone())), Moment(5)));
    config.servers[slot as usize] = ServerConfig::default();
    assert!(!journey.may_stay(&old.rebuilt(Arc::new(config)), Moment(5)));
    journey.end(0, 0);
}

#[test]
fn answers_end_a_flow_when_each_datagram_has_had_them() {
    for (asked, answers, per_datagram, over) in [
        (1, 1, 1, true),
        (3, 2, 1, false),
        (3, 3, 1, true),
        (2, 3, 2, false),
        (2, 4, 2, true),
        (1, 9, 0, false),
    ] {
        let live = live(1, |_| ());
        let mut world = World::new(live);
        world.datagram(1);
        let id = world.flows.find(&key(1)).unwrap();
        let flow = world.flows.get_mut(id).unwrap();
        flow.ask(asked - 1, 0);
        let mut ended = false;
        for _ in 0..answers {
            assert!(!ended, "over before the last answer");
            ended = flow.answer(1, 0, per_datagram);
        }
        assert_eq!(ended, over, "{asked} {answers} {per_datagram}");
        assert_eq!(flow.leaves_port_clean(FlowEnd::IdleTimeout), answers >= asked);
        assert!(!flow.leaves_port_clean(FlowEnd::Recycled));
        world.end(id, FlowEnd::Answered);
    }
}

#[test]
fn counters_add_up() {
    let sums = Counters::default();
    let mut counts = Counts { opened: 2, to_clients_bytes: 7, ..Counts::default() };
    counts.end(FlowEnd::Shutdown);
    counts.drop(DropReason::ReceiveQueueFull, 5);
    let once = counts.clone();
    sums.take_in(&mut counts);
    assert_eq!((sums.read(), counts), (once, Counts::default()));
    for (n, why) in FlowEnd::ALL.into_iter().enumerate() {
        assert_eq!(why as usize, n);
    }
    for (n, why) in DropReason::ALL.into_iter().enumerate() {
        assert_eq!(why as usize, n);
    }
}

#[test]
fn the_id_of_a_flow_that_ended_means_no_other() {
    let mut world = World::new(live(SERVERS, |_| ()));
    world.datagram(1);
    let old = world.flows.find(&key(1)).unwrap();
    world.end(old, FlowEnd::Recycled);
    world.datagram(2);
    let new = world.flows.find(&key(2)).unwrap();
    assert_eq!(old.row, new.row, "the row is used again");
    assert!(world.flows.get(old).is_none() && world.flows.get_mut(old).is_none());
    assert!(world.flows.close(old).is_none());
    assert!(!world.flows.touch(old, Moment(5_000)));
    assert_eq!(world.flows.get(new).unwrap().key, key(2));
    world.check();
}
