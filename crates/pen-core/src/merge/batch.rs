//! Many web lines that are taken through all of Pen's log at once, whatever the times.

use std::collections::BTreeMap;

use super::Client;
use crate::logline::RequestKey;
use crate::moment::WallSeconds;

/// The lines of one pass, and the nearest entries so far.
#[derive(Debug, Default)]
pub struct Batch {
    wanted: BTreeMap<RequestKey, BTreeMap<i64, Option<Nearest>>>,
}

#[derive(Debug)]
struct Nearest {
    distance: u64,
    client: Client,
}

impl Batch {
    /// A line of this time wants the entry of any of these keys.
    pub fn want(&mut self, time: WallSeconds, keys: impl IntoIterator<Item = RequestKey>) {
        for key in keys {
            self.wanted.entry(key).or_default().entry(time.0).or_default();
        }
    }

    /// The next entry of Pen's log. Of two that are equally near the first one counts.
    pub fn meet(&mut self, time: WallSeconds, key: RequestKey, client: &str) {
        let Some(lines) = self.wanted.get_mut(&key) else { return };
        for (line, nearest) in lines {
            let distance = line.abs_diff(time.0);
            if nearest.as_ref().is_none_or(|old| distance < old.distance) {
                *nearest = Some(Nearest { distance, client: Client::new(client) });
            }
        }
    }

    /// The client for a line that was wanted, after the pass.
    pub fn found(
        &self,
        time: WallSeconds,
        keys: impl IntoIterator<Item = RequestKey>,
    ) -> Option<&Client> {
        keys.into_iter().find_map(|key| {
            let nearest = self.wanted.get(&key)?.get(&time.0)?.as_ref()?;
            Some(&nearest.client)
        })
    }
}
