//! Services with routes: the client's hello is read, and the client goes where it leads.
//!
//! The bytes are taken from the socket into a bounded buffer of the connection and become the first
//! bytes of its flow, so the server gets every one of them and the socket is never looked at twice
//! for the same byte. A client that is routed to another service is that service's from then on: one
//! service counts it at every moment. While there is no room for it there it waits, and still counts
//! where it came in.

use std::os::fd::AsFd;
use std::rc::Rc;

use pen_core::config::Protocol;
use pen_core::hello::{Hello, Progress, Reader};
use pen_core::limits;
use pen_core::reasons::{CloseReason, HelloFault};
use pen_core::routes::{Hop, hop};
use pen_core::service::Live;
use pen_core::tally::Tally;
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::Worker;
use super::accept::has_pending_room;
use super::beginning::Way;
use super::conn::{Conn, Phase};
use super::ending::Manner;
use super::station::Station;
use crate::shared::Service;

/// A fatal alert of TLS, unrecognized_name, that a client can read without keys.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// What a connection holds while it is not known where it goes.
#[derive(Debug, Default)]
pub struct Asking {
    reader: Reader,
    /// What the client said, once it has.
    said: Option<Result<Hello, HelloFault>>,
    /// How it is served where it goes.
    way: Way,
}

/// Where the routes end.
enum End {
    /// At this station.
    At(u32, Way),
    /// No route is for the client, or one that closes.
    Nowhere,
}

impl Worker {
    /// A client of a service with routes is there. It counts as one that shakes hands, because that is
    /// what it is about, with somebody.
    pub(super) fn await_hello(&mut self, key: u32, service: &Service, live: &Live) {
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        conn.asking = Some(Box::default());
        self.count_unfinished(key, service, &live.config.tls, Phase::Hello);
    }

    /// The client's socket has something, and where the client goes is not known.
    pub(super) fn read_hello(&mut self, key: u32) {
        loop {
            let Self { conns, scratch, .. } = self;
            let Some(conn) = conns.get_mut(key as usize) else { return };
            let (Some(down), Some(asking)) = (conn.down.as_ref(), conn.asking.as_mut()) else {
                return;
            };
            let room = asking.reader.room().min(limits::READ_MODEST);
            let buffer = scratch.bytes().get_mut(..room).unwrap_or_default();
            let read = match recv(down.as_fd(), &mut *buffer, RecvFlags::empty()) {
                Ok((n, _)) => n,
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => continue,
                Err(_) => 0,
            };
            if read == 0 {
                return self.finish(key, Manner::Reset, CloseReason::ClientGone);
            }
            let progress = asking.reader.take(buffer.get(..read).unwrap_or_default());
            scratch.allowance.take(read as u64);
            asking.said = match progress {
                Progress::More => continue,
                Progress::Hello(hello) => Some(Ok(hello)),
                Progress::Fault(fault) => Some(Err(fault)),
            };
            return self.route(key);
        }
    }

    /// Sends a client that has said its hello where it goes.
    fn route(&mut self, key: u32) {
        self.leave_lists(key);
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        let Some(mut asking) = conn.asking.take() else { return };
        conn.phase = Phase::Routed;
        let said = match asking.said.as_ref() {
            Some(Ok(hello)) => Ok(hello),
            Some(Err(fault)) => Err(*fault),
            None => Err(HelloFault::NotTls),
        };
        let end = self.follow(key, said);
        self.say_routed(key, said, matches!(end, End::Nowhere));
        // Orders may have ended it on the way.
        let Some(conn) = self.conns.get_mut(key as usize).filter(|c| c.phase == Phase::Routed)
        else {
            return;
        };
        let (own, polite) = (conn.station, said.is_ok());
        match end {
            End::Nowhere => self.close_unrouted(key, polite),
            End::At(station, way) => {
                asking.way = way;
                conn.asking = Some(asking);
                if station == own {
                    self.set_out(key);
                } else {
                    self.lead_to(key, station);
                }
            }
        }
    }

    /// Follows the routes from service to service.
    fn follow(&mut self, key: u32, said: Result<&Hello, HelloFault>) -> End {
        let Some(own) = self.conns.get(key as usize).map(|c| c.station) else {
            return End::Nowhere;
        };
        let mut at = own;
        for _ in 0..=limits::ROUTE_HOPS_MAX {
            let Some(service) = self.station_service(at) else { return End::Nowhere };
            let live = service.live.load();
            let Some(conn) = self.conns.get(key as usize) else { return End::Nowhere };
            match hop(&live, &conn.visitor, at != own, |routes| routes.choose(said)) {
                Hop::Here(way) => return End::At(at, way),
                Hop::Nowhere => return End::Nowhere,
                Hop::Service(name) => match self.station_called(name) {
                    Some(station) => at = station,
                    None => return End::Nowhere,
                },
            }
        }
        // Settings never lead so far; those of two publications may for a moment.
        End::Nowhere
    }

    /// The station of a service that takes new clients.
    fn station_called(&mut self, name: &str) -> Option<u32> {
        if let Some(found) = self.find_station(name) {
            return Some(found);
        }
        // Who published the route has announced the service before: it is in the mailbox.
        self.take_orders();
        self.find_station(name)
    }

    fn find_station(&mut self, name: &str) -> Option<u32> {
        let known = self.by_name.get(name).copied();
        let fits = |key: u32| {
            let station = self.stations.get(key as usize)?;
            (!station.retired && station.service.name == name && is_tcp(station)).then_some(key)
        };
        if let Some(key) = known.and_then(fits) {
            return Some(key);
        }
        let keys = self.stations.iter().filter_map(|(key, _)| u32::try_from(key).ok());
        let found = { keys }.find_map(fits);
        // What is here is only a guess of where to look first; old guesses must not pile up.
        if self.by_name.len() > limits::SERVICES_MAX {
            self.by_name.clear();
        }
        self.by_name.extend(found.map(|key| (name.to_owned(), key)));
        found
    }

    /// No route is for the client. One that speaks TLS is told in its language.
    fn close_unrouted(&mut self, key: u32, polite: bool) {
        let down = self.conns.get(key as usize).and_then(|c| c.down.as_ref());
        if let Some(down) = down.filter(|_| polite) {
            // A fresh socket takes seven bytes; if it does not, the close says enough.
            let _ = send(down, &UNRECOGNIZED_NAME, SendFlags::NOSIGNAL);
        }
        self.finish(key, Manner::Close, CloseReason::NoRoute);
    }

    /// Hands a client over to another service, or has it wait for room there.
    fn lead_to(&mut self, key: u32, to: u32) {
        let Some(service) = self.station_service(to) else { return };
        let waits =
            self.stations.get(to as usize).is_some_and(|s| s.waiting.head(&self.conns).is_some());
        if !waits && takes_one_more(&service) {
            return self.move_to(key, to, &service);
        }
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        conn.phase = Phase::Waiting { at: to };
        if let Some(station) = self.stations.get_mut(to as usize) {
            station.waiting.append(&mut self.conns, key, self.now);
        }
        self.due_by(self.now.plus_s(limits::ROUTE_WAIT_S));
        self.say_waiting(key, &service);
        self.wait_for_room(to, &service);
    }

    /// There is room in a service, perhaps: those who wait for it come first.
    pub(super) fn admit_waiting(&mut self, station: u32) {
        let Some(service) = self.station_service(station) else { return };
        while let Some(key) = self.first_waiting(station) {
            if !takes_one_more(&service) {
                return self.wait_for_room(station, &service);
            }
            self.move_to(key, station, &service);
        }
    }

    fn first_waiting(&self, station: u32) -> Option<u32> {
        let station = self.stations.get(station as usize)?;
        station.waiting.head(&self.conns).map(|(key, _)| key)
    }

    fn wait_for_room(&mut self, station: u32, service: &Service) {
        service.starve(&self.pool, self.index);
        // Somebody may have left between the look and the sign.
        let pending_max = service.live.load().config.pending_max;
        if has_pending_room(service, pending_max) && service.room.has_some() {
            service.feed_starved(&self.pool);
        }
        debug_assert!(self.first_waiting(station).is_some(), "a wait of nobody");
    }

    /// Nobody waits at a service that goes: the settings that took it away say where to go instead.
    pub(super) fn send_waiting_elsewhere(&mut self, station: u32) {
        while let Some(key) = self.first_waiting(station) {
            self.route(key);
        }
    }

    /// The client is that other service's from here on; a place was taken there.
    fn move_to(&mut self, key: u32, to: u32, service: &Service) {
        self.leave_lists(key);
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        conn.phase = Phase::Routed;
        let own = std::mem::replace(&mut conn.station, to);
        let (slot, source) = (conn.slot, conn.visitor.peer.addr);
        let admission = std::mem::take(&mut conn.admission);
        if let Some(own) = self.station_service(own) {
            let mut tables = own.tables();
            tables.slots.release(slot);
            tables.arrivals.leave(source, admission);
            drop(tables);
            own.count(self.index, Tally::left);
            own.hand_on(&self.pool);
        }
        if let Some(station) = self.stations.get_mut(to as usize) {
            station.conns += 1;
        }
        self.one_less_at(own);
        service.count(self.index, Tally::came);
        let live = service.live.load();
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        let mut tables = service.tables();
        // The place was taken before, so there is a number.
        conn.slot = tables.slots.take().unwrap_or_default();
        let visit = tables.clients.visit(conn.visitor.peer.addr, self.now, live.config.tracking_s);
        drop(tables);
        conn.client = Some(visit.id);
        conn.visitor.remembered = visit.remembered;
        if let Some(conn) = self.conns.get(key as usize) {
            self.say_accepted(service, conn);
        }
        if self.admit_routed(key, service, &live) {
            self.set_out(key);
        }
    }

    /// The client is where it is served: its first bytes become those of its flow, and it sets out
    /// for a server.
    fn set_out(&mut self, key: u32) {
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        let Some(asking) = conn.asking.take() else { return };
        let Some(service) = self.stations.get(conn.station as usize).map(|s| &s.service) else {
            return;
        };
        let service = Rc::clone(service);
        let live = service.live.load();
        let Asking { reader, way, .. } = *asking;
        conn.from_client.choose(live.config.engine);
        conn.from_server.choose(live.config.engine);
        // What a route leads to a server is passed through as it is.
        let ends_tls = service.tls.load().is_some()
            && match way {
                Way::Free => true,
                Way::Server(_) => false,
                Way::Denied => live.abuse.is_some(),
            };
        conn.tap = super::tap::for_client(&live.config, conn.visitor.peer, ends_tls);
        conn.from_client.begin_with(reader.into_bytes());
        conn.phase = Phase::Connecting;
        if ends_tls {
            self.await_handshake(key, &service, &live, way == Way::Free);
            // There may be too many already.
            let shakes = |c: &Conn| matches!(c.phase, Phase::Handshaking { .. });
            if self.conns.get(key as usize).is_some_and(shakes) {
                self.shake_client(key, EventFlags::IN);
            }
            return;
        }
        if live.config.dummy && way == Way::Free {
            return self.reply_dummy(key);
        }
        self.queue(key, way);
    }

    /// The time of a client is over that has not said whom it wants, or that found no room there.
    pub(super) fn hello_timed_out(&mut self, key: u32, seconds: u32) {
        let Some(conn) = self.conns.get(key as usize) else { return };
        let reason = match conn.phase {
            Phase::Waiting { .. } => CloseReason::ServiceFull,
            _ => CloseReason::HelloTimeout,
        };
        if let Some(service) = self.station_service(conn.station) {
            if let Some(routes) = &service.live.load().routes {
                routes.count_end(reason);
            }
            self.say_not_routed(&service, conn, reason, seconds);
        }
        self.finish(key, Manner::Reset, reason);
    }
}

/// A service that speaks another protocol now has two stations of its name for a moment.
fn is_tcp(station: &Station) -> bool {
    station.service.live.load().config.protocol == Protocol::Tcp
}

/// Takes a place for a client that has a place in the process already.
fn takes_one_more(service: &Service) -> bool {
    has_pending_room(service, service.live.load().config.pending_max) && service.room.take()
}
