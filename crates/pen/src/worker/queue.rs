//! First-in first-out lists of connections, threaded through the connections themselves.
//!
//! All connections of one list share one timeout, so the head is always the next one due and
//! nothing is ever searched. A connection is in one list at most.

use pen_core::moment::Moment;
use slab::Slab;

use super::conn::Conn;

const NONE: u32 = u32::MAX;

/// Where a connection stands in its list.
#[derive(Clone, Copy, Debug)]
pub struct Links {
    previous: u32,
    next: u32,
    queued: bool,
    /// When it was put there; what its timeout counts from.
    pub since: Moment,
}

impl Default for Links {
    fn default() -> Self {
        Self { previous: NONE, next: NONE, queued: false, since: Moment(0) }
    }
}

/// A list.
#[derive(Debug)]
pub struct Queue {
    head: u32,
    tail: u32,
}

impl Default for Queue {
    fn default() -> Self {
        Self { head: NONE, tail: NONE }
    }
}

impl Queue {
    /// Appends a connection that is in no list; its timeout counts from `since`.
    pub fn append(&mut self, conns: &mut Slab<Conn>, key: u32, since: Moment) {
        let tail = self.tail;
        let Some(conn) = conns.get_mut(key as usize) else { return };
        debug_assert!(!conn.links.queued, "a connection is in one list at most");
        conn.links = Links { previous: tail, next: NONE, queued: true, since };
        match conns.get_mut(tail as usize).filter(|_| tail != NONE) {
            Some(last) => last.links.next = key,
            None => self.head = key,
        }
        self.tail = key;
    }

    /// Takes a connection out, if it is in.
    pub fn remove(&mut self, conns: &mut Slab<Conn>, key: u32) {
        let Some(links) = conns.get(key as usize).map(|c| c.links) else { return };
        if !links.queued {
            return;
        }
        match conns.get_mut(links.previous as usize).filter(|_| links.previous != NONE) {
            Some(previous) => previous.links.next = links.next,
            None => self.head = links.next,
        }
        match conns.get_mut(links.next as usize).filter(|_| links.next != NONE) {
            Some(next) => next.links.previous = links.previous,
            None => self.tail = links.previous,
        }
        if let Some(conn) = conns.get_mut(key as usize) {
            conn.links = Links { since: links.since, ..Links::default() };
        }
    }

    /// The first one, and since when it waits.
    pub fn head(&self, conns: &Slab<Conn>) -> Option<(u32, Moment)> {
        let head = self.head;
        conns.get(head as usize).filter(|_| head != NONE).map(|c| (head, c.links.since))
    }

    /// All of them, first to last.
    pub fn keys<'a>(&self, conns: &'a Slab<Conn>) -> impl Iterator<Item = u32> + use<'a> {
        let mut at = self.head;
        std::iter::from_fn(move || {
            let key = at;
            at = conns.get(key as usize).filter(|_| key != NONE)?.links.next;
            Some(key)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pen_core::addr::{ClientAddr, Peer};

    use super::*;

    /// Two lists of one slab against ordered maps: who is in, since when, in which order.
    #[test]
    fn lists_are_like_maps_in_the_order_of_coming() {
        for seed in 1..200_u64 {
            play(seed);
        }
    }

    fn play(seed: u64) {
        let peer = Peer { addr: ClientAddr::Unix, port: 0 };
        let mut conns: Slab<Conn> = Slab::new();
        let mut lists = [Queue::default(), Queue::default()];
        let mut models: [BTreeMap<u64, u32>; 2] = Default::default();
        let mut state = seed;
        for step in 0..400_u64 {
            // xorshift64.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let (which, key) = ((state >> 8) as usize % 2, (state >> 16) as u32 % 12);
            let place = models.iter().position(|m| m.values().any(|k| *k == key));
            match state % 4 {
                0 | 1 if conns.len() < 12 => {
                    let key = conns.insert(Conn::new(0, 0, None, peer, Moment(step))) as u32;
                    lists[which].append(&mut conns, key, Moment(step));
                    models[which].insert(step, key);
                }
                2 => {
                    let list = place.unwrap_or(which);
                    lists[list].remove(&mut conns, key);
                    models[list].retain(|_, k| *k != key);
                }
                _ if place.is_none() && conns.contains(key as usize) => {
                    lists[which].append(&mut conns, key, Moment(step));
                    models[which].insert(step, key);
                }
                _ => {
                    // The slot is given to another one.
                    if let Some(list) = place {
                        lists[list].remove(&mut conns, key);
                        models[list].retain(|_, k| *k != key);
                        drop(conns.try_remove(key as usize));
                    }
                }
            }
            for (list, model) in lists.iter().zip(&models) {
                let head = model.first_key_value().map(|(since, key)| (*key, Moment(*since)));
                assert_eq!(list.head(&conns), head, "seed {seed} step {step}");
                assert!(list.keys(&conns).eq(model.values().copied()), "seed {seed} step {step}");
            }
        }
    }
}
