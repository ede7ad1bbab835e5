//! A server of a service's table as traffic sees it: settings of the moment, load that outlives
//! them.
//!
//! [`Load`] is shared by all workers and survives every change of settings; limits are taken by
//! compare-and-swap, so they are never exceeded by one. Nothing here locks.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Serialize, Serializer};

use crate::addr::{Host, Place};
use crate::config::ServerConfig;
use crate::moment::Moment;
use crate::reasons::{ConnectFailure, Refusal};

#[cfg(test)]
pub(crate) mod tests;

/// Which server: a slot of the table, or one outside the rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServerRef {
    /// A slot of the table.
    Regular(u32),
    /// The emergency server.
    Emergency,
    /// The abuse server.
    Abuse,
}

impl ServerRef {
    /// The number the classic reports use: slot, -1 emergency, -2 abuse.
    #[must_use]
    pub fn number(self) -> i64 {
        match self {
            Self::Regular(n) => i64::from(n),
            Self::Emergency => -1,
            Self::Abuse => -2,
        }
    }

    /// [`ServerRef::number`], or -3 for no server.
    #[must_use]
    pub fn number_or_none(server: Option<Self>) -> i64 {
        server.map_or(-3, Self::number)
    }
}

impl fmt::Display for ServerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Regular(n) => n.fmt(f),
            Self::Emergency => f.write_str("emergency"),
            Self::Abuse => f.write_str("abuse"),
        }
    }
}

impl Serialize for ServerRef {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// A server: settings that are replaced whole, and the load they share.
#[derive(Clone, Debug)]
pub struct Server {
    /// The settings this value was published with.
    pub config: ServerConfig,
    /// Counters and health; the same object across publications.
    pub load: Arc<Load>,
    /// How often the slot's place has changed: a failure of a former place is not held against the
    /// present one.
    pub moves: u32,
}

impl Server {
    /// A server with no load yet.
    #[must_use]
    pub fn new(config: ServerConfig) -> Self {
        Self { config, load: Arc::new(Load::default()), moves: 0 }
    }

    /// The next publication of this server: same load, and a clean slate if its place is another.
    #[must_use]
    pub fn republished(&self, config: &ServerConfig) -> Self {
        let moved = (&self.config.host, self.config.port) != (&config.host, config.port);
        if moved {
            self.load.pardon();
        }
        let moves = self.moves.wrapping_add(u32::from(moved));
        Self { config: config.clone(), load: Arc::clone(&self.load), moves }
    }

    /// The same server with a load that nobody else sees.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { config: self.config.clone(), load: Arc::new(self.load.copy()), moves: self.moves }
    }

    /// Whether there is a [`Server::place`] to connect to.
    #[must_use]
    pub fn is_set(&self) -> bool {
        match &self.config.host {
            Host::Unset => false,
            Host::Unix(_) => true,
            Host::Ip(ip) | Host::Name { ip, .. } => self.config.port != 0 && !ip.is_unspecified(),
        }
    }

    /// Where to connect, or `None` for an unset slot or port 0.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        match &self.config.host {
            _ if !self.is_set() => None,
            Host::Unset => None,
            Host::Unix(path) => Some(Place::Unix(path.clone())),
            Host::Ip(ip) | Host::Name { ip, .. } => {
                Some(Place::Tcp((*ip, self.config.port).into()))
            }
        }
    }
}

/// One established connection in [`Load::places`]; one pending connect is 1.
const ESTABLISHED: u64 = 1 << 32;

fn split(places: u64) -> (u32, u32) {
    ((places / ESTABLISHED) as u32, (places % ESTABLISHED) as u32)
}

/// What happens at a server, seen by all workers.
///
/// Life of one use: [`Load::reserve`] (pending), then [`Load::establish`] or
/// [`Load::release_pending`]; at the end [`Load::release_established`]. On a cache line of its own: every
/// connection writes to the one of its server. What is counted here is counted since the slot is there,
/// wherever its server was.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Load {
    /// Established connections above [`ESTABLISHED`], pending connects below: one word, so that
    /// both limits are looked at and taken in one step.
    places: AtomicU64,
    /// Milliseconds of the last failure plus one; 0 = never failed.
    failed_at: AtomicU64,
    /// Milliseconds until which the operator's own sentence lasts; 0 = none.
    sentenced_until: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    /// Connections that were established since there is this load.
    total: AtomicU64,
    failures: [AtomicU64; ConnectFailure::ALL.len()],
    refusals: [AtomicU64; Refusal::ALL.len()],
    /// Milliseconds plus one when the operator was told that it is out; 0 = as far as he knows it is
    /// not.
    told_out_at: AtomicU64,
}

impl Load {
    /// What is taken and what is held against the server, as it is now; nothing is counted yet.
    #[must_use]
    pub fn copy(&self) -> Self {
        let now = |of: &AtomicU64| AtomicU64::new(of.load(Ordering::Acquire));
        Self {
            places: now(&self.places),
            failed_at: now(&self.failed_at),
            sentenced_until: now(&self.sentenced_until),
            ..Self::default()
        }
    }

    /// Seconds, rounded up, until it is no longer out, given the blacklist time; `None` if it is
    /// not.
    #[must_use]
    pub fn sentence_s(&self, now: Moment, blacklist_s: u32) -> Option<u64> {
        let failed = self.failed_at().map(|at| at.plus_s(blacklist_s));
        let until = failed.max(self.sentenced_until())?;
        let left_ms = until.since_ms(now);
        (left_ms > 0).then(|| left_ms.div_ceil(1000))
    }

    /// Takes one place if fewer than `limit` are taken (pending ones included); `limit` 0 = no
    /// limit. Also refuses when `pending_share` connects are pending already (0 = no such limit).
    ///
    /// # Errors
    /// [`Refusal::Full`] or [`Refusal::PendingShare`]; nothing was taken.
    pub fn reserve(&self, limit: u32, pending_share: u32) -> Result<(), Refusal> {
        let mut now = self.places.load(Ordering::Relaxed);
        loop {
            let (established, pending) = split(now);
            if limit != 0 && established.saturating_add(pending) >= limit {
                return Err(Refusal::Full);
            }
            if pending_share != 0 && pending >= pending_share {
                return Err(Refusal::PendingShare);
            }
            match self.places.compare_exchange_weak(
                now,
                now + 1,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(()),
                Err(seen) => now = seen,
            }
        }
    }

    /// The pending connect succeeded.
    pub fn establish(&self) {
        let before = self.places.fetch_add(ESTABLISHED - 1, Ordering::AcqRel);
        debug_assert!(split(before).1 > 0, "established a connect nobody had begun");
        // On the cache line that the places are on.
        self.total.fetch_add(1, Ordering::Relaxed);
    }

    /// The pending connect failed or was given up.
    pub fn release_pending(&self) {
        let before = self.places.fetch_sub(1, Ordering::AcqRel);
        debug_assert!(split(before).1 > 0, "released a place nobody had taken");
    }

    /// An established connection ended.
    pub fn release_established(&self) {
        let before = self.places.fetch_sub(ESTABLISHED, Ordering::AcqRel);
        debug_assert!(split(before).0 > 0, "ended a connection nobody had established");
    }

    /// Established connections: what the reports call `conn`.
    #[must_use]
    pub fn established(&self) -> u32 {
        split(self.places.load(Ordering::Relaxed)).0
    }

    /// Connects that are pending.
    #[must_use]
    pub fn pending(&self) -> u32 {
        split(self.places.load(Ordering::Relaxed)).1
    }

    /// Places taken: established and pending.
    #[must_use]
    pub fn reserved(&self) -> u32 {
        let (established, pending) = split(self.places.load(Ordering::Relaxed));
        established.saturating_add(pending)
    }

    /// The server failed at `now`: blacklisted from then for the blacklist time.
    pub fn fail(&self, now: Moment) {
        self.failed_at.store(now.0 + 1, Ordering::Release);
    }

    /// The operator's `server N blacklist T`: out for `seconds`, 0 frees it.
    pub fn sentence(&self, now: Moment, seconds: u32) {
        self.failed_at.store(0, Ordering::Release);
        let until = if seconds == 0 { 0 } else { now.plus_s(seconds).0 };
        self.sentenced_until.store(until, Ordering::Release);
    }

    /// Forgets failures and sentences: the place behind this slot is another one now.
    pub fn pardon(&self) {
        self.failed_at.store(0, Ordering::Release);
        self.sentenced_until.store(0, Ordering::Release);
        self.told_out_at.store(0, Ordering::Release);
    }

    /// The operator is to know that it is out. Answers whether that is news.
    pub fn tell_out(&self, now: Moment) -> bool {
        let told = &self.told_out_at;
        told.compare_exchange(0, now.0 + 1, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Whether the operator believes that it is out.
    #[must_use]
    pub fn is_told_out(&self) -> bool {
        self.told_out_at.load(Ordering::Relaxed) != 0
    }

    /// The operator is to know that it takes clients again. Answers since when he believed otherwise,
    /// if that is news.
    #[must_use]
    pub fn tell_back(&self) -> Option<Moment> {
        self.told_out_at.swap(0, Ordering::AcqRel).checked_sub(1).map(Moment)
    }

    /// When it failed last, or `None`.
    #[must_use]
    pub fn failed_at(&self) -> Option<Moment> {
        self.failed_at.load(Ordering::Acquire).checked_sub(1).map(Moment)
    }

    /// Until when the operator's own sentence lasts or lasted, or `None`.
    #[must_use]
    pub fn sentenced_until(&self) -> Option<Moment> {
        let until = self.sentenced_until.load(Ordering::Acquire);
        (until != 0).then_some(Moment(until))
    }

    /// Whether it is out at `now`, given the blacklist time in seconds (0 = nobody is ever out
    /// because of a failure).
    #[must_use]
    pub fn blacklisted(&self, now: Moment, blacklist_s: u32) -> bool {
        now.0 < self.sentenced_until.load(Ordering::Acquire)
            || self.failed_at().is_some_and(|at| now.since_ms(at) < u64::from(blacklist_s) * 1000)
    }

    /// Seconds until it is not out any more, rounded up; `None` if it is not out.
    #[must_use]
    pub fn left_out_for(&self, now: Moment, blacklist_s: u32) -> Option<u64> {
        let failed_until = self.failed_at().map_or(Moment(0), |at| at.plus_s(blacklist_s));
        let until = failed_until.max(self.sentenced_until().unwrap_or_default());
        (until > now).then(|| until.since_ms(now).div_ceil(1000))
    }

    /// A connect failed, or a server in use reported that it takes nothing.
    pub fn count_failure(&self, failure: ConnectFailure) {
        if let Some(count) = self.failures.get(failure as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The server was passed over.
    pub fn count_refusal(&self, refusal: Refusal) {
        if let Some(count) = self.refusals.get(refusal as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Connections and flows that were established, idlers included.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Failures by reason, in the order of [`ConnectFailure::ALL`].
    #[must_use]
    pub fn failures(&self) -> [u64; ConnectFailure::ALL.len()] {
        self.failures.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    /// How often clients passed it over, by reason, in the order of [`Refusal::ALL`].
    #[must_use]
    pub fn refusals(&self) -> [u64; Refusal::ALL.len()] {
        self.refusals.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    /// Adds bytes moved: `sent` to the server, `received` from it.
    pub fn count_bytes(&self, sent: u64, received: u64) {
        if sent != 0 {
            self.sent.fetch_add(sent, Ordering::Relaxed);
        }
        if received != 0 {
            self.received.fetch_add(received, Ordering::Relaxed);
        }
    }

    /// Bytes sent to the server.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Bytes received from the server.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}
