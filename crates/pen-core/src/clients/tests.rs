//! The client table against a naive one, and the rows that matter by name.

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::{ClientId, ClientTable};
use crate::addr::ClientAddr;
use crate::moment::Moment;

const SECRET: [u64; 2] = [1, 2];

fn client(n: u32) -> ClientAddr {
    ClientAddr::Ip(IpAddr::V4(Ipv4Addr::from(n)))
}

fn at(seconds: u64) -> Moment {
    Moment(seconds * 1000)
}

#[test]
fn the_least_recently_seen_is_forgotten() {
    let mut table = ClientTable::new(3, SECRET);
    for n in 2..5 {
        let id = table.visit(client(n), at(0), 0).id;
        assert_eq!(id.slot, n - 2);
        table.remember(id, n);
    }
    for n in [2, 4] {
        assert_eq!(table.visit(client(n), at(1), 0).remembered, Some(n));
    }
    assert_eq!(table.visit(client(5), at(1), 0).id, ClientId { slot: 1, tenancy: 1 });
    assert_eq!(table.visit(client(3), at(1), 0).remembered, None);
}

#[test]
fn a_row_older_than_the_tracking_time_starts_anew() {
    let mut table = ClientTable::new(9, SECRET);
    let first = table.visit(client(1), at(10), 5);
    table.remember(first.id, 7);
    let again = table.visit(client(1), at(15), 5);
    assert_eq!((again.id, again.remembered), (first.id, Some(7)));
    let anew = table.visit(client(1), Moment(20_001), 5);
    assert_eq!((anew.id, anew.remembered), (ClientId { slot: 0, tenancy: 1 }, None));
    assert_eq!(table.entries(0..u32::MAX, at(20), 5).next().map(|e| e.connects), Some(1));
}

#[test]
fn an_expired_slot_is_used_before_a_new_one() {
    let mut table = ClientTable::new(9, SECRET);
    table.visit(client(1), at(0), 5);
    table.visit(client(2), at(4), 5);
    assert_eq!(table.visit(client(3), at(6), 5).id, ClientId { slot: 0, tenancy: 1 });
    assert_eq!(table.visit(client(4), at(6), 5).id, ClientId { slot: 2, tenancy: 0 });
    assert_eq!(table.entries(0..u32::MAX, at(60), 5).count(), 0);
    assert_eq!(table.entries(0..u32::MAX, at(60), 0).count(), 3);
}

#[test]
fn a_former_tenant_changes_nothing() {
    let mut table = ClientTable::new(1, SECRET);
    let former = table.visit(client(1), at(0), 0).id;
    table.visit(client(2), at(0), 0);
    table.remember(former, 3);
    table.count_bytes(former, 10, 20);
    let row = table.entries(0..u32::MAX, at(0), 0).next().unwrap();
    assert_eq!((row.addr, row.server, row.sent, row.received), (client(2), None, 0, 0));
}

#[test]
fn a_million_clients() {
    let mut table = ClientTable::new(1_000_000, SECRET);
    for n in 0..1_000_000 {
        assert_eq!(table.visit(client(n), at(1), 0).id.slot, n);
    }
    assert_eq!(table.visit(client(u32::MAX), at(2), 0).id.slot, 0);
    assert_eq!(table.rows.len(), 1_000_000);
}

/// A table that searches.
#[derive(Default)]
struct Naive {
    max: usize,
    rows: Vec<NaiveRow>,
    visits: u64,
}

struct NaiveRow {
    addr: ClientAddr,
    seen: Moment,
    order: u64,
    tenancy: u32,
    server: Option<u32>,
    connects: u64,
    sent: u64,
}

impl Naive {
    fn visit(&mut self, addr: ClientAddr, now: Moment, tracking_s: u32) -> (usize, u32) {
        self.visits += 1;
        let old =
            |row: &NaiveRow| tracking_s != 0 && now.0 > row.seen.0 + u64::from(tracking_s) * 1000;
        let oldest = (0..self.rows.len()).min_by_key(|&n| self.rows[n].order);
        let (slot, anew) = match self.rows.iter().position(|row| row.addr == addr) {
            Some(slot) => (slot, old(&self.rows[slot])),
            None => match oldest {
                Some(slot) if self.rows.len() == self.max || old(&self.rows[slot]) => (slot, true),
                _ => (self.rows.len(), true),
            },
        };
        if anew {
            let tenancy = self.rows.get(slot).map_or(0, |row| row.tenancy + 1);
            let row =
                NaiveRow { addr, seen: now, order: 0, tenancy, server: None, connects: 0, sent: 0 };
            if slot < self.rows.len() {
                self.rows[slot] = row;
            } else {
                self.rows.push(row);
            }
        }
        let row = &mut self.rows[slot];
        (row.seen, row.order) = (now, self.visits);
        row.connects += 1;
        (slot, row.tenancy)
    }
}

#[derive(Clone, Debug)]
enum Act {
    Visit { client: u32, remember: Option<u32> },
    Count { nth: usize, sent: u64 },
    Wait { ms: u64 },
    Grow { by: u32 },
    Track { seconds: u32 },
}

fn some_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (0u32..12, proptest::option::of(0u32..3))
            .prop_map(|(client, remember)| Act::Visit { client, remember }),
        2 => (0usize..20, 1u64..9).prop_map(|(nth, sent)| Act::Count { nth, sent }),
        4 => (0u64..1500).prop_map(|ms| Act::Wait { ms }),
        1 => (0u32..3).prop_map(|by| Act::Grow { by }),
        1 => (0u32..4).prop_map(|seconds| Act::Track { seconds }),
    ]
}

proptest! {
    #[test]
    fn agrees_with_a_table_that_searches(
        max in 1u32..6,
        acts in prop::collection::vec(some_act(), 0..120),
    ) {
        let mut table = ClientTable::new(max, SECRET);
        let mut naive = Naive { max: max as usize, ..Naive::default() };
        let (mut now, mut tracking_s) = (Moment(0), 0);
        let mut ids: Vec<ClientId> = Vec::new();
        for act in acts {
            match act {
                Act::Visit { client: n, remember } => {
                    let visit = table.visit(client(n), now, tracking_s);
                    let (slot, tenancy) = naive.visit(client(n), now, tracking_s);
                    prop_assert_eq!((visit.id.slot as usize, visit.id.tenancy), (slot, tenancy));
                    prop_assert_eq!(visit.remembered, naive.rows[slot].server);
                    if let Some(server) = remember {
                        table.remember(visit.id, server);
                        naive.rows[slot].server = remember;
                    }
                    ids.push(visit.id);
                }
                Act::Count { nth, sent } => {
                    let Some(id) = ids.get(nth).copied() else { continue };
                    table.count_bytes(id, sent, 0);
                    let row = &mut naive.rows[id.slot as usize];
                    row.sent += if row.tenancy == id.tenancy { sent } else { 0 };
                }
                Act::Wait { ms } => now = now.plus_ms(ms),
                Act::Grow { by } => {
                    table.grow(table.max() + by);
                    naive.max += by as usize;
                }
                Act::Track { seconds } => tracking_s = seconds,
            }
            prop_assert!(table.rows.len() <= table.max() as usize);
            let rows: Vec<_> =
                table.entries(0..u32::MAX, now, 0).map(|e| (e.addr, e.last_seen, e.server, e.connects, e.sent)).collect();
            let expected: Vec<_> =
                naive.rows.iter().map(|r| (r.addr, r.seen, r.server, r.connects, r.sent)).collect();
            prop_assert_eq!(rows, expected);
        }
    }
}
