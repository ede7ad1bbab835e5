//! Consistent hashing: the client's whole address against the servers' identities and weights.
//!
//! Rendezvous: each server draws a number from the client's address and its own identity, the
//! highest wins; with weights w the number u in (0, 1) counts as -w / ln(u), which gives each server
//! its share exactly. The answer depends on nothing but the configuration, not even on the order of
//! the servers, so two machines agree without talking. A dead server's clients spread over the
//! others; nobody else moves.

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher13;

use crate::addr::{ClientAddr, Host, Peer};
use crate::config::ServerConfig;

#[cfg(test)]
mod tests;

/// Keys of the hash function, "pen hash" and "clients!" in ASCII: part of the promise that machines
/// agree, never to be changed.
const CLIENT_KEYS: (u64, u64) = (0x7065_6e20_6861_7368, 0x636c_6965_6e74_7321);
/// The same for servers, so that a client and a server never draw the same number by their names.
const SERVER_KEYS: (u64, u64) = (0x7065_6e20_6861_7368, 0x7365_7276_6572_7321);

/// What is computed once per publication.
#[derive(Clone, Debug, Default)]
pub struct Table {
    candidates: Vec<Candidate>,
    /// The weights differ. Where they do not, the logarithm would change nothing.
    weighted: bool,
}

#[derive(Clone, Debug)]
struct Candidate {
    slot: u32,
    identity: u64,
    weight: f64,
}

impl Table {
    /// Prepares for the servers of a table; identity is the name, else the place as configured.
    /// Unset slots are no candidates; weight 0 counts as 1.
    #[must_use]
    pub fn build(servers: &[ServerConfig]) -> Self {
        let candidates: Vec<Candidate> = identities(servers)
            .map(|(identity, slot, weight)| Candidate { slot, identity, weight: weight.into() })
            .collect();
        let weighted = !candidates.is_sorted_by(|one, other| one.weight == other.weight);
        Self { candidates, weighted }
    }

    /// The slot for `peer` among those for which `available` answers true. With `with_port` the
    /// port is part of the key.
    #[must_use]
    pub fn choose(
        &self,
        peer: Peer,
        with_port: bool,
        available: impl Fn(usize) -> bool,
    ) -> Option<u32> {
        let client = client_key(peer, with_port);
        let mut best: Option<(f64, u64, u32)> = None;
        for candidate in &self.candidates {
            let drawn = draw(client, candidate.identity);
            let score = if self.weighted { weighted(drawn, candidate.weight) } else { 0.0 };
            let better = best.is_none_or(|(score_then, drawn_then, _)| {
                score > score_then || (score == score_then && drawn > drawn_then)
            });
            if better && available(candidate.slot as usize) {
                best = Some((score, drawn, candidate.slot));
            }
        }
        best.map(|(_, _, slot)| slot)
    }
}

/// Number, slot and weight of the servers that are set; the number comes from the identity alone.
/// Weight 0 counts as 1.
pub(crate) fn identities(servers: &[ServerConfig]) -> impl Iterator<Item = (u64, u32, u32)> {
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let set = (0..).zip(servers).filter(|(_, server)| server.host != Host::Unset);
    set.map(move |(slot, server)| {
        let name = identity(server);
        let hash = SipHasher13::new_with_keys(SERVER_KEYS.0, SERVER_KEYS.1).hash(name.as_bytes());
        // A place that is listed twice is two servers.
        let copy = seen.entry(name).or_default();
        *copy += 1;
        (draw(hash, *copy), slot, server.weight.max(1))
    })
}

/// What a server is called, independent of its slot and of what its name resolved to.
fn identity(server: &ServerConfig) -> String {
    match (&server.name, &server.host) {
        (Some(name), _) => format!("name {name}"),
        (None, Host::Unix(path)) => format!("path {}", path.display()),
        (None, host) => format!("place {} {}", host.as_written(), server.port),
    }
}

/// One number for a client; all Unix peers are one client.
pub(crate) fn client_key(peer: Peer, with_port: bool) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(CLIENT_KEYS.0, CLIENT_KEYS.1);
    match peer.addr {
        ClientAddr::Ip(IpAddr::V4(ip)) => hasher.write(&ip.octets()),
        ClientAddr::Ip(IpAddr::V6(ip)) => hasher.write(&ip.octets()),
        ClientAddr::Unix => return hasher.finish(),
    }
    if with_port {
        hasher.write(&peer.port.to_be_bytes());
    }
    hasher.finish()
}

/// A number drawn by two that are already well mixed: the finalizer of splitmix64.
pub(crate) fn draw(a: u64, b: u64) -> u64 {
    let mut x = a ^ b.rotate_left(32);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The score of a number under a weight: the higher, the better.
fn weighted(drawn: u64, weight: f64) -> f64 {
    // 53 bits are exact in a double; the half keeps u off 0 and 1.
    let u = ((drawn >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    -weight / u.ln()
}
