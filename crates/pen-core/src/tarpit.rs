//! The tarpit: addresses that nobody has look as if somebody had, and who connects to them hangs.
//!
//! Questions for such an address are answered, and so is each segment that opens a connection,
//! without remembering it; nothing else ever is. Before it answers for an address the tarpit asks
//! for it itself, in place of the first answer, and leaves it alone if somebody speaks up.
//!
//! Promises: one frame in is at most one frame out, no longer than what it answers; no more answers
//! per second than allowed; never for what is reserved, or belongs to this machine, to the service
//! or to its servers. IPv4 only.

use std::collections::BTreeSet;
use std::hash::Hasher;
use std::net::{IpAddr, Ipv4Addr};

use siphasher::sip::SipHasher13;

use crate::acl::AccessList;
use crate::addr::ClientAddr;
use crate::bucket::{Bucket, Pace};
use crate::dsr::DropReason;
use crate::frames::arp::{self, Arp};
use crate::frames::ethernet::Frame;
use crate::frames::tcp::{self, Ends, Segment};
use crate::frames::{Built, Mac, Packet, Transport};
use crate::limits;
use crate::moment::Moment;

#[cfg(test)]
mod tests;

/// Where the tarpit is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    /// The addresses that it answers for. An empty list is no ground at all.
    pub list: AccessList,
    /// Addresses that it never answers for.
    pub taken: BTreeSet<Ipv4Addr>,
}

impl Ground {
    /// Whether the tarpit may answer for `ip`. No country is known of addresses of one's own.
    #[must_use]
    pub fn covers(&self, ip: Ipv4Addr) -> bool {
        is_host(ip)
            && !self.list.entries.is_empty()
            && !self.taken.contains(&ip)
            && self.list.permits(ClientAddr::Ip(ip.into()), |_| None)
    }

    /// What the tarpit may answer in a question for an address.
    pub(crate) fn asked(&self, frame: &Frame<'_>, arp: &Arp) -> Option<Bait> {
        let (ip, tags) = (arp.target, Tags::of(frame)?);
        self.covers(ip).then_some(Bait { ip, from: frame.from, tags, kind: Kind::Question(*arp) })
    }

    /// What the tarpit may answer in a packet, which is for our hardware address.
    pub(crate) fn bait(&self, frame: &Frame<'_>, packet: &Packet<'_>) -> Option<Bait> {
        let (IpAddr::V4(from), IpAddr::V4(ip)) = (packet.from, packet.to) else { return None };
        let tags = Tags::of(frame)?;
        if !self.covers(ip) {
            return None;
        }
        let kind = opening(packet).filter(|_| is_host(from));
        let kind = kind.map_or(Kind::Other, |segment| Kind::Opening { client: from, segment });
        Some(Bait { ip, from: frame.from, tags, kind })
    }
}

/// Whether it can be the address of one machine on the wire.
fn is_host(ip: Ipv4Addr) -> bool {
    let [first, ..] = ip.octets();
    !matches!(first, 0 | 127 | 224..)
}

fn opening(packet: &Packet<'_>) -> Option<Segment> {
    if packet.protocol != Transport::Tcp.number() || packet.fragment.is_some() {
        return None;
    }
    tcp::parse(packet.payload).ok().filter(Segment::opens)
}

/// A frame for an address of the tarpit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bait {
    /// The address.
    pub ip: Ipv4Addr,
    from: Mac,
    tags: Tags,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tags {
    bytes: [u8; 8],
    len: usize,
}

impl Tags {
    fn of(frame: &Frame<'_>) -> Option<Self> {
        let mut tags = Self { bytes: [0; 8], len: frame.tags.len() };
        tags.bytes.get_mut(..tags.len)?.copy_from_slice(frame.tags);
        Some(tags)
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Who has the address?
    Question(Arp),
    /// A segment that opens a connection.
    Opening { client: Ipv4Addr, segment: Segment },
    /// Anything else.
    Other,
}

/// What the tarpit of a service knows.
#[derive(Debug)]
pub struct Tarpit {
    census: Vec<Option<Resident>>,
    secret: (u64, u64),
    /// Answers that are left.
    answers: Bucket,
}

/// What is known of an address.
#[derive(Clone, Copy, Debug)]
struct Resident {
    ip: Ipv4Addr,
    /// When it was asked for, or when somebody spoke from it.
    at: Moment,
    exists: bool,
}

/// How the tarpit behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manners {
    /// Addresses are asked for before they are answered for.
    pub check: bool,
    /// Answers per second.
    pub rate: u32,
}

impl Tarpit {
    /// One that knows nothing. Clients must not be able to guess the secret.
    #[must_use]
    pub fn new(secret: (u64, u64)) -> Self {
        let census = vec![None; limits::TARPIT_CENSUS];
        Self { census, secret, answers: Bucket::full(Moment::default()) }
    }

    /// Somebody speaks from `ip`: it is left alone.
    pub fn hear(&mut self, ip: Ipv4Addr, now: Moment) {
        self.note(Resident { ip, at: now, exists: true });
    }

    /// The frame that goes out for `bait`.
    ///
    /// # Errors
    /// None does, and why.
    pub fn take(
        &mut self,
        own: Mac,
        bait: &Bait,
        manners: Manners,
        now: Moment,
    ) -> Result<Built, DropReason> {
        if bait.kind == Kind::Other {
            return Err(DropReason::TarpitSilent);
        }
        let vacant = match self.known(bait.ip) {
            Some(r) if r.exists && now.since_ms(r.at) < limits::TARPIT_EXISTS_MS => {
                return Err(DropReason::TarpitExists);
            }
            Some(r) if !r.exists && now.since_ms(r.at) < limits::TARPIT_PATIENCE_MS => {
                if manners.check {
                    return Err(DropReason::TarpitWaiting);
                }
                true
            }
            Some(r) => !r.exists && now.since_ms(r.at) < limits::TARPIT_VACANT_MS,
            None => false,
        };
        self.pay(manners.rate, now)?;
        if manners.check && !vacant {
            self.note(Resident { ip: bait.ip, at: now, exists: false });
            return Ok(arp::request(own, bait.ip));
        }
        match &bait.kind {
            Kind::Question(arp) => Ok(arp::reply(own, bait.from, arp, bait.tags.bytes())),
            Kind::Opening { client, segment } => {
                let ends = Ends { own, client_mac: bait.from, from: bait.ip, to: *client };
                let sequence = self.sequence(&ends, segment);
                let tags = bait.tags.bytes();
                Ok(tcp::acceptance(&ends, tags, segment, sequence, limits::TARPIT_WINDOW))
            }
            Kind::Other => Err(DropReason::TarpitSilent),
        }
    }

    /// The same for the same opening: nothing is remembered.
    fn sequence(&self, ends: &Ends, segment: &Segment) -> u32 {
        let mut hasher = SipHasher13::new_with_keys(self.secret.0, self.secret.1);
        hasher.write(&ends.from.octets());
        hasher.write(&ends.to.octets());
        hasher.write(&segment.from.to_be_bytes());
        hasher.write(&segment.to.to_be_bytes());
        hasher.write(&segment.sequence.to_be_bytes());
        let [a, b, c, d, ..] = hasher.finish().to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }

    /// Takes one answer of what the rate allows; what is not used within a second is lost.
    fn pay(&mut self, rate: u32, now: Moment) -> Result<(), DropReason> {
        let paid = self.answers.take(Pace { rate, burst: rate }, now);
        if paid { Ok(()) } else { Err(DropReason::TarpitRate) }
    }

    fn known(&self, ip: Ipv4Addr) -> Option<Resident> {
        (*self.census.get(place(ip))?).filter(|r| r.ip == ip)
    }

    fn note(&mut self, resident: Resident) {
        if let Some(place) = self.census.get_mut(place(resident.ip)) {
            *place = Some(resident);
        }
    }
}

/// Neighbouring addresses have different places, so that a whole network has room.
fn place(ip: Ipv4Addr) -> usize {
    usize::try_from(ip.to_bits()).unwrap_or_default() % limits::TARPIT_CENSUS
}
