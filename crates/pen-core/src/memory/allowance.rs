//! What a worker's connections may come to hold between two looks at what is used.
//!
//! A look is a tenth of a second away, or more on a busy machine, and a worker reads a hundred megabytes
//! in that time. So growth is bounded by what was free at the last look, whenever the next one comes.
//! What connections give back may be taken again. Deliberately not here: who counts what.

use super::Stage;
use crate::limits;

/// Bytes that one worker may take until somebody looks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    granted: u64,
    left: u64,
    /// Reads are small while no more than this is left.
    tight: u64,
}

impl Allowance {
    /// Where there is no budget.
    pub const BOUNDLESS: Self = Self { granted: u64::MAX, left: u64::MAX, tight: 0 };

    /// What one of `workers` may take when `used` bytes of `budget` are in use. All workers together
    /// get half of what is free: one that is late may take its share of two looks. Where nothing is
    /// free a trickle is left, by which those are served who read at once what they are sent.
    #[must_use]
    pub fn after_look(stage: Stage, used: u64, budget: u64, workers: usize) -> Self {
        if budget == 0 {
            return Self::BOUNDLESS;
        }
        let share = |mark: u64| mark.saturating_sub(used) / 2 / (workers.max(1) as u64);
        let free = share(budget);
        let roomy = share(budget / 100 * limits::MEMORY_TIGHT_PERCENT);
        let granted = free.max(limits::MEMORY_TRICKLE);
        let tight = if stage == Stage::Calm { granted - roomy } else { u64::MAX };
        Self { granted, left: granted, tight }
    }

    /// Whether reads are small: memory is short, or might be before somebody looks again.
    #[must_use]
    #[inline]
    pub fn is_tight(&self) -> bool {
        self.left <= self.tight
    }

    /// Whether nothing may be taken any more.
    #[must_use]
    #[inline]
    pub fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// `bytes` were taken.
    #[inline]
    pub fn take(&mut self, bytes: u64) {
        self.left = self.left.saturating_sub(bytes);
    }

    /// `bytes` were given back. There is never more than was granted.
    #[inline]
    pub fn give_back(&mut self, bytes: u64) {
        self.left = self.left.saturating_add(bytes).min(self.granted);
    }
}

impl Default for Allowance {
    fn default() -> Self {
        Self::BOUNDLESS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn spend(mut allowance: Allowance, piece: u64) -> u64 {
        let mut spent = 0;
        while !allowance.is_spent() {
            allowance.take(piece);
            spent += piece;
        }
        spent
    }

    #[test]
    fn two_looks_of_all_workers_stay_within_the_budget() {
        for (used, workers) in [(0, 1), (10 * MIB, 1), (10 * MIB, 2), (60 * MIB, 7), (90 * MIB, 3)]
        {
            let stage = Stage::Calm.after(used, 100 * MIB);
            let each = spend(Allowance::after_look(stage, used, 100 * MIB, workers), 1_024);
            let most = used + 2 * workers as u64 * each;
            assert!(most <= 100 * MIB + workers as u64 * 2_048, "{used} {workers}: {most}");
            assert!(most >= 99 * MIB, "{used} {workers}: {most} leaves too much unused");
        }
    }

    #[test]
    fn reads_become_small_before_there_are_none() {
        let mut allowance = Allowance::after_look(Stage::Calm, 5 * MIB, 100 * MIB, 1);
        assert!(!allowance.is_tight());
        allowance.take(39 * MIB);
        assert!(!allowance.is_tight(), "84 percent");
        allowance.take(2 * MIB);
        assert!(allowance.is_tight() && !allowance.is_spent());
        allowance.take(7 * MIB);
        assert!(allowance.is_spent());
        allowance.give_back(MIB);
        assert!(allowance.is_tight() && !allowance.is_spent());
        allowance.give_back(u64::MAX);
        assert_eq!(allowance, Allowance::after_look(Stage::Calm, 5 * MIB, 100 * MIB, 1));
    }

    #[test]
    fn once_memory_is_short_reads_are_small_and_a_trickle_is_left_of_nothing() {
        for (stage, used) in [(Stage::Tight, 83), (Stage::Full, 96), (Stage::Critical, 99)] {
            assert!(Allowance::after_look(stage, used * MIB, 100 * MIB, 1).is_tight(), "{stage:?}");
        }
        for used in [100, 101, 5_000] {
            let allowance = Allowance::after_look(Stage::Critical, used * MIB, 100 * MIB, 4);
            assert!(allowance.is_tight());
            assert_eq!(spend(allowance, 1), limits::MEMORY_TRICKLE, "{used}");
        }
    }

    #[test]
    fn without_a_budget_nothing_is_bounded() {
        let mut allowance = Allowance::after_look(Stage::Calm, 5_000 * MIB, 0, 2);
        allowance.take(1 << 60);
        assert!(!allowance.is_tight() && !allowance.is_spent());
        assert_eq!(allowance.left, u64::MAX - (1 << 60));
        allowance.give_back(u64::MAX);
        assert_eq!(allowance, Allowance::default());
    }
}
