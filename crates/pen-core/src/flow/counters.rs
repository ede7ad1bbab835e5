//! What a service did with datagrams: counted by each worker for itself, added up for all.

use std::sync::atomic::{AtomicU64, Ordering};

use super::reasons::{DropReason, FlowEnd};

/// Counts that one worker has not handed over yet, or the sums at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Flows that began.
    pub opened: u64,
    /// Flows that went from one server to another.
    pub moved: u64,
    /// Datagrams from clients, passed on to servers.
    pub to_servers: u64,
    /// Their bytes.
    pub to_servers_bytes: u64,
    /// Datagrams from servers, passed on to clients.
    pub to_clients: u64,
    /// Their bytes.
    pub to_clients_bytes: u64,
    /// Flows that ended, by reason, in the order of [`FlowEnd::ALL`].
    pub ended: [u64; FlowEnd::ALL.len()],
    /// Datagrams that were dropped, by reason, in the order of [`DropReason::ALL`].
    pub dropped: [u64; DropReason::ALL.len()],
}

impl Counts {
    /// A flow ended.
    pub fn end(&mut self, why: FlowEnd) {
        if let Some(count) = self.ended.get_mut(why as usize) {
            *count += 1;
        }
    }

    /// Datagrams were dropped.
    pub fn drop(&mut self, why: DropReason, datagrams: u64) {
        if let Some(count) = self.dropped.get_mut(why as usize) {
            *count += datagrams;
        }
    }

    /// How many were dropped for this reason.
    #[must_use]
    pub fn dropped(&self, why: DropReason) -> u64 {
        self.dropped.get(why as usize).copied().unwrap_or(0)
    }

    /// How many flows ended for this reason.
    #[must_use]
    pub fn ended(&self, why: FlowEnd) -> u64 {
        self.ended.get(why as usize).copied().unwrap_or(0)
    }

    fn numbers(&self) -> impl Iterator<Item = u64> {
        let plain = [
            self.opened,
            self.moved,
            self.to_servers,
            self.to_servers_bytes,
            self.to_clients,
            self.to_clients_bytes,
        ];
        plain.into_iter().chain(self.ended).chain(self.dropped)
    }

    fn numbers_mut(&mut self) -> impl Iterator<Item = &mut u64> {
        let plain = [
            &mut self.opened,
            &mut self.moved,
            &mut self.to_servers,
            &mut self.to_servers_bytes,
            &mut self.to_clients,
            &mut self.to_clients_bytes,
        ];
        plain.into_iter().chain(&mut self.ended).chain(&mut self.dropped)
    }
}

const FIELDS: usize = 6 + FlowEnd::ALL.len() + DropReason::ALL.len();

/// The sums of all workers.
#[derive(Debug)]
pub struct Counters([AtomicU64; FIELDS]);

impl Default for Counters {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Counters {
    /// Adds what a worker has counted and sets its counts to 0.
    pub fn take_in(&self, counts: &mut Counts) {
        for (sum, count) in self.0.iter().zip(counts.numbers_mut()) {
            let count = std::mem::take(count);
            if count != 0 {
                sum.fetch_add(count, Ordering::Relaxed);
            }
        }
    }

    /// The sums now.
    #[must_use]
    pub fn read(&self) -> Counts {
        let mut counts = Counts::default();
        debug_assert_eq!(counts.numbers().count(), FIELDS);
        for (count, sum) in counts.numbers_mut().zip(&self.0) {
            *count = sum.load(Ordering::Relaxed);
        }
        counts
    }
}
