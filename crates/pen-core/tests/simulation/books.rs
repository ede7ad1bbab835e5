//! The simulation's own records of every load there ever was.

use std::sync::Arc;

use pen_core::moment::Moment;
use pen_core::servers::{Load, ServerRef};
use pen_core::service::Live;

/// What the rules know of a server beside its settings.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub pending: u32,
    pub established: u32,
    pub failed_at: Option<Moment>,
    pub sentenced_until: Moment,
    pub sent: u64,
    pub received: u64,
}

/// The loads with their records, and which server has which.
#[derive(Debug, Default)]
pub struct Books {
    pub all: Vec<(Arc<Load>, Record)>,
    regular: Vec<usize>,
    emergency: Option<usize>,
    abuse: Option<usize>,
}

impl Books {
    /// The number of the record of `which`.
    pub fn number(&self, which: ServerRef) -> Option<usize> {
        match which {
            ServerRef::Regular(slot) => self.regular.get(slot as usize).copied(),
            ServerRef::Emergency => self.emergency,
            ServerRef::Abuse => self.abuse,
        }
    }

    /// The record of `which`.
    pub fn of(&self, which: ServerRef) -> Option<&Record> {
        self.number(which).map(|n| &self.all[n].1)
    }

    /// Opens records for servers that `live` has for the first time, and asserts that the others
    /// kept their loads.
    pub fn follow(&mut self, live: &Live) {
        for (slot, server) in live.servers.iter().enumerate() {
            match self.regular.get(slot) {
                Some(&n) => assert!(Arc::ptr_eq(&self.all[n].0, &server.load), "slot {slot}"),
                None => {
                    self.regular.push(self.all.len());
                    self.all.push((Arc::clone(&server.load), Record::default()));
                }
            }
        }
        assert_eq!(self.regular.len(), live.servers.len(), "tables never shrink");
        for (mine, server) in
            [(&mut self.emergency, &live.emergency), (&mut self.abuse, &live.abuse)]
        {
            match (*mine, server) {
                (Some(n), Some(server)) => assert!(Arc::ptr_eq(&self.all[n].0, &server.load)),
                (_, None) => *mine = None,
                (None, Some(server)) => {
                    *mine = Some(self.all.len());
                    self.all.push((Arc::clone(&server.load), Record::default()));
                }
            }
        }
    }

    /// Compares each record with its load.
    pub fn check(&self, now: Moment, blacklist_s: u32) {
        for (n, (load, record)) in self.all.iter().enumerate() {
            let real = (load.established(), load.reserved(), load.sent(), load.received());
            let taken = record.established + record.pending;
            assert_eq!(real, (record.established, taken, record.sent, record.received), "load {n}");
            let out = now < record.sentenced_until
                || record.failed_at.is_some_and(|at| now < at.plus_s(blacklist_s));
            assert_eq!(load.blacklisted(now, blacklist_s), out, "load {n}: {record:?}");
        }
    }
}
