//! Round robin: strict alternation over the whole process, whichever worker asks.

use std::sync::atomic::{AtomicU32, Ordering};

/// The position of a service: the slot this rule chose last. It starts at 0, so with more than one
/// server the first choice is slot 1.
#[derive(Debug, Default)]
pub struct Cursor(AtomicU32);

impl Cursor {
    /// Another one at the same position.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self(AtomicU32::new(self.0.load(Ordering::Relaxed)))
    }

    /// The next of `count` slots for which `available` answers true, cyclically, starting after the
    /// one chosen last, which is asked last. `None`, and no move, if there is none.
    pub fn advance(&self, count: usize, available: impl Fn(usize) -> bool) -> Option<u32> {
        let mut last = self.0.load(Ordering::Relaxed);
        loop {
            let after = (last as usize).saturating_add(1).min(count);
            let slot = (after..count).chain(0..after).find(|&n| available(n))?;
            let slot = u32::try_from(slot).ok()?;
            match self.0.compare_exchange_weak(last, slot, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(slot),
                Err(seen) => last = seen,
            }
        }
    }
}
