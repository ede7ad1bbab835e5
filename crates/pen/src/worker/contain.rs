//! A defect of Pen that a connection meets ends that connection and no other.
//!
//! What a connection's own events, turns and timers do is contained, and so is the beginning of one, when
//! it is accepted, and its choice of a server when there is room again: a panic resets the connection, gives
//! back what it held, once, and the worker goes on. A panic while it is given back, while a table that all
//! workers share is changed, or where it is not known whose it is (a worker's own loop, most orders) ends the
//! process, as [`Worker::work`] says: it is better to be started anew than to serve from tables that may be
//! wrong. Flows are contained in `udp::contain`.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use pen_core::event::{EventKey, Subject};
use pen_core::reasons::CloseReason;
use pen_sys::sockets;

use super::Worker;
use super::conn::{Conn, Phase};
use super::ending::Manner;
use crate::dsr;
use crate::logs::{Level, Logs, Topic};
use crate::shared::Service;

/// What becomes of a connection that met a defect.
const RESET: &str = "it is reset";

/// Where panics are told of threads that carry traffic, and of the control thread: in the log, which nobody
/// waits for. Other threads tell them as every program does.
pub(super) fn tell_defects(logs: &Logs) {
    let (logs, others) = (logs.clone(), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |defect| {
        let thread = std::thread::current();
        let carriers = [super::THREAD, dsr::THREAD, "main"];
        if !thread.name().is_some_and(|name| carriers.iter().any(|c| name.starts_with(c))) {
            return others(defect);
        }
        logs.say_often(Topic::Defect, Level::Always, || {
            format!("defect of Pen: {defect}").replace('\n', " ")
        });
    }));
}

impl Worker {
    /// Does something for one connection.
    pub(super) fn contain(&mut self, key: u32, work: impl FnOnce(&mut Self)) {
        self.contain_any(Some(key), work);
    }

    /// Lets clients that were accepted before go to servers; whose turn it is, `choosing` says.
    pub(super) fn contain_choices(&mut self, work: impl FnOnce(&mut Self)) {
        self.contain_any(None, work);
    }

    fn contain_any(&mut self, key: Option<u32>, work: impl FnOnce(&mut Self)) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(self))) {
            let buried = catch_unwind(AssertUnwindSafe(|| self.bury(key)));
            // It was being ended, or ending it met the defect too: nobody knows what is given back.
            if !buried.unwrap_or(false) {
                resume_unwind(panic);
            }
        }
    }

    /// Resets the connection that met a defect, and the one that was to be sent to a server meanwhile.
    /// Answers whether they could be.
    fn bury(&mut self, key: Option<u32>) -> bool {
        let mut keys = Vec::from_iter(key);
        keys.extend(self.choosing.take().filter(|other| Some(*other) != key));
        let open =
            |key: &u32| self.conns.get(*key as usize).is_some_and(|c| c.phase != Phase::Gone);
        if keys.is_empty() || !keys.iter().all(open) {
            return false;
        }
        for key in keys {
            self.say_buried(key);
            if let Some(conn) = self.conns.get_mut(key as usize) {
                // Whatever is in its pipes, nobody else may get it.
                conn.from_client.abandon(&mut self.scratch);
                conn.from_server.abandon(&mut self.scratch);
            }
            self.finish(key, Manner::Reset, CloseReason::Defect);
        }
        true
    }

    /// A client met a defect before it was in the worker's tables: it is reset, and what it held is given
    /// back.
    pub(super) fn bury_newcomer(
        &mut self,
        service: &Service,
        mut conn: Conn,
        panic: Box<dyn Any + Send>,
    ) {
        // Met while its number and row were taken, nobody knows what the tables are worth.
        if service.tables_broke() && conn.client.is_none() {
            resume_unwind(panic);
        }
        let client = conn.visitor.peer.addr;
        if let Some(socket) = conn.down.take() {
            sockets::reset(socket);
        }
        if let Some(mut journey) = conn.journey.take() {
            journey.end(0, 0);
        }
        {
            let mut tables = service.tables();
            if conn.client.is_some() {
                tables.slots.release(conn.slot);
            }
            tables.arrivals.leave(client, conn.admission);
        }
        service.count(self.index, |tally| tally.turned_away(CloseReason::Defect));
        service.leave(&self.pool);
        self.say_defect(service, || format!("client {client}"), RESET);
    }

    fn say_buried(&self, key: u32) {
        let Some(conn) = self.conns.get(key as usize) else { return };
        let Some(service) = self.station_service(conn.station) else { return };
        // What was locked was not changed: the connection had its number and row.
        service.tables_broke();
        let client = conn.visitor.peer.addr;
        let who = || format!("connection {} of client {client}", conn.slot);
        self.say_defect(&service, who, RESET);
    }

    /// `who` met a defect, and what becomes of it.
    pub(super) fn say_defect(&self, service: &Service, who: impl Fn() -> String, end: &str) {
        let text = || format!("{} met a defect of Pen: {end}, the others go on", who());
        self.logs
            .say_often(Topic::Defect, Level::Always, || format!("{}: {}", service.name, text()));
        self.logs.event(Subject::new(EventKey::Defect).at(&service.name), |e| e.saying(text()));
    }
}
