//! Prio: the available server with the lowest prio number; on a tie the lowest slot.

use crate::servers::Server;

/// The slot with the lowest number among those for which `available` answers true.
#[must_use]
pub fn choose(servers: &[Server], available: impl Fn(usize) -> bool) -> Option<u32> {
    (0..)
        .zip(servers)
        .filter(|&(slot, _)| available(slot as usize))
        .min_by_key(|(_, server)| server.config.prio)
        .map(|(slot, _)| slot)
}
