//! A defect of Pen that a connection meets ends that connection and no other.
//!
//! What a connection's own events and turns do is contained: a panic resets the connection, gives back
//! what it held, once, and the worker goes on. A panic while it is given back, or where it is not known
//! whose it is (accepting, timers, orders, datagrams), ends the process, as [`Worker::work`] says: it is
//! better to be started anew than to serve from tables that may be wrong.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use pen_core::event::{EventKey, Subject};
use pen_core::reasons::CloseReason;

use super::Worker;
use super::conn::Phase;
use super::ending::Manner;
use crate::logs::{Level, Logs, Topic};

/// Where a worker's panics are told: in the log, which nobody waits for. Other threads tell them as
/// every program does.
pub(super) fn tell_defects(logs: &Logs) {
    let (logs, others) = (logs.clone(), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |defect| {
        let thread = std::thread::current();
        if !thread.name().is_some_and(|name| name.starts_with(super::THREAD)) {
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
    fn bury(&mut self, key: u32) -> bool {
        let mut keys = vec![key];
        keys.extend(self.choosing.take().filter(|other| *other != key));
        let open =
            |key: &u32| self.conns.get(*key as usize).is_some_and(|c| c.phase != Phase::Gone);
        if !keys.iter().all(open) {
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

    fn say_buried(&self, key: u32) {
        let Some(conn) = self.conns.get(key as usize) else { return };
        let Some(service) = self.station_service(conn.station) else { return };
        let text = || {
            format!(
                "connection {} of client {} met a defect of Pen: it is reset, the others go on",
                conn.slot, conn.visitor.peer.addr
            )
        };
        self.logs
            .say_often(Topic::Defect, Level::Always, || format!("{}: {}", service.name, text()));
        self.logs.event(Subject::new(EventKey::Defect).at(&service.name), |e| e.saying(text()));
    }
}
