//! Running state gathered into snapshots, for whatever thread is asked for them: the control thread and
//! the web thread.
//!
//! What changes with settings is published on the [`Board`]; what traffic changes is read where it is.
//! Workers are asked to add up what they hold, and waited for no longer than
//! [`limits::WORKER_ANSWER_S`]: a report may be incomplete, traffic is not stopped for it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use pen_core::clients::ClientEntry;
use pen_core::config::ServiceConfig;
use pen_core::limits;
use pen_core::moment::{Moment, WallSeconds};
use pen_core::report::dsr::DsrRow;
#[cfg(feature = "web")]
use pen_core::report::openmetrics::Facts;
use pen_core::report::overview::{Kind, Overview, ProcessRow, ServiceRow};
use pen_core::report::readiness::{self, Look, Readiness, ServiceReadiness};
use pen_core::report::{CertificateRow, ClientRow, ServerRow, Snapshot};
use pen_core::servers::ServerRef;
use pen_sys::localtime;

use crate::clock;
use crate::dsr::Window;
use crate::logs::Logs;
use crate::shared::{Order, Pool, Service};

/// What other threads may know of what runs.
#[derive(Debug)]
pub struct Board {
    pool: Arc<Pool>,
    logs: Logs,
    started: WallSeconds,
    began: Moment,
    shown: ArcSwap<Shown>,
    reloads: AtomicU64,
    draining: AtomicBool,
    /// Closed when all workers have answered the question before.
    unanswered: Mutex<Option<Receiver<()>>>,
    /// The same of a question whose answers nobody waits for, and when it was asked.
    asked: Mutex<Option<(Moment, Receiver<()>)>>,
}

/// What changes with settings.
#[derive(Debug, Default)]
pub struct Shown {
    /// The services in their order.
    pub services: Vec<Arc<Service>>,
    /// What is seen of those with direct server return.
    pub frames: Vec<Window>,
    /// Every certificate.
    #[cfg_attr(not(feature = "web"), expect(dead_code, reason = "only metrics tell of them"))]
    pub certificates: Vec<CertificateRow>,
}

impl Shown {
    fn configs(&self) -> Vec<Arc<ServiceConfig>> {
        self.services.iter().map(|s| Arc::clone(&s.live.load().config)).collect()
    }

    fn frames_of(&self, service: &Service) -> Option<DsrRow> {
        self.frames.iter().find(|window| window.is_of(service)).map(Window::row)
    }
}

/// How much an overview needs of each service; the later the more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Much {
    /// Its servers.
    Servers,
    /// The clients with the most visits as well.
    Clients,
}

impl Board {
    /// The board of a process that starts.
    #[must_use]
    pub fn new(pool: Arc<Pool>, logs: Logs) -> Self {
        Self {
            pool,
            logs,
            started: clock::wall(),
            began: clock::now(),
            shown: ArcSwap::default(),
            reloads: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            unanswered: Mutex::default(),
            asked: Mutex::default(),
        }
    }

    /// Other settings are true.
    pub fn show(&self, shown: Shown) {
        self.shown.store(Arc::new(shown));
    }

    /// What changes with settings.
    #[must_use]
    pub fn shown(&self) -> Arc<Shown> {
        self.shown.load_full()
    }

    /// What only the daemon counts, added to what the kernel says of the process.
    #[cfg(feature = "web")]
    #[must_use]
    pub fn complete(&self, facts: Facts) -> Facts {
        let (lost_messages, lost_lines) = self.logs.lost();
        Facts {
            lost_messages,
            lost_lines,
            handshakes: self.pool.handshakes.load(Ordering::Relaxed),
            udp_ports: self.pool.ports.used(),
            ..facts
        }
    }

    /// The settings were read again.
    pub fn reloaded(&self) {
        self.reloads.fetch_add(1, Ordering::Relaxed);
    }

    /// Nobody is accepted any more.
    pub fn drains(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Everything that runs, with what open connections have moved so far.
    #[must_use]
    pub fn overview(&self, much: Much) -> Overview {
        // Without all answers the numbers are a little old.
        let _ = self.ask_workers(true);
        let shown = self.shown.load();
        let draining = self.draining.load(Ordering::Relaxed);
        let configs = shown.configs();
        let row = |(service, config): (&Arc<Service>, &Arc<ServiceConfig>)| {
            let mut shot = with_servers(service);
            if much == Much::Clients {
                shot.clients = top_clients(service);
            }
            let frames = shown.frames_of(service);
            let link = frames.as_ref().map(|row| row.up);
            let look = Look { all: &configs, service: config, shot: &shot, draining, link };
            ServiceRow {
                kind: Kind::of(config),
                not_ready: readiness::not_ready(&look),
                sums: service.sums(),
                datagrams: service.datagrams.read(),
                frames,
                shot,
            }
        };
        Overview {
            services: shown.services.iter().zip(&configs).map(row).collect(),
            process: self.process(draining),
            events: self.logs.events().since(0, limits::OVERVIEW_EVENTS).events,
        }
    }

    /// Whether clients can be sent here, of all services or of the one called `only`. Waits for nobody.
    #[must_use]
    pub fn readiness(&self, only: Option<&str>) -> Readiness {
        let shown = self.shown.load();
        let draining = self.draining.load(Ordering::Relaxed);
        let configs = shown.configs();
        let services = shown.services.iter().zip(&configs);
        let wanted = services.filter(|(service, _)| only.is_none_or(|name| name == service.name));
        let service = |(service, config): (&Arc<Service>, &Arc<ServiceConfig>)| {
            let shot = with_servers(service);
            let link = shown.frames_of(service).map(|row| row.up);
            let look = Look { all: &configs, service: config, shot: &shot, draining, link };
            ServiceReadiness { name: service.name.clone(), not_ready: readiness::not_ready(&look) }
        };
        Readiness {
            services: wanted.map(service).collect(),
            nothing_listens: configs.iter().all(|config| config.listen.is_empty()),
            worker_silent: self.worker_is_silent(),
        }
    }

    /// Whether a worker has not answered for [`limits::WORKER_ANSWER_S`]. The answers to what is asked
    /// now are looked at the next time.
    fn worker_is_silent(&self) -> bool {
        let now = clock::now();
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, answers)) = asked.as_ref() {
            while let Ok(()) = answers.try_recv() {}
            if matches!(answers.try_recv(), Err(mpsc::TryRecvError::Empty)) {
                return now.since_s(*at) >= u64::from(limits::WORKER_ANSWER_S);
            }
        }
        *asked = Some((now, post(&self.pool, |done| Order::Answer { settle: false, done })));
        false
    }

    /// Has all workers answer; with `settle` they add up first what open connections have moved.
    /// Whether all did in time. A worker that has not answered before is not asked again, so that
    /// questions do not pile up at one that hangs.
    #[must_use]
    pub fn ask_workers(&self, settle: bool) -> bool {
        let mut unanswered = self.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = match unanswered.take() {
            Some(before) if matches!(before.try_recv(), Err(mpsc::TryRecvError::Empty)) => before,
            _ => post(&self.pool, |done| Order::Answer { settle, done }),
        };
        let (_, complete) = collect(&answers);
        if !complete {
            *unanswered = Some(answers);
        }
        complete
    }

    fn process(&self, draining: bool) -> ProcessRow {
        let connections =
            |mailbox: &crate::shared::Mailbox| mailbox.connections.load(Ordering::Relaxed);
        ProcessRow {
            pid: std::process::id(),
            time: clock::wall(),
            started: self.started,
            now: clock::now(),
            began: self.began,
            workers: self.pool.mailboxes.iter().map(connections).collect(),
            reloads: self.reloads.load(Ordering::Relaxed),
            draining,
            log_lines_lost: self.logs.lost().1,
        }
    }
}

/// What is known without asking the workers, and the servers with what ended connections moved.
#[must_use]
pub fn with_servers(service: &Service) -> Snapshot {
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

/// The remembered clients.
#[must_use]
pub fn clients(service: &Service) -> Vec<ClientRow> {
    let mut rows = Vec::new();
    each_client(service, |entry, now| rows.push(client(&entry, now)));
    rows
}

/// The clients with the most visits, first the one with the most.
fn top_clients(service: &Service) -> Vec<ClientRow> {
    let mut top: Vec<ClientRow> = Vec::with_capacity(limits::TOP_CLIENTS + 1);
    each_client(service, |entry, now| {
        let place = top.partition_point(|row| row.connects >= entry.connects);
        if place < limits::TOP_CLIENTS {
            top.insert(place, client(&entry, now));
            top.truncate(limits::TOP_CLIENTS);
        }
    });
    top
}

/// Shows every remembered client. The table is locked for a part of it at a time: workers need it for
/// every new connection.
fn each_client(service: &Service, mut look: impl FnMut(ClientEntry, Moment)) {
    let (now, tracking_s) = (clock::now(), service.live.load().config.tracking_s);
    let mut next = Some(0_u32);
    while let Some(first) = next {
        let tables = service.tables();
        let part = first..first.saturating_add(limits::CLIENTS_AT_ONCE);
        next = (part.end < tables.clients.used()).then_some(part.end);
        for entry in tables.clients.entries(part, now, tracking_s) {
            look(entry, now);
        }
    }
}

fn client(entry: &ClientEntry, now: Moment) -> ClientRow {
    ClientRow {
        slot: entry.slot,
        addr: entry.addr,
        age_s: now.since_s(entry.last_seen),
        server: entry.server,
        connects: entry.connects,
        sent: entry.sent,
        received: entry.received,
    }
}

/// What is known without asking the workers.
#[must_use]
pub fn shallow(service: &Service) -> Snapshot {
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
    shot.clients_used = tables.clients.used();
    shot.conn_max = tables.slots.max();
    shot.conn_used = tables.slots.used();
    shot.conn_last = tables.slots.last();
    shot
}

/// Asks every worker and collects what they answer until all have let go of their end. The flag
/// says whether they did in time.
pub fn ask<T>(pool: &Pool, order: impl Fn(Sender<T>) -> Order) -> (Vec<T>, bool) {
    collect(&post(pool, order))
}

fn post<T>(pool: &Pool, order: impl Fn(Sender<T>) -> Order) -> Receiver<T> {
    let (end, answers) = mpsc::channel();
    for mailbox in &pool.mailboxes {
        mailbox.post(order(end.clone()));
    }
    answers
}

fn collect<T>(answers: &Receiver<T>) -> (Vec<T>, bool) {
    let deadline = Instant::now() + Duration::from_secs(u64::from(limits::WORKER_ANSWER_S));
    let mut all = Vec::new();
    loop {
        match answers.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(answer) => all.push(answer),
            Err(RecvTimeoutError::Disconnected) => return (all, true),
            Err(RecvTimeoutError::Timeout) => return (all, false),
        }
    }
}
