//! Packets in fragments: only the first one has ports, the others follow it.

use crate::limits::{DSR_FRAGMENT_MS, DSR_FRAGMENTS};
use crate::moment::Moment;

#[derive(Debug)]
pub(super) struct Fragments {
    places: Vec<Option<Seen>>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    key: u64,
    slot: u32,
    at: Moment,
}

impl Fragments {
    pub(super) fn new() -> Self {
        Self { places: vec![None; DSR_FRAGMENTS] }
    }

    pub(super) fn remember(&mut self, key: u64, slot: u32, at: Moment) {
        if let Some(place) = self.places.get_mut(at_place(key)) {
            *place = Some(Seen { key, slot, at });
        }
    }

    pub(super) fn find(&self, key: u64, now: Moment) -> Option<u32> {
        let seen = (*self.places.get(at_place(key))?)?;
        (seen.key == key && now.since_ms(seen.at) < DSR_FRAGMENT_MS).then_some(seen.slot)
    }
}

fn at_place(key: u64) -> usize {
    usize::try_from(key % DSR_FRAGMENTS as u64).unwrap_or_default()
}
