//! Datagrams of clients: whose flow they are, and on to its server.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use pen_core::config::Spread;
use pen_core::flow::{DropReason, FlowId, FlowKey};
use pen_core::limits;
use pen_core::reasons::ConnectFailure;
use pen_core::select::{self, Visitor};
use pen_sys::datagrams::{self, Inbox, Letter, Local, Outbox, Received};
use pen_sys::sockets;
use rustix::io::Errno;

use super::super::Worker;
use super::contain::Hand;
use super::flows::peer_of;
use super::post::{Parcel, Then};
use super::{DoorFacts, Scene};

impl Worker {
    /// Datagrams wait at a door. Answers whether more may wait than were taken.
    pub(in super::super) fn on_datagrams(&mut self, key: usize) -> bool {
        let Some(door) = self.doors.get(key).filter(|d| d.armed) else { return false };
        let (station, socket) = (door.station, std::sync::Arc::clone(&door.door.socket));
        let Some(service) = self.station_service(station) else { return false };
        let live = service.live.load();
        let scene = Scene { station, service: &service, live: &live };
        self.know_door(key, &socket);
        let mut inbox = self.udp.requests.take().unwrap_or_else(super::inbox);
        let mut more = false;
        for _ in 0..limits::UDP_ROUNDS_PER_TURN {
            inbox.clear();
            let asked = self.udp.ask;
            // Nothing waits, or the system is short of something: it says so again if it matters.
            let Ok(came) = inbox.receive(&*socket, asked) else {
                more = false;
                break;
            };
            // Each that is asked for costs a little even if it does not come.
            self.udp.ask = (came * 2).clamp(limits::UDP_BATCH_MIN, limits::UDP_BATCH);
            self.pass_on(scene, key, &inbox);
            more = came == asked;
            if !more {
                break;
            }
        }
        self.udp.requests = Some(inbox);
        more
    }

    fn know_door(&mut self, key: usize, socket: &OwnedFd) {
        self.udp.doors.entry(key).or_insert_with(|| DoorFacts {
            bound: sockets::local_address(socket).ok(),
            drops_seen: datagrams::dropped(socket),
        });
    }

    fn pass_on(&mut self, scene: Scene<'_>, door: usize, inbox: &Inbox) {
        let mut parcels = std::mem::take(&mut self.udp.parcels);
        for place in 0..inbox.filled() {
            let Some(got) = inbox.get(place) else { continue };
            let taken = self.contain_flow(scene, Hand::default(), |this| {
                this.take_request(scene, door, place, &got)
            });
            match taken.unwrap_or(Err(DropReason::Defect)) {
                Ok(parcel) => parcels.push(parcel),
                Err(why) => {
                    self.udp.table(scene.station).counts.drop(why, got.count());
                    self.say_dropped(scene, got.from, why);
                }
            }
        }
        let mut outbox = std::mem::take(&mut self.udp.outbox);
        // By port, each in the order of arrival.
        parcels.sort_by_key(|p| p.port);
        for batch in parcels.chunk_by(|a, b| a.port == b.port) {
            let Some(first) = batch.first() else { continue };
            self.post(scene, first.port, batch, inbox, &mut outbox);
        }
        parcels.clear();
        (self.udp.outbox, self.udp.parcels) = (outbox, parcels);
    }

    /// Finds or begins the flow of a datagram, which counts as passed on from here.
    fn take_request(
        &mut self,
        scene: Scene<'_>,
        door: usize,
        place: usize,
        got: &Received<'_>,
    ) -> Result<Parcel, DropReason> {
        let from = got.from.ok_or(DropReason::ForgedSource)?;
        let id = self.flow_for(scene, door, from, got.to)?;
        #[cfg(debug_assertions)]
        super::super::faults::at_datagram(from);
        self.log_flow(scene, id, got);
        let (count, bytes) = (got.count(), got.bytes.len() as u64);
        let table = self.udp.table(scene.station);
        let flow = table.flows.get_mut(id).ok_or(DropReason::NoServer)?;
        flow.ask(count, bytes);
        table.counts.to_servers += count;
        table.counts.to_servers_bytes += bytes;
        let (port, to) = (flow.port, flow.server);
        Ok(Parcel { port, place, to, flow: (scene.station, id) })
    }

    /// Whether an answer would go to Pen itself, or to nobody or everybody.
    fn is_forged(&self, from: SocketAddr, to: Option<Local>) -> bool {
        let ip = from.ip().to_canonical();
        from.port() == 0
            || ip.is_unspecified()
            || ip.is_multicast()
            || self.udp.doors.values().filter_map(|d| d.bound).any(|own| {
                own.port() == from.port()
                    && (own.ip() == from.ip()
                        || own.ip().is_unspecified()
                            && (ip.is_loopback() || to.is_some_and(|t| t.ip == from.ip())))
            })
    }

    fn flow_for(
        &mut self,
        scene: Scene<'_>,
        door: usize,
        client: SocketAddr,
        to: Option<Local>,
    ) -> Result<FlowId, DropReason> {
        let Scene { station, service, live } = scene;
        let server = match live.config.udp_spread {
            Spread::Flow => None,
            Spread::Datagram => {
                let visitor = Visitor::new(peer_of(client), None);
                select::first(live, &service.cursor, &visitor, self.now)
            }
        };
        let door = u32::try_from(door).unwrap_or(u32::MAX);
        let local = to.map(|t| (t.ip, t.interface));
        let key = FlowKey { door, client, local, server };
        let now = self.now;
        let Some(id) = self.udp.table(station).flows.find(&key) else {
            if self.is_forged(client, to) {
                return Err(DropReason::ForgedSource);
            }
            return self.begin_flow(scene, key);
        };
        self.udp.hand = Hand::of(id);
        let once_a_second = self.udp.change(|udp| udp.table(station).flows.touch(id, now));
        let Some(flow) = self.udp.tables.get(&station).and_then(|t| t.flows.get(id)) else {
            return Err(DropReason::NoServer);
        };
        if !flow.journey.may_stay(live, now) || once_a_second && self.is_stranded(scene, flow) {
            return self.move_flow(scene, id);
        }
        Ok(id)
    }

    /// Sends what goes through one port.
    fn post(
        &mut self,
        scene: Scene<'_>,
        port: u64,
        parcels: &[Parcel],
        inbox: &Inbox,
        outbox: &mut Outbox,
    ) {
        let Some(socket) = self.udp.ports.socket(port) else {
            // Its flow was recycled within this batch.
            let counts = &mut self.udp.table(scene.station).counts;
            return counts.drop(DropReason::NoPort, parcels.len() as u64);
        };
        let mut tries = limits::UDP_SENDS_MAX;
        let mut unreachable = Vec::new();
        self.send_items(outbox, &socket, inbox, parcels, |this, parcel, count, error| {
            // The error may be an earlier datagram's, and another server's.
            let reported = this.take_bounces(port);
            tries = tries.saturating_sub(1);
            if (reported || error == Errno::CONNREFUSED || error == Errno::INTR) && tries > 0 {
                return Then::Again;
            }
            match failure_of(error) {
                Some(failure) => unreachable.push((*parcel, failure)),
                None => {
                    let counts = &mut this.udp.table(scene.station).counts;
                    counts.drop(refusal(error, DropReason::ServerQueueFull), count);
                }
            }
            Then::GoOn
        });
        for (parcel, failure) in unreachable {
            let (_, flow) = parcel.flow;
            let went = self.contain_one(scene, flow, |this| {
                this.redirect(scene, parcel, failure, inbox, outbox);
            });
            if went.is_none() {
                self.lose(&parcel, inbox, outbox);
            }
        }
    }

    /// There is no way to a server: the datagram goes to the next one, as long as there are any. Its
    /// flow may have gone there already, with an earlier datagram, or be over.
    fn redirect(
        &mut self,
        scene: Scene<'_>,
        parcel: Parcel,
        failure: ConnectFailure,
        inbox: &Inbox,
        outbox: &mut Outbox,
    ) {
        let Some(got) = inbox.get(parcel.place) else { return };
        let (_, flow) = parcel.flow;
        let mut failed = Some((parcel.to, failure));
        let mut why = DropReason::ServerUnreachable;
        for _ in 0..limits::UDP_SENDS_MAX {
            let stays = failed.is_some_and(|(at, failure)| {
                let is_there = self.way_of(scene, flow).is_some_and(|(_, to)| to == at);
                is_there && !self.server_failed(scene, flow, failure)
            });
            let way = self.way_of(scene, flow).filter(|_| !stays);
            let Some((port, to)) = way else { break };
            let Some(socket) = self.udp.ports.socket(port) else { break };
            let letter = Letter { to, from: None, pieces: &[got.bytes], joined: got.joined };
            let Err(error) = outbox.send(&*socket, &[letter]) else { return };
            let error = Errno::from_io_error(&error).unwrap_or(Errno::IO);
            // The error may be an earlier datagram's, and another server's.
            let earlier = self.take_bounces(port) || error == Errno::CONNREFUSED;
            failed = failure_of(error).filter(|_| !earlier).map(|failure| (to, failure));
            if failed.is_none() && !earlier {
                why = refusal(error, DropReason::ServerQueueFull);
                break;
            }
        }
        self.udp.table(scene.station).counts.drop(why, got.count());
    }

    /// The port of a flow, and its server.
    fn way_of(&self, scene: Scene<'_>, id: FlowId) -> Option<(u64, SocketAddr)> {
        let flow = self.udp.tables.get(&scene.station)?.flows.get(id)?;
        Some((flow.port, flow.server))
    }
}

/// Whether an error says that the server cannot be reached.
pub(super) fn failure_of(error: Errno) -> Option<ConnectFailure> {
    match error {
        Errno::CONNREFUSED => Some(ConnectFailure::Refused),
        Errno::HOSTUNREACH | Errno::NETUNREACH | Errno::HOSTDOWN | Errno::NETDOWN => {
            Some(ConnectFailure::Unreachable)
        }
        _ => None,
    }
}

/// Why a datagram that the system refused is dropped.
pub(super) fn refusal(error: Errno, full: DropReason) -> DropReason {
    match error {
        Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM => full,
        Errno::MSGSIZE => DropReason::TooLarge,
        _ => DropReason::SendRefused,
    }
}
