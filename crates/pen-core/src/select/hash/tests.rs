//! The hash algorithm: spread, minimal disruption, independence of the order, stability.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::Table;
use crate::addr::{ClientAddr, Host, Peer};
use crate::config::ServerConfig;
use crate::service::tests::server;

fn peer(n: u32) -> Peer {
    Peer {
        addr: ClientAddr::Ip(IpAddr::V4(Ipv4Addr::from(0x0a00_0000u32.wrapping_add(n)))),
        port: 1,
    }
}

fn peer6(n: u16) -> Peer {
    let ip = Ipv6Addr::new(0x2001, 0xdb8, 0, n, 0, 0, 0, 1);
    Peer { addr: ClientAddr::Ip(IpAddr::V6(ip)), port: 1 }
}

fn farm(weights: &[u32]) -> Vec<ServerConfig> {
    (0u8..).zip(weights).map(|(n, &weight)| ServerConfig { weight, ..server(n) }).collect()
}

/// How many of `clients` each server gets, with those in `out` unavailable.
fn shares(
    servers: &[ServerConfig],
    clients: impl Iterator<Item = Peer>,
    out: &[usize],
) -> Vec<u32> {
    let table = Table::build(servers);
    let mut counts = vec![0; servers.len()];
    for peer in clients {
        counts[table.choose(peer, false, |n| !out.contains(&n)).unwrap() as usize] += 1;
    }
    counts
}

/// Shares in proportion to `weights` within five standard deviations.
fn assert_fair(counts: &[u32], weights: &[u32]) {
    let (clients, whole) = (counts.iter().sum::<u32>(), weights.iter().sum::<u32>());
    for (&count, &weight) in counts.iter().zip(weights) {
        let p = f64::from(weight) / f64::from(whole);
        let expected = f64::from(clients) * p;
        let tolerance = 5.0 * (expected * (1.0 - p)).sqrt();
        assert!((f64::from(count) - expected).abs() <= tolerance, "{counts:?} for {weights:?}");
    }
}

#[test]
fn spread() {
    let clients = || (0..20_000).map(peer);
    assert_fair(&shares(&farm(&[0; 5]), clients(), &[]), &[1; 5]);
    assert_fair(&shares(&farm(&[7; 3]), clients(), &[]), &[1; 3]);
    assert_fair(&shares(&farm(&[0, 1, 2, 5]), clients(), &[]), &[1, 1, 2, 5]);
    assert_fair(&shares(&farm(&[1; 4]), (0..20_000).map(peer6), &[]), &[1; 4]);
    // What a dead server leaves is shared like everything else.
    assert_fair(&shares(&farm(&[1; 5]), clients(), &[2]), &[1, 1, 0, 1, 1]);
    assert_fair(&shares(&farm(&[1, 2, 3]), clients(), &[0]), &[0, 2, 3]);
    // The same place twice is two servers.
    assert_fair(&shares(&[server(1), server(1), server(1)], clients(), &[]), &[1; 3]);
}

#[test]
fn the_clients_of_a_dead_server_spread_over_all_others() {
    let table = Table::build(&farm(&[1; 5]));
    let orphans: Vec<Peer> =
        (0..30_000).map(peer).filter(|&p| table.choose(p, false, |_| true) == Some(2)).collect();
    assert_fair(&shares(&farm(&[1; 5]), orphans.into_iter(), &[2]), &[1, 1, 0, 1, 1]);
}

#[test]
fn the_port_counts_only_when_asked_for() {
    let table = Table::build(&farm(&[1; 8]));
    let choose = |peer, with_port| table.choose(peer, with_port, |_| true);
    let ports = || (1000..1040).map(|port| Peer { port, ..peer(7) });
    assert!(ports().all(|p| choose(p, false) == choose(peer(7), false)));
    assert!(ports().any(|p| choose(p, true) != choose(peer(7), true)));
    let unix = |port| Peer { addr: ClientAddr::Unix, port };
    assert!((0..40).all(|port| choose(unix(port), true) == choose(unix(0), false)));
}

#[test]
fn identity_is_the_name_or_the_place_as_configured() {
    let resolved = |last| Host::Name {
        name: "web.example".to_owned(),
        ip: IpAddr::V4(Ipv4Addr::new(203, 0, 113, last)),
    };
    let named = |n| ServerConfig { name: Some("blue".to_owned()), ..server(n) };
    let same = |a: &ServerConfig, b: &ServerConfig| {
        let others = farm(&[1; 3]);
        let with =
            |c: &ServerConfig| Table::build(&[&others[..], std::slice::from_ref(c)].concat());
        let (a, b) = (with(a), with(b));
        (0..300).map(peer).all(|p| a.choose(p, false, |_| true) == b.choose(p, false, |_| true))
    };
    let by_host = |host| ServerConfig { host, port: 80, ..ServerConfig::default() };
    assert!(same(&by_host(resolved(1)), &by_host(resolved(2))));
    assert!(same(&named(8), &named(9)));
    assert!(!same(&server(8), &server(9)));
    assert!(!same(&server(8), &ServerConfig { port: 81, ..server(8) }));
}

#[test]
fn nobody_available_and_nobody_set() {
    assert_eq!(Table::build(&farm(&[1; 3])).choose(peer(1), false, |_| false), None);
    assert_eq!(Table::build(&[]).choose(peer(1), false, |_| true), None);
    let unset = vec![ServerConfig::default(); 4];
    assert_eq!(Table::build(&unset).choose(peer(1), false, |_| true), None);
}

/// Another answer here means that machines of different releases disagree about every client.
#[test]
fn the_answer_is_the_same_in_every_release() {
    let chosen = |weights: &[u32]| -> Vec<u32> {
        let table = Table::build(&farm(weights));
        let clients = (0..8).map(peer).chain((0..8).map(peer6));
        clients.map(|p| table.choose(p, false, |_| true).unwrap()).collect()
    };
    assert_eq!(chosen(&[1; 5]), [2, 3, 3, 0, 0, 3, 0, 0, 2, 2, 1, 3, 4, 2, 2, 3]);
    assert_eq!(chosen(&[1, 2, 3, 4, 5]), [2, 3, 3, 3, 0, 3, 4, 3, 2, 2, 2, 3, 4, 2, 3, 3]);
}

proptest! {
    #[test]
    fn only_the_clients_of_a_missing_server_move_whatever_the_order(
        weights in prop::collection::vec(0u32..5, 2..9),
        missing in any::<prop::sample::Index>(),
        seed in any::<prop::sample::Index>(),
        first_client in any::<u32>(),
    ) {
        let servers = farm(&weights);
        let missing = missing.index(servers.len());
        let mut removed = servers.clone();
        removed.remove(missing);
        removed.rotate_left(seed.index(servers.len() - 1));
        let mut turned = servers.clone();
        turned.reverse();
        turned.rotate_left(seed.index(servers.len()));

        let (all, fewer, turned_table) =
            (Table::build(&servers), Table::build(&removed), Table::build(&turned));
        let host = |table: &[ServerConfig], slot: Option<u32>| {
            table[slot.unwrap() as usize].host.clone()
        };
        for n in 0..200 {
            let client = peer(first_client.wrapping_add(n));
            let before = all.choose(client, false, |_| true);
            let elsewhere = host(&turned, turned_table.choose(client, false, |_| true));
            prop_assert_eq!(&elsewhere, &host(&servers, before));
            let dead = all.choose(client, false, |slot| slot != missing);
            let gone = host(&removed, fewer.choose(client, false, |_| true));
            prop_assert_eq!(&gone, &host(&servers, dead), "removed and dead are the same");
            if before != Some(u32::try_from(missing).unwrap()) {
                prop_assert_eq!(before, dead);
            }
        }
    }
}
