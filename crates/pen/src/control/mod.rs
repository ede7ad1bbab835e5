//! The control thread: sessions, signals, and every change of settings.
//!
//! One loop owns everything that changes; it never carries traffic and waits for workers only as
//! long as `limits` says. What needs host names is set aside while the resolver works and taken up
//! again by its answer, so that nobody else waits for a name. Deliberately not here: the start of
//! the process (`boot`), and what single commands do (`perform`).

pub mod contain;
pub mod door;
mod explain;
mod guests;
mod leaving;
pub mod page;
pub mod perform;
pub mod reports;
pub mod sentences;
mod session;
mod signals;
mod store;
mod tasks;
pub mod upgrade;
mod watchdog;
mod watching;

use std::collections::HashMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, TryRecvError};

use pen_core::limits;
use pen_core::moment::Moment;
use pen_sys::addresses::Addresses;
use pen_sys::clock::timespec;
use pen_sys::notify::Notify;
use pen_sys::services::Services;
use pen_sys::signals::Signals;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use slab::Slab;

use door::ControlDoor;
use page::{Wish, Wishes};
use perform::Origin;
use session::Session;
use store::Stored;
use tasks::{Inbox, Task};
use upgrade::{Means, Upgrade};
use watchdog::Watchdog;

use crate::clock;
use crate::logs::Level;
use crate::publish::Running;
use crate::reload::Reloads;
use crate::resolve::Resolver;
use crate::shared::Order;

const DOOR: u64 = 0;
const SIGNALS: u64 = 1;
const NAMES: u64 = 2;
const EVENTS: u64 = 3;
const PAGE: u64 = 4;
const UPGRADE: u64 = 5;
const ADDRESSES: u64 = 6;
/// Sessions come after the fixed tokens.
const SESSIONS: u64 = 7;

/// What the control thread starts with.
pub struct Control {
    /// What runs.
    pub running: Running,
    /// How the process was started.
    pub origin: Origin,
    /// The control socket, if there is one.
    pub door: Option<ControlDoor>,
    /// The signals, blocked everywhere.
    pub signals: Signals,
    /// Ports by name.
    pub services: Arc<Services>,
    /// The service manager.
    pub notify: Notify,
    /// What it takes to be replaced.
    pub means: Means,
    /// What tells that addresses of the machine come and go, if the kernel does.
    pub addresses: Option<Addresses>,
}

/// Why the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitReason {
    /// A signal, with connections cut.
    Signal,
    /// A signal, after the last connection.
    Drained,
    /// The command `exit`.
    Command,
    /// Another process serves.
    Replaced,
    /// The kernel refused what the control thread needs.
    Failed,
}

impl ExitReason {
    /// The word in events.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Drained => "drained",
            Self::Command => "command",
            Self::Replaced => "replaced",
            Self::Failed => "failed",
        }
    }
}

/// Serves until the process is to end. The workers are left to the caller. A defect that is not contained
/// ends the process.
pub fn run(control: Control) -> ExitReason {
    let (logs, pool) = (control.running.logs.clone(), Arc::clone(&control.running.pool));
    let served = catch_unwind(AssertUnwindSafe(|| serve(control)));
    served.unwrap_or_else(|_| contain::end(&logs, &pool))
}

fn serve(control: Control) -> ExitReason {
    let logs = control.running.logs.clone();
    let served = Desk::new(control).and_then(|mut desk| {
        let reason = desk.serve();
        desk.notify.stopping();
        desk.running.close_doors();
        if desk.notify.is_heard() {
            desk.door.iter_mut().for_each(ControlDoor::stay);
        }
        reason
    });
    served.unwrap_or_else(|e| {
        logs.say(Level::Always, || format!("the control thread cannot go on: {e}"));
        ExitReason::Failed
    })
}

/// How the process is ending, if it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    No,
    Draining { until: Option<Moment> },
    Now(ExitReason),
}

struct Desk {
    running: Running,
    origin: Origin,
    door: Option<ControlDoor>,
    signals: Signals,
    resolver: Resolver,
    services: Arc<Services>,
    notify: Notify,
    epoll: OwnedFd,
    inbox: Inbox,
    wishes: Wishes,
    /// Wishes of the page that are being carried out.
    wished: Slab<Wish>,
    sessions: Slab<Session>,
    /// Set aside until their names are resolved.
    tasks: HashMap<u64, Task>,
    next_task: u64,
    /// Sessions that wait for something to be done, by the number of the wait.
    waiting: HashMap<u64, usize>,
    reloads: Reloads,
    ending: Ending,
    /// When certificates are looked at again.
    look: Option<Moment>,
    /// Nobody is let in before this, because descriptors ran out.
    door_opens: Option<Moment>,
    door_armed: bool,
    watchdog: Watchdog,
    means: Means,
    /// The new process, until it is ready.
    upgrade: Option<Upgrade>,
    /// Another process serves.
    replaced: bool,
    /// It does not end before this, whatever there is to wait for.
    stays_until: Option<Moment>,
    /// While it drains: closed when all workers have left their doors. Until then they may take clients in
    /// that nobody has counted yet.
    leaving: Option<Receiver<()>>,
    stored: Stored,
    /// The addresses of the machine.
    addresses: Option<leaving::Watch>,
}

impl Desk {
    fn new(control: Control) -> io::Result<Self> {
        let Control { running, origin, mut door, signals, services, notify, means, addresses } =
            control;
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let inbox = Inbox::new()?;
        if let Some(door) = &mut door {
            door.keep_spare(&epoll);
            if let Some(caution) = door.caution(&running.config) {
                running.logs.say(Level::Always, || caution);
            }
            epoll::add(&epoll, door, EventData::new_u64(DOOR), EventFlags::IN)?;
        }
        epoll::add(&epoll, &signals, EventData::new_u64(SIGNALS), EventFlags::IN)?;
        epoll::add(&epoll, inbox.bell(), EventData::new_u64(NAMES), EventFlags::IN)?;
        epoll::add(&epoll, inbox.events(), EventData::new_u64(EVENTS), EventFlags::IN)?;
        running.logs.events().ring_at(Arc::clone(inbox.events()));
        let addresses = addresses.map(leaving::Watch::new).transpose()?;
        if let Some(watch) = &addresses {
            epoll::add(&epoll, watch.kernel(), EventData::new_u64(ADDRESSES), EventFlags::IN)?;
        }
        let wishes = running.wishes();
        epoll::add(&epoll, wishes.bell(), EventData::new_u64(PAGE), EventFlags::IN)?;
        Ok(Self {
            door_armed: door.is_some(),
            watchdog: Watchdog::new(notify.watchdog_ms()),
            running,
            origin,
            door,
            signals,
            resolver: Resolver::start()?,
            services,
            notify,
            epoll,
            inbox,
            wishes,
            wished: Slab::new(),
            sessions: Slab::new(),
            tasks: HashMap::new(),
            next_task: 0,
            waiting: HashMap::new(),
            reloads: Reloads::default(),
            ending: Ending::No,
            look: None,
            door_opens: None,
            means,
            upgrade: None,
            replaced: false,
            stays_until: None,
            leaving: None,
            stored: Stored::default(),
            addresses,
        })
    }

    fn serve(&mut self) -> io::Result<ExitReason> {
        let mut events = Vec::with_capacity(limits::CONTROL_SESSIONS_MAX + 4);
        self.watch_threads(clock::now());
        self.forget_strays();
        self.store_listeners();
        loop {
            if let Ending::Now(reason) = self.ending {
                self.give_upgrade_up("Pen ends");
                return Ok(if self.replaced { ExitReason::Replaced } else { reason });
            }
            events.clear();
            let timeout = self.timeout(clock::now());
            match epoll::wait(&self.epoll, spare_capacity(&mut events), timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
            for event in &events {
                match event.data.u64() {
                    DOOR => self.admit(),
                    SIGNALS => self.take_signals()?,
                    NAMES => self.take_answers(),
                    EVENTS => self.take_events(),
                    PAGE => self.hear_page(),
                    UPGRADE => self.hear_successor(),
                    ADDRESSES => self.hear_addresses(),
                    token => {
                        let flags = event.flags;
                        let gone = flags.intersects(EventFlags::HUP | EventFlags::ERR);
                        self.advance(token - SESSIONS, gone);
                    }
                }
            }
            self.keep_time(clock::now());
        }
    }

    /// How long nothing can become due.
    fn timeout(&self, now: Moment) -> Option<Timespec> {
        let sessions = self.sessions.iter().filter_map(|(_, s)| s.deadline());
        let draining = match self.ending {
            Ending::Draining { .. } => Some(now.plus_ms(limits::DRAIN_LOOK_MS)),
            _ => None,
        };
        let due = sessions.chain(draining).chain(self.door_opens).chain(self.look);
        let due = due.chain(self.watchdog.due());
        let due = due.chain(self.upgrade.as_ref().map(Upgrade::due));
        let due = due.chain(self.addresses.as_ref().and_then(leaving::Watch::due));
        let due = due.chain(self.running.sentences.next()).min()?;
        Some(timespec(due.since_ms(now)))
    }

    fn keep_time(&mut self, now: Moment) {
        let late: Vec<usize> = self
            .sessions
            .iter()
            .filter(|(_, s)| s.deadline().is_some_and(|d| d <= now))
            .map(|(key, _)| key)
            .collect();
        for key in late {
            self.drop_session(key, "it said or took nothing in time");
        }
        if self.door_opens.is_some_and(|at| at <= now) {
            self.door_opens = None;
        }
        self.arm_door();
        self.look_at_certificates(now);
        self.watch_threads(now);
        self.look_at_upgrade(now);
        self.running.sentences.look(&self.running.logs, now);
        if let Some(watch) = &mut self.addresses {
            watch.look(&self.running, now);
        }
        if let Ending::Draining { until } = self.ending
            && self.stays_until.is_none_or(|stays| stays <= now)
        {
            let all_gone = self.have_left_doors() && self.running.connections() == 0;
            if all_gone || until.is_some_and(|u| u <= now) {
                self.ending =
                    Ending::Now(if all_gone { ExitReason::Drained } else { ExitReason::Signal });
            }
        }
    }

    /// Workers take nobody in any more, by `order`; what they have goes on.
    fn leave_doors_by(&mut self, order: impl Fn() -> Order) {
        let (done, leaving) = mpsc::channel();
        self.running.order_all(order);
        self.running.order_all(|| Order::Answer { settle: false, done: done.clone() });
        self.leaving = Some(leaving);
    }

    /// Whether all workers have done that.
    fn have_left_doors(&mut self) -> bool {
        let Some(leaving) = &self.leaving else { return true };
        loop {
            match leaving.try_recv() {
                Ok(()) => {}
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => break,
            }
        }
        self.leaving = None;
        true
    }
}

impl Desk {
    fn hear_addresses(&mut self) {
        let Some(watch) = &mut self.addresses else { return };
        if let Err(e) = watch.hear() {
            self.running.warn(format!("addresses of this machine are watched no more: {e}"));
            // Closed, it leaves the epoll instance.
            self.addresses = None;
        }
    }

    /// OCSP responses end and change, certificates expire: both are looked at from time to time.
    fn look_at_certificates(&mut self, now: Moment) {
        if self.look.is_some_and(|at| at <= now) {
            let changes = self.running.look_at_certificates();
            self.running.announce(changes, Level::Always);
            self.look = None;
        }
        let next = self.running.next_look_s().map(|s| now.plus_s(s));
        // Whatever has changed since, an earlier look does no harm.
        self.look = next.map(|next| self.look.map_or(next, |at| at.min(next)));
    }
}

#[cfg(test)]
mod tests;
