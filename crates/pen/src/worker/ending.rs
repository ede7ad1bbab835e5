//! The end of a connection: everything it held is given back, once, whatever the reason.
//!
//! The streams' own ends close cleanly; everything else resets, so that a truncated transfer never
//! looks complete.

use std::sync::atomic::Ordering;

use pen_core::connlog::What;
use pen_core::journey::Journey;
use pen_core::limits;
use pen_core::reasons::CloseReason;
use pen_core::relay::Side;
use pen_sys::sockets;
use rustix::net::RecvFlags;

use super::Worker;
use super::conn::{Conn, Moved, Phase};
use crate::shared::Service;

/// What the sockets are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Closed; what was written still arrives.
    Close,
    /// Reset at once.
    Reset,
}

impl Worker {
    /// Ends a connection.
    pub(super) fn finish(&mut self, key: u32, manner: Manner, reason: CloseReason) {
        let Some(conn) = self.conns.get(key as usize) else { return };
        if conn.phase == Phase::Gone {
            return;
        }
        let Some(service) = self.station_service(conn.station) else { return };
        if matches!(conn.phase, Phase::Connecting | Phase::Securing) && conn.up.is_some() {
            self.no_longer_pending(key, &service);
        }
        self.leave_lists(key);
        self.record(key, What::Closed(reason));
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        conn.phase = Phase::Gone;
        for socket in [conn.down.take(), conn.up.take()].into_iter().flatten() {
            match manner {
                Manner::Close => drop(socket),
                Manner::Reset => sockets::reset(socket),
            }
        }
        self.gone.push(key);
        self.give_back(key, &service, reason);
    }

    fn give_back(&mut self, key: u32, service: &Service, reason: CloseReason) {
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        #[cfg(debug_assertions)]
        super::faults::at_end(conn);
        let moved = conn.settle();
        if !conn.is_idler() {
            let (ms, all) = (self.now.since_ms(conn.accepted), &*conn);
            service.count(self.index, |tally| {
                tally.moved(moved.from_client, moved.to_client);
                tally.closed(reason, ms, all.from_client.read, all.from_server.written);
            });
        }
        conn.tap = None;
        for _ in [conn.down_tls.take(), conn.up_tls.take()].into_iter().flatten() {
            self.scratch.allowance.give_back(limits::MEMORY_PER_SESSION);
        }
        conn.asking = None;
        self.scratch.allowance.give_back(limits::MEMORY_PER_CONNECTION);
        conn.from_client.end(&mut self.scratch);
        conn.from_server.end(&mut self.scratch);
        if let Some(journey) = conn.journey.as_mut() {
            journey.end(moved.to_server, moved.from_server);
        }
        let (slot, client, station) = (conn.slot, conn.client, conn.station);
        let (source, admission) = (conn.visitor.peer.addr, conn.admission);
        {
            let mut tables = service.tables();
            tables.slots.release(slot);
            tables.arrivals.leave(source, admission);
            if let Some(id) = client {
                tables.clients.count_bytes(id, moved.to_client, moved.from_client);
            }
        }
        if client.is_none() {
            service.idlers.fetch_sub(1, Ordering::SeqCst);
            self.rest_idlers(station);
        }
        service.leave(&self.pool);
        self.say_ended(service, key, reason);
        self.leave_station(station);
    }

    pub(super) fn leave_lists(&mut self, key: u32) {
        self.forget_head(key);
        let Some(conn) = self.conns.get(key as usize) else { return };
        let (phase, halved) = (conn.phase, conn.halved);
        let station = match phase {
            Phase::Handshaking { .. } | Phase::Hello => return self.handshake_over(key),
            Phase::Waiting { at } => at,
            _ => conn.station,
        };
        let Some(station) = self.stations.get_mut(station as usize) else { return };
        match phase {
            Phase::Peeking | Phase::Dummy => station.silent.remove(&mut self.conns, key),
            Phase::Waiting { .. } => station.waiting.remove(&mut self.conns, key),
            Phase::Queued { .. } => station.queued.remove(&mut self.conns, key),
            Phase::Connecting | Phase::Securing => station.connecting.remove(&mut self.conns, key),
            Phase::Open if halved => station.halved.remove(&mut self.conns, key),
            Phase::Open => station.open.remove(&mut self.conns, key),
            Phase::Flushing { .. } => self.flushing.remove(&mut self.conns, key),
            Phase::Handshaking { .. } | Phase::Hello | Phase::Routed | Phase::Gone => {}
        }
    }

    fn leave_station(&mut self, key: u32) {
        self.count(|mailbox| mailbox.connections.fetch_sub(1, Ordering::Relaxed));
        self.one_less_at(key);
    }

    /// A station has one connection less, though the worker may not.
    pub(super) fn one_less_at(&mut self, key: u32) {
        let Some(station) = self.stations.get_mut(key as usize) else { return };
        station.conns -= 1;
        if station.retired && station.conns == 0 {
            let service = station.service.id;
            self.by_service.remove(&service);
            self.stations.remove(key as usize);
        }
    }

    /// Pen itself ran out of something.
    pub(super) fn out_of_resources(&mut self, key: u32) {
        self.finish(key, Manner::Reset, CloseReason::OutOfResources);
    }

    /// One side is dead; the other sees a reset after the bytes that were written to it.
    pub(super) fn reset_flushed(&mut self, key: u32, side: Side, reason: CloseReason) {
        self.flush_then(key, side, true, reason);
    }

    /// One side's end closes both. What the client was sent must arrive first: a close with unread
    /// bytes in the socket would destroy it.
    pub(super) fn close_flushed(&mut self, key: u32, reason: CloseReason) {
        let Some(conn) = self.conns.get(key as usize) else { return };
        if matches!(conn.phase, Phase::Gone | Phase::Flushing { .. }) {
            return;
        }
        let side = if conn.relay.flows(Side::Client) { Side::Client } else { Side::Server };
        if let Some(socket) = conn.socket(side) {
            // A socket that is not connected any more needs no end of stream.
            let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Write);
        }
        self.flush_then(key, side, false, reason);
    }

    fn flush_then(&mut self, key: u32, side: Side, reset: bool, reason: CloseReason) {
        if self.all_acknowledged(key, side) {
            if !reset {
                self.discard_unread(key, side);
            }
            let manner = if reset { Manner::Reset } else { Manner::Close };
            return self.finish(key, manner, reason);
        }
        self.leave_lists(key);
        self.keep_ends(key);
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        match side {
            Side::Client => conn.up = None,
            Side::Server => conn.down = None,
        }
        conn.phase = Phase::Flushing { side, reset, reason };
        if self.flushing.head(&self.conns).is_none() {
            self.flush_look = self.now.plus_ms(limits::FLUSH_LOOK_MS);
        }
        self.flushing.append(&mut self.conns, key, self.now);
        self.due_by(self.flush_look);
    }

    fn all_acknowledged(&self, key: u32, side: Side) -> bool {
        let Some(conn) = self.conns.get(key as usize) else { return true };
        if side == Side::Client && conn.client_is_unix() {
            // Unix sockets deliver what was written whatever happens to the sender.
            return true;
        }
        // A socket that does not know has nothing to wait for; neither has a dead one, which still
        // counts what it could not deliver.
        let Some(socket) = conn.socket(side) else { return true };
        sockets::unacknowledged(socket).unwrap_or(0) == 0
            || rustix::net::getpeername(socket).is_err()
    }

    /// Looks at the connections whose last bytes were not acknowledged.
    pub(super) fn look_at_flushing(&mut self) {
        if self.flushing.head(&self.conns).is_none() {
            return;
        }
        if self.now < self.flush_look {
            return self.due_by(self.flush_look);
        }
        let waiting: Vec<u32> = self.flushing.keys(&self.conns).collect();
        let pause = limits::FLUSH_LOOK_MS.max(waiting.len() as u64 / limits::FLUSH_LOOKS_PER_MS);
        for key in waiting {
            let Some(conn) = self.conns.get(key as usize) else { continue };
            let Phase::Flushing { side, reset, reason } = conn.phase else { continue };
            let late = self.now.since_ms(conn.links.since) >= limits::ABORT_FLUSH_MS;
            if !late && !self.all_acknowledged(key, side) {
                continue;
            }
            if reset {
                self.finish(key, Manner::Reset, reason);
            } else {
                self.discard_unread(key, side);
                self.finish(key, Manner::Close, reason);
            }
        }
        if self.flushing.head(&self.conns).is_some() {
            self.flush_look = self.now.plus_ms(pause);
            self.due_by(self.flush_look);
        }
    }

    /// What the other side still sends goes nowhere, but left unread it would turn the close into
    /// a reset, which may overtake what the other side has not yet received.
    fn discard_unread(&mut self, key: u32, side: Side) {
        let Some(socket) = self.conns.get(key as usize).and_then(|c| c.socket(side)) else {
            return;
        };
        for _ in 0..limits::READS_PER_TURN {
            let read = rustix::net::recv(socket, self.scratch.bytes(), RecvFlags::empty());
            if !matches!(read, Ok((n, _)) if n > 0) {
                return;
            }
        }
    }

    /// The thread ends: nothing unfinished may look finished.
    pub(super) fn reset_everything(&mut self) {
        let keys: Vec<usize> = self.conns.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.finish(
                u32::try_from(key).unwrap_or(u32::MAX),
                Manner::Reset,
                CloseReason::Shutdown,
            );
        }
    }

    /// Adds to the tables what the connection moved since the last time.
    pub(super) fn settle(index: usize, conn: &mut Conn, service: &Service) {
        let moved = conn.settle();
        if moved == Moved::default() {
            return;
        }
        service.count(index, |tally| tally.moved(moved.from_client, moved.to_client));
        if let Some(journey) = conn.journey.as_ref() {
            Journey::count_bytes(journey, moved.to_server, moved.from_server);
        }
        if let Some(id) = conn.client {
            service.tables().clients.count_bytes(id, moved.to_client, moved.from_client);
        }
    }
}
