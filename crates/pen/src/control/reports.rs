//! What operators are shown: running state gathered into snapshots, and printed by the core.
//!
//! Numbers that workers own are asked for and waited for, but never longer than
//! [`limits::WORKER_ANSWER_S`]: a report may be incomplete, traffic is not stopped for it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use pen_core::command::Report;
use pen_core::limits;
use pen_core::report::dsr;
use pen_core::report::flows::{self, FlowsRow};
use pen_core::report::sources::{self, Sources};
use pen_core::report::{
    ClientRow, ConnectionRow, ServerRow, Snapshot, certificates, classic, html, json, routes,
};
use pen_core::servers::ServerRef;
use pen_sys::localtime;

use crate::clock;
use crate::files;
use crate::logs::Level;
use crate::publish::Running;
use crate::shared::{Order, Pool, Service};

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
        (Report::Sources, as_json) => {
            let sources = Sources::of(&service.name, &service.tables().arrivals);
            if as_json { sources::json(&sources) } else { sources::text(&sources) }
        }
        (Report::Spread, as_json) => {
            let workers = running.pool.mailboxes.iter();
            let counts: Vec<u32> = workers.map(|m| m.connections.load(Ordering::Relaxed)).collect();
            if as_json { json::spread(&counts) } else { classic::spread(&counts) }
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

/// What is known without asking the workers, and the servers with what ended connections moved.
fn with_servers(service: &Service) -> Snapshot {
    let mut shot = shallow(service);
    let live = service.live.load();
    let (now, wall) = (clock::now(), shot.wall);
    let row = |which, server| ServerRow {
        by_frame: live.config.dsr.interface.is_some(),
        ..ServerRow::of(which, server, now, wall, live.config.blacklist_s)
    };
    let numbered = live.servers.iter().zip(0_u32..);
    shot.servers = numbered.map(|(s, n)| row(ServerRef::Regular(n), s)).collect();
    shot.emergency = live.emergency.as_ref().map(|s| row(ServerRef::Emergency, s));
    shot.abuse = live.abuse.as_ref().map(|s| row(ServerRef::Abuse, s));
    shot
}

/// The remembered clients. The table is locked for a part of it at a time: workers need it for every
/// new connection.
fn clients(service: &Service) -> Vec<ClientRow> {
    let (now, tracking_s) = (clock::now(), service.live.load().config.tracking_s);
    let mut rows = Vec::new();
    let mut next = Some(0_u32);
    while let Some(first) = next {
        let tables = service.tables();
        let part = first..first.saturating_add(limits::CLIENTS_AT_ONCE);
        next = (part.end < tables.clients.used()).then_some(part.end);
        let entries = tables.clients.entries(part, now, tracking_s);
        rows.extend(entries.map(|e| ClientRow {
            slot: e.slot,
            addr: e.addr,
            age_s: now.since_s(e.last_seen),
            server: e.server,
            connects: e.connects,
            sent: e.sent,
            received: e.received,
        }));
    }
    rows
}

/// Whether one of the workers closed the connection.
#[must_use]
pub fn close(running: &Running, service: &Service, slot: u32) -> bool {
    let (answers, _) =
        ask(&running.pool, |reply| Order::Close { service: service.id, slot, reply });
    answers.contains(&true)
}

/// What is known without asking the workers.
fn shallow(service: &Service) -> Snapshot {
    let live = service.live.load();
    let wall = clock::wall();
    let mut shot = Snapshot {
        service: service.name.clone(),
        time: localtime::stamp(wall.0),
        wall,
        listen: live.config.listen.iter().map(|l| l.text.clone()).collect(),
        current: service.last_server.load(Ordering::Relaxed),
        idlers: service.idlers.load(Ordering::Relaxed),
        idlers_wanted: live.config.idlers,
        ..Snapshot::default()
    };
    let tables = service.tables();
    shot.clients_max = tables.clients.max();
    shot.conn_max = tables.slots.max();
    shot.conn_used = tables.slots.used();
    shot.conn_last = tables.slots.last();
    shot
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

/// Asks every worker and collects what they answer until all have let go of their end. The flag
/// says whether they did in time.
fn ask<T>(pool: &Pool, order: impl Fn(Sender<T>) -> Order) -> (Vec<T>, bool) {
    let (end, answers) = mpsc::channel();
    for mailbox in &pool.mailboxes {
        mailbox.post(order(end.clone()));
    }
    drop(end);
    let deadline = Instant::now() + Duration::from_secs(u64::from(limits::WORKER_ANSWER_S));
    let mut all = Vec::new();
    loop {
        match answers.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(answer) => all.push(answer),
            Err(mpsc::RecvTimeoutError::Disconnected) => return (all, true),
            Err(mpsc::RecvTimeoutError::Timeout) => return (all, false),
        }
    }
}
