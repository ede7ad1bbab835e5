//! The client table of a service: who was here, when, and which server they used.
//!
//! Bounded: when it is full the client seen least recently is forgotten. With a tracking time,
//! a client last seen longer ago than that is forgotten too (asked lazily: there is no timer).
//! Every operation is O(1) amortized; the caller holds one short lock around it.

use std::collections::HashMap;
use std::ops::Range;

use crate::addr::ClientAddr;
use crate::moment::Moment;
use crate::secret::Secret;

mod merging;
#[cfg(test)]
mod tests;

pub use merging::{Merged, Merging, Remembered};

/// No row; no server.
const NONE: u32 = u32::MAX;

/// A client's place in the table, safe against re-use of the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientId {
    /// The slot, as the reports print it.
    pub slot: u32,
    /// Which tenant of the slot.
    pub tenancy: u32,
}

/// What a visit found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The client's place.
    pub id: ClientId,
    /// The slot of the server it used last, unless forgotten.
    pub remembered: Option<u32>,
}

/// A row of the table, for reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientEntry {
    /// Slot.
    pub slot: u32,
    /// Address.
    pub addr: ClientAddr,
    /// Last visit.
    pub last_seen: Moment,
    /// Server used last.
    pub server: Option<u32>,
    /// Number of visits.
    pub connects: u64,
    /// Bytes sent to the client.
    pub sent: u64,
    /// Bytes received from the client.
    pub received: u64,
}

/// The table.
#[derive(Debug)]
pub struct ClientTable {
    max: u32,
    /// One row per slot that was ever used, in slot order.
    rows: Vec<Row>,
    /// The slot of each client in `rows`.
    slots: HashMap<ClientAddr, u32, Secret>,
    /// Ends of the list of all rows in the order of their last visit.
    oldest: u32,
    newest: u32,
}

#[derive(Debug)]
struct Row {
    last_seen: Moment,
    connects: u64,
    sent: u64,
    received: u64,
    tenancy: u32,
    server: u32,
    /// Neighbours in the order of the last visit.
    older: u32,
    newer: u32,
    addr: ClientAddr,
}

const _: () = assert!(size_of::<Row>() <= 72, "a million clients should cost some 100 MB at most");

impl Row {
    fn new(addr: ClientAddr, tenancy: u32) -> Self {
        Self {
            last_seen: Moment(0),
            connects: 0,
            sent: 0,
            received: 0,
            tenancy,
            server: NONE,
            older: NONE,
            newer: NONE,
            addr,
        }
    }

    fn expired(&self, now: Moment, tracking_s: u32) -> bool {
        tracking_s != 0 && now.since_ms(self.last_seen) > u64::from(tracking_s) * 1000
    }
}

impl ClientTable {
    /// An empty table for `max` clients (at least 1). Memory is taken as clients come. `secret` is
    /// random and known to nobody outside, so that nobody can choose addresses that collide.
    #[must_use]
    pub fn new(max: u32, secret: [u64; 2]) -> Self {
        Self {
            max: max.max(1),
            rows: Vec::new(),
            slots: HashMap::with_hasher(Secret(secret)),
            oldest: NONE,
            newest: NONE,
        }
    }

    /// Notes a visit of `addr` at `now`: finds or makes its row, stamps it, counts it. A row older
    /// than `tracking_s` seconds (0 = never old) starts anew.
    pub fn visit(&mut self, addr: ClientAddr, now: Moment, tracking_s: u32) -> Visit {
        let slot = match self.slots.get(&addr) {
            Some(&slot) => {
                if self.row(slot).expired(now, tracking_s) {
                    self.let_to(slot, addr);
                } else {
                    self.unlink(slot);
                }
                slot
            }
            None => self.settle(addr, now, tracking_s),
        };
        self.link_newest(slot);
        let row = self.row_mut(slot);
        // Workers read their clocks one by one, so a visit may bear an earlier time than the last.
        row.last_seen = row.last_seen.max(now);
        row.connects += 1;
        Visit {
            id: ClientId { slot, tenancy: row.tenancy },
            remembered: (row.server != NONE).then_some(row.server),
        }
    }

    /// The server that a visit of `addr` at `now` would find remembered; nothing is noted.
    #[must_use]
    pub fn look(&self, addr: ClientAddr, now: Moment, tracking_s: u32) -> Option<u32> {
        let row = self.row(*self.slots.get(&addr)?);
        (row.server != NONE && !row.expired(now, tracking_s)).then_some(row.server)
    }

    /// The client uses server `slot` from here on. Nothing happens if the row has a new tenant.
    pub fn remember(&mut self, id: ClientId, server: u32) {
        if let Some(row) = self.tenant(id) {
            row.server = server;
        }
    }

    /// Adds bytes moved: `sent` to the client, `received` from it. Nothing happens if the row has a
    /// new tenant.
    pub fn count_bytes(&mut self, id: ClientId, sent: u64, received: u64) {
        if let Some(row) = self.tenant(id) {
            row.sent = row.sent.saturating_add(sent);
            row.received = row.received.saturating_add(received);
        }
    }

    /// Raises the size to `max`; a smaller value changes nothing.
    pub fn grow(&mut self, max: u32) {
        self.max = self.max.max(max);
    }

    /// The size.
    #[must_use]
    pub fn max(&self) -> u32 {
        self.max
    }

    /// Slots that were ever used: 0 to this minus one.
    #[must_use]
    pub fn used(&self) -> u32 {
        // A table has far fewer rows than u32 has values: `max` is one.
        self.rows.len() as u32
    }

    /// The rows of these slots, in their order. Rows older than `tracking_s` (0 = never old) are
    /// left out.
    pub fn entries(
        &self,
        slots: Range<u32>,
        now: Moment,
        tracking_s: u32,
    ) -> impl Iterator<Item = ClientEntry> + '_ {
        let fresh = move |(_, row): &(u32, &Row)| !row.expired(now, tracking_s);
        let (first, end) = (slots.start.min(self.used()), slots.end.min(self.used()));
        let rows = self.rows.get(first as usize..end as usize).unwrap_or_default();
        (first..).zip(rows).filter(fresh).map(|(slot, row)| ClientEntry {
            slot,
            addr: row.addr,
            last_seen: row.last_seen,
            server: (row.server != NONE).then_some(row.server),
            connects: row.connects,
            sent: row.sent,
            received: row.received,
        })
    }

    /// Finds a slot for a client that has none: the oldest row's if it expired, else the next one
    /// that was never used, else the oldest row's. The row is not in the list of visits yet.
    fn settle(&mut self, addr: ClientAddr, now: Moment, tracking_s: u32) -> u32 {
        let used = self.used();
        let expired = self.oldest != NONE && self.row(self.oldest).expired(now, tracking_s);
        let slot = if used < self.max && !expired {
            self.rows.push(Row::new(addr, 0));
            used
        } else {
            let slot = self.oldest;
            let former = self.row(slot).addr;
            self.slots.remove(&former);
            self.let_to(slot, addr);
            slot
        };
        self.slots.insert(addr, slot);
        debug_assert_eq!(self.slots.len(), self.rows.len(), "every row has one client");
        slot
    }

    /// Gives a row to a new tenant and takes it out of the list of visits.
    fn let_to(&mut self, slot: u32, addr: ClientAddr) {
        self.unlink(slot);
        let tenancy = self.row(slot).tenancy.wrapping_add(1);
        *self.row_mut(slot) = Row::new(addr, tenancy);
    }

    fn link_newest(&mut self, slot: u32) {
        let former = std::mem::replace(&mut self.newest, slot);
        let row = self.row_mut(slot);
        row.older = former;
        row.newer = NONE;
        match former {
            NONE => self.oldest = slot,
            former => self.row_mut(former).newer = slot,
        }
    }

    fn unlink(&mut self, slot: u32) {
        let Row { older, newer, .. } = *self.row(slot);
        match older {
            NONE => self.oldest = newer,
            older => self.row_mut(older).newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => self.row_mut(newer).older = older,
        }
    }

    fn tenant(&mut self, id: ClientId) -> Option<&mut Row> {
        self.rows.get_mut(id.slot as usize).filter(|row| row.tenancy == id.tenancy)
    }

    #[expect(clippy::indexing_slicing, reason = "numbers of rows are the table's own")]
    fn row(&self, slot: u32) -> &Row {
        &self.rows[slot as usize]
    }

    #[expect(clippy::indexing_slicing, reason = "numbers of rows are the table's own")]
    fn row_mut(&mut self, slot: u32) -> &mut Row {
        &mut self.rows[slot as usize]
    }
}
