//! Merging beside a list that is sorted each time, with visits in between.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::{Merged, Merging, Remembered};
use crate::addr::ClientAddr;
use crate::clients::{ClientTable, NONE};
use crate::moment::Moment;

fn client(n: u32) -> ClientAddr {
    ClientAddr::Ip(IpAddr::V4(Ipv4Addr::from(n)))
}

fn at(seconds: u64) -> Moment {
    Moment(seconds * 1000)
}

fn remembered(n: u32, seen: u64, server: u32) -> Remembered {
    Remembered { addr: client(n), last_seen: at(seen), server }
}

/// Who is there in the order of visits: address, time, server.
fn order(table: &ClientTable) -> Vec<(ClientAddr, u64, u32)> {
    let (mut all, mut slot, mut before) = (Vec::new(), table.oldest, NONE);
    while slot != NONE {
        let row = table.row(slot);
        assert_eq!(row.older, before);
        assert_eq!(table.slots.get(&row.addr), Some(&slot));
        all.push((row.addr, row.last_seen.0 / 1000, row.server));
        (before, slot) = (slot, row.newer);
    }
    assert_eq!((table.newest, all.len()), (before, table.rows.len()));
    all
}

fn merge(table: &mut ClientTable, mut clients: Vec<Remembered>, steps: u32) -> Merged {
    clients.sort_by_key(|c| c.last_seen);
    let mut merging = Merging::new(clients);
    while !table.merge(&mut merging, steps) {}
    merging.merged
}

#[test]
fn who_was_here_later_is_believed() {
    let mut table = ClientTable::new(4, [1, 2]);
    for (n, seen) in [(1, 10), (2, 20), (3, 30)] {
        let id = table.visit(client(n), at(seen), 0).id;
        if n != 3 {
            table.remember(id, 7);
        }
    }
    let there = vec![remembered(1, 25, 8), remembered(2, 21, 8), remembered(3, 5, 8)];
    let merged = merge(&mut table, there, 3);
    assert_eq!(merged, Merged { taken: 1, kept: 2, no_room: 0 });
    let expected = [(client(2), 20, 7), (client(1), 25, 8), (client(3), 30, 8)];
    assert_eq!(order(&table), expected);
    let there = vec![remembered(4, 1, 9), remembered(5, 27, 9), remembered(6, 2, 9)];
    let merged = merge(&mut table, there, 3);
    assert_eq!(merged, Merged { taken: 3, kept: 0, no_room: 0 });
    let expected = [(client(2), 20, 7), (client(1), 25, 8), (client(5), 27, 9), (client(3), 30, 8)];
    assert_eq!(order(&table), expected, "the oldest made room");
    let merged = merge(&mut table, vec![remembered(9, 20, 9)], 1);
    assert_eq!(merged.no_room, 1, "nobody goes for who was here no later");
}

#[test]
fn a_client_that_is_merged_finds_its_server() {
    let mut table = ClientTable::new(9, [1, 2]);
    merge(&mut table, vec![remembered(1, 5, 3)], 9);
    assert_eq!(table.look(client(1), at(9), 5), Some(3));
    assert_eq!(table.visit(client(1), at(9), 5).remembered, Some(3));
    assert_eq!(table.visit(client(1), at(99), 5).remembered, None);
}

proptest! {
    #[test]
    fn the_order_holds_whatever_happens_in_between(
        here in prop::collection::vec((0..40_u32, 0..100_u64), 0..40),
        there in prop::collection::vec((0..40_u32, 0..200_u64), 0..40),
        between in prop::collection::vec(0..60_u32, 0..40),
        max in 1..30_u32,
        steps in 1..8_u32,
    ) {
        let mut table = ClientTable::new(max, [1, 2]);
        let mut here = here;
        here.sort_by_key(|(_, seen)| *seen);
        for (n, seen) in here {
            let id = table.visit(client(n), at(seen), 0).id;
            table.remember(id, 1);
        }
        let mut newest: HashMap<ClientAddr, u64> = HashMap::new();
        let mut clients: Vec<_> = there.iter().map(|(n, seen)| remembered(*n, *seen, 2)).collect();
        for c in &clients {
            newest.entry(c.addr).and_modify(|s| *s = (*s).max(c.last_seen.0 / 1000)).or_insert(c.last_seen.0 / 1000);
        }
        clients.sort_by_key(|c| c.last_seen);
        let (all, mut merging, mut visits) = (clients.len(), Merging::new(clients), 0);
        for (n, visitor) in (0..).zip(&between) {
            table.merge(&mut merging, steps);
            table.visit(client(*visitor), at(200 + n), 0);
            visits += 1;
        }
        while !table.merge(&mut merging, steps) {}
        let Merged { taken, kept, no_room } = merging.merged;
        prop_assert_eq!(taken + kept + no_room, all as u64);
        let rows = order(&table);
        prop_assert!(rows.windows(2).all(|w| w[0].1 <= w[1].1), "{:?}", rows);
        prop_assert!(rows.len() as u32 <= max);
        for (addr, seen, server) in rows {
            if server == 2 {
                let said = newest.get(&addr).copied().unwrap_or(0);
                prop_assert!(seen <= said || seen >= 200, "{} {} {}", addr, seen, visits);
            }
        }
    }
}
