//! What one thread has done, counted where others can read it.

use std::sync::atomic::{AtomicU64, Ordering};

use pen_core::apart::Apart;
use pen_core::dsr::DropReason;
use pen_core::report::dsr::Counts;

/// The counters of one thread.
#[derive(Debug, Default)]
pub(super) struct Tally {
    forwarded: AtomicU64,
    forwarded_bytes: AtomicU64,
    answered: AtomicU64,
    tarpit: AtomicU64,
    lost: AtomicU64,
    dropped: [AtomicU64; DropReason::ALL.len()],
}

impl Tally {
    /// Adds what a batch brought.
    pub(super) fn add(&self, counts: &Counts) {
        let numbers = [
            (&self.forwarded, counts.forwarded),
            (&self.forwarded_bytes, counts.forwarded_bytes),
            (&self.answered, counts.answered),
            (&self.tarpit, counts.tarpit),
            (&self.lost, counts.lost),
        ];
        for (total, n) in numbers.into_iter().chain(self.dropped.iter().zip(counts.dropped)) {
            if n != 0 {
                total.fetch_add(n, Ordering::Relaxed);
            }
        }
    }
}

/// Counts a frame that goes nowhere.
pub(super) fn count(counts: &mut Counts, why: DropReason) {
    if let Some(count) = counts.dropped.get_mut(why as usize) {
        *count += 1;
    }
}

/// What all threads together have done.
pub(super) fn sum(tallies: &[Apart<Tally>]) -> Counts {
    let mut sum = Counts::default();
    for tally in tallies {
        let read = |n: &AtomicU64| n.load(Ordering::Relaxed);
        sum.forwarded += read(&tally.forwarded);
        sum.forwarded_bytes += read(&tally.forwarded_bytes);
        sum.answered += read(&tally.answered);
        sum.tarpit += read(&tally.tarpit);
        sum.lost += read(&tally.lost);
        for (sum, n) in sum.dropped.iter_mut().zip(&tally.dropped) {
            *sum += read(n);
        }
    }
    sum
}
