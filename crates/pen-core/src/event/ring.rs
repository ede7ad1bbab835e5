//! The newest events, with numbers that never repeat within a process.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Event, Occurrence};
use crate::limits::EVENTS_KEPT;
use crate::moment::WallMs;

/// The newest events.
#[derive(Debug, Default)]
pub struct Ring {
    kept: VecDeque<Arc<Occurrence>>,
    /// The number of the newest one, 0 before the first.
    last: u64,
}

/// Events that are newer than a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Since {
    /// The oldest first.
    pub events: Vec<Arc<Occurrence>>,
    /// How many of them are not kept any more.
    pub lost: u64,
    /// The number of the newest event; what comes later has a higher one.
    pub last: u64,
}

impl Ring {
    /// Takes an event in; the oldest one makes room. `count` is for how many it stands.
    pub fn push(&mut self, event: Event, wall: WallMs, count: u64) -> Arc<Occurrence> {
        self.last += 1;
        let occurrence = Arc::new(Occurrence { seq: self.last, wall, count, event });
        if self.kept.len() >= EVENTS_KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(Arc::clone(&occurrence));
        occurrence
    }

    /// The events after number `after`, `max` of the newest at most. A number that was never given is
    /// of an earlier process: all events are new then.
    #[must_use]
    pub fn since(&self, after: u64, max: usize) -> Since {
        let after = if after > self.last { 0 } else { after };
        let wanted = usize::try_from(self.last - after).unwrap_or(usize::MAX);
        let there = wanted.min(self.kept.len()).min(max);
        let events = self.kept.range(self.kept.len() - there..).cloned().collect();
        Since { events, lost: (wanted - there) as u64, last: self.last }
    }
}
