//! Weight: the available server with the lowest load for its weight; on a tie the lowest slot.
//!
//! The load is what is taken, pending connects included: a burst of clients that arrives before the
//! first connect is answered is spread as well. A server of weight 0 gets nothing.

use crate::servers::Server;

/// The slot with the lowest `256 * connections / weight` among those for which `available` answers
/// true, `None` if all of those have weight 0.
#[must_use]
pub fn choose(servers: &[Server], available: impl Fn(usize) -> bool) -> Option<u32> {
    (0..)
        .zip(servers)
        .filter(|&(slot, server)| server.config.weight != 0 && available(slot as usize))
        .min_by_key(|(_, server)| {
            256 * u64::from(server.load.reserved()) / u64::from(server.config.weight)
        })
        .map(|(slot, _)| slot)
}
