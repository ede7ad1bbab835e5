//! Clients that another process remembered come into this table, a few at a time: each takes its place in
//! the order of visits, while workers go on using the table in between.

use std::iter::Peekable;
use std::vec::IntoIter;

use super::{ClientId, ClientTable, NONE, Row};
use crate::addr::ClientAddr;
use crate::limits::STATE_CLOCKS_MS;
use crate::moment::Moment;

#[cfg(test)]
mod tests;

/// A client as another process remembered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Who.
    pub addr: ClientAddr,
    /// Last visit.
    pub last_seen: Moment,
    /// The slot of the server it used.
    pub server: u32,
}

/// What became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// They are remembered as the other process did.
    pub taken: u64,
    /// They were here later than there: what is known here stays.
    pub kept: u64,
    /// The table is full of clients that were here later.
    pub no_room: u64,
}

/// Clients on their way into a table.
#[derive(Debug)]
pub struct Merging {
    clients: Peekable<IntoIter<Remembered>>,
    /// Everybody up to this row was here before the next one; and when that row's client was.
    passed: Option<(ClientId, Moment)>,
    /// So far.
    pub merged: Merged,
}

impl Merging {
    /// These clients, the one seen longest ago first.
    #[must_use]
    pub fn new(clients: Vec<Remembered>) -> Self {
        let clients = clients.into_iter().peekable();
        Self { clients, passed: None, merged: Merged::default() }
    }
}

impl ClientTable {
    /// Takes some of the clients in, in `steps` steps at most. Whoever was here later than there stays
    /// as known here; a full table forgets clients that were here earlier. Whether all are dealt with.
    pub fn merge(&mut self, merging: &mut Merging, steps: u32) -> bool {
        let mut passed = self.still(merging.passed);
        for _ in 0..steps {
            let Some(client) = merging.clients.peek() else { break };
            let next = self.after(passed);
            if next != NONE && self.row(next).last_seen < client.last_seen {
                passed = next;
                continue;
            }
            if let Some(client) = merging.clients.next() {
                passed = self.take_in(client, passed, &mut merging.merged);
            }
        }
        merging.passed = (passed != NONE).then(|| {
            let row = self.row(passed);
            (ClientId { slot: passed, tenancy: row.tenancy }, row.last_seen)
        });
        merging.clients.peek().is_none()
    }

    /// The row, if it is where it was in the order of visits; else the search begins anew.
    fn still(&self, passed: Option<(ClientId, Moment)>) -> u32 {
        let Some((id, seen)) = passed else { return NONE };
        let row = self.rows.get(id.slot as usize);
        let stays = row.is_some_and(|row| row.tenancy == id.tenancy && row.last_seen == seen);
        if stays { id.slot } else { NONE }
    }

    /// The row after this one in the order of visits; after none comes the oldest.
    fn after(&self, slot: u32) -> u32 {
        if slot == NONE { self.oldest } else { self.row(slot).newer }
    }

    /// Takes a client in whose place is behind row `passed`. Answers the row that is passed by then.
    fn take_in(&mut self, client: Remembered, passed: u32, merged: &mut Merged) -> u32 {
        let slot = match self.slots.get(&client.addr).copied() {
            Some(slot) if self.row(slot).last_seen.plus_ms(STATE_CLOCKS_MS) >= client.last_seen => {
                // It came, and has no server since.
                let row = self.row_mut(slot);
                if row.server == NONE {
                    row.server = client.server;
                }
                merged.kept += 1;
                return passed;
            }
            Some(slot) => slot,
            None if self.used() < self.max => {
                let slot = self.used();
                self.rows.push(Row::new(client.addr, 0));
                self.slots.insert(client.addr, slot);
                self.place(slot, passed, client);
                merged.taken += 1;
                return slot;
            }
            None if self.row(self.oldest).last_seen >= client.last_seen => {
                merged.no_room += 1;
                return passed;
            }
            None => self.oldest,
        };
        let passed = if slot == passed { self.row(slot).older } else { passed };
        let former = self.row(slot).addr;
        if former == client.addr {
            self.unlink(slot);
        } else {
            self.slots.remove(&former);
            self.let_to(slot, client.addr);
            self.slots.insert(client.addr, slot);
        }
        self.place(slot, passed, client);
        merged.taken += 1;
        slot
    }

    /// Puts a row that is in no list behind `before`, with what is remembered of its client.
    fn place(&mut self, slot: u32, before: u32, client: Remembered) {
        let after = self.after(before);
        match before {
            NONE => self.oldest = slot,
            before => self.row_mut(before).newer = slot,
        }
        match after {
            NONE => self.newest = slot,
            after => self.row_mut(after).older = slot,
        }
        let row = self.row_mut(slot);
        (row.older, row.newer) = (before, after);
        (row.last_seen, row.server) = (client.last_seen, client.server);
    }
}
