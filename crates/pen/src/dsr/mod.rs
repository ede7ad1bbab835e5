//! Direct server return: for each service with `dsr_if`, threads that look at the frames of its
//! interface.
//!
//! What becomes of a frame is decided by `pen_core::dsr`. Threads share a [`view::View`], which is
//! published whole; flows belong to one thread, to which the kernel gives all frames of a flow. The
//! first thread is the lookout too: it asks for servers and looks at the interface. Packet sockets
//! are opened while Pen has the rights; later only with the capability CAP_NET_RAW. Deliberately
//! not here: settings, and reports beyond their numbers.

mod contain;
mod decide;
mod inspect;
mod link;
mod lookout;
mod post;
mod say;
mod tally;
mod view;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use pen_core::apart::Apart;
use pen_core::config::{Config, ServiceConfig};
use pen_core::dsr::Judge;
use pen_core::explain::{Answer, Question, frames};
use pen_core::moment::Moment;
use pen_core::report::dsr::DsrRow;
use pen_core::service::Live;
use pen_core::tarpit::Tarpit;
use rustix::event::{EventfdFlags, eventfd};

use crate::logs::Logs;
use crate::shared::Service;
use link::{Link, Meeting, Opened};
use post::Post;
use tally::Tally;
use view::{Eyes, View};

pub use inspect::inspect;

/// What the names of the threads begin with.
pub const THREAD: &str = "pen-dsr-";

/// The services with direct server return that run, by name.
#[derive(Debug, Default)]
pub struct Posts(BTreeMap<String, Crew>);

/// What [`Posts::plan`] opened, by the service's name; `None` goes on with what it has.
#[derive(Debug, Default)]
pub struct Planned(BTreeMap<String, Option<Opened>>);

/// The threads of a service.
#[derive(Debug)]
struct Crew {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// A look at the direct server return of a service, from any thread.
#[derive(Debug)]
pub struct Window(Arc<Shared>);

impl Window {
    /// Whether it is that service's.
    #[must_use]
    pub fn is_of(&self, service: &Service) -> bool {
        self.0.view.load().service.name == service.name
    }

    /// The numbers.
    #[must_use]
    pub fn row(&self) -> DsrRow {
        self.0.row()
    }
}

/// What the threads of a service share.
#[derive(Debug)]
struct Shared {
    interface: String,
    view: ArcSwap<View>,
    /// The interface as it was seen last. Held while a view is built, so that views are built one
    /// after the other.
    link: Mutex<Link>,
    /// Where the first thread that followed an interface made anew lets the others share.
    anew: Mutex<Option<Meeting>>,
    tarpit: Mutex<Tarpit>,
    tallies: Vec<Apart<Tally>>,
    bells: Vec<OwnedFd>,
    stop: AtomicBool,
    /// The watchdog's last question, and which one each thread has answered.
    round: AtomicU64,
    answered: Vec<AtomicU64>,
    secret: RandomState,
    logs: Logs,
}

impl Posts {
    /// Opens what `config` needs and is not there yet. `threads` threads look at each interface.
    ///
    /// # Errors
    /// A sentence for the operator: there is no such interface, or no right to hear it.
    pub fn plan(&self, config: &Config, threads: usize) -> Result<Planned, String> {
        let mut planned = Planned::default();
        for (service, interface) in wanted(config) {
            let same = |crew: &&Crew| crew.shared.interface == interface;
            let opened = match self.0.get(&service.name).filter(same) {
                Some(_) => None,
                None => Some(Opened::open(interface, threads).map_err(|why| {
                    format!("service {}: dsr_if {interface}: {why}", service.name)
                })?),
            };
            planned.0.insert(service.name.clone(), opened);
        }
        Ok(planned)
    }

    /// Makes what was planned true: threads start, hear of new settings, or end.
    pub fn swap(
        &mut self,
        planned: Planned,
        services: &[Arc<Service>],
        logs: &Logs,
    ) -> Vec<String> {
        let mut troubles = Vec::new();
        let mut old = std::mem::take(&mut self.0);
        for (name, opened) in planned.0 {
            let Some(service) = services.iter().find(|s| s.name == name) else { continue };
            let crew = match (old.remove(&name), opened) {
                (Some(crew), None) => {
                    crew.shared.rebuild(service);
                    Ok(crew)
                }
                (_, Some(opened)) => Crew::start(service, opened, logs),
                (None, None) => continue,
            };
            match crew {
                Ok(crew) => drop(self.0.insert(name, crew)),
                Err(e) => troubles.push(format!("service {name}: cannot start dsr_if: {e}")),
            }
        }
        troubles
    }

    /// What other threads may see.
    #[must_use]
    pub fn windows(&self) -> Vec<Window> {
        self.0.values().map(|crew| Window(Arc::clone(&crew.shared))).collect()
    }

    /// The numbers of a service, if it has direct server return.
    #[must_use]
    pub fn row(&self, service: &str) -> Option<DsrRow> {
        self.0.get(service).map(|crew| crew.shared.row())
    }

    /// Asks every thread for a sign of life.
    pub fn ask(&self, round: u64) {
        for Crew { shared, .. } in self.0.values() {
            shared.round.store(round, Ordering::Relaxed);
            shared.ring_bells();
        }
    }

    /// The threads that have not answered what they were asked last.
    #[must_use]
    pub fn silent(&self) -> Vec<String> {
        let silent_ones = |crew: &Crew| {
            let Shared { round, answered, interface, .. } = &*crew.shared;
            let round = round.load(Ordering::Relaxed);
            let silent = (0..).zip(answered).filter(|(_, a)| a.load(Ordering::Relaxed) != round);
            silent.map(|(n, _): (u32, _)| format!("thread {n} of dsr_if {interface}")).collect()
        };
        self.0.values().flat_map::<Vec<String>, _>(silent_ones).collect()
    }

    /// What becomes of the first frame of a client of this service, with the settings that say so.
    #[must_use]
    pub fn explain(
        &self,
        service: &str,
        question: &Question,
        now: Moment,
    ) -> Option<(Arc<Live>, Answer)> {
        let view = self.0.get(service)?.shared.view.load();
        let live = view.service.live.load_full();
        let eyes = Eyes { view: &view, live: &live, now };
        let answer = frames::explain(question, &view.scene, &eyes, &live, now)?;
        Some((live, answer))
    }
}

/// Whether the interfaces that `config` names are there.
///
/// # Errors
/// As [`Posts::plan`].
pub fn check(config: &Config) -> Result<(), String> {
    for (service, interface) in wanted(config) {
        link::look(interface)
            .map_err(|why| format!("service {}: dsr_if {interface}: {why}", service.name))?;
    }
    Ok(())
}

/// What will not do what it seems to, as sentences.
#[must_use]
pub fn cautions(config: &Config) -> Vec<String> {
    let caution = |service: &ServiceConfig| {
        let list = service.dsr.tarpit_acl?;
        let name = &service.name;
        if service.dsr.interface.is_none() {
            return Some(format!("service {name}: tarpit_acl has no effect without dsr_if"));
        }
        let empty = service.acls.get(usize::from(list)).is_none_or(|l| l.entries.is_empty());
        empty.then(|| {
            format!("service {name}: tarpit_acl {list}: the list is empty, nothing is a tarpit")
        })
    };
    config.services.iter().filter_map(caution).collect()
}

fn wanted(config: &Config) -> impl Iterator<Item = (&ServiceConfig, &str)> {
    config.services.iter().filter_map(|s| Some((s, s.dsr.interface.as_deref()?)))
}

impl Crew {
    fn start(service: &Arc<Service>, opened: Opened, logs: &Logs) -> io::Result<Self> {
        let Opened { interface, link, sockets } = opened;
        let secret = RandomState::new();
        let bell = |_: &_| eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let shared = Arc::new(Shared {
            view: ArcSwap::from_pointee(View::build(service, &link, None)),
            interface,
            link: Mutex::new(link),
            anew: Mutex::new(None),
            tarpit: Mutex::new(Tarpit::new((secret.hash_one(1), secret.hash_one(2)))),
            tallies: sockets.iter().map(|_| Apart::default()).collect(),
            bells: sockets.iter().map(bell).collect::<rustix::io::Result<_>>()?,
            stop: AtomicBool::new(false),
            round: AtomicU64::new(0),
            answered: sockets.iter().map(|_| AtomicU64::new(0)).collect(),
            secret,
            logs: logs.clone(),
        });
        let mut crew = Self { shared, threads: Vec::new() };
        for (number, (socket, ring)) in sockets.into_iter().enumerate() {
            let shared = Arc::clone(&crew.shared);
            let judge = Judge::new((shared.secret.hash_one(3), shared.secret.hash_one(4)));
            let post = Post::new(shared, number, socket, ring, judge);
            let thread = std::thread::Builder::new().name(format!("{THREAD}{number}"));
            crew.threads.push(thread.spawn(move || post.work())?);
        }
        Ok(crew)
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.ring_bells();
        for thread in self.threads.drain(..) {
            // A thread that panics ends the process itself.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Thread `number` gives the sign of life that it was asked for.
    fn answer(&self, number: usize) {
        let round = self.round.load(Ordering::Relaxed);
        if let Some(answered) = self.answered.get(number) {
            answered.store(round, Ordering::Relaxed);
        }
    }

    /// Publishes a view of `service` as it is now.
    fn rebuild(&self, service: &Arc<Service>) {
        let link = self.link();
        self.view.store(Arc::new(View::build(service, &link, Some(&self.view.load()))));
        drop(link);
        self.ring_bells();
    }

    /// The interface has changed: notes it and publishes a view that knows it.
    fn relink(&self, new: Link) {
        let mut link = self.link();
        *link = new;
        let view = self.view.load();
        self.view.store(Arc::new(View::build(&view.service, &link, Some(&view))));
        drop(link);
        self.ring_bells();
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn anew(&self) -> MutexGuard<'_, Option<Meeting>> {
        self.anew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tarpit(&self) -> MutexGuard<'_, Tarpit> {
        self.tarpit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring_bells(&self) {
        for bell in &self.bells {
            // A full counter means that the bell rings already.
            let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
        }
    }

    fn row(&self) -> DsrRow {
        let link = self.link();
        let view = self.view.load();
        DsrRow {
            service: view.service.name.clone(),
            interface: self.interface.clone(),
            mac: link.mac.to_string(),
            up: link.up,
            standby: view.scene.standby,
            threads: self.tallies.len(),
            counts: tally::sum(&self.tallies),
            servers: view.found(crate::clock::now()),
        }
    }
}
