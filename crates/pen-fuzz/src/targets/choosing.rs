//! The first server for a client, by every rule; and the consistent hash, whose promises are looked at one by
//! one: nobody moves who need not, whatever the order, the weights and who is out.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use pen_core::addr::{ClientAddr, Host, Peer};
use pen_core::config::{ServerConfig, ServiceConfig};
use pen_core::moment::Moment;
use pen_core::select::{Cursor, Rule, Visitor, first, hash, rule};
use pen_core::service::Live;

use super::named;
use crate::Choices;

const SERVERS_MAX: usize = 12;
const NOW: Moment = Moment(100_000);

/// A server as it was meant.
#[derive(Clone)]
struct Meant {
    config: ServerConfig,
    taken: u32,
    failed: bool,
}

fn server(choices: &mut Choices<'_>) -> Meant {
    let (place, load) = (choices.byte(), choices.byte());
    let host = match place & 15 {
        0 => Host::Unset,
        1 => Host::Unix("/run/back".into()),
        2 => Host::Name { name: "back".to_owned(), ip: Ipv4Addr::new(10, 9, 9, load).into() },
        n => Host::Ip(Ipv4Addr::new(10, 0, 0, n).into()),
    };
    let port = if place & 0x30 == 0x30 { 0 } else { 80 };
    let (weight, prio) = (choices.short().into(), choices.byte().into());
    let name = (place & 0xc0 == 0xc0).then(|| format!("n{}", load & 3));
    let config = ServerConfig { host, port, weight, prio, name, ..ServerConfig::default() };
    Meant { config, taken: (load >> 2 & 15).into(), failed: load & 0x80 != 0 }
}

impl Meant {
    fn can_be_tried(&self) -> bool {
        let set = match self.config.host {
            Host::Unset => false,
            Host::Unix(_) => true,
            _ => self.config.port != 0,
        };
        set && !self.failed
    }
}

fn live(service: ServiceConfig, servers: &[Meant]) -> Live {
    let live = Live::new(Arc::new(service));
    for (server, meant) in live.servers.iter().zip(servers) {
        for _ in 0..meant.taken {
            assert!(server.load.reserve(0, 0).is_ok());
        }
        if meant.failed {
            server.load.fail(NOW);
        }
    }
    live
}

pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let (bits, count) = (choices.byte(), usize::from(choices.byte()) % (SERVERS_MAX + 1));
    let servers: Vec<Meant> = (0..count).map(|_| server(&mut choices)).collect();
    let configs: Vec<ServerConfig> = servers.iter().map(|s| s.config.clone()).collect();
    let mut service = ServiceConfig { servers: configs, ..ServiceConfig::new("web") };
    service.mode.hash = bits & 1 != 0;
    service.mode.roundrobin = bits & 2 != 0;
    service.mode.weight = bits & 4 != 0;
    service.mode.prio = bits & 8 != 0;
    service.mode.forgetful = bits & 16 != 0;
    let live = live(service, &servers);
    let cursor = Cursor::default();
    let mut at = 0;
    for _ in 0..16 {
        let peer = peer(&mut choices);
        let slot = u32::from(choices.byte());
        let visitor = Visitor::new(peer, (slot < 16).then_some(slot));
        let chosen = first(&live, &cursor, &visitor, NOW);
        let meant = meant(bits, &servers, visitor.remembered, &mut at);
        match (rule(&live, &visitor), meant) {
            (Rule::Hash | Rule::HashPort, Answer::Drawn) => {
                let able = |n: usize| servers.get(n).is_some_and(Meant::can_be_tried);
                assert_eq!(chosen.is_some(), (0..servers.len()).any(able));
                assert!(chosen.is_none_or(|slot| able(slot as usize)), "{chosen:?} is out");
            }
            (_, Answer::Slot(slot)) => assert_eq!(chosen, slot, "{bits:#x}"),
            (rule, Answer::Drawn) => panic!("{rule:?} is no hash"),
        }
        draws(&servers, peer, bits & 32 != 0);
        if choices.is_empty() {
            break;
        }
    }
}

fn peer(choices: &mut Choices<'_>) -> Peer {
    let kind = choices.byte();
    let ip = Ipv4Addr::from([10, choices.byte(), choices.byte(), choices.byte()]);
    let addr = match kind & 3 {
        0 => ClientAddr::Unix,
        1 => ClientAddr::from_ip(Ipv6Addr::from(u128::from(ip.to_bits()) << 64).into()),
        2 => ClientAddr::from_ip(ip.to_ipv6_mapped().into()),
        _ => ClientAddr::from_ip(ip.into()),
    };
    Peer { addr, port: choices.short() }
}

/// What a rule comes to.
enum Answer {
    Slot(Option<u32>),
    /// A lot decides.
    Drawn,
}

/// Rule by rule, from the first that is on. `at`: the slot that round robin has come to.
fn meant(bits: u8, servers: &[Meant], remembered: Option<u32>, at: &mut usize) -> Answer {
    let on = |bit: u8| bits & bit != 0;
    let set = |slot: u32| {
        let server = servers.get(slot as usize);
        server.is_some_and(|s| Meant { failed: false, ..s.clone() }.can_be_tried())
    };
    let able = || (0_u32..).zip(servers).filter(|(_, s)| s.can_be_tried());
    let slot = match remembered.filter(|slot| !on(2) && !on(16) && set(*slot)) {
        Some(slot) => Some(slot),
        None if on(8) => {
            let lowest = able().map(|(_, s)| s.config.prio).min();
            able().find(|(_, s)| Some(s.config.prio) == lowest).map(|(slot, _)| slot)
        }
        None if on(4) => {
            let load = |s: &Meant| 256 * u64::from(s.taken) / u64::from(s.config.weight);
            let with = || able().filter(|(_, s)| s.config.weight > 0);
            let least = with().map(|(_, s)| load(s)).min();
            with().find(|(_, s)| Some(load(s)) == least).map(|(slot, _)| slot)
        }
        None if on(1) => return Answer::Drawn,
        None => {
            let turns = (1..=servers.len()).map(|n| (*at + n) % servers.len());
            let next = turns.into_iter().find(|n| servers[*n].can_be_tried());
            *at = next.unwrap_or(*at);
            next.and_then(|n| u32::try_from(n).ok())
        }
    };
    Answer::Slot(slot)
}

/// What the hash promises for this client.
fn draws(servers: &[Meant], peer: Peer, with_port: bool) {
    let configs: Vec<ServerConfig> = servers.iter().map(|s| s.config.clone()).collect();
    let out = |slot: usize| servers.get(slot).is_none_or(|s| s.failed);
    let table = hash::Table::build(&configs);
    let all = table.choose(peer, with_port, |_| true);
    let able = table.choose(peer, with_port, |slot| !out(slot));
    if !with_port {
        let other = Peer { port: !peer.port, ..peer };
        assert_eq!(table.choose(other, with_port, |_| true), all, "the port counts");
    }
    let Some(first) = all.and_then(|slot| usize::try_from(slot).ok()) else {
        assert!(configs.iter().all(|c| c.host == Host::Unset));
        return;
    };
    assert!(configs[first].host != Host::Unset);
    if !out(first) {
        assert_eq!(able, all, "a client moved whose server can be used");
    }
    if twins(&configs) {
        return;
    }
    // Who is out, or was never there: the same for everybody else.
    let without =
        |slot: usize| if out(slot) { ServerConfig::default() } else { configs[slot].clone() };
    let fewer: Vec<ServerConfig> = (0..configs.len()).map(without).collect();
    assert_eq!(hash::Table::build(&fewer).choose(peer, with_port, |_| true), able);
    // The order counts for nothing.
    let last = configs.len() - 1;
    let swapped: Vec<ServerConfig> = configs.iter().rev().cloned().collect();
    let mirror = hash::Table::build(&swapped).choose(peer, with_port, |_| true);
    assert_eq!(mirror.map(|slot| last - slot as usize), Some(first), "two machines disagree");
    // More weight only wins clients, less only loses them.
    for (slot, config) in configs.iter().enumerate().filter(|(_, c)| c.host != Host::Unset) {
        let mut heavier = configs.clone();
        heavier[slot].weight = config.weight.max(1) * 2;
        let now = hash::Table::build(&heavier).choose(peer, with_port, |_| true);
        let now = now.and_then(|slot| usize::try_from(slot).ok());
        assert!(now == Some(first) || now == Some(slot), "{now:?} has gained nothing");
        assert!(slot != first || now == Some(first), "{slot} has lost a client by more weight");
    }
}

/// Whether two are called the same: which of them is which is their order.
fn twins(configs: &[ServerConfig]) -> bool {
    let called = |c: &ServerConfig| match (&c.name, &c.host) {
        (Some(name), _) => (name.clone(), 0, true),
        (None, Host::Unix(path)) => (path.display().to_string(), 0, false),
        (None, host) => (host.as_written(), c.port, false),
    };
    let set: Vec<_> = configs.iter().filter(|c| c.host != Host::Unset).map(called).collect();
    set.iter().enumerate().any(|(n, one)| set.iter().take(n).any(|other| other == one))
}

pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let clients: Vec<u8> = (0..9).flat_map(|n| [3, 0, n, n * 7, n, 9, 0xff]).collect();
    let known: Vec<u8> = (0..9).flat_map(|n| [n, 0, 0, n, 0, 9, n]).collect();
    let farm = |bits: u8, rows: &[[u8; 5]]| -> Vec<u8> {
        let count = u8::try_from(rows.len()).unwrap_or(0);
        [&[bits, count][..], rows.concat().as_slice(), &clients, &known].concat()
    };
    let alike = [[3, 0, 0, 1, 0], [4, 0, 0, 1, 0], [5, 0, 0, 1, 0]];
    let heavy = [[3, 8, 0, 1, 9], [4, 40, 0, 5, 3], [5, 0x80, 1, 200, 3], [6, 0, 0, 0, 7]];
    let odd =
        [[0, 0, 0, 9, 0], [1, 0, 0, 1, 0], [2, 1, 0, 3, 0], [0x35, 0, 0, 1, 0], [0xc7, 1, 0, 2, 0]];
    named([
        ("nobody", farm(1, &[])),
        ("in-turn", farm(0, &alike)),
        ("in-turn-and-never-again", farm(2, &alike)),
        ("drawn", farm(1, &alike)),
        ("drawn-with-port", farm(0x23, &heavy)),
        ("drawn-by-weight", farm(1, &heavy)),
        ("drawn-among-odd-ones", farm(0x11, &odd)),
        ("the-least-loaded", farm(4, &heavy)),
        ("by-priority", farm(8, &heavy)),
        ("all-rules", farm(0x0d, &odd)),
        ("twins", farm(1, &[[3, 0, 0, 1, 0], [3, 0, 0, 9, 0], [4, 0, 0, 1, 0]])),
    ])
}
