//! What operators are shown: running state gathered into snapshots, and printed by the core.
//!
//! Numbers that workers own are asked for and waited for, but never longer than
//! [`limits::WORKER_ANSWER_S`]: a report may be incomplete, traffic is not stopped for it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pen_core::command::Report;
use pen_core::limits;
use pen_core::report;
use pen_core::report::dsr;
use pen_core::report::flows::{self, FlowsRow};
use pen_core::report::memory;
use pen_core::report::sources::{self, Sources};
use pen_core::report::{
    ConnectionRow, Snapshot, certificates, classic, events, html, json, overview, readiness, routes,
};
use pen_sys::localtime;

use super::explain;
use crate::files;
use crate::gather::{Much, ask, clients, shallow, with_servers};
use crate::logs::Level;
use crate::publish::Running;
use crate::sandbox;
use crate::shared::{Order, Service};

/// The reply when the status page cannot be written.
const NO_PAGE: &str = "Unable to create webstats\n";

/// How much of a service a report needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// The remembered clients.
    pub clients: bool,
    /// The open connections.
    pub connections: bool,
}

impl Depth {
    /// Everything.
    pub const FULL: Self = Self { clients: true, connections: true };
    const SERVERS: Self = Self { clients: false, connections: false };
    const CLIENTS: Self = Self { clients: true, connections: false };
    const CONNECTIONS: Self = Self { clients: false, connections: true };
}

/// The reply to a report about `service`.
#[must_use]
pub fn reply(running: &Running, service: &str, report: &Report, as_json: bool) -> String {
    let Some(service) = running.service(service) else {
        return format!("error: no service called '{service}'\n");
    };
    let shot = |depth| snapshot(running, service, depth);
    match (report, as_json) {
        (Report::Servers, false) => classic::servers(&shot(Depth::SERVERS)),
        (Report::Servers, true) => json::servers(&shot(Depth::SERVERS)),
        (Report::Services, _) => services(running, as_json),
        (Report::Certificates, false) => {
            certificates::text(&running.certificates(), |at| localtime::stamp(at.0))
        }
        (Report::Certificates, true) => json::certificates(&running.certificates()),
        (Report::Status, false) => status(running, service),
        (Report::Status, true) => json::status(&shot(Depth::FULL)),
        (Report::Recent(s), false) => classic::recent(&shot(Depth::CLIENTS), *s),
        (Report::Recent(s), true) => json::recent(&shot(Depth::CLIENTS), *s),
        (Report::Connection(n), false) => classic::connection(&shot(Depth::CONNECTIONS), *n),
        (Report::Connection(n), true) => json::connection(&shot(Depth::CONNECTIONS), *n),
        (Report::Socket(n), false) => classic::socket(&shot(Depth::CONNECTIONS), *n),
        (Report::Socket(n), true) => json::socket(&shot(Depth::CONNECTIONS), *n),
        (Report::ClientsMax, _) => {
            let max = service.tables().clients.max();
            number("clients_max", max, as_json)
        }
        (Report::ConnMax, _) => {
            let max = service.tables().slots.max();
            number("conn_max", max, as_json)
        }
        (Report::Routes, false) => routes::text(service.live.load().routes.as_ref()),
        (Report::Routes, true) => routes::json(&service.name, service.live.load().routes.as_ref()),
        (Report::Idlers, false) => classic::idlers(&shallow(service)),
        (Report::Idlers, true) => json::idlers(&shallow(service)),
        (Report::Flows, false) => flows::text(&flow_counts(running, service)),
        (Report::Flows, true) => flows::json(&flow_counts(running, service)),
        (Report::Dsr, as_json) => frames(running, service, as_json),
        (Report::Memory, as_json) => {
            let row = running.pool.memory.row();
            if as_json { memory::json(&row) } else { memory::text(&row) }
        }
        (Report::Sources, as_json) => {
            let sources = Sources::of(&service.name, &service.tables().arrivals);
            if as_json { sources::json(&sources) } else { sources::text(&sources) }
        }
        (Report::Spread, as_json) => {
            let workers = running.pool.mailboxes.iter();
            let counts: Vec<u32> = workers.map(|m| m.connections.load(Ordering::Relaxed)).collect();
            if as_json { json::spread(&counts) } else { classic::spread(&counts) }
        }
        (Report::Overview, false) => overview::text(&running.board.overview(Much::Servers)),
        (Report::Overview, true) => {
            overview::json(&running.board.overview(Much::Clients), None, None)
        }
        (Report::Ready(only), as_json) => ready(running, only.as_deref(), as_json),
        (Report::Explain(question), as_json) => explain::reply(running, service, question, as_json),
        (Report::Sandbox, false) => report::sandbox::text(&sandbox::sealed()),
        (Report::Sandbox, true) => report::sandbox::json(&sandbox::sealed()),
        (Report::State, false) => report::state::text(&running.state.row()),
        (Report::State, true) => report::state::json(&running.state.row()),
        (Report::Events(after), as_json) => {
            events::reply(&running.logs.events().since(after.unwrap_or(0), usize::MAX), as_json)
        }
        (Report::Pid, _) => number("pid", std::process::id(), as_json),
    }
}

/// Writes the status page of a service to its file and answers it.
///
/// # Errors
/// There is no such file, or it cannot be written.
pub fn write_page(running: &Running, service: &Arc<Service>) -> Result<String, String> {
    let live = service.live.load();
    let Some(file) = &live.config.web_stats else {
        return Err("no file is set for the status page".to_owned());
    };
    let page = html::page(&snapshot(running, service, Depth::FULL));
    match files::replace(Path::new(file), page.as_bytes()) {
        Ok(()) => Ok(page),
        Err(e) => Err(format!("cannot write the status page {file}: {e}")),
    }
}

/// A service at this moment.
#[must_use]
pub fn snapshot(running: &Running, service: &Arc<Service>, depth: Depth) -> Snapshot {
    let connections = connections(running, service, depth.connections);
    let mut shot = with_servers(service);
    shot.connections = connections;
    if depth.clients {
        shot.clients = clients(service);
    }
    shot
}

/// Whether one of the workers closed the connection.
#[must_use]
pub fn close(running: &Running, service: &Service, slot: u32) -> bool {
    let (answers, _) =
        ask(&running.pool, |reply| Order::Close { service: service.id, slot, reply });
    answers.contains(&true)
}

fn status(running: &Running, service: &Arc<Service>) -> String {
    write_page(running, service).unwrap_or_else(|why| {
        running.logs.say(Level::Debug(1), || why);
        NO_PAGE.to_owned()
    })
}

fn services(running: &Running, as_json: bool) -> String {
    // Nothing of this is for the workers to add up, and asking them once per service takes long.
    let shots: Vec<Snapshot> = running.services.iter().map(|s| with_servers(s)).collect();
    if as_json { json::services(&shots) } else { classic::services(&shots) }
}

fn ready(running: &Running, only: Option<&str>, as_json: bool) -> String {
    if let Some(name) = only
        && running.service(name).is_none()
    {
        return format!("error: ready: no service called '{name}'\n");
    }
    let readiness = running.board.readiness(only);
    if as_json { readiness::json(&readiness) } else { readiness::text(&readiness) }
}

fn frames(running: &Running, service: &Service, as_json: bool) -> String {
    match running.frames(&service.name) {
        Some(row) if as_json => dsr::json(&row),
        Some(row) => dsr::text(&row),
        None => format!("error: service {} has no dsr_if\n", service.name),
    }
}

fn flow_counts(running: &Running, service: &Arc<Service>) -> FlowsRow {
    // Has the workers add up.
    connections(running, service, false);
    let shot = shallow(service);
    FlowsRow {
        service: shot.service,
        flows: u64::from(shot.conn_used),
        flows_max: shot.conn_max,
        ports: u64::from(running.pool.ports.used()),
        counts: service.datagrams.read(),
    }
}

fn number(word: &str, value: u32, as_json: bool) -> String {
    if as_json { json::setting(word, value) } else { classic::number(value) }
}

/// Has the workers add up what open connections have moved, and collects their rows if wanted.
fn connections(running: &Running, service: &Service, rows: bool) -> Vec<ConnectionRow> {
    let (answers, complete) =
        ask(&running.pool, |reply| Order::Report { service: service.id, rows, reply });
    if !complete {
        running.warn(format!("a worker did not answer in {} seconds", limits::WORKER_ANSWER_S));
    }
    let mut all: Vec<ConnectionRow> = answers.into_iter().flatten().collect();
    all.sort_by_key(|row| row.slot);
    all
}
