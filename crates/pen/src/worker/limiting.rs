//! Clients whose source has as many connections as it may, or opens them faster than it may.
//!
//! They are turned away before anything is done for them. The table is looked into only where a limit
//! is set, so that services without one pay nothing.

use pen_core::addr::Peer;
use pen_core::arrivals::{Admission, Excess};
use pen_core::event::EventKey;
use pen_core::reasons::CloseReason;
use pen_core::select::Visitor;
use pen_core::service::Live;
use pen_sys::sockets;

use super::Worker;
use super::conn::Conn;
use super::ending::Manner;
use crate::logs::{Level, Topic};
use crate::shared::Service;

impl Worker {
    /// Counts the arrival of a client in its source.
    pub(super) fn admit_source(
        &self,
        service: &Service,
        live: &Live,
        visitor: &Visitor,
    ) -> Result<Admission, Excess> {
        if !live.limits_source_of(visitor) {
            return Ok(Admission::default());
        }
        let limit = &live.config.limit;
        service.tables().arrivals.admit(visitor.peer.addr, limit, self.now)
    }

    /// A client that was accepted and has no number yet is reset.
    pub(super) fn turn_away_source(&self, service: &Service, conn: Conn, excess: Excess) {
        let peer = conn.visitor.peer;
        if let Some(socket) = conn.down {
            sockets::reset(socket);
        }
        service.count(self.index, |tally| tally.turned_away(CloseReason::OverLimit));
        service.leave(&self.pool);
        self.say_over_limit(service, peer, excess, "reset");
    }

    /// A client has come here by a route. Answers whether it may stay; if not, it is over.
    pub(super) fn admit_routed(&mut self, key: u32, service: &Service, live: &Live) -> bool {
        let Some(conn) = self.conns.get(key as usize) else { return false };
        let peer = conn.visitor.peer;
        match self.admit_source(service, live, &conn.visitor) {
            Ok(admission) => {
                if let Some(conn) = self.conns.get_mut(key as usize) {
                    conn.admission = admission;
                }
                true
            }
            Err(excess) => {
                self.say_over_limit(service, peer, excess, "reset");
                self.finish(key, Manner::Reset, CloseReason::OverLimit);
                false
            }
        }
    }

    pub(super) fn say_over_limit(
        &self,
        service: &Service,
        client: Peer,
        excess: Excess,
        then: &str,
    ) {
        let text = || {
            let (name, client, word) = (&service.name, client.addr, excess.word());
            let limit = service.live.load().config.limit;
            let what = match excess {
                Excess::Connections => format!("has {} connections already", limit.connections),
                Excess::Rate => format!("opens more than {} a second", limit.rate),
            };
            format!("{name}: client {client}: its source {what} ({word}); {then}")
        };
        self.tell_refused(service, (EventKey::LimitReached, excess.word()), client, text);
        self.logs.say_often(Topic::OverLimit, Level::Always, text);
    }
}
