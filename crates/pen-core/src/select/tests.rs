//! Selection, algorithm by algorithm, and their order.

use std::sync::atomic::{AtomicU32, Ordering};

use super::{Cursor, first};
use crate::addr::Host;
use crate::config::ServiceConfig;
use crate::moment::Moment;
use crate::servers::tests::meet;
use crate::service::tests::{live, service, visitor};

const NOW: Moment = Moment(5_000);

/// What strangers get, one after the other, with the servers in `out` blacklisted.
fn choices(config: &ServiceConfig, cursor: &Cursor, out: &[usize], times: u8) -> Vec<Option<u32>> {
    let live = live(config);
    for &n in out {
        live.servers[n].load.fail(NOW);
    }
    (0..times).map(|n| first(&live, cursor, &visitor(n, None), NOW)).collect()
}

#[test]
fn round_robin() {
    let rows: [(u8, &[usize], &[u32]); 6] = [
        (1, &[], &[0, 0, 0]),
        (3, &[], &[1, 2, 0, 1, 2, 0, 1]),
        (4, &[2], &[1, 3, 0, 1, 3, 0]),
        (2, &[1], &[0, 0, 0]),
        (2, &[0], &[1, 1, 1]),
        (2, &[0, 1], &[]),
    ];
    for (servers, out, expected) in rows {
        let expected: Vec<_> = match expected {
            [] => vec![None; 3],
            slots => slots.iter().copied().map(Some).collect(),
        };
        let times = u8::try_from(expected.len()).unwrap();
        assert_eq!(choices(&service(servers), &Cursor::default(), out, times), expected);
    }
    assert_eq!(choices(&service(0), &Cursor::default(), &[], 1), [None]);
}

#[test]
fn round_robin_goes_on_where_it_was_when_the_table_changes() {
    let cursor = Cursor::default();
    assert_eq!(choices(&service(2), &cursor, &[], 3), [Some(1), Some(0), Some(1)]);
    assert_eq!(choices(&service(3), &cursor, &[], 2), [Some(2), Some(0)]);
    assert_eq!(choices(&service(3), &cursor, &[], 2), [Some(1), Some(2)]);
    assert_eq!(choices(&service(1), &cursor, &[], 2), [Some(0), Some(0)]);
}

#[test]
fn round_robin_is_fair_to_the_last_turn_under_many_threads() {
    let cursor = Cursor::default();
    let counts: [AtomicU32; 5] = Default::default();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5_000 {
                    let slot = cursor.advance(5, |_| true).unwrap();
                    counts[slot as usize].fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(counts.map(AtomicU32::into_inner), [4_000; 5]);
}

#[test]
fn two_clients_at_the_same_moment_get_different_servers() {
    // A cursor for each round; both threads ask it at the same moment.
    const ROUNDS: u32 = 50_000;
    let cursors: Vec<Cursor> = (0..ROUNDS).map(|_| Cursor::default()).collect();
    let arrived = AtomicU32::new(0);
    let answers = || {
        let answer = |(round, cursor): (u32, &Cursor)| {
            meet(&arrived, round);
            cursor.advance(3, |_| true)
        };
        (1..).zip(&cursors).map(answer).collect::<Vec<_>>()
    };
    let (one, other) = std::thread::scope(|scope| {
        let other = scope.spawn(answers);
        (answers(), other.join().unwrap())
    });
    let same = one.iter().zip(&other).filter(|(a, b)| a == b).count();
    assert_eq!(same, 0, "of {ROUNDS} pairs");
}

#[test]
fn prio() {
    let mut config = service(4);
    config.mode.prio = true;
    for (server, prio) in config.servers.iter_mut().zip([30, 10, 20, 10]) {
        server.prio = prio;
    }
    let rows: [(&[usize], Option<u32>); 5] = [
        (&[], Some(1)),
        (&[1], Some(3)),
        (&[1, 3], Some(2)),
        (&[1, 2, 3], Some(0)),
        (&[0, 1, 2, 3], None),
    ];
    for (out, expected) in rows {
        assert_eq!(choices(&config, &Cursor::default(), out, 1), [expected], "{out:?} out");
    }
}

#[test]
fn weight_shares_in_proportion() {
    let mut config = service(3);
    config.mode.weight = true;
    for (server, weight) in config.servers.iter_mut().zip([1, 2, 0]) {
        server.weight = weight;
    }
    let live = live(&config);
    let turns: Vec<u32> = (0..9)
        .map(|n| {
            let slot = first(&live, &Cursor::default(), &visitor(n, None), NOW).unwrap();
            live.servers[slot as usize].load.reserve(0, 0).unwrap();
            slot
        })
        .collect();
    assert_eq!(turns, [0, 1, 1, 0, 1, 1, 0, 1, 1]);
    config.servers.iter_mut().for_each(|server| server.weight = 0);
    assert_eq!(choices(&config, &Cursor::default(), &[], 1), [None]);
}

#[test]
fn the_order_of_the_rules() {
    let mut config = service(4);
    config.servers[1].prio = 1;
    config.servers[0].prio = 2;
    config.servers[2].prio = 2;
    config.servers[3].prio = 2;
    config.servers[2].weight = 50;
    (config.mode.prio, config.mode.weight, config.mode.hash) = (true, true, true);
    let ask = |config: &ServiceConfig, remembered| {
        first(&live(config), &Cursor::default(), &visitor(9, remembered), NOW)
    };
    assert_eq!(ask(&config, Some(3)), Some(3), "the remembered server comes first");
    assert_eq!(ask(&config, Some(4)), Some(1), "a remembered slot that is no more does not count");
    assert_eq!(ask(&config, None), Some(1), "prio before weight");
    config.mode.prio = false;
    assert_eq!(ask(&config, None), Some(2), "weight before hash");
    config.mode.weight = false;
    let hashed = ask(&config, None);
    assert_eq!(hashed, live(&config).hash.choose(visitor(9, None).peer, false, |_| true));
    config.mode.hash = false;
    assert_eq!(ask(&config, None), Some(1), "round robin is what is left");
    config.mode.roundrobin = true;
    assert_eq!(ask(&config, Some(3)), Some(1), "round robin does not look back");
    (config.mode.roundrobin, config.mode.forgetful) = (false, true);
    assert_eq!(ask(&config, Some(3)), Some(1), "nor does a service that forgets");
}

#[test]
fn a_remembered_server_is_answered_even_when_blacklisted_but_never_an_unset_slot() {
    let mut config = service(3);
    let ask = |config: &ServiceConfig| {
        let live = live(config);
        live.servers[2].load.fail(NOW);
        first(&live, &Cursor::default(), &visitor(1, Some(2)), NOW)
    };
    assert_eq!(ask(&config), Some(2));
    config.servers[2].host = Host::Unset;
    assert_eq!(ask(&config), Some(1));
    for unset in 0..2 {
        config.servers[unset].host = Host::Unset;
    }
    assert_eq!(ask(&config), None);
}
