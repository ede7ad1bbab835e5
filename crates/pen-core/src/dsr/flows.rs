//! The flows that one thread remembers: which server each was given.
//!
//! A fixed number of rows of four; a new flow takes the place of the one of its row that was quiet
//! longest. A flow is known by a number that clients can neither choose nor guess, so two flows with
//! the same number are a matter of chance, and a very small one.

use crate::limits::{DSR_FLOW_S, DSR_FLOWS};
use crate::moment::Moment;

/// Flows of a row: together one cache line.
const WAYS: usize = 4;
const ROWS: usize = DSR_FLOWS / WAYS;

#[derive(Debug)]
pub(super) struct Flows {
    rows: Vec<Row>,
}

#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Row([Flow; WAYS]);

/// Unused as long as `seen` is 0.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    key: u64,
    slot: u32,
    /// Seconds, from 1.
    seen: u32,
}

impl Flows {
    pub(super) fn new() -> Self {
        Self { rows: vec![Row::default(); ROWS] }
    }

    /// The server of a flow, which is seen now.
    pub(super) fn find(&mut self, key: u64, now: Moment) -> Option<u32> {
        let now = seconds(now);
        let row = self.row(key)?;
        let flow = row.0.iter_mut().find(|f| f.key == key && f.seen != 0)?;
        if now.saturating_sub(flow.seen) > DSR_FLOW_S {
            return None;
        }
        flow.seen = now;
        Some(flow.slot)
    }

    /// The flow belongs to this server from now on.
    pub(super) fn store(&mut self, key: u64, slot: u32, now: Moment) {
        let Some(row) = self.row(key) else { return };
        let fresh = Flow { key, slot, seen: seconds(now) };
        // Its own place before any other; the unused ones were seen at 0.
        let place = row.0.iter_mut().min_by_key(|f| (f.key != key, f.seen));
        if let Some(place) = place {
            *place = fresh;
        }
    }

    fn row(&mut self, key: u64) -> Option<&mut Row> {
        let rows = u64::try_from(self.rows.len()).ok()?;
        self.rows.get_mut(usize::try_from((key >> 16) % rows).ok()?)
    }
}

fn seconds(now: Moment) -> u32 {
    u32::try_from(now.0 / 1000 + 1).unwrap_or(u32::MAX)
}
