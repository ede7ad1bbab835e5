//! Idlers: spare connections to the servers, spread by round robin, counted like any other.
//!
//! The first worker keeps them for all services. A lost one is replaced, not faster than the
//! servers fail; when fewer are wanted the newest leave.

use std::sync::atomic::Ordering;

use pen_core::addr::{ClientAddr, Peer};
use pen_core::config::Protocol;
use pen_core::journey::{Journey, Step};
use pen_core::limits;
use pen_core::memory::Stage;
use pen_core::moment::Moment;
use pen_core::reasons::CloseReason;
use rustix::event::epoll::EventFlags;

use super::Worker;
use super::conn::{Conn, Phase};
use super::ending::Manner;

/// What a socket reports whose other side has left.
const LEFT: EventFlags = EventFlags::RDHUP.union(EventFlags::HUP).union(EventFlags::ERR);

impl Worker {
    /// Brings the number of idlers of a service to what is wanted.
    pub(super) fn look_at_idlers(&mut self, station: u32) {
        if self.index != 0 {
            return;
        }
        let Some(service) = self.station_service(station) else { return };
        let retired = self.stations.get(station as usize).is_none_or(|s| s.retired);
        let live = service.live.load();
        let none = retired
            || self.draining
            || self.pool.memory.stage() != Stage::Calm
            // Datagrams need no connection, and who takes them refuses one.
            || live.config.protocol != Protocol::Tcp;
        let wanted = if none { 0 } else { live.config.idlers };
        let have = service.idlers.load(Ordering::SeqCst);
        let rest = self.stations.get(station as usize).map_or(Moment(0), |s| s.idlers_rest);
        if have > wanted {
            self.drop_idlers(station, (have - wanted) as usize);
        } else if have < wanted && self.now < rest {
            self.due_by(rest);
        } else {
            for _ in have..wanted {
                if !self.add_idler(station) {
                    return self.rest_idlers(station);
                }
            }
        }
    }

    /// One was lost or could not be had: the next one comes in a while.
    pub(super) fn rest_idlers(&mut self, station: u32) {
        let until = self.now.plus_ms(limits::IDLER_RETRY_MS);
        if let Some(station) = self.stations.get_mut(station as usize) {
            station.idlers_rest = until;
        }
        self.due_by(until);
    }

    fn add_idler(&mut self, station: u32) -> bool {
        let Some(service) = self.station_service(station) else { return false };
        if !service.enter(&self.pool) {
            return false;
        }
        let nobody = Peer { addr: ClientAddr::Unix, port: 0 };
        let mut conn = Conn::new(station, 0, None, nobody, self.now);
        let live = service.live.load();
        let (journey, step) = Journey::idler(&live, &service.idler_cursor, self.now);
        conn.journey = Some(journey);
        conn.phase = Phase::Connecting;
        conn.slot = service.tables().slots.take().unwrap_or_default();
        service.idlers.fetch_add(1, Ordering::SeqCst);
        let key = self.insert(conn);
        let connects = matches!(step, Step::Connect(_));
        self.walk(key, &service, &live, step);
        connects && self.conns.get(key as usize).is_some_and(|c| c.phase != Phase::Gone)
    }

    fn drop_idlers(&mut self, station: u32, count: usize) {
        let mut keys: Vec<(Moment, usize)> = self
            .conns
            .iter()
            .filter(|(_, c)| c.station == station && c.is_idler() && c.phase != Phase::Gone)
            .map(|(key, c)| (c.accepted, key))
            .collect();
        keys.sort_unstable();
        for (_, key) in keys.into_iter().rev().take(count) {
            let key = u32::try_from(key).unwrap_or(u32::MAX);
            self.finish(key, Manner::Reset, CloseReason::IdlerEnded);
        }
    }

    /// An idler is connected. Its server may have left in the same moment: no other event will say so.
    pub(super) fn keep_idler(&mut self, key: u32, flags: EventFlags) {
        let Some(conn) = self.conns.get(key as usize) else { return };
        if flags.intersects(LEFT) || conn.from_server.source_end().is_some() {
            self.finish(key, Manner::Reset, CloseReason::IdlerEnded);
        }
    }

    /// The server's socket of an idler reported something.
    pub(super) fn on_idler_event(&mut self, key: u32, flags: EventFlags) {
        let Some(conn) = self.conns.get(key as usize) else { return };
        if conn.phase == Phase::Connecting {
            return self.on_connect_event(key, flags);
        }
        if conn.phase == Phase::Securing {
            return self.shake_server(key, flags);
        }
        // What a server says to an idler nobody hears; that it leaves is what counts.
        if flags.intersects(LEFT) {
            self.finish(key, Manner::Reset, CloseReason::IdlerEnded);
        }
    }
}
