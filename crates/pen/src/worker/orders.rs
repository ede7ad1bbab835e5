//! What the control thread asks of a worker.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;

use pen_core::limits;
use pen_core::moment::Moment;
use pen_core::reasons::CloseReason;
use pen_core::report::ConnectionRow;

use super::Worker;
use super::conn::Phase;
use super::ending::Manner;
use super::station::{Station, WatchedDoor};
use crate::shared::{Door, Order, Service};

impl Worker {
    /// Carries out everything in the mailbox.
    pub(super) fn take_orders(&mut self) {
        let pool = Arc::clone(&self.pool);
        let Some(mailbox) = pool.mailboxes.get(self.index) else { return };
        for order in mailbox.collect() {
            self.obey(order);
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Serve { service, doors } => self.serve(service, doors),
            Order::Refresh { service } => self.refresh(service),
            Order::Retire { service } => self.retire(service),
            Order::Resume { service } => self.resume(service),
            Order::ResumeAll => self.arm_all(),
            Order::Memory => self.note_memory(),
            // Whoever asked may have stopped waiting; that is no error.
            Order::Close { service, slot, reply } => {
                let _ = reply.send(self.close_by_number(service, slot));
            }
            Order::AddressLeft { address, reply } => {
                let _ = reply.send(self.close_at(address));
            }
            Order::Report { service, rows, reply } => self.report(service, rows, &reply),
            Order::Answer { settle, done } => {
                if settle {
                    self.settle_all();
                }
                let _ = done.send(());
            }
            Order::TakeOver(newcomer) => self.take_over(newcomer),
            Order::Live { round } => {
                if let Some(mailbox) = self.pool.mailboxes.get(self.index) {
                    mailbox.answered.store(round, Ordering::Relaxed);
                }
            }
            Order::Drain => self.drain(false),
            Order::Yield => self.drain(true),
            Order::Stop => self.stopped = true,
        }
    }

    pub(super) fn arm_all(&mut self) {
        let doors: Vec<usize> = self.doors.iter().map(|(key, _)| key).collect();
        for key in doors {
            self.arm(key);
        }
    }

    fn serve(&mut self, service: Arc<Service>, doors: Vec<Door>) {
        let id = service.id;
        let station = self.station_of(&service);
        if let Some(station) = self.stations.get_mut(station as usize) {
            station.retired = false;
        }
        let old = self.stations.get(station as usize).map(|s| s.doors.clone()).unwrap_or_default();
        let kept = |d: &Door, this: &Self| {
            old.iter().any(|k| this.doors.get(*k).is_some_and(|w| w.door.id == d.id))
        };
        let new: Vec<Door> = doors.iter().filter(|d| !kept(d, self)).cloned().collect();
        for key in old {
            let stays =
                self.doors.get(key).is_some_and(|w| doors.iter().any(|d| d.id == w.door.id));
            if !stays {
                self.close_door(station, key);
            }
        }
        for door in new {
            self.open_door(station, door);
        }
        self.refresh(id);
    }

    /// The key of a service's station, which is made if there is none: without doors, and for as
    /// long as it has connections.
    pub(super) fn station_of(&mut self, service: &Arc<Service>) -> u32 {
        if let Some(key) = self.by_service.get(&service.id) {
            return *key;
        }
        let mut station = Station::new(Arc::clone(service));
        station.retired = true;
        station.renew_log(self.now);
        let key = u32::try_from(self.stations.insert(station)).unwrap_or(u32::MAX);
        self.by_service.insert(service.id, key);
        key
    }

    fn refresh(&mut self, service: u32) {
        let Some(key) = self.by_service.get(&service).copied() else { return };
        if let Some(station) = self.stations.get_mut(key as usize) {
            station.idlers_rest = Moment(0);
            station.renew_log(self.now);
        }
        self.refresh_flows(key);
        // Timers may be due earlier than before: look at all of them in this turn.
        self.due = Moment(0);
        self.resume(service);
    }

    fn open_door(&mut self, station: u32, door: Door) {
        let watched = WatchedDoor { station, door, armed: false, paused_until: None };
        let key = self.doors.insert(watched);
        if let Some(station) = self.stations.get_mut(station as usize) {
            station.doors.push(key);
        }
        self.arm(key);
    }

    /// Accepts who is in the queue already, then closes. Who comes after that may come for ever.
    fn close_door(&mut self, station: u32, key: usize) {
        let live = self.station_service(station).map(|s| s.live.load_full());
        let rounds = live.map_or(0, |l| limits::BACKLOG_MAX / l.config.accepts.max(1)) + 1;
        for _ in 0..=rounds {
            if !self.accept_from(key) {
                break;
            }
        }
        self.close_flows_of(station, key);
        self.disarm(key);
        self.doors.remove(key);
        if let Some(station) = self.stations.get_mut(station as usize) {
            station.doors.retain(|k| *k != key);
        }
    }

    fn retire(&mut self, service: u32) {
        let Some(station) = self.by_service.get(&service).copied() else { return };
        let doors = self.stations.get(station as usize).map(|s| s.doors.clone());
        for key in doors.unwrap_or_default() {
            self.close_door(station, key);
        }
        self.forget_flows(station);
        let Some(s) = self.stations.get_mut(station as usize) else { return };
        s.retired = true;
        self.send_waiting_elsewhere(station);
        let Some(s) = self.stations.get(station as usize) else { return };
        if s.conns == 0 {
            self.by_service.remove(&service);
            self.stations.remove(station as usize);
        }
        self.due = Moment(0);
    }

    fn resume(&mut self, service: u32) {
        let Some(station) = self.by_service.get(&service).copied() else { return };
        // Who was accepted already comes first.
        self.contain_choices(|this| this.serve_queued(station));
        self.admit_waiting(station);
        let doors = self.stations.get(station as usize).map(|s| s.doors.clone());
        for key in doors.unwrap_or_default() {
            self.arm(key);
        }
    }

    /// Takes nobody in any more. `flows_stay`: what arrives at UDP doors is not looked at, and answers still
    /// leave from there.
    fn drain(&mut self, flows_stay: bool) {
        self.draining = true;
        let keys: Vec<usize> = self.doors.iter().map(|(key, _)| key).collect();
        for key in keys {
            let Some(door) = self.doors.get(key) else { continue };
            let (station, datagram) = (door.station, door.door.datagram);
            if flows_stay && datagram {
                self.disarm(key);
            } else {
                self.close_door(station, key);
            }
        }
        self.due = Moment(0);
    }

    fn close_by_number(&mut self, service: u32, slot: u32) -> bool {
        let found = self.key_of(service, slot);
        if let Some(key) = found {
            self.contain(key, |this| this.finish(key, Manner::Reset, CloseReason::OperatorClosed));
        }
        let station = self.by_service.get(&service).copied();
        found.is_some() || station.is_some_and(|s| self.close_flow(s, slot))
    }

    fn key_of(&self, service: u32, slot: u32) -> Option<u32> {
        let station = *self.by_service.get(&service)?;
        self.conns
            .iter()
            .find(|(_, c)| c.station == station && c.slot == slot && c.phase != Phase::Gone)
            .and_then(|(key, _)| u32::try_from(key).ok())
    }

    /// Adds what everything open has moved to the tables. One pass over all connections, whatever the
    /// number of services: who asks regularly must not cost more with each of them.
    fn settle_all(&mut self) {
        let Self { conns, stations, index, .. } = self;
        for (_, conn) in conns {
            let station = stations.get(conn.station as usize);
            if let Some(station) = station.filter(|_| conn.phase != Phase::Gone) {
                Self::settle(*index, conn, &station.service);
            }
        }
        let keys: Vec<u32> =
            self.stations.iter().filter_map(|(key, _)| u32::try_from(key).ok()).collect();
        for station in keys {
            self.report_flows(station, None);
        }
    }

    fn report(&mut self, service: u32, rows: bool, reply: &Sender<Vec<ConnectionRow>>) {
        let mut answer = Vec::new();
        if let Some(station) = self.by_service.get(&service).copied()
            && let Some(service) = self.station_service(station)
        {
            for (_, conn) in &mut self.conns {
                if conn.station != station || conn.phase == Phase::Gone {
                    continue;
                }
                Self::settle(self.index, conn, &service);
                if rows {
                    answer.push(conn.row(self.now));
                }
            }
            self.report_flows(station, rows.then_some(&mut answer));
        }
        // Whoever asked may have stopped waiting; that is no error.
        let _ = reply.send(answer);
    }
}
