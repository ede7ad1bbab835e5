//! How many connections (or flows) each source has and how fast it opens them: nobody takes more than
//! a share.
//!
//! A source is a network of `limit_prefix4` or `limit_prefix6` bits; all clients on Unix sockets are
//! trusted and never counted. Rows exist while their source has connections or has lately opened some.
//! The rate is a bucket: it holds `limit_burst` arrivals and gains `limit_rate` a second.
//! Deliberately not here: who is exempt, and what becomes of a client that is turned away.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::addr::ClientAddr;
use crate::bucket::{Bucket, Pace};
use crate::limits;
use crate::moment::Moment;
use crate::secret::Secret;

#[cfg(test)]
mod tests;

/// What one source may take of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceLimit {
    /// Connections or flows at once; 0 = any number.
    pub connections: u32,
    /// New ones per second in the long run; 0 = any number.
    pub rate: u32,
    /// New ones at once after a rest; 0 = as many as `rate`.
    pub burst: u32,
    /// Bits of an IPv4 address that make a source, 0 to 32.
    pub prefix4: u8,
    /// Bits of an IPv6 address that make a source, 0 to 128.
    pub prefix6: u8,
    /// The list whose clients are not limited, 1 to 9; 0 = everybody is.
    pub exempt: u8,
}

impl Default for SourceLimit {
    fn default() -> Self {
        Self {
            connections: 0,
            rate: 0,
            burst: 0,
            prefix4: limits::LIMIT_PREFIX4_DEFAULT,
            prefix6: limits::LIMIT_PREFIX6_DEFAULT,
            exempt: 0,
        }
    }
}

impl SourceLimit {
    /// Whether anything is limited.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.connections != 0 || self.rate != 0
    }

    /// The network that a client counts in; `None` for clients on Unix sockets.
    #[must_use]
    pub fn source(&self, client: ClientAddr) -> Option<IpAddr> {
        client.network(self.prefix4, self.prefix6)
    }

    fn pace(&self) -> Pace {
        Pace { rate: self.rate, burst: if self.burst == 0 { self.rate } else { self.burst } }
    }
}

/// Which limit turned a client away. The word is the command's that set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Excess {
    /// Its source has `limit_conn` connections.
    Connections,
    /// Its source opens more than `limit_rate` a second.
    Rate,
}

impl Excess {
    /// Every kind, in the order of their counters.
    pub const ALL: [Self; 2] = [Self::Connections, Self::Rate];

    /// The word used in reports, logs, metrics and tests.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Connections => "limit_conn",
            Self::Rate => "limit_rate",
        }
    }
}

/// A connection's place in the count of its source, given back with [`Arrivals::leave`]. Places of
/// before a change of the prefixes are worth nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Admission(u32);

/// The table of a service.
#[derive(Debug)]
pub struct Arrivals {
    rows: HashMap<IpAddr, Row, Secret>,
    /// The prefixes that the rows were made with.
    prefixes: (u8, u8),
    /// Which table this is since they changed; 0 is none.
    edition: u32,
    /// Rows at which idle ones are looked for ...
    sweep_at: usize,
    /// ... but not before then.
    sweep_after: Moment,
    excess: [u64; Excess::ALL.len()],
}

#[derive(Debug)]
struct Row {
    connections: u32,
    bucket: Bucket,
}

impl Arrivals {
    /// An empty table. `secret` is random and known to nobody outside.
    #[must_use]
    pub fn new(secret: [u64; 2]) -> Self {
        Self {
            rows: HashMap::with_hasher(Secret(secret)),
            prefixes: (0, 0),
            edition: 0,
            sweep_at: limits::SOURCES_SWEEP_MIN,
            sweep_after: Moment(0),
            excess: [0; Excess::ALL.len()],
        }
    }

    /// Counts an arrival of `client`.
    ///
    /// # Errors
    /// The limit that its source has reached; nothing was taken then, only the refusal counted.
    pub fn admit(
        &mut self,
        client: ClientAddr,
        limit: &SourceLimit,
        now: Moment,
    ) -> Result<Admission, Excess> {
        let Some(source) = limit.source(client).filter(|_| limit.is_on()) else {
            return Ok(Admission::default());
        };
        self.keep_to(limit);
        if self.rows.len() >= self.sweep_at && now >= self.sweep_after {
            self.sweep(limit, now);
        }
        if self.rows.len() >= limits::SOURCES_MAX && !self.rows.contains_key(&source) {
            // Nothing is known of it, so it is within its limits; there is no room to remember it.
            return Ok(Admission::default());
        }
        let fresh = Row { connections: 0, bucket: Bucket::full(now) };
        let row = self.rows.entry(source).or_insert(fresh);
        let taken = row.take(limit, now);
        match taken {
            Ok(()) => Ok(Admission(self.edition)),
            Err(excess) => {
                if let Some(count) = self.excess.get_mut(excess as usize) {
                    *count += 1;
                }
                Err(excess)
            }
        }
    }

    /// What [`Arrivals::admit`] would say; nothing is counted.
    ///
    /// # Errors
    /// The limit that the client's source has reached.
    pub fn look(&self, client: ClientAddr, limit: &SourceLimit, now: Moment) -> Result<(), Excess> {
        let same = self.prefixes == (limit.prefix4, limit.prefix6);
        let source = limit.source(client).filter(|_| limit.is_on() && same);
        let row = source.and_then(|source| self.rows.get(&source));
        row.map_or(Ok(()), |row| row.look(limit, now))
    }

    /// A connection that was admitted ended.
    pub fn leave(&mut self, client: ClientAddr, admission: Admission) {
        if admission.0 == 0 || admission.0 != self.edition {
            return;
        }
        let (prefix4, prefix6) = self.prefixes;
        let source = client.network(prefix4, prefix6);
        let Some(row) = source.and_then(|source| self.rows.get_mut(&source)) else {
            debug_assert!(false, "a connection left that was not counted");
            return;
        };
        debug_assert!(row.connections > 0, "a source left more often than it came");
        row.connections = row.connections.saturating_sub(1);
    }

    /// Clients turned away so far, by the limit they met.
    #[must_use]
    pub fn turned_away(&self, excess: Excess) -> u64 {
        self.excess.get(excess as usize).copied().unwrap_or_default()
    }

    /// The sources with the most connections, most first, at most `max`; those without are left out.
    #[must_use]
    pub fn busiest(&self, max: usize) -> Vec<(IpAddr, u32)> {
        let some = self.rows.iter().filter(|(_, row)| row.connections > 0);
        let mut busy: Vec<_> = some.map(|(source, row)| (*source, row.connections)).collect();
        busy.sort_by_key(|(source, connections)| (std::cmp::Reverse(*connections), *source));
        busy.truncate(max);
        busy
    }

    /// Other prefixes make other sources: the count begins anew, and connections of before are in
    /// none.
    fn keep_to(&mut self, limit: &SourceLimit) {
        let prefixes = (limit.prefix4, limit.prefix6);
        if self.edition != 0 && self.prefixes == prefixes {
            return;
        }
        self.prefixes = prefixes;
        self.edition = self.edition.wrapping_add(1).max(1);
        self.rows.clear();
        self.sweep_at = limits::SOURCES_SWEEP_MIN;
    }

    /// Forgets sources of which nothing needs to be known. The next look is due when there are twice
    /// as many as stay, or the table is full, but not within a second: looking costs each arrival
    /// little.
    fn sweep(&mut self, limit: &SourceLimit, now: Moment) {
        self.rows.retain(|_, row| row.connections > 0 || !row.bucket.is_full(limit.pace(), now));
        self.sweep_at = (self.rows.len() * 2).clamp(limits::SOURCES_SWEEP_MIN, limits::SOURCES_MAX);
        self.sweep_after = now.plus_s(1);
    }
}

impl Row {
    fn take(&mut self, limit: &SourceLimit, now: Moment) -> Result<(), Excess> {
        self.room(limit)?;
        if limit.rate != 0 && !self.bucket.take(limit.pace(), now) {
            return Err(Excess::Rate);
        }
        self.connections += 1;
        Ok(())
    }

    /// What [`Row::take`] would answer.
    fn look(&self, limit: &SourceLimit, now: Moment) -> Result<(), Excess> {
        self.room(limit)?;
        let free = limit.rate == 0 || self.bucket.has_one(limit.pace(), now);
        if free { Ok(()) } else { Err(Excess::Rate) }
    }

    fn room(&self, limit: &SourceLimit) -> Result<(), Excess> {
        let free = limit.connections == 0 || self.connections < limit.connections;
        if free { Ok(()) } else { Err(Excess::Connections) }
    }
}
