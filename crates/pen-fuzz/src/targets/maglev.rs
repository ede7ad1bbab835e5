//! The Maglev table: shares by weight, agreement between machines, and nobody moves who need not.

use std::net::Ipv4Addr;

use pen_core::addr::Host;
use pen_core::config::ServerConfig;
use pen_core::limits;
use pen_core::maglev::Table;

use super::named;
use crate::Choices;

const SERVERS_MAX: usize = 24;
const KEYS: u64 = 512;

fn server(place: u8, weight: u32) -> ServerConfig {
    let host = match place {
        0 => Host::Unset,
        n => Host::Ip(Ipv4Addr::new(10, 0, n >> 4, n & 15).into()),
    };
    ServerConfig { host, port: 80, weight, ..ServerConfig::default() }
}

/// Any number of a key; the table is asked with it as it is.
fn key(n: u64) -> u64 {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let out = choices.short();
    let mut servers = Vec::new();
    while !choices.is_empty() && servers.len() < SERVERS_MAX {
        let (place, weight) = (choices.byte(), choices.short());
        servers.push(server(place, weight.into()));
    }
    let table = Table::build(&servers);
    let is_set = |slot: u32| {
        let server = usize::try_from(slot).ok().and_then(|n| servers.get(n));
        server.is_some_and(|s| s.host != Host::Unset)
    };
    let is_out = |slot: u32| out >> (slot % 16) & 1 == 1;
    let anybody = (0..).zip(&servers).any(|(slot, _)| is_set(slot) && !is_out(slot));
    let swapped: Vec<ServerConfig> = servers.iter().rev().cloned().collect();
    let mirror = Table::build(&swapped);
    let mut listed: Vec<&Host> = servers.iter().map(|s| &s.host).collect();
    listed.sort_by_key(|host| host.to_string());
    listed.retain(|host| **host != Host::Unset);
    let twins = listed.windows(2).any(|pair| pair[0] == pair[1]);
    for n in 0..KEYS {
        let key = key(n);
        let first = table.choose(key, |_| true);
        assert_eq!(first.is_some(), (0..).zip(&servers).any(|(slot, _)| is_set(slot)));
        assert!(first.is_none_or(is_set), "an unset server was chosen");
        let able = table.choose(key, |slot| !is_out(slot));
        assert_eq!(able.is_some(), anybody, "{able:?}");
        assert!(able.is_none_or(|slot| !is_out(slot)));
        if first.is_some_and(|slot| !is_out(slot)) {
            assert_eq!(able, first, "a key moved whose server can be used");
        }
        let last = u32::try_from(servers.len()).unwrap_or(0).saturating_sub(1);
        let other = mirror.choose(key, |_| true).map(|slot| last - slot);
        assert!(twins || other == first, "two machines disagree about {key}: {first:?} {other:?}");
    }
    shares(&table, &servers);
}

/// Places of the table by weight, to one place. Keys of 0 to its size are its places.
fn shares(table: &Table, servers: &[ServerConfig]) {
    let weight = |s: &ServerConfig| u64::from(s.weight.max(1));
    let set = || (0_u32..).zip(servers).filter(|(_, s)| s.host != Host::Unset);
    let whole: u64 = set().map(|(_, s)| weight(s)).sum();
    let size = u64::from(limits::MAGLEV_SMALL);
    let mut counts = vec![0_u64; servers.len()];
    for place in 0..size {
        let slot = table.choose(place, |_| true).and_then(|slot| usize::try_from(slot).ok());
        if let Some(count) = slot.and_then(|slot| counts.get_mut(slot)) {
            *count += 1;
        }
    }
    for ((slot, server), count) in set().zip(
        counts.iter().zip(servers).filter(|(_, s)| s.host != Host::Unset).map(|(count, _)| *count),
    ) {
        let share = size * weight(server) / whole;
        // Taking turns, nobody is more than one turn of everybody ahead or behind.
        let slack = set().count() as u64 + 1;
        assert!(
            count + slack >= share && count <= share + slack,
            "server {slot} has {count} places for {share} of {size}"
        );
    }
}

pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let farm = |rows: &[(u8, u8)]| -> Vec<u8> {
        rows.iter().flat_map(|(place, weight)| [*place, 0, *weight]).collect()
    };
    named([
        ("nobody", vec![]),
        ("three-alike", [vec![0, 0], farm(&[(1, 1), (2, 1), (3, 1)])].concat()),
        ("weights-and-one-out", [vec![0, 2], farm(&[(1, 1), (2, 5), (3, 200), (4, 0)])].concat()),
        ("twins-and-a-gap", [vec![0, 0], farm(&[(1, 1), (1, 1), (0, 9), (7, 2)])].concat()),
        ("all-out", [vec![255, 255], farm(&[(1, 1), (2, 1)])].concat()),
    ])
}
