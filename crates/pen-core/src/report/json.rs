//! The machine-readable twins of the replies: one line of JSON and LF.
//!
//! Field names are snake_case and stable: fields are added, never renamed or removed. They are listed
//! in `docs/json.md`, which a test keeps complete. Replies that settings alone can give are in
//! `command/apply/show.rs`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{CertificateRow, ClientRow, ConnectionRow, ServerRow, Snapshot, TlsRow, classic};
use crate::config::Mode;
use crate::reasons::{ConnectFailure, Refusal};

/// `servers json`
#[must_use]
pub fn servers(snapshot: &Snapshot) -> String {
    #[derive(Serialize)]
    struct Reply<'a> {
        service: &'a str,
        #[serde(flatten)]
        table: Table<'a>,
    }
    line(&Reply { service: &snapshot.service, table: Table::of(snapshot) })
}

/// `services json`
#[must_use]
pub fn services(snapshots: &[Snapshot]) -> String {
    #[derive(Serialize)]
    struct Service<'a> {
        name: &'a str,
        listen: &'a [String],
        servers: usize,
        usable: usize,
        connections: u32,
    }
    #[derive(Serialize)]
    struct Reply<'a> {
        services: Vec<Service<'a>>,
    }
    let services = snapshots
        .iter()
        .map(|s| Service {
            name: &s.service,
            listen: &s.listen,
            servers: s.servers.len(),
            usable: s.usable(),
            connections: s.conn_used,
        })
        .collect();
    line(&Reply { services })
}

/// `recent N json`
#[must_use]
pub fn recent(snapshot: &Snapshot, seconds: u32) -> String {
    #[derive(Serialize)]
    struct Reply<'a> {
        service: &'a str,
        seconds: u32,
        clients: Vec<Client>,
    }
    let clients = classic::seen_within(snapshot, seconds).map(Client::of).collect();
    line(&Reply { service: &snapshot.service, seconds, clients })
}

/// `connection N json`
#[must_use]
pub fn connection(snapshot: &Snapshot, number: i64) -> String {
    #[derive(Serialize)]
    struct Reply<'a> {
        service: &'a str,
        in_range: bool,
        connection: Option<Connection<'a>>,
    }
    line(&Reply {
        service: &snapshot.service,
        in_range: classic::in_range(snapshot, number),
        connection: classic::find(snapshot, number).map(Connection::of),
    })
}

/// `socket N json`
#[must_use]
pub fn socket(snapshot: &Snapshot, descriptor: i64) -> String {
    #[derive(Serialize)]
    struct Reply<'a> {
        service: &'a str,
        socket: i64,
        connection: Option<u32>,
    }
    line(&Reply {
        service: &snapshot.service,
        socket: descriptor,
        connection: classic::socket_owner(snapshot, descriptor).map(|row| row.slot),
    })
}

/// `idlers json`
#[must_use]
pub fn idlers(snapshot: &Snapshot) -> String {
    #[derive(Serialize)]
    struct Reply<'a> {
        service: &'a str,
        idlers: u32,
        wanted: u32,
    }
    line(&Reply {
        service: &snapshot.service,
        idlers: snapshot.idlers,
        wanted: snapshot.idlers_wanted,
    })
}

/// `mode json`
#[must_use]
pub fn mode(service: &str, mode: Mode) -> String {
    #[derive(Serialize)]
    struct Reply<'a> {
        service: &'a str,
        hash: bool,
        roundrobin: bool,
        stubborn: bool,
        weight: bool,
        prio: bool,
        forgetful: bool,
    }
    let Mode { hash, roundrobin, stubborn, weight, prio, forgetful } = mode;
    line(&Reply { service, hash, roundrobin, stubborn, weight, prio, forgetful })
}

/// `status json`
#[must_use]
pub fn status(snapshot: &Snapshot) -> String {
    #[derive(Serialize)]
    struct Reply<'a> {
        service: &'a str,
        time: &'a str,
        time_s: i64,
        listen: &'a [String],
        current: i64,
        #[serde(flatten)]
        table: Table<'a>,
        clients_max: u32,
        clients: Vec<Client>,
        conn_max: u32,
        conn_used: u32,
        conn_last: u32,
        connections: Vec<Connection<'a>>,
        idlers: u32,
        idlers_wanted: u32,
    }
    line(&Reply {
        service: &snapshot.service,
        time: &snapshot.time,
        time_s: snapshot.wall.0,
        listen: &snapshot.listen,
        current: snapshot.current,
        table: Table::of(snapshot),
        clients_max: snapshot.clients_max,
        clients: snapshot.clients.iter().map(Client::of).collect(),
        conn_max: snapshot.conn_max,
        conn_used: snapshot.conn_used,
        conn_last: snapshot.conn_last,
        connections: snapshot.connections.iter().map(Connection::of).collect(),
        idlers: snapshot.idlers,
        idlers_wanted: snapshot.idlers_wanted,
    })
}

/// `certificates json`
#[must_use]
pub fn certificates(rows: &[CertificateRow]) -> String {
    #[derive(Serialize)]
    struct Certificate<'a> {
        service: &'a str,
        name: Option<&'a str>,
        file: &'a str,
        subject: &'a str,
        names: &'a [String],
        issuer: &'a str,
        serial: &'a str,
        not_before_s: i64,
        not_after_s: i64,
        days_left: i64,
        expired: bool,
        key: &'a str,
        ocsp_until_s: Option<i64>,
        ocsp_error: Option<&'a str>,
        sha256: &'a str,
    }
    #[derive(Serialize)]
    struct Reply<'a> {
        certificates: Vec<Certificate<'a>>,
    }
    let certificates = rows
        .iter()
        .map(|row| Certificate {
            service: &row.service,
            name: row.name.as_deref(),
            file: &row.file,
            subject: &row.subject,
            names: &row.names,
            issuer: &row.issuer,
            serial: &row.serial,
            not_before_s: row.not_before.0,
            not_after_s: row.not_after.0,
            days_left: row.days_left(),
            expired: row.is_expired(),
            key: &row.key,
            ocsp_until_s: row.ocsp.as_ref().and_then(|o| o.as_ref().ok()).map(|until| until.0),
            ocsp_error: row.ocsp.as_ref().and_then(|o| o.as_ref().err()).map(String::as_str),
            sha256: &row.fingerprint,
        })
        .collect();
    line(&Reply { certificates })
}

/// `spread json`
#[must_use]
pub fn spread(counts: &[u32]) -> String {
    #[derive(Serialize)]
    struct Worker {
        number: usize,
        connections: u32,
    }
    #[derive(Serialize)]
    struct Spread {
        workers: Vec<Worker>,
    }
    let workers = counts.iter().enumerate();
    let workers = workers.map(|(number, &connections)| Worker { number, connections });
    line(&Spread { workers: workers.collect() })
}

/// The twin of a reply that is one value (`conn_max`, `pid`, `blacklist`, `log` ...): an object
/// whose only field is the command's word.
#[must_use]
pub fn setting(word: &str, value: impl Serialize) -> String {
    line(&BTreeMap::from([(word, value)]))
}

#[derive(Serialize)]
struct Table<'a> {
    servers: Vec<Server<'a>>,
    emergency: Option<Server<'a>>,
    abuse: Option<Server<'a>>,
}

impl<'a> Table<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        Self {
            servers: snapshot.servers.iter().map(Server::of).collect(),
            emergency: snapshot.emergency.as_ref().map(Server::of),
            abuse: snapshot.abuse.as_ref().map(Server::of),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Server<'a> {
    number: i64,
    name: Option<&'a str>,
    address: String,
    port: u16,
    acl: u8,
    connections: u32,
    pending: u32,
    max: u32,
    hard: u32,
    weight: u32,
    prio: u32,
    sent: u64,
    received: u64,
    total: u64,
    failures: BTreeMap<&'static str, u64>,
    refusals: BTreeMap<&'static str, u64>,
    usable: bool,
    blacklisted: bool,
    sentence_s: Option<u64>,
    failed_ago_s: Option<u64>,
    tls: &'static str,
    tls_name: Option<&'a str>,
}

impl<'a> Server<'a> {
    pub(super) fn of(row: &'a ServerRow) -> Self {
        Self {
            number: row.server.number(),
            name: row.name.as_deref(),
            address: row.host.to_string(),
            port: row.port,
            acl: row.acl,
            connections: row.conn,
            pending: row.pending,
            max: row.max,
            hard: row.hard,
            weight: row.weight,
            prio: row.prio,
            sent: row.sent,
            received: row.received,
            total: row.total,
            failures: occurred(ConnectFailure::ALL.map(ConnectFailure::word), row.failures),
            refusals: occurred(Refusal::ALL.map(Refusal::word), row.refusals),
            usable: row.usable(),
            blacklisted: row.blacklisted,
            sentence_s: row.sentence_s,
            failed_ago_s: row.failed_ago_s,
            tls: row.tls.trust.word(),
            tls_name: row.tls.sni.as_deref(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Client {
    slot: u32,
    address: String,
    age_s: u64,
    server: Option<u32>,
    connects: u64,
    sent: u64,
    received: u64,
}

impl Client {
    pub(super) fn of(row: &ClientRow) -> Self {
        Self {
            slot: row.slot,
            address: row.addr.to_string(),
            age_s: row.age_s,
            server: row.server,
            connects: row.connects,
            sent: row.sent,
            received: row.received,
        }
    }
}

#[derive(Serialize)]
struct Connection<'a> {
    number: u32,
    state: u32,
    downfd: i32,
    upfd: i32,
    pending_down: u64,
    pending_up: u64,
    client: i64,
    server: i64,
    age_s: u64,
    idle_s: u64,
    asked_ms: Option<u32>,
    connected_ms: Option<u32>,
    first_byte_ms: Option<u32>,
    tls: Option<Tls<'a>>,
}

impl<'a> Connection<'a> {
    fn of(row: &'a ConnectionRow) -> Self {
        Self {
            number: row.slot,
            state: row.state,
            downfd: row.downfd,
            upfd: row.upfd,
            pending_down: row.pending_down,
            pending_up: row.pending_up,
            client: row.client,
            server: row.server,
            age_s: row.age_s,
            idle_s: row.idle_s,
            asked_ms: row.asked_ms,
            connected_ms: row.connected_ms,
            first_byte_ms: row.first_byte_ms,
            tls: row.tls.as_deref().map(Tls::of),
        }
    }
}

#[derive(Serialize)]
struct Tls<'a> {
    version: &'a str,
    cipher: &'a str,
    sni: Option<&'a str>,
    alpn: Option<&'a str>,
    client_subject: Option<&'a str>,
    resumed: bool,
}

impl<'a> Tls<'a> {
    fn of(row: &'a TlsRow) -> Self {
        Self {
            version: row.version,
            cipher: row.cipher,
            sni: row.sni.as_deref(),
            alpn: row.alpn.as_deref(),
            client_subject: row.client_subject.as_deref(),
            resumed: row.resumed,
        }
    }
}

/// What has occurred, by word.
pub(super) fn occurred<const N: usize>(
    words: [&'static str; N],
    counts: [u64; N],
) -> BTreeMap<&'static str, u64> {
    words.into_iter().zip(counts).filter(|(_, count)| *count != 0).collect()
}

pub(super) fn line(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string(value)
        .expect("rows are strings, numbers and lists; keys are strings");
    text.push('\n');
    text
}
