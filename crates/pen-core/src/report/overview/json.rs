//! `overview json` and `/status.json`. The fields are listed in `docs/json.md`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::super::json::{Client, Server, line, occurred};
use super::{History, Kind, Overview, ServiceRow};
use crate::dsr;
use crate::event::Occurrence;
use crate::flow::{self, FlowEnd};
use crate::reasons::{CloseReason, TlsFault};

type Counts = BTreeMap<&'static str, u64>;

#[derive(Serialize)]
struct Reply<'a> {
    pen: Pen,
    services: Vec<Service<'a>>,
    events: Vec<&'a Occurrence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<&'a History>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

#[derive(Serialize)]
struct Pen {
    version: &'static str,
    pid: u32,
    time_s: i64,
    started_s: i64,
    uptime_s: u64,
    workers: usize,
    reloads: u64,
    draining: bool,
    log_lines_lost: u64,
    connections: u64,
    control: bool,
}

#[derive(Serialize)]
struct Service<'a> {
    service: &'a str,
    mode: &'static str,
    listen: &'a [String],
    ready: bool,
    not_ready: Vec<&'static str>,
    conn_used: u32,
    conn_max: u32,
    flows: u32,
    flows_max: u32,
    idlers: u32,
    current: i64,
    totals: Totals,
    servers: Vec<Server<'a>>,
    emergency: Option<Server<'a>>,
    abuse: Option<Server<'a>>,
    clients_max: u32,
    clients_used: u32,
    top_clients: Vec<Client>,
}

#[derive(Serialize)]
struct Totals {
    accepted: u64,
    received: u64,
    sent: u64,
    closed: Counts,
    dropped: Counts,
    handshakes: Handshakes,
}

#[derive(Serialize)]
struct Handshakes {
    full: u64,
    resumed: u64,
    failed: Counts,
}

/// The overview as one line. `history` and `token` are there in `/status.json` alone: with a token
/// whoever reads it may steer.
#[must_use]
pub fn json(overview: &Overview, history: Option<&History>, token: Option<&str>) -> String {
    let p = &overview.process;
    line(&Reply {
        pen: Pen {
            version: env!("CARGO_PKG_VERSION"),
            pid: p.pid,
            time_s: p.time.0,
            started_s: p.started.0,
            uptime_s: p.uptime_s(),
            workers: p.workers.len(),
            reloads: p.reloads,
            draining: p.draining,
            log_lines_lost: p.log_lines_lost,
            connections: p.connections(),
            control: token.is_some(),
        },
        services: overview.services.iter().map(service).collect(),
        events: overview.events.iter().map(Arc::as_ref).collect(),
        history,
        token,
    })
}

fn service(row: &ServiceRow) -> Service<'_> {
    let shot = &row.shot;
    let of_kind = |udp: bool, n: u32| if (row.kind == Kind::Udp) == udp { n } else { 0 };
    Service {
        service: &shot.service,
        mode: row.kind.word(),
        listen: &shot.listen,
        ready: row.not_ready.is_empty(),
        not_ready: row.not_ready.iter().map(|why| why.word()).collect(),
        conn_used: of_kind(false, shot.conn_used),
        conn_max: of_kind(false, shot.conn_max),
        flows: of_kind(true, shot.conn_used),
        flows_max: of_kind(true, shot.conn_max),
        idlers: shot.idlers,
        current: shot.current,
        totals: totals(row),
        servers: shot.servers.iter().map(Server::of).collect(),
        emergency: shot.emergency.as_ref().map(Server::of),
        abuse: shot.abuse.as_ref().map(Server::of),
        clients_max: shot.clients_max,
        clients_used: shot.clients_used,
        top_clients: shot.clients.iter().map(Client::of).collect(),
    }
}

fn totals(row: &ServiceRow) -> Totals {
    let (sums, datagrams) = (&row.sums, &row.datagrams);
    let (closed, dropped) = match (row.kind, &row.frames) {
        (Kind::Udp, _) => (
            occurred(FlowEnd::ALL.map(FlowEnd::word), datagrams.ended),
            occurred(flow::DropReason::ALL.map(flow::DropReason::word), datagrams.dropped),
        ),
        (_, Some(frames)) => (
            Counts::new(),
            occurred(dsr::DropReason::ALL.map(dsr::DropReason::word), frames.counts.dropped),
        ),
        _ => (occurred(CloseReason::ALL.map(CloseReason::word), sums.closed), Counts::new()),
    };
    let (accepted, received, sent) = row.moved();
    let handshakes = Handshakes {
        full: sums.full,
        resumed: sums.resumed,
        failed: occurred(TlsFault::ALL.map(TlsFault::word), sums.failed),
    };
    Totals { accepted, received, sent, closed, dropped, handshakes }
}
