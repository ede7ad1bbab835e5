//! The web thread: shows by HTTP what Pen does, at the address of `metrics`.
//!
//! One thread with its own epoll, `pen-web`, started when `metrics` is first on. It looks at what is shared
//! and asks the workers to add up, as the control thread does; what the page may change goes to the
//! control thread. It is bounded in connections, bytes and time, and if it met a defect traffic would go
//! on without it. Deliberately not here: HTTP itself (`pen_core::web`), the forms of what is shown
//! (`pen_core::report`).

mod answers;
mod door;
mod facts;
mod files;
mod guest;
mod host;
#[cfg(test)]
mod tests;

use std::hint::black_box;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use pen_core::acl::AccessList;
use pen_core::addr::ClientAddr;
use pen_core::config::{Config, ControlAcl};
use rustix::event::{EventfdFlags, eventfd};
use rustix::rand::GetRandomFlags;

use crate::control::page::Wishes;
use crate::countries::Database;
use crate::gather::Board;
use crate::listeners::stock::Kept;
use crate::logs::{Level, Logs};
use door::Who;
use host::Host;

pub use door::Door;
pub use facts::Sources;

/// The web thread, as the control thread knows it.
#[derive(Debug)]
pub struct Web {
    shared: Arc<Shared>,
}

/// What both threads know.
#[derive(Debug)]
struct Shared {
    board: Arc<Board>,
    logs: Logs,
    rules: ArcSwap<Rules>,
    /// The web thread takes it for moments only, so that a socket closes when it is taken away here.
    door: Mutex<Option<Arc<Door>>>,
    /// Rings when there is another door.
    bell: OwnedFd,
    /// Another process takes whoever comes.
    yielded: AtomicBool,
    /// The thread runs.
    alive: AtomicBool,
    /// Where wishes of the page go.
    wishes: Wishes,
    /// Known to the page of this process only.
    token: String,
    facts: Sources,
    /// Descriptors the process may have.
    descriptors: u64,
}

/// Who may do what.
#[derive(Debug, Default)]
struct Rules {
    readers: AccessList,
    steerers: AccessList,
    steering: bool,
    countries: Option<Arc<Database>>,
}

impl Web {
    /// Nothing is shown yet. `descriptors`: how many the process may have.
    ///
    /// # Errors
    /// No descriptors or random numbers left.
    pub fn new(
        board: Arc<Board>,
        logs: Logs,
        (facts, descriptors): (Sources, u64),
    ) -> io::Result<Self> {
        let mut secret = [0_u8; 16];
        rustix::rand::getrandom(&mut secret, GetRandomFlags::empty())?;
        let shared = Arc::new(Shared {
            board,
            logs,
            rules: ArcSwap::default(),
            door: Mutex::default(),
            bell: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            yielded: AtomicBool::new(false),
            alive: AtomicBool::new(false),
            wishes: Wishes::new()?,
            token: secret.iter().map(|byte| format!("{byte:02x}")).collect(),
            facts,
            descriptors,
        });
        Ok(Self { shared })
    }

    /// Where wishes of the page arrive.
    #[must_use]
    pub fn wishes(&self) -> Wishes {
        self.shared.wishes.clone()
    }

    /// The door that `config` wants: the one there is, or a new one.
    ///
    /// # Errors
    /// A sentence for the operator; nothing has changed.
    pub fn plan(&self, config: &Config) -> Result<Option<Arc<Door>>, String> {
        let before = self.shared.door().clone();
        let Some(listen) = &config.process.metrics else { return Ok(None) };
        match before {
            Some(door) if door.listen.place == listen.place => Ok(Some(door)),
            before => {
                let ours = before.is_some_and(|door| door.is_near(&listen.place));
                Door::open(listen, ours).map(|door| Some(Arc::new(door)))
            }
        }
    }

    /// Makes what was planned true. Answers warnings.
    pub fn swap(
        &mut self,
        door: Option<Arc<Door>>,
        config: &Config,
        countries: Option<Arc<Database>>,
    ) -> Vec<String> {
        self.set_rules(config, countries);
        let mut cautions = Vec::new();
        let before = std::mem::replace(&mut *self.shared.door(), door.clone());
        if before.map(|d| Arc::as_ptr(&d)) == door.as_ref().map(Arc::as_ptr) {
            return cautions;
        }
        self.shared.ring();
        let Some(door) = door else { return cautions };
        let list = config.process.metrics_acl.list;
        if door.is_public() && self.shared.rules.load().readers.entries.is_empty() {
            cautions.push(format!(
                "metrics: access list {list} is empty: only loopback addresses are let in"
            ));
        }
        if !self.shared.alive.load(Ordering::Acquire)
            && let Err(e) = start(&self.shared)
        {
            cautions.push(format!("cannot start the web thread: {e}"));
        }
        cautions
    }

    /// The listener, if there is one.
    #[must_use]
    pub fn kept(&self) -> Option<Kept> {
        self.shared.door().as_ref().map(|door| door.kept())
    }

    /// Takes nobody in any more: another process does, at the same socket, which therefore is not
    /// forgotten by being closed.
    pub fn yield_door(&self) {
        self.shared.yielded.store(true, Ordering::Release);
        self.shared.ring();
    }

    /// The rules of `config` hold from here on.
    pub fn set_rules(&self, config: &Config, countries: Option<Arc<Database>>) {
        let list = |chosen: &ControlAcl| {
            let service = config.service(&chosen.service);
            service.and_then(|s| s.acls.get(usize::from(chosen.list))).cloned().unwrap_or_default()
        };
        let process = &config.process;
        self.shared.rules.store(Arc::new(Rules {
            readers: list(&process.metrics_acl),
            steerers: list(&process.control_acl),
            steering: process.metrics_control,
            countries,
        }));
    }
}

fn start(shared: &Arc<Shared>) -> io::Result<()> {
    let mut host = Host::new(Arc::clone(shared))?;
    let mine = Arc::clone(shared);
    shared.alive.store(true, Ordering::Release);
    let thread = std::thread::Builder::new().name("pen-web".to_owned());
    let spawned = thread.spawn(move || {
        let why = match catch_unwind(AssertUnwindSafe(|| host.run())) {
            Ok(Err(e)) => e.to_string(),
            _ => "a defect of Pen".to_owned(),
        };
        // Nobody is to wait in a queue that nobody looks at; the next change of settings opens it anew.
        mine.door().take();
        mine.alive.store(false, Ordering::Release);
        mine.logs.say(Level::Always, || {
            format!(
                "WARNING: metrics: the web thread ends ({why}); nothing is shown until settings are \
                 changed, everything else goes on"
            )
        });
    });
    if spawned.is_err() {
        shared.alive.store(false, Ordering::Release);
    }
    spawned.map(drop)
}

impl Shared {
    fn door(&self) -> MutexGuard<'_, Option<Arc<Door>>> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        // A full counter means that the bell rings already.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }

    /// Whether the token is that of this process, in a time that tells nothing about it.
    fn knows(&self, token: &str) -> bool {
        let (own, token) = (self.token.as_bytes(), token.as_bytes());
        // All bytes are looked at, whichever differ; the compiler is not told what becomes of it.
        let differ = own.iter().zip(token).fold(0, |all, (a, b)| black_box(all | (a ^ b)));
        own.len() == token.len() && differ == 0
    }
}

impl Rules {
    fn may_read(&self, who: Who) -> bool {
        self.lets_in(&self.readers, who)
    }

    fn may_steer(&self, who: Who) -> bool {
        self.steering && self.lets_in(&self.steerers, who)
    }

    fn lets_in(&self, list: &AccessList, who: Who) -> bool {
        match who {
            Who::User(uid) => uid == 0 || uid == rustix::process::geteuid().as_raw(),
            Who::Ip(ip) if list.entries.is_empty() => ip.is_loopback(),
            Who::Ip(ip) => {
                let countries = self.countries.as_deref();
                list.permits(ClientAddr::from_ip(ip), |ip| {
                    pen_core::acl::Countries::country(countries?, ip)
                })
            }
        }
    }
}
