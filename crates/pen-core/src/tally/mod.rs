//! What one worker has done for one service since the service began: counts and histograms that the worker
//! alone writes and anybody may read.
//!
//! A worker that is the only writer needs no lock and no read-modify-write: it loads, adds and stores, on
//! cache lines that no other worker touches (the daemon keeps each [`Tally`] apart). Whoever reads adds up
//! the tallies of all workers; numbers read at one moment may be a connection apart from each other.
//! Deliberately not here: what is counted at servers ([`crate::servers::Load`]) and for datagrams
//! ([`crate::flow::Counters`]).

mod histogram;
#[cfg(test)]
mod tests;

use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering};

pub use histogram::{Histogram, Readings, SIZES, STEPS, Scale, TIMES, WAITS};

use crate::reasons::{CloseReason, TlsFault};

/// A number that grows; one thread writes it.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds `n`. Of two threads that did this at once one might be forgotten.
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// The number now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counts of one worker for one service.
#[derive(Debug)]
pub struct Tally {
    accepted: Count,
    came: Count,
    left: Count,
    received: Count,
    sent: Count,
    full: Count,
    resumed: Count,
    closed: [Count; CloseReason::ALL.len()],
    failed: [Count; TlsFault::ALL.len()],
    connect: Histogram,
    first_byte: Histogram,
    duration: Histogram,
    bytes_in: Histogram,
    bytes_out: Histogram,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            accepted: Count::default(),
            came: Count::default(),
            left: Count::default(),
            received: Count::default(),
            sent: Count::default(),
            full: Count::default(),
            resumed: Count::default(),
            closed: std::array::from_fn(|_| Count::default()),
            failed: std::array::from_fn(|_| Count::default()),
            connect: Histogram::new(&WAITS),
            first_byte: Histogram::new(&WAITS),
            duration: Histogram::new(&TIMES),
            bytes_in: Histogram::new(&SIZES),
            bytes_out: Histogram::new(&SIZES),
        }
    }
}

impl Tally {
    /// A client was accepted.
    pub fn accepted(&self) {
        self.accepted.add(1);
    }

    /// A route of another service led a client here.
    pub fn came(&self) {
        self.came.add(1);
    }

    /// A route of this service led a client to another one.
    pub fn left(&self) {
        self.left.add(1);
    }

    /// Bytes moved: `received` from clients, `sent` to them.
    pub fn moved(&self, received: u64, sent: u64) {
        if received != 0 {
            self.received.add(received);
        }
        if sent != 0 {
            self.sent.add(sent);
        }
    }

    /// A client's TLS handshake succeeded; `resumed` is one that needed no certificate.
    pub fn shaken(&self, resumed: bool) {
        if resumed { &self.resumed } else { &self.full }.add(1);
    }

    /// A client's TLS handshake failed.
    pub fn handshake_failed(&self, fault: TlsFault) {
        if let Some(count) = self.failed.get(fault as usize) {
            count.add(1);
        }
    }

    /// A server was connected `ms` milliseconds after the first one was asked.
    pub fn connected(&self, ms: u64) {
        self.connect.note(ms);
    }

    /// The server's first byte came `ms` milliseconds after it was connected.
    pub fn first_byte(&self, ms: u64) {
        self.first_byte.note(ms);
    }

    /// A client's connection ended `ms` milliseconds after it was accepted; it brought `received` bytes
    /// from the client in all and `sent` to it.
    pub fn closed(&self, reason: CloseReason, ms: u64, received: u64, sent: u64) {
        if let Some(count) = self.closed.get(reason as usize) {
            count.add(1);
        }
        self.duration.note(ms);
        self.bytes_in.note(received);
        self.bytes_out.note(sent);
    }

    /// A client was accepted and turned away before anything was done for it. The histograms tell of
    /// connections that were something.
    pub fn turned_away(&self, reason: CloseReason) {
        self.accepted.add(1);
        if let Some(count) = self.closed.get(reason as usize) {
            count.add(1);
        }
    }

    /// The numbers now.
    #[must_use]
    pub fn read(&self) -> Sums {
        Sums {
            accepted: self.accepted.get(),
            came: self.came.get(),
            left: self.left.get(),
            received: self.received.get(),
            sent: self.sent.get(),
            full: self.full.get(),
            resumed: self.resumed.get(),
            closed: self.closed.each_ref().map(Count::get),
            failed: self.failed.each_ref().map(Count::get),
            connect: self.connect.read(),
            first_byte: self.first_byte.read(),
            duration: self.duration.read(),
            bytes_in: self.bytes_in.read(),
            bytes_out: self.bytes_out.read(),
        }
    }
}

/// The numbers of a [`Tally`], or of several added up, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    /// Clients that were accepted.
    pub accepted: u64,
    /// Clients that a route of another service led here.
    pub came: u64,
    /// Clients that a route of this service led to another one.
    pub left: u64,
    /// Bytes from clients.
    pub received: u64,
    /// Bytes to clients.
    pub sent: u64,
    /// TLS handshakes with a certificate.
    pub full: u64,
    /// TLS handshakes that went on where an earlier session ended.
    pub resumed: u64,
    /// Connections that ended, by reason, in the order of [`CloseReason::ALL`]. Idlers, which have no
    /// client, are not among them.
    pub closed: [u64; CloseReason::ALL.len()],
    /// TLS handshakes that failed, by fault, in the order of [`TlsFault::ALL`].
    pub failed: [u64; TlsFault::ALL.len()],
    /// Milliseconds from the first server that was asked until one was connected.
    pub connect: Readings,
    /// Milliseconds from the connect until the server's first byte.
    pub first_byte: Readings,
    /// Milliseconds of whole connections.
    pub duration: Readings,
    /// Bytes of whole connections from the client.
    pub bytes_in: Readings,
    /// Bytes of whole connections to the client.
    pub bytes_out: Readings,
}

// By hand because arrays of more than 32 have no default of their own.
impl Default for Sums {
    fn default() -> Self {
        Self {
            accepted: 0,
            came: 0,
            left: 0,
            received: 0,
            sent: 0,
            full: 0,
            resumed: 0,
            closed: [0; CloseReason::ALL.len()],
            failed: [0; TlsFault::ALL.len()],
            connect: Readings::default(),
            first_byte: Readings::default(),
            duration: Readings::default(),
            bytes_in: Readings::default(),
            bytes_out: Readings::default(),
        }
    }
}

impl Sums {
    /// Connections that ended for this reason.
    #[must_use]
    pub fn closed_for(&self, reason: CloseReason) -> u64 {
        self.closed.get(reason as usize).copied().unwrap_or(0)
    }

    /// TLS handshakes that failed for this fault.
    #[must_use]
    pub fn failed_for(&self, fault: TlsFault) -> u64 {
        self.failed.get(fault as usize).copied().unwrap_or(0)
    }
}

impl AddAssign<&Self> for Sums {
    fn add_assign(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.came += other.came;
        self.left += other.left;
        self.received += other.received;
        self.sent += other.sent;
        self.full += other.full;
        self.resumed += other.resumed;
        for (sum, n) in self.closed.iter_mut().zip(other.closed) {
            *sum += n;
        }
        for (sum, n) in self.failed.iter_mut().zip(other.failed) {
            *sum += n;
        }
        self.connect += &other.connect;
        self.first_byte += &other.first_byte;
        self.duration += &other.duration;
        self.bytes_in += &other.bytes_in;
        self.bytes_out += &other.bytes_out;
    }
}
