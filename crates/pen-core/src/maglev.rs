//! Maglev: a table from which one look-up finds the server of a key.
//!
//! Every server has its own order of all places of the table, made from its identity; the servers
//! take places in turn, each the first of its order that is free, the more often the higher their
//! weight. So shares follow the weights closely, and when a server comes or goes nearly all other
//! places stay. The table depends on identities and weights alone, not on the order of the servers
//! or on who is up: two machines with the same configuration agree. Health is looked at when a key
//! is looked up: the keys of a server that is out go each its own way over the others, and nobody
//! else moves.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::addr::Peer;
use crate::config::ServerConfig;
use crate::limits;
use crate::select::hash;

#[cfg(test)]
mod tests;

/// No server has this number.
const FREE: u16 = u16::MAX;

/// The table of a service.
#[derive(Debug, Default)]
pub struct Table {
    /// Positions in `slots`.
    places: Vec<u16>,
    /// The servers' slots, by identity.
    slots: Vec<u32>,
}

/// A server while the table is filled.
struct Candidate {
    slot: u32,
    weight: f64,
    offset: u32,
    step: u32,
    /// Places of its order that it has looked at.
    looked: u32,
    /// Places that it has taken.
    taken: u32,
}

impl Table {
    /// Fills a table for the servers that are set.
    #[must_use]
    pub fn build(servers: &[ServerConfig]) -> Self {
        let mut all: Vec<(u64, u32, u32)> = hash::identities(servers).collect();
        all.sort_unstable();
        // The numbers of the table are positions below FREE.
        all.truncate(usize::from(FREE));
        if all.is_empty() {
            return Self::default();
        }
        let size = match all.len() {
            0..=limits::MAGLEV_SMALL_SERVERS => limits::MAGLEV_SMALL,
            _ => limits::MAGLEV_LARGE,
        };
        let candidates = all.iter().map(|&(identity, slot, weight)| Candidate {
            slot,
            weight: weight.into(),
            offset: below(hash::draw(identity, 1), size),
            step: below(hash::draw(identity, 2), size - 1) + 1,
            looked: 0,
            taken: 0,
        });
        fill(candidates.collect(), size)
    }

    /// The slot for a key among those for which `available` answers true.
    #[must_use]
    pub fn choose(&self, key: u64, available: impl Fn(u32) -> bool) -> Option<u32> {
        let size = u64::try_from(self.places.len()).unwrap_or(u64::MAX);
        if size == 0 {
            return None;
        }
        let slot_at = |draw: u64| {
            let place = usize::try_from(draw % size).unwrap_or_default();
            let position = usize::from(*self.places.get(place)?);
            self.slots.get(position).copied()
        };
        let later = (1..=limits::MAGLEV_RETRIES).map(|n| hash::draw(key, n));
        let mut drawn = std::iter::once(key).chain(later).filter_map(slot_at);
        drawn.find(|&slot| available(slot)).or_else(|| {
            let count = self.slots.len();
            let start = usize::try_from(key % (count as u64)).unwrap_or_default();
            let around = self.slots.iter().cycle().skip(start).take(count);
            around.copied().find(|&slot| available(slot))
        })
    }
}

/// The key of a client; with `with_port` its port counts.
#[must_use]
pub fn key(peer: Peer, with_port: bool) -> u64 {
    hash::client_key(peer, with_port)
}

/// The servers' turns in the order of (places taken + 1) / weight.
fn fill(mut candidates: Vec<Candidate>, size: u32) -> Table {
    let mut places = vec![FREE; usize::try_from(size).unwrap_or_default()];
    // Positive numbers are in the order of their bits.
    let turn = |c: &Candidate| (f64::from(c.taken + 1) / c.weight).to_bits();
    let mut turns: BinaryHeap<Reverse<(u64, u16)>> =
        (0..).zip(&candidates).map(|(position, c)| Reverse((turn(c), position))).collect();
    for _ in 0..size {
        let Some(Reverse((_, position))) = turns.pop() else { break };
        let Some(candidate) = candidates.get_mut(usize::from(position)) else { continue };
        take(&mut places, candidate, position, size);
        candidate.taken += 1;
        turns.push(Reverse((turn(candidate), position)));
    }
    Table { places, slots: candidates.into_iter().map(|c| c.slot).collect() }
}

/// Takes the first free place of the server's order; the caller knows that there is one.
fn take(places: &mut [u16], candidate: &mut Candidate, position: u16, size: u32) {
    while candidate.looked < size {
        let step = u64::from(candidate.step) * u64::from(candidate.looked);
        let place = below(u64::from(candidate.offset) + step, size);
        candidate.looked += 1;
        if let Some(place) = usize::try_from(place).ok().and_then(|n| places.get_mut(n))
            && *place == FREE
        {
            *place = position;
            return;
        }
    }
    debug_assert!(false, "an order leads to every place");
}

fn below(number: u64, size: u32) -> u32 {
    u32::try_from(number % u64::from(size)).unwrap_or_default()
}
