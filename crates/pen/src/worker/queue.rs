//! First-in first-out lists of connections, threaded through the connections themselves: what timers there
//! are.
//!
//! All connections of one list share one timeout, so the head is always the next one due and
//! nothing is ever searched. A connection is in one list at most.

use pen_core::moment::Moment;
use slab::Slab;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod witness;

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

/// What can stand in a list.
pub trait Linked {
    /// Where it stands.
    fn links(&self) -> &Links;
    /// The same, for the list to change.
    fn links_mut(&mut self) -> &mut Links;
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
    pub fn append(&mut self, conns: &mut Slab<impl Linked>, key: u32, since: Moment) {
        let tail = self.tail;
        let Some(conn) = conns.get_mut(key as usize) else { return };
        debug_assert!(!conn.links().queued, "a connection is in one list at most");
        *conn.links_mut() = Links { previous: tail, next: NONE, queued: true, since };
        match conns.get_mut(tail as usize).filter(|_| tail != NONE) {
            Some(last) => last.links_mut().next = key,
            None => self.head = key,
        }
        self.tail = key;
    }

    /// Takes a connection out, if it is in.
    pub fn remove(&mut self, conns: &mut Slab<impl Linked>, key: u32) {
        let Some(links) = conns.get(key as usize).map(|c| *c.links()) else { return };
        if !links.queued {
            return;
        }
        match conns.get_mut(links.previous as usize).filter(|_| links.previous != NONE) {
            Some(previous) => previous.links_mut().next = links.next,
            None => self.head = links.next,
        }
        match conns.get_mut(links.next as usize).filter(|_| links.next != NONE) {
            Some(next) => next.links_mut().previous = links.previous,
            None => self.tail = links.previous,
        }
        if let Some(conn) = conns.get_mut(key as usize) {
            *conn.links_mut() = Links { since: links.since, ..Links::default() };
        }
    }

    /// The first one, and since when it waits.
    pub fn head(&self, conns: &Slab<impl Linked>) -> Option<(u32, Moment)> {
        let head = self.head;
        conns.get(head as usize).filter(|_| head != NONE).map(|c| (head, c.links().since))
    }

    /// All of them, first to last.
    pub fn keys<'a, T: Linked>(
        &self,
        conns: &'a Slab<T>,
    ) -> impl Iterator<Item = u32> + use<'a, T> {
        let mut at = self.head;
        std::iter::from_fn(move || {
            let key = at;
            at = conns.get(key as usize).filter(|_| key != NONE)?.links().next;
            Some(key)
        })
    }
}
