//! What a worker does while memory is short: it reads less or not at all, ends idle connections earlier,
//! accepts nobody, and closes connections at last.
//!
//! What it may take until the next look is counted by itself (`pen_core::memory::Allowance`), so that no
//! burst between two looks goes beyond the budget. What must wait for the next look waits in `withheld`.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use pen_core::memory::{self, Holding, Stage};
use pen_core::moment::Moment;
use pen_core::reasons::CloseReason;

use super::Worker;
use super::conn::Phase;
use super::ending::Manner;

impl Worker {
    /// Whether nobody may come in for want of memory.
    pub(super) fn is_memory_full(&self) -> bool {
        self.scratch.allowance.is_spent() || self.pool.memory.stage() >= Stage::Full
    }

    /// Once per turn: after a look at memory, what this worker's connections may come to hold until
    /// the next one, of which many turns may be away.
    pub(super) fn heed_look(&mut self) {
        let looks = self.pool.memory.looks();
        if looks == self.looks {
            return;
        }
        self.looks = looks;
        self.scratch.allowance = self.pool.memory.allowance(self.pool.mailboxes.len());
        if std::mem::take(&mut self.awaits_look) {
            self.take_up_withheld();
            self.arm_all();
        }
    }

    /// The latest and the earliest by turns: who asks little now and then does not wait until everybody
    /// else has got what pins memory, and nobody waits for ever.
    fn take_up_withheld(&mut self) {
        let mut waiting = VecDeque::from(std::mem::take(&mut self.withheld));
        while let Some(latest) = waiting.pop_back() {
            self.again.push(latest);
            self.again.extend(waiting.pop_front());
        }
    }

    /// Somebody looks soon, and wakes this worker then.
    pub(super) fn await_look(&mut self) {
        if !std::mem::replace(&mut self.awaits_look, true) {
            self.pool.memory.want_look();
        }
    }

    /// A connection has more to read than memory allows: its turn comes after the next look. It counts
    /// as one that has a turn coming.
    pub(super) fn withhold(&mut self, key: u32) {
        self.await_look();
        if let Some(conn) = self.conns.get_mut(key as usize).filter(|c| !c.again) {
            conn.again = true;
            self.withheld.push(key);
        }
    }

    /// Memory is shorter than before, or less short, or still too short, or a look was awaited.
    pub(super) fn note_memory(&mut self) {
        let stage = self.pool.memory.stage();
        if stage >= Stage::Tight {
            self.scratch.be_modest();
        }
        if stage < Stage::Full {
            self.arm_all();
        }
        self.shed(stage);
        // Timeouts may be shorter than before: look at all of them in this turn.
        self.due = Moment(0);
    }

    /// Closes connections if the look says so, once for each look.
    fn shed(&mut self, stage: Stage) {
        let excess = self.pool.memory.excess().div_ceil(self.pool.mailboxes.len().max(1) as u64);
        if excess == 0 || std::mem::replace(&mut self.shed_at, self.looks) == self.looks {
            return;
        }
        let open = self.conns.iter().filter(|(_, c)| c.phase == Phase::Open);
        let held = open.map(|(key, c)| {
            let (unsent, age_ms) = (c.unsent(), self.now.since_ms(c.accepted));
            // One that Pen lets wait is not quiet.
            let waits = c.again && unsent == 0;
            let quiet_ms = if waits { 0 } else { self.now.since_ms(c.active) };
            (Holding { unsent, quiet_ms, age_ms }, u32::try_from(key).unwrap_or(u32::MAX))
        });
        for key in memory::choose(stage, excess, held) {
            self.finish(key, Manner::Reset, CloseReason::MemoryShort);
            self.pool.memory.shed.fetch_add(1, Ordering::Relaxed);
        }
    }
}
