//! New clients: room first, then accept, then the tables, then the first step to a server (of clients
//! that are waited for, in `beginning`).
//!
//! Accepting pauses, and never spins, when the service is full, when too many connects are pending,
//! or when descriptors or memory ran out; the clients wait in the kernel's queue.

use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::Ordering;

use pen_core::addr::{ClientAddr, Peer};
use pen_core::arrivals::Excess;
use pen_core::journey::{Journey, Step};
use pen_core::limits;
use pen_core::relay::Side;
use pen_core::servers::ServerRef;
use pen_core::service::Live;
use pen_core::tally::Tally;
use pen_sys::sockets::{self, Accepted};
use rustix::event::epoll;

use super::conn::{Conn, Phase};
use super::station::{Shared, WatchedDoor};
use super::{DOOR_BIT, Worker};
use crate::shared::Service;

/// Why the worker stopped accepting at a door.
pub(super) enum Stop {
    /// Nobody waits.
    Dry,
    /// There is no room; somebody will tell when there is.
    Starved,
    /// There is no memory until somebody looks again.
    Short,
    /// The system ran out of something; try again in a while.
    Exhausted(io::Error),
}

/// How a client begins.
struct Start {
    /// To a server, or to the end; `None` if something is awaited first.
    step: Option<Step>,
    /// `client_acl` admits it.
    permitted: bool,
    /// Its hello is awaited.
    asks: bool,
    /// A TLS handshake is awaited.
    shakes: bool,
}

impl Worker {
    /// Accepts at a door, up to the service's number per wake-up, or takes datagrams. Answers whether
    /// more may wait that could be accepted now.
    pub(super) fn accept_from(&mut self, key: usize) -> bool {
        let Some(door) = self.doors.get(key).filter(|d| d.armed) else { return false };
        if door.door.datagram {
            return self.on_datagrams(key);
        }
        let station = door.station;
        if self.is_memory_full() {
            self.starve_of_memory(key);
            return false;
        }
        let Some(service) = self.station_service(station) else { return false };
        let (accepts, pending_max) = {
            let live = service.live.load();
            (live.config.accepts, live.config.pending_max)
        };
        for _ in 0..accepts {
            match self.accept_one(key, station, &service, pending_max) {
                Ok(()) => continue,
                Err(Stop::Dry) => {}
                Err(Stop::Starved) => self.starve(key, &service),
                Err(Stop::Short) => self.starve_of_memory(key),
                Err(Stop::Exhausted(e)) => self.pause(key, &service, &e),
            }
            return false;
        }
        true
    }

    pub(super) fn station_service(&self, station: u32) -> Option<Shared> {
        self.stations.get(station as usize).map(|s| Rc::clone(&s.service))
    }

    fn accept_one(
        &mut self,
        key: usize,
        station: u32,
        service: &Shared,
        pending_max: u32,
    ) -> Result<(), Stop> {
        if self.scratch.allowance.is_spent() {
            return Err(Stop::Short);
        }
        if !has_pending_room(service, pending_max) || !service.enter(&self.pool) {
            return Err(Stop::Starved);
        }
        let accepted = self.keep_spare().and_then(|()| self.accept_socket(key));
        match accepted {
            Ok(client) => self.settle_in(station, service, client),
            Err(stop) => {
                service.leave(&self.pool);
                return Err(stop);
            }
        }
        Ok(())
    }

    /// A client is accepted only while there is a descriptor for its server as well.
    pub(super) fn keep_spare(&mut self) -> Result<(), Stop> {
        if self.spare.is_none() {
            let spare = rustix::io::dup(&self.epoll);
            self.spare = Some(spare.map_err(|e| Stop::Exhausted(e.into()))?);
        }
        Ok(())
    }

    fn accept_socket(&self, key: usize) -> Result<(OwnedFd, Peer), Stop> {
        let Some(door) = self.doors.get(key) else { return Err(Stop::Dry) };
        loop {
            match sockets::accept(&door.door.socket) {
                Accepted::Client(socket, from) => return Ok((socket, peer_of(from))),
                Accepted::Nobody => return Err(Stop::Dry),
                Accepted::Gone => {}
                Accepted::Shortage(e) | Accepted::Broken(e) => return Err(Stop::Exhausted(e)),
            }
        }
    }

    /// Takes in an accepted client: number, row, first step. A defect that it meets is contained.
    pub(super) fn welcome(
        &mut self,
        station: u32,
        service: &Service,
        (socket, peer): (OwnedFd, Peer),
    ) {
        let live = service.live.load();
        let mut conn = Conn::new(station, 0, Some(socket), peer, self.now);
        let begun = catch_unwind(AssertUnwindSafe(|| self.take_in(service, &live, &mut conn)));
        match begun {
            Ok(Ok(start)) => {
                let key = self.insert(conn);
                self.contain(key, |this| this.start_off(key, service, &live, start));
            }
            Ok(Err(excess)) => self.turn_away_source(service, conn, excess),
            Err(panic) => self.bury_newcomer(service, conn, panic),
        }
    }

    /// What is decided before the client is in the worker's tables. Nothing but `conn` knows what it
    /// holds by then.
    fn take_in(
        &mut self,
        service: &Service,
        live: &Live,
        conn: &mut Conn,
    ) -> Result<Start, Excess> {
        conn.admission = self.admit_source(service, live, &conn.visitor)?;
        if conn.client_is_unix() {
            conn.from_client.read_to_the_last();
            conn.from_server.leads_to_unix(true);
        }
        conn.from_client.choose(live.config.engine);
        conn.from_server.choose(live.config.engine);
        let permitted = live.admits(live.config.client_acl, &conn.visitor);
        // Routes look at what the client says before anybody decrypts it. A denied client costs a
        // handshake only where there is a server for it.
        let asks = permitted && live.routes.is_some();
        let shakes = !asks && (permitted || live.abuse.is_some()) && service.tls.load().is_some();
        let waits = shakes || asks || permitted && (live.config.peek || live.config.dummy);
        let step = self.enter(service, live, conn, permitted, waits);
        let first_bytes_to = if live.config.dummy { Phase::Dummy } else { Phase::Peeking };
        conn.phase = if step.is_some() { Phase::Connecting } else { first_bytes_to };
        conn.tap = super::tap::for_client(&live.config, conn.visitor.peer, shakes);
        #[cfg(debug_assertions)]
        super::faults::at_accept(conn);
        Ok(Start { step, permitted, asks, shakes })
    }

    /// The first step of a client that is in the tables.
    fn start_off(&mut self, key: u32, service: &Service, live: &Live, start: Start) {
        service.count(self.index, Tally::accepted);
        let Some(conn) = self.conns.get(key as usize) else { return };
        let station = conn.station;
        self.say_accepted(service, conn);
        if let Some(Step::Close(_)) = start.step {
            // Nothing to wait for.
        } else if self.watch(key, Side::Client, epoll::EventFlags::empty()).is_err() {
            return self.out_of_resources(key);
        }
        match start.step {
            Some(step) => self.walk(key, service, live, step),
            None if start.asks => self.await_hello(key, service, live),
            None if start.shakes => self.await_handshake(key, service, live, start.permitted),
            None => self.await_first_bytes(key, station),
        }
    }

    /// The locked part: connection number, client row, and (unless the first bytes are awaited)
    /// the choice of a server.
    fn enter(
        &self,
        service: &Service,
        live: &Live,
        conn: &mut Conn,
        permitted: bool,
        waits: bool,
    ) -> Option<Step> {
        let mut tables = service.tables();
        // The room was taken before, so there is a number.
        conn.slot = tables.slots.take().unwrap_or_default();
        let visit = tables.clients.visit(conn.visitor.peer.addr, self.now, live.config.tracking_s);
        conn.client = Some(visit.id);
        conn.visitor.remembered = visit.remembered;
        if waits {
            return None;
        }
        let note =
            |server, refusal| self.say_passed_over(service, conn.visitor.peer, server, refusal);
        let (journey, step) = if permitted {
            Journey::start(live, &service.cursor, &conn.visitor, self.now, note)
        } else {
            Journey::denied(live, &conn.visitor, self.now, note)
        };
        #[cfg(debug_assertions)]
        super::faults::at_choice(conn);
        if let Step::Connect(ServerRef::Regular(n)) = step
            && !live.config.mode.forgetful
        {
            tables.clients.remember(visit.id, n);
        }
        conn.journey = Some(journey);
        Some(step)
    }

    /// Takes a connection or an idler into the worker's tables.
    pub(super) fn insert(&mut self, conn: Conn) -> u32 {
        let station = conn.station;
        let key = u32::try_from(self.conns.insert(conn)).unwrap_or(u32::MAX);
        self.scratch.allowance.take(limits::MEMORY_PER_CONNECTION);
        if let Some(station) = self.stations.get_mut(station as usize) {
            station.conns += 1;
        }
        self.count(|mailbox| mailbox.connections.fetch_add(1, Ordering::Relaxed));
        key
    }

    fn starve(&mut self, key: usize, service: &Service) {
        self.disarm(key);
        service.starve(&self.pool, self.index);
        // Somebody may have left between the look and the sign.
        let pending_max = service.live.load().config.pending_max;
        let (room, process) = (&service.room, &self.pool.room);
        if !has_pending_room(service, pending_max) {
            self.tell_limit(service, "pending_max", pending_max, "so many connects are pending");
        } else if !room.has_some() {
            self.tell_limit(
                service,
                "conn_max",
                room.max(),
                "there are as many connections as may be",
            );
        } else if !process.has_some() {
            let what = "the process has as many connections as descriptors allow";
            self.tell_limit(service, "descriptors", process.max(), what);
        } else {
            service.feed_starved(&self.pool);
        }
    }

    /// Armed again when there is some.
    fn starve_of_memory(&mut self, key: usize) {
        self.disarm(key);
        self.await_look();
    }

    fn pause(&mut self, key: usize, service: &Service, error: &io::Error) {
        self.disarm(key);
        self.scratch.spare_descriptors();
        let until = self.now.plus_ms(limits::ACCEPT_PAUSE_MS);
        if let Some(door) = self.doors.get_mut(key) {
            door.paused_until = Some(until);
        }
        self.due_by(until);
        self.say_exhausted(service, error);
    }

    /// Stops watching a door.
    pub(super) fn disarm(&mut self, key: usize) {
        if let Some(door) = self.doors.get_mut(key).filter(|d| d.armed) {
            door.armed = false;
            // It was registered; there is nothing else that can go wrong.
            let _ = epoll::delete(&self.epoll, &door.door.socket);
        }
    }

    /// Watches a door (again).
    pub(super) fn arm(&mut self, key: usize) {
        if self.draining {
            return;
        }
        let full = self.is_memory_full();
        let waits = |d: &mut WatchedDoor| !d.armed && (d.door.datagram || !full);
        let Some(door) = self.doors.get_mut(key).and_then(|d| waits(d).then_some(d)) else {
            return;
        };
        door.paused_until = None;
        let exclusive = if door.door.shared {
            epoll::EventFlags::EXCLUSIVE
        } else {
            epoll::EventFlags::empty()
        };
        let data = epoll::EventData::new_u64(DOOR_BIT | key as u64);
        let flags = epoll::EventFlags::IN | exclusive;
        match epoll::add(&self.epoll, &door.door.socket, data, flags) {
            Ok(()) => door.armed = true,
            Err(_) => {
                // Out of memory for the registration: the same pause as for accepting.
                let until = self.now.plus_ms(limits::ACCEPT_PAUSE_MS);
                door.paused_until = Some(until);
                self.due_by(until);
            }
        }
    }
}

pub(super) fn has_pending_room(service: &Service, pending_max: u32) -> bool {
    service.pending.load(Ordering::SeqCst) < pending_max
}

fn peer_of(from: sockets::Peer) -> Peer {
    match from {
        sockets::Peer::Ip(a) => Peer { addr: ClientAddr::from_ip(a.ip()), port: a.port() },
        sockets::Peer::Unix => Peer { addr: ClientAddr::Unix, port: 0 },
    }
}
