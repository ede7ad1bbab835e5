//! What a worker does while memory is short: it reads less, ends idle connections earlier, accepts
//! nobody, and closes connections at last.

use std::cmp::Reverse;
use std::sync::atomic::Ordering;

use pen_core::limits;
use pen_core::memory::Stage;
use pen_core::moment::Moment;
use pen_core::reasons::CloseReason;

use super::Worker;
use super::conn::Phase;
use super::ending::Manner;

impl Worker {
    /// Whether nobody may come in for want of memory.
    pub(super) fn is_memory_full(&self) -> bool {
        self.pool.memory.stage() >= Stage::Full
    }

    /// Once per turn: what this worker's connections may come to hold until the next look, of which
    /// many turns may be away. Growth between two looks is bounded by this, not by their distance.
    pub(super) fn heed_headroom(&mut self) {
        let memory = &self.pool.memory;
        let looks = memory.looks();
        if looks == self.looks {
            return;
        }
        self.looks = looks;
        if memory.stage() == Stage::Calm {
            self.scratch.allow(memory.headroom() / self.pool.mailboxes.len().max(1) as u64);
        }
    }

    /// Memory is shorter than before, or less short, or still too short.
    pub(super) fn note_memory(&mut self) {
        let stage = self.pool.memory.stage();
        self.scratch.be_modest(stage >= Stage::Tight);
        if stage < Stage::Full {
            self.arm_all();
        }
        if stage == Stage::Critical {
            self.shed();
        }
        // Timeouts may be shorter than before: look at all of them in this turn.
        self.due = Moment(0);
    }

    /// Closes a share of the connections: those with the most unsent bytes, then those that have been
    /// quiet longest.
    fn shed(&mut self) {
        let open = self.conns.iter().filter(|(_, c)| c.phase == Phase::Open);
        let mut costly: Vec<_> =
            open.map(|(key, c)| (Reverse(c.unsent()), c.active, key)).collect();
        let count = (costly.len() / limits::MEMORY_SHED_SHARE).max(1);
        costly.sort_unstable();
        for (_, _, key) in costly.into_iter().take(count) {
            let key = u32::try_from(key).unwrap_or(u32::MAX);
            self.finish(key, Manner::Reset, CloseReason::MemoryShort);
            self.pool.memory.shed.fetch_add(1, Ordering::Relaxed);
        }
    }
}
