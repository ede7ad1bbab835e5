//! Timers: connect timeouts, idle timeouts, silent clients, pauses, idlers.
//!
//! `due` is never later than the next timer; when it comes, every list is looked at from its head
//! and `due` is computed anew. With no list waiting for anything the worker sleeps for ever.

use pen_core::limits;
use pen_core::memory;
use pen_core::moment::Moment;
use pen_core::reasons::{CloseReason, TlsFault};

use super::Worker;
use super::conn::Phase;
use super::ending::Manner;
use crate::tls::Trouble;

impl Worker {
    /// Does what is due and computes when to look next.
    pub(super) fn run_timers(&mut self) {
        self.due = Moment(u64::MAX);
        self.look_at_flushing();
        self.look_at_doors();
        self.look_at_records();
        let stations: Vec<u32> =
            self.stations.iter().map(|(key, _)| u32::try_from(key).unwrap_or(u32::MAX)).collect();
        for station in stations {
            self.look_at_handshaking(station);
            self.look_at_connecting(station);
            self.look_at_open(station);
            self.look_at_halved(station);
            self.look_at_heads(station);
            self.look_at_silent(station);
            self.look_at_waiting(station);
            self.look_at_idlers(station);
            self.look_at_flows(station);
            self.look_at_long_ones(station);
        }
    }

    fn look_at_handshaking(&mut self, station: u32) {
        let Some(service) = self.station_service(station) else { return };
        let timeout_s = service.live.load().config.tls.handshake_timeout_s;
        loop {
            let Some(s) = self.stations.get(station as usize) else { return };
            let Some((key, since)) = s.handshaking.head(&self.conns) else { return };
            let due = since.plus_s(timeout_s);
            if self.now < due {
                return self.due_by(due);
            }
            if self.conns.get(key as usize).is_some_and(|c| c.phase == Phase::Hello) {
                self.contain(key, |this| this.hello_timed_out(key, timeout_s));
                continue;
            }
            let why = format!("not over after {timeout_s} s");
            let trouble = Trouble::new(TlsFault::TimedOut, &why);
            self.contain(key, |this| this.refuse_handshake(key, &trouble));
        }
    }

    fn look_at_connecting(&mut self, station: u32) {
        let Some(service) = self.station_service(station) else { return };
        let timeout_s = service.live.load().config.timeout_s;
        loop {
            let Some(s) = self.stations.get(station as usize) else { return };
            let Some((key, since)) = s.connecting.head(&self.conns) else { return };
            let due = since.plus_s(timeout_s);
            if self.now < due {
                return self.due_by(due);
            }
            self.contain(key, |this| this.connect_timed_out(station, key));
        }
    }

    fn look_at_open(&mut self, station: u32) {
        let Some(service) = self.station_service(station) else { return };
        let shed_s = self.pool.memory.idle_s();
        let idle_s = memory::shorter(service.live.load().config.idle_timeout_s, shed_s);
        if let Some(station) = self.stations.get_mut(station as usize) {
            station.idle_s = idle_s;
        }
        if idle_s == 0 {
            return;
        }
        loop {
            let Some(s) = self.stations.get(station as usize) else { return };
            let Some((key, since)) = s.open.head(&self.conns) else { return };
            // It may have moved something later in the second it was put there. It keeps its place:
            // those behind it wait for it less than a second.
            let active = self.conns.get(key as usize).map_or(since, |c| c.active);
            let due = active.plus_s(idle_s);
            if self.now < due {
                return self.due_by(due);
            }
            self.time_out(key, CloseReason::IdleTimeout);
        }
    }

    fn look_at_halved(&mut self, station: u32) {
        let Some(service) = self.station_service(station) else { return };
        let shed_s = self.pool.memory.idle_s();
        let timeout_s = memory::shorter(service.live.load().config.half_close_timeout_s, shed_s);
        if let Some(station) = self.stations.get_mut(station as usize) {
            station.half_close_s = timeout_s;
        }
        if timeout_s == 0 {
            return;
        }
        loop {
            let Some(s) = self.stations.get(station as usize) else { return };
            let Some((key, since)) = s.halved.head(&self.conns) else { return };
            // As with open ones.
            let active = self.conns.get(key as usize).map_or(since, |c| c.active);
            let due = active.plus_s(timeout_s);
            if self.now < due {
                return self.due_by(due);
            }
            self.time_out(key, CloseReason::HalfCloseTimeout);
        }
    }

    fn look_at_silent(&mut self, station: u32) {
        loop {
            let Some(s) = self.stations.get(station as usize) else { return };
            let Some((key, since)) = s.silent.head(&self.conns) else { return };
            let due = since.plus_s(limits::PEEK_DEADLINE_S);
            if self.now < due {
                return self.due_by(due);
            }
            self.time_out(key, CloseReason::ClientSilent);
        }
    }

    fn look_at_waiting(&mut self, station: u32) {
        loop {
            let Some(s) = self.stations.get(station as usize) else { return };
            let Some((key, since)) = s.waiting.head(&self.conns) else { return };
            let due = since.plus_s(limits::ROUTE_WAIT_S);
            if self.now < due {
                return self.due_by(due);
            }
            self.contain(key, |this| this.hello_timed_out(key, limits::ROUTE_WAIT_S));
        }
    }

    /// A connection was quiet for too long.
    fn time_out(&mut self, key: u32, reason: CloseReason) {
        self.contain(key, |this| {
            #[cfg(debug_assertions)]
            this.conns.get(key as usize).inspect(|conn| super::faults::at_timer(conn));
            this.finish(key, Manner::Reset, reason);
        });
    }

    fn look_at_doors(&mut self) {
        let paused: Vec<(usize, Moment)> =
            self.doors.iter().filter_map(|(k, d)| Some((k, d.paused_until?))).collect();
        for (key, until) in paused {
            if self.now < until {
                self.due_by(until);
            } else {
                self.arm(key);
            }
        }
    }
}
