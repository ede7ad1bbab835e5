//! The entries of Pen's log near the time of the web line at hand.
//!
//! For each line: [`Window::advance`], then [`Window::add`] as long as [`Window::wants_more`], then
//! [`Window::nearest`]. Entries may be out of order by less than the jitter.

use std::collections::{BTreeMap, BTreeSet};

use super::Client;
use crate::logline::RequestKey;
use crate::moment::WallSeconds;

/// The entries at hand.
#[derive(Debug)]
pub struct Window {
    jitter_s: i64,
    room: usize,
    /// Of the line at hand.
    time: i64,
    /// Of the entry that was read last.
    last_read: Option<i64>,
    /// The place in the file tells entries of one time apart; the first one is meant.
    by_request: BTreeMap<(RequestKey, i64, u64), Client>,
    by_time: BTreeSet<(i64, u64, RequestKey)>,
    read: u64,
    crowded: u64,
}

impl Window {
    /// Empty; entries up to `jitter_s` seconds before and after a line are looked at, and never more
    /// than `room` of them.
    #[must_use]
    pub fn new(jitter_s: i64, room: usize) -> Self {
        Self {
            jitter_s,
            room,
            time: i64::MIN,
            last_read: None,
            by_request: BTreeMap::new(),
            by_time: BTreeSet::new(),
            read: 0,
            crowded: 0,
        }
    }

    /// The line at hand is of this time: entries too old for it are let go.
    pub fn advance(&mut self, time: WallSeconds) {
        self.time = time.0;
        while self.by_time.first().is_some_and(|(old, ..)| *old < self.too_old()) {
            self.drop_first();
        }
    }

    /// Whether the line at hand may have its entry further on in Pen's log. It may not when the last
    /// entry that was read is too new already. When there is no room, the entries nearest in time
    /// are kept.
    pub fn wants_more(&mut self) -> bool {
        let Some(last) = self.last_read else { return true };
        if last > self.time.saturating_add(self.jitter_s) {
            return false;
        }
        if self.by_time.len() < self.room {
            return true;
        }
        let oldest = self.by_time.first().map_or(self.time, |(old, ..)| *old);
        self.crowded = self.crowded.saturating_add(1);
        if self.time.saturating_sub(oldest) < last.saturating_sub(self.time) {
            return false;
        }
        self.drop_first();
        true
    }

    /// The next entry of Pen's log; `key` is missing for one that no line can have.
    pub fn add(&mut self, time: WallSeconds, key: Option<RequestKey>, client: &str) {
        self.last_read = Some(time.0);
        self.read = self.read.wrapping_add(1);
        if let Some(key) = key
            && time.0 >= self.too_old()
        {
            self.by_request.insert((key, time.0, self.read), Client::new(client));
            self.by_time.insert((time.0, self.read, key));
        }
    }

    /// The client of the entry nearest in time; of two, of the one that stands first in Pen's log.
    /// The keys are spellings of one request; the first that is found counts.
    #[must_use]
    pub fn nearest(&self, keys: impl IntoIterator<Item = RequestKey>) -> Option<&Client> {
        keys.into_iter().find_map(|key| self.nearest_of(key))
    }

    /// Entries at hand.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_time.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_time.is_empty()
    }

    /// How often there was no room for an entry within the jitter.
    #[must_use]
    pub fn crowded(&self) -> u64 {
        self.crowded
    }

    fn nearest_of(&self, key: RequestKey) -> Option<&Client> {
        let here = (key, self.time, 0);
        let later = self.by_request.range(here..=(key, i64::MAX, u64::MAX)).next();
        let earlier = self.by_request.range((key, i64::MIN, 0)..here).next_back();
        // Of several of the same time the first in the file.
        let earlier = earlier.and_then(|((_, time, _), _)| {
            self.by_request.range((key, *time, 0)..=(key, *time, u64::MAX)).next()
        });
        let rank =
            |((_, time, place), _): &(&(_, i64, u64), &Client)| (time.abs_diff(self.time), *place);
        [earlier, later].into_iter().flatten().min_by_key(rank).map(|(_, client)| client)
    }

    fn too_old(&self) -> i64 {
        self.time.saturating_sub(self.jitter_s)
    }

    fn drop_first(&mut self) {
        if let Some((time, place, key)) = self.by_time.pop_first() {
            self.by_request.remove(&(key, time, place));
        }
    }
}
