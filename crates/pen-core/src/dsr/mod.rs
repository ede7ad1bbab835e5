//! Direct server return: what becomes of each frame that arrives.
//!
//! The service address belongs to every server and is not configured on the balancer, which answers
//! for it on the segment and passes frames on to a server's hardware address, otherwise unchanged;
//! servers answer clients directly. [`Judge::judge`] decides about one frame: forward, answer, leave
//! to the tarpit, or drop for one of a closed list of reasons.
//!
//! Promises: one frame in is at most one frame out. The server of a flow comes from its Maglev
//! table, which machines with the same configuration have in common; a flow that has begun stays
//! with its server while that can be reached. Fragments and errors of ICMP go where their flow goes.
//! Deliberately not here: sockets, counters, and when servers are asked for their hardware address
//! (`contact`).

pub mod contact;
mod flows;
mod fragments;
mod reasons;

#[cfg(test)]
mod tests;

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher13;

use crate::addr::{ClientAddr, Peer};
use crate::frames::arp::{self, Arp};
use crate::frames::ethernet::{self, Frame};
use crate::frames::{Built, Mac, Malformed, Packet, Transport, icmp, ndp, tcp};
use crate::maglev;
use crate::moment::Moment;
use crate::tarpit::{self, Bait};

use flows::Flows;
use fragments::Fragments;

pub use reasons::DropReason;

/// A service as its threads see it.
#[derive(Debug)]
pub struct Scene {
    /// The hardware address of the interface.
    pub own: Mac,
    /// Service addresses and their ports; port 0 is every port.
    pub doors: Vec<(IpAddr, u16)>,
    /// What is forwarded.
    pub transport: Transport,
    /// The client's port is part of the key.
    pub with_port: bool,
    /// The servers' table.
    pub table: maglev::Table,
    /// What the tarpit answers for, if there is one.
    pub tarpit: Option<tarpit::Ground>,
    /// Another machine answers for the service's addresses; frames that come all the same are passed on.
    pub standby: bool,
}

impl Scene {
    fn is_ours(&self, ip: IpAddr) -> bool {
        self.doors.iter().any(|door| door.0 == ip)
    }

    /// Whether who asks for the address is to come here.
    fn answers_for(&self, ip: IpAddr) -> bool {
        !self.standby && self.is_ours(ip)
    }

    fn has_door(&self, ip: IpAddr, port: u16) -> bool {
        self.doors.iter().any(|&(door, at)| door == ip && (at == 0 || at == port))
    }
}

/// How a server stands at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It takes flows, at this hardware address.
    Ready(Mac),
    /// It is blacklisted: it keeps its connections and gets no new ones.
    Shunned(Mac),
    /// Its hardware address is not known yet.
    Unknown,
    /// There is no such server, or it does not answer.
    Gone,
}

/// What the shell knows of servers and clients.
pub trait Farm {
    /// How the server in this slot stands.
    fn standing(&self, slot: u32) -> Standing;
    /// Whether that server's access list lets the client in.
    fn admits(&self, slot: u32, client: IpAddr) -> bool;
    /// Whether the service lets the client in.
    fn permits(&self, client: IpAddr) -> bool;
}

/// What becomes of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It goes to the server in this slot, at this hardware address.
    Forward(u32, Mac),
    /// This frame goes back.
    Answer(Built),
    /// It is the tarpit's.
    Tarpit(Bait),
    /// Nothing.
    Drop(DropReason),
}

/// What there is to do and to learn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What becomes of the frame.
    pub deed: Deed,
    /// The address and hardware address of who sent it, as it says of itself.
    pub heard: Option<(IpAddr, Mac)>,
}

impl Verdict {
    fn drop(reason: DropReason) -> Self {
        Deed::Drop(reason).into()
    }
}

impl From<Deed> for Verdict {
    fn from(deed: Deed) -> Self {
        Self { deed, heard: None }
    }
}

/// Decides, for one thread.
#[derive(Debug)]
pub struct Judge {
    flows: Flows,
    fragments: Fragments,
    secret: (u64, u64),
}

/// Who talks to which of the service's addresses.
#[derive(Clone, Copy)]
struct Talk {
    client: (IpAddr, u16),
    service: (IpAddr, u16),
}

impl Judge {
    /// One that knows no flows. Clients must not be able to guess the secret.
    #[must_use]
    pub fn new(secret: (u64, u64)) -> Self {
        Self { flows: Flows::new(), fragments: Fragments::new(), secret }
    }

    /// What becomes of a frame.
    pub fn judge(&mut self, scene: &Scene, farm: &impl Farm, bytes: &[u8], now: Moment) -> Verdict {
        let frame = match Frame::parse(bytes) {
            Ok(frame) => frame,
            Err(_) => return Verdict::drop(DropReason::Malformed),
        };
        if frame.from == scene.own {
            return Verdict::drop(DropReason::Echo);
        }
        if !frame.from.is_station() {
            return Verdict::drop(DropReason::Malformed);
        }
        if frame.kind == ethernet::ARP {
            return resolve(scene, &frame);
        }
        match Packet::parse(frame.kind, frame.payload) {
            None => Verdict::drop(DropReason::Elsewhere),
            Some(Err(_)) => Verdict::drop(DropReason::Malformed),
            Some(Ok(packet)) => match ndp::parse(&packet, frame.payload) {
                Some(neighbour) => discover(scene, &frame, &packet, neighbour),
                None => self.packet(scene, farm, &frame, &packet, now).into(),
            },
        }
    }

    fn packet(
        &mut self,
        scene: &Scene,
        farm: &impl Farm,
        frame: &Frame<'_>,
        packet: &Packet<'_>,
        now: Moment,
    ) -> Deed {
        if frame.to != scene.own {
            return Deed::Drop(DropReason::Elsewhere);
        }
        if !scene.is_ours(packet.to) {
            let bait = scene.tarpit.as_ref().and_then(|ground| ground.bait(frame, packet));
            return bait.map_or(Deed::Drop(DropReason::Elsewhere), Deed::Tarpit);
        }
        match self.server_of(scene, farm, packet, now) {
            // It would go back to where it came from, and so on for ever.
            Ok((_, mac)) if mac == frame.from => Deed::Drop(DropReason::FromServer),
            // Two configurations that name each other.
            Ok((_, mac)) if mac == scene.own => Deed::Drop(DropReason::Echo),
            Ok((slot, mac)) => Deed::Forward(slot, mac),
            Err(reason) => Deed::Drop(reason),
        }
    }

    fn server_of(
        &mut self,
        scene: &Scene,
        farm: &impl Farm,
        packet: &Packet<'_>,
        now: Moment,
    ) -> Result<(u32, Mac), DropReason> {
        if let Some(quoted) = icmp::quoted(packet) {
            return self.server_of_quoted(scene, farm, &quoted, now);
        }
        if packet.protocol != scene.transport.number() {
            return Err(DropReason::OtherProtocol);
        }
        if !packet.is_beginning() {
            return self.server_of_rest(scene, farm, packet, now);
        }
        let (from, to) = packet.ports(scene.transport).ok_or(DropReason::Malformed)?;
        if !scene.has_door(packet.to, to) {
            return Err(DropReason::OtherPort);
        }
        let talk = Talk { client: (packet.from, from), service: (packet.to, to) };
        let opens = scene.transport == Transport::Tcp && tcp::opens(packet.payload);
        let server = self.choose(scene, farm, talk, opens, now)?;
        if packet.fragment.is_some_and(|f| f.more) {
            self.fragments.remember(self.fragments_key(packet), server.0, now);
        }
        Ok(server)
    }

    /// An error goes to the server whose packet it is about.
    fn server_of_quoted(
        &mut self,
        scene: &Scene,
        farm: &impl Farm,
        quoted: &Packet<'_>,
        now: Moment,
    ) -> Result<(u32, Mac), DropReason> {
        if quoted.protocol != scene.transport.number() || !scene.is_ours(quoted.from) {
            return Err(DropReason::OtherProtocol);
        }
        let Some((from, to)) = quoted.ports(scene.transport) else {
            return self.by_address(scene, farm, quoted.to);
        };
        if !scene.has_door(quoted.from, from) {
            return Err(DropReason::OtherPort);
        }
        let talk = Talk { client: (quoted.to, to), service: (quoted.from, from) };
        self.choose(scene, farm, talk, false, now)
    }

    /// A fragment without ports goes where the beginning of its packet went.
    fn server_of_rest(
        &mut self,
        scene: &Scene,
        farm: &impl Farm,
        packet: &Packet<'_>,
        now: Moment,
    ) -> Result<(u32, Mac), DropReason> {
        let Some(slot) = self.fragments.find(self.fragments_key(packet), now) else {
            return self.by_address(scene, farm, packet.from);
        };
        match farm.standing(slot) {
            Standing::Ready(mac) | Standing::Shunned(mac) => Ok((slot, mac)),
            Standing::Unknown | Standing::Gone => Err(DropReason::NoServer),
        }
    }

    /// The server of a client of which no more than the address is known.
    fn by_address(
        &self,
        scene: &Scene,
        farm: &impl Farm,
        client: IpAddr,
    ) -> Result<(u32, Mac), DropReason> {
        if scene.with_port {
            return Err(DropReason::LoneFragment);
        }
        fresh(scene, farm, (client, 0))
    }

    fn choose(
        &mut self,
        scene: &Scene,
        farm: &impl Farm,
        talk: Talk,
        opens: bool,
        now: Moment,
    ) -> Result<(u32, Mac), DropReason> {
        let key = self.flow_key(talk);
        let known = if opens { None } else { self.flows.find(key, now) };
        match known.map(|slot| (slot, farm.standing(slot))) {
            Some((slot, Standing::Ready(mac))) => return Ok((slot, mac)),
            Some((slot, Standing::Shunned(mac))) if scene.transport == Transport::Tcp => {
                return Ok((slot, mac));
            }
            Some((_, Standing::Unknown)) => return Err(DropReason::ServerUnknown),
            _ => {}
        }
        let server = fresh(scene, farm, talk.client)?;
        self.flows.store(key, server.0, now);
        Ok(server)
    }

    fn flow_key(&self, talk: Talk) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.secret.0, self.secret.1);
        for (ip, port) in [talk.client, talk.service] {
            write(&mut hasher, ip);
            hasher.write(&port.to_be_bytes());
        }
        hasher.finish()
    }

    fn fragments_key(&self, packet: &Packet<'_>) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.secret.1, self.secret.0);
        write(&mut hasher, packet.from);
        write(&mut hasher, packet.to);
        let id = packet.fragment.map_or(0, |f| f.id);
        hasher.write(&id.to_be_bytes());
        hasher.finish()
    }
}

/// The server that a flow without a past is sent to.
fn fresh(scene: &Scene, farm: &impl Farm, client: (IpAddr, u16)) -> Result<(u32, Mac), DropReason> {
    let slot = drawn(scene, farm, client)?;
    match farm.standing(slot) {
        Standing::Ready(mac) => Ok((slot, mac)),
        // Another server would break the connections that a machine before us gave to this one.
        _ => Err(DropReason::ServerUnknown),
    }
}

/// The server that the table has for such a flow, whether it can be reached yet or not.
pub(crate) fn drawn(
    scene: &Scene,
    farm: &impl Farm,
    client: (IpAddr, u16),
) -> Result<u32, DropReason> {
    if !farm.permits(client.0) {
        return Err(DropReason::Denied);
    }
    let peer = Peer { addr: ClientAddr::from_ip(client.0), port: client.1 };
    let available = |slot| {
        matches!(farm.standing(slot), Standing::Ready(_) | Standing::Unknown)
            && farm.admits(slot, client.0)
    };
    let slot = scene.table.choose(maglev::key(peer, scene.with_port), available);
    slot.ok_or(DropReason::NoServer)
}

fn resolve(scene: &Scene, frame: &Frame<'_>) -> Verdict {
    let arp = match arp::parse(frame.payload) {
        Ok(arp) if arp.sender_mac.is_station() && arp.sender_mac != scene.own => arp,
        Ok(_) => return Verdict::drop(DropReason::Echo),
        Err(_) => return Verdict::drop(DropReason::Malformed),
    };
    let heard = (!arp.sender.is_unspecified()).then_some((arp.sender.into(), arp.sender_mac));
    Verdict { deed: answer(scene, frame, &arp), heard }
}

fn answer(scene: &Scene, frame: &Frame<'_>, arp: &Arp) -> Deed {
    if !arp.is_request || arp.sender == arp.target {
        return Deed::Drop(DropReason::Heard);
    }
    if scene.answers_for(arp.target.into()) {
        // Back the way it came, whatever it says of itself: nobody is made to shout at a third.
        return Deed::Answer(arp::reply(scene.own, frame.from, arp, frame.tags));
    }
    let bait = scene.tarpit.as_ref().and_then(|ground| ground.asked(frame, arp));
    bait.map_or(Deed::Drop(DropReason::Elsewhere), Deed::Tarpit)
}

fn discover(
    scene: &Scene,
    frame: &Frame<'_>,
    packet: &Packet<'_>,
    neighbour: Result<ndp::Neighbour, Malformed>,
) -> Verdict {
    let Ok(neighbour) = neighbour else { return Verdict::drop(DropReason::Malformed) };
    let heard = |ip| neighbour.mac.filter(|mac| mac.is_station()).map(|mac| (ip, mac));
    if !neighbour.is_question {
        let heard = heard(neighbour.target.into());
        return Verdict { deed: Deed::Drop(DropReason::Heard), heard };
    }
    let IpAddr::V6(asker) = packet.from else { return Verdict::drop(DropReason::Malformed) };
    let heard = if asker.is_unspecified() { None } else { heard(packet.from) };
    if !scene.answers_for(neighbour.target.into()) {
        return Verdict { deed: Deed::Drop(DropReason::Elsewhere), heard };
    }
    let built = ndp::advertisement(scene.own, neighbour.target, asker, frame.from, frame.tags);
    Verdict { deed: Deed::Answer(built), heard }
}

fn write(hasher: &mut SipHasher13, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => hasher.write(&ip.octets()),
        IpAddr::V6(ip) => hasher.write(&ip.octets()),
    }
}
