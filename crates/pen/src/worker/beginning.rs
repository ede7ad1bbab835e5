//! The first step to a server, of clients that were waited for: for their first bytes, for the end of
//! their handshake, or until fewer connects are pending.
//!
//! Clients who are accepted and go to a server at once are in `accept`; both keep to `pending_max`, so
//! that one silent server cannot take up clients of the others.

use pen_core::journey::{Journey, Step};
use pen_core::limits;
use pen_core::select::Visitor;
use pen_core::servers::ServerRef;
use pen_core::service::Live;

use super::Worker;
use super::accept::has_pending_room;
use super::conn::Phase;
use crate::shared::Service;

pub use pen_core::journey::Way;

impl Worker {
    pub(super) fn await_first_bytes(&mut self, key: u32, station: u32) {
        if let Some(station) = self.stations.get_mut(station as usize) {
            station.silent.append(&mut self.conns, key, self.now);
        }
        self.due_by(self.now.plus_s(limits::PEEK_DEADLINE_S));
    }

    /// What was waited for is there, the first bytes or the end of the handshake: a server is
    /// chosen as soon as another connect may be pending.
    pub(super) fn queue(&mut self, key: u32, way: Way) {
        self.leave_lists(key);
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        conn.phase = Phase::Queued { way };
        let station = conn.station;
        if let Some(station) = self.stations.get_mut(station as usize) {
            station.queued.append(&mut self.conns, key, self.now);
        }
        self.serve_queued(station);
    }

    /// Lets clients that were accepted before go to servers, as many as may.
    pub(super) fn serve_queued(&mut self, station: u32) {
        let Some(service) = self.station_service(station) else { return };
        let pending_max = service.live.load().config.pending_max;
        loop {
            let Some(s) = self.stations.get_mut(station as usize) else { return };
            let Some((key, _)) = s.queued.head(&self.conns) else { return };
            if !has_pending_room(&service, pending_max) {
                service.starve(&self.pool, self.index);
                // A connect may have ended between the look and the sign.
                if has_pending_room(&service, pending_max) {
                    service.feed_starved(&self.pool);
                }
                return;
            }
            s.queued.remove(&mut self.conns, key);
            self.choosing = Some(key);
            self.choose(key, &service);
            self.choosing = None;
        }
    }

    fn choose(&mut self, key: u32, service: &Service) {
        let Some(conn) = self.conns.get(key as usize) else { return };
        let Phase::Queued { way } = conn.phase else { return };
        let (id, visitor) = (conn.client, conn.visitor.clone());
        let live = service.live.load();
        let (journey, step) = self.step_on(service, &live, &visitor, way);
        #[cfg(debug_assertions)]
        self.conns.get(key as usize).inspect(|conn| super::faults::at_choice(conn));
        if let (Step::Connect(ServerRef::Regular(n)), Some(id), Way::Free) = (step, id, way)
            && !live.config.mode.forgetful
        {
            service.tables().clients.remember(id, n);
        }
        if let Some(conn) = self.conns.get_mut(key as usize) {
            conn.journey = Some(journey);
            conn.visitor = visitor;
            conn.phase = Phase::Connecting;
        }
        self.walk(key, service, &live, step);
    }

    fn step_on(
        &self,
        service: &Service,
        live: &Live,
        visitor: &Visitor,
        way: Way,
    ) -> (Journey, Step) {
        let note = |server, refusal| self.say_passed_over(service, visitor.peer, server, refusal);
        Journey::along(way, live, &service.cursor, visitor, self.now, note)
    }
}
