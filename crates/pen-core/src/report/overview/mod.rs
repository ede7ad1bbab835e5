//! The overview: everything that runs at one moment, of all services together. `overview`, the web page,
//! `/status.json` and the metrics are made from it, so they cannot contradict each other.
//!
//! Deliberately not here: how the numbers are gathered, and single connections.

pub mod history;
mod json;
mod text;

#[cfg(test)]
pub(super) mod tests;

use std::sync::Arc;

use super::Snapshot;
use super::dsr::DsrRow;
use super::readiness::NotReady;
use crate::config::{Protocol, ServiceConfig};
use crate::event::Occurrence;
use crate::flow;
use crate::moment::{Moment, WallSeconds};
use crate::tally::Sums;

pub use history::History;
pub use json::json;
pub use text::text;

/// Everything that runs at one moment.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// The process.
    pub process: ProcessRow,
    /// The services in the order of the settings.
    pub services: Vec<ServiceRow>,
    /// What happened lately, the newest last.
    pub events: Vec<Arc<Occurrence>>,
}

/// The process at one moment.
#[derive(Clone, Debug, Default)]
pub struct ProcessRow {
    /// Its number.
    pub pid: u32,
    /// The moment.
    pub time: WallSeconds,
    /// When it started, by the clock as it was then.
    pub started: WallSeconds,
    /// The moment by the clock that never jumps.
    pub now: Moment,
    /// When it started, by the same.
    pub began: Moment,
    /// Connections of each worker, of all services, spare ones included.
    pub workers: Vec<u32>,
    /// How often the settings were read again.
    pub reloads: u64,
    /// It accepts no more and waits for its connections to end.
    pub draining: bool,
    /// Lines of all logs that were lost since the start.
    pub log_lines_lost: u64,
}

impl ProcessRow {
    /// Whole seconds since it started, wherever the wall clock was set since. Time that the machine
    /// slept is not in it.
    #[must_use]
    pub fn uptime_s(&self) -> u64 {
        self.now.since_s(self.began)
    }

    /// Connections at this moment.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.workers.iter().copied().map(u64::from).sum()
    }
}

/// What a service deals with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Connections.
    #[default]
    Tcp,
    /// Flows of datagrams.
    Udp,
    /// Frames (direct server return).
    Dsr,
}

impl Kind {
    /// The kind of a service.
    #[must_use]
    pub fn of(config: &ServiceConfig) -> Self {
        match config.protocol {
            _ if config.dsr.interface.is_some() => Self::Dsr,
            Protocol::Tcp => Self::Tcp,
            Protocol::Udp => Self::Udp,
        }
    }

    /// The word used in reports and metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Dsr => "dsr",
        }
    }
}

/// A service at one moment.
#[derive(Clone, Debug, Default)]
pub struct ServiceRow {
    /// Its servers, its room, and the clients with the most visits.
    pub shot: Snapshot,
    /// What it deals with.
    pub kind: Kind,
    /// Why it is not ready; nothing if it is.
    pub not_ready: Vec<NotReady>,
    /// What became of connections since it began.
    pub sums: Sums,
    /// What became of datagrams since it began.
    pub datagrams: flow::Counts,
    /// What became of frames, if it deals with them.
    pub frames: Option<DsrRow>,
}

impl ServiceRow {
    /// Connections or flows that began, bytes from clients, bytes to clients.
    #[must_use]
    pub fn moved(&self) -> (u64, u64, u64) {
        let (sums, datagrams) = (&self.sums, &self.datagrams);
        match (self.kind, &self.frames) {
            (Kind::Udp, _) => {
                (datagrams.opened, datagrams.to_servers_bytes, datagrams.to_clients_bytes)
            }
            // Answers do not come by here.
            (_, Some(frames)) => (0, frames.counts.forwarded_bytes, 0),
            _ => (sums.accepted + sums.came, sums.received, sums.sent),
        }
    }
}
