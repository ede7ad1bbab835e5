//! What is measured, with whom.

use crate::balancers::Kind;
use crate::load::Kind as LoadKind;
use crate::options::Options;
use crate::tls;

/// Servers in the tables unless the workload is about their number.
const SERVERS: u32 = 2;
/// The most servers any workload has.
pub const SERVERS_MOST: u32 = 1_000;
/// Connections at once of the workloads with short connections.
pub const AT_ONCE: usize = 64;
/// Requests per second of the open loop.
const PACED: f64 = 20_000.0;
pub const MIB: u64 = 1024 * 1024;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// Operations, perhaps beside idle connections.
    Load {
        /// What an operation is.
        kind: LoadKind,
        /// Connections at once.
        connections: usize,
        /// Idle connections besides.
        idle: usize,
    },
    /// Connections that do nothing.
    Idle {
        /// How many.
        connections: usize,
    },
}

impl Shape {
    /// Whether it is counted in GiB instead of operations.
    pub fn is_bulk(&self) -> bool {
        matches!(self, Shape::Load { kind, .. } if kind.is_bulk())
    }
}

/// Who does it.
#[derive(Clone, Debug)]
pub struct Subject {
    /// In the tables.
    pub label: String,
    /// Which balancer.
    pub kind: Kind,
    /// Its threads.
    pub threads: usize,
    /// Servers in its table.
    pub servers: u32,
    /// Clients known to it before the measurement, for Pen.
    pub clients: Option<u32>,
    /// The format of its connection log, for Pen.
    pub log: Option<&'static str>,
    /// What TLS it ends.
    pub tls: Option<tls::Variant>,
    /// What its figures are compared with.
    pub reference: String,
}

/// A row of work.
#[derive(Clone, Debug)]
pub struct Workload {
    /// As `--only` knows it.
    pub name: &'static str,
    /// What it is.
    pub says: &'static str,
    /// What is done.
    pub shape: Shape,
    /// Who does it.
    pub subjects: Vec<Subject>,
    /// Balancers stay between rounds, because filling them takes long.
    pub stays: bool,
}

/// All of them that are wanted.
pub fn all(options: &Options) -> Vec<Workload> {
    let mut all: Vec<Workload> = plain(options)
        .into_iter()
        .map(|(name, says, shape)| Workload {
            name,
            says,
            shape,
            subjects: everybody(options),
            stays: false,
        })
        .collect();
    let short = Shape::Load { kind: LoadKind::ShortServer, connections: AT_ONCE, idle: 0 };
    all.push(Workload {
        name: "servers",
        says: "short connections with 1, 2, 8 and 1,000 servers in the table; each balancer \
               compared with itself at 2",
        shape: short,
        subjects: by_servers(options),
        stays: false,
    });
    all.push(Workload {
        name: "clients",
        says: "short connections with one and many known clients in Pen's table, clients going \
               back to their servers; compared with one",
        shape: short,
        subjects: by_clients(options),
        stays: true,
    });
    all.push(Workload {
        name: "log",
        says: "short connections without and with a connection log in a file; compared with without",
        shape: short,
        subjects: by_log(),
        stays: false,
    });
    all.extend(tls::all(options));
    all.retain(|w| options.wants(w.name));
    all
}

fn plain(options: &Options) -> Vec<(&'static str, &'static str, Shape)> {
    let load = |kind, connections| Shape::Load { kind, connections, idle: 0 };
    let (one, many) = if options.smoke { (MIB, MIB) } else { (64 * MIB, 16 * MIB) };
    let idle = options.idle;
    vec![
        (
            "short-server",
            "short connections, 64 at once, the server closes first",
            load(LoadKind::ShortServer, AT_ONCE),
        ),
        (
            "short-client",
            "short connections, 64 at once, the client closes first",
            load(LoadKind::ShortClient, AT_ONCE),
        ),
        (
            "half-close",
            "the client ends its stream, the answer comes after that; who loses it has errors",
            load(LoadKind::HalfClose, AT_ONCE),
        ),
        ("keep-1", "small requests, 1 connection", load(LoadKind::Keep, 1)),
        ("keep-64", "small requests, 64 connections", load(LoadKind::Keep, 64)),
        ("keep-512", "small requests, 512 connections", load(LoadKind::Keep, 512)),
        ("bulk-down-1", "bytes to the client, 1 connection", load(LoadKind::Down(one), 1)),
        ("bulk-up-1", "bytes to the server, 1 connection", load(LoadKind::Up(one), 1)),
        ("bulk-down-16", "bytes to the client, 16 connections", load(LoadKind::Down(many), 16)),
        ("bulk-up-16", "bytes to the server, 16 connections", load(LoadKind::Up(many), 16)),
        (
            "rate",
            "20,000 requests per second on 64 connections, open loop",
            load(LoadKind::Paced(PACED), 64),
        ),
        ("idle", "connections that do nothing", Shape::Idle { connections: idle }),
        (
            "churn",
            "short connections beside idle ones",
            Shape::Load { kind: LoadKind::ShortServer, connections: AT_ONCE, idle },
        ),
    ]
}

fn everybody(options: &Options) -> Vec<Subject> {
    let mut all = Vec::new();
    for (n, threads) in options.threads.iter().copied().enumerate() {
        for kind in Kind::ALL.into_iter().filter(|k| *k != Kind::Hitch) {
            // Neither of these has threads to be told of.
            let once = matches!(kind, Kind::Direct | Kind::Classic);
            if once && n > 0 {
                continue;
            }
            let label = |k: Kind| match threads {
                1 => k.name().to_owned(),
                _ => format!("{}, {threads} threads", k.name()),
            };
            let reference = label(Kind::Haproxy);
            let label = if once { kind.name().into() } else { label(kind) };
            all.push(Subject {
                label,
                kind,
                threads,
                servers: SERVERS,
                clients: None,
                log: None,
                tls: None,
                reference,
            });
        }
    }
    all.retain(|s| options.wants_balancer(s.kind.name()));
    all
}

fn by_servers(options: &Options) -> Vec<Subject> {
    let mut all = Vec::new();
    for servers in [1, 2, 8, SERVERS_MOST] {
        for kind in [Kind::Pen, Kind::Haproxy] {
            let label = |servers: u32| format!("{}, servers: {servers}", kind.name());
            all.push(Subject {
                label: label(servers),
                kind,
                threads: 1,
                servers,
                clients: None,
                log: None,
                tls: None,
                reference: label(SERVERS),
            });
        }
    }
    all.retain(|s| options.wants_balancer(s.kind.name()));
    all
}

fn by_clients(options: &Options) -> Vec<Subject> {
    let label = |clients: u32| format!("Pen, clients: {clients}");
    [1, options.clients]
        .into_iter()
        .map(|clients| Subject {
            label: label(clients),
            kind: Kind::Pen,
            threads: 1,
            servers: SERVERS,
            clients: Some(clients),
            log: None,
            tls: None,
            reference: label(1),
        })
        .collect()
}

fn by_log() -> Vec<Subject> {
    let label = |log: Option<&str>| format!("Pen, log: {}", log.unwrap_or("off"));
    [None, Some("text"), Some("json")]
        .into_iter()
        .map(|log| Subject {
            label: label(log),
            kind: Kind::Pen,
            threads: 1,
            servers: SERVERS,
            clients: None,
            log,
            tls: None,
            reference: label(None),
        })
        .collect()
}
