//! The table of clients beside a plain list of them, and numbers of connections beside a set.
//!
//! Steps: one byte says what, the next whose.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use pen_core::addr::ClientAddr;
use pen_core::clients::{ClientId, ClientTable};
use pen_core::moment::Moment;
use pen_core::slots::Slots;

use super::named;
use crate::Choices;

fn client(n: u8) -> ClientAddr {
    match n % 9 {
        0 => ClientAddr::Unix,
        n => ClientAddr::from_ip(Ipv4Addr::new(10, 0, 0, n).into()),
    }
}

/// A client as the list knows it; the one seen last is the last one.
#[derive(Clone, Debug)]
struct Known {
    addr: ClientAddr,
    id: ClientId,
    seen: Moment,
    server: Option<u32>,
    connects: u64,
    bytes: (u64, u64),
}

impl Known {
    fn is_old(&self, now: Moment, tracking_s: u32) -> bool {
        tracking_s > 0 && now.0.saturating_sub(self.seen.0) > u64::from(tracking_s) * 1_000
    }
}

struct World {
    table: ClientTable,
    list: Vec<Known>,
    max: u32,
    tracking_s: u32,
    now: Moment,
    /// Every place that a client was ever given.
    ids: Vec<ClientId>,
}

impl World {
    fn visit(&mut self, addr: ClientAddr) {
        let at = self.list.iter().position(|k| k.addr == addr);
        let (now, tracking_s) = (self.now, self.tracking_s);
        let expected = match at {
            Some(at) => {
                let mut known = self.list.remove(at);
                if known.is_old(now, tracking_s) {
                    known = self.anew(addr, (known.id.slot, known.id.tenancy + 1));
                }
                known
            }
            None => {
                let room = self.list.len() < self.max as usize;
                let victim = self.list.first().filter(|k| !room || k.is_old(now, tracking_s));
                let place = match victim.map(|k| k.id) {
                    Some(id) => {
                        self.list.remove(0);
                        (id.slot, id.tenancy + 1)
                    }
                    None => (u32::try_from(self.list.len()).unwrap_or(u32::MAX), 0),
                };
                self.anew(addr, place)
            }
        };
        let visit = self.table.visit(addr, now, tracking_s);
        assert_eq!((visit.id, visit.remembered), (expected.id, expected.server), "{addr}");
        self.ids.push(visit.id);
        let (seen, connects) = (expected.seen.max(now), expected.connects + 1);
        self.list.push(Known { seen, connects, ..expected });
    }

    fn anew(&self, addr: ClientAddr, (slot, tenancy): (u32, u32)) -> Known {
        let id = ClientId { slot, tenancy };
        Known { addr, id, seen: Moment(0), server: None, connects: 0, bytes: (0, 0) }
    }

    /// Somebody who was here, perhaps long ago, uses a server and moves bytes.
    fn use_server(&mut self, n: u8, amount: u8) {
        let Some(id) = self.ids.get(self.ids.len().saturating_sub(1 + usize::from(n))) else {
            return;
        };
        self.table.remember(*id, amount.into());
        self.table.count_bytes(*id, amount.into(), 1);
        if let Some(known) = self.list.iter_mut().find(|k| k.id == *id) {
            known.server = Some(amount.into());
            known.bytes = (known.bytes.0 + u64::from(amount), known.bytes.1 + 1);
        }
    }

    fn check(&self) {
        assert!(self.list.len() <= self.max as usize);
        let mut expected: Vec<&Known> = self.list.iter().collect();
        expected.retain(|k| !k.is_old(self.now, self.tracking_s));
        expected.sort_by_key(|k| k.id.slot);
        let rows = self.table.entries(0..u32::MAX, self.now, self.tracking_s);
        let found: Vec<_> = rows
            .map(|e| (e.slot, e.addr, e.last_seen, e.server, e.connects, (e.sent, e.received)))
            .collect();
        let wanted: Vec<_> = expected
            .iter()
            .map(|k| (k.id.slot, k.addr, k.seen, k.server, k.connects, k.bytes))
            .collect();
        assert_eq!(found, wanted);
        for k in &self.list {
            let server = k.server.filter(|_| !k.is_old(self.now, self.tracking_s));
            assert_eq!(self.table.look(k.addr, self.now, self.tracking_s), server);
        }
    }
}

/// Numbers are given in turn, each to one connection.
struct Numbers {
    slots: Slots,
    taken: BTreeSet<u32>,
    last: u32,
    max: u32,
}

impl Numbers {
    fn take(&mut self) {
        let after = (self.last..self.max).chain(0..self.last);
        let free = after.into_iter().find(|n| !self.taken.contains(n));
        assert_eq!(self.slots.take(), free, "after {} of {}", self.last, self.max);
        if let Some(number) = free {
            self.taken.insert(number);
            self.last = number;
        }
    }

    fn release(&mut self, n: u8) {
        let place = usize::from(n) % self.taken.len().max(1);
        if let Some(number) = self.taken.iter().copied().nth(place) {
            self.taken.remove(&number);
            self.slots.release(number);
        }
    }
}

pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let (max, tracking_s) = (u32::from(choices.byte() % 6) + 1, u32::from(choices.byte() % 4));
    let mut world = World {
        table: ClientTable::new(max, [1, 2]),
        list: Vec::new(),
        max,
        tracking_s,
        now: Moment(0),
        ids: Vec::new(),
    };
    let numbers = u32::from(choices.byte()) + 1;
    let mut slots =
        Numbers { slots: Slots::new(numbers), taken: BTreeSet::new(), last: 0, max: numbers };
    for _ in 0..400 {
        if choices.is_empty() {
            break;
        }
        let (step, n) = (choices.byte(), choices.byte());
        match step % 8 {
            0 => world.now = world.now.plus_ms(u64::from(n) * 50),
            1 => {
                world.max = world.max.max(u32::from(n % 9));
                world.table.grow(u32::from(n % 9));
            }
            2 => world.use_server(n % 16, step),
            3 => (0..=n % 64).for_each(|_| slots.take()),
            4 => (0..=n % 64).for_each(|_| slots.release(n)),
            5 => {
                slots.max = slots.max.max(u32::from(n) * 4);
                slots.slots.grow(slots.max);
            }
            _ => world.visit(client(n)),
        }
        world.check();
        assert_eq!(slots.slots.used() as usize, slots.taken.len());
    }
}

pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let visits: Vec<u8> = (0..12).flat_map(|n| [6, n, 34, 0]).collect();
    let old: Vec<u8> = (0..6).flat_map(|n| [7, n, 0, 60, 6, n, 2, n]).collect();
    let numbers: Vec<u8> = [[3, 63], [3, 63], [4, 9], [3, 63], [5, 200], [3, 63]].concat();
    named([
        ("more-clients-than-room", [vec![2, 0, 9], visits.clone()].concat()),
        ("old-clients", [vec![3, 2, 9], old].concat()),
        ("the-table-grows", [vec![0, 0, 9], visits, vec![1, 8, 6, 1, 6, 2]].concat()),
        ("numbers", [vec![0, 0, 70], numbers].concat()),
    ])
}
