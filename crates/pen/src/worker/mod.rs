//! A worker: one thread, one epoll, the connections that settled at it and nobody else's.
//!
//! It never blocks, touches no file, resolves no name and waits for no log. The loop is here; what
//! happens on an event is in `accept`, `connect`, `traffic` and `ending`; timers are in
//! `clockwork`; what the control thread asks for is in `orders`.

mod accept;
mod beginning;
mod clockwork;
mod conn;
mod connect;
mod contain;
mod dial;
mod dummy;
mod dump;
mod ending;
#[cfg(debug_assertions)]
pub mod faults;
mod handshake;
mod heads;
mod hello;
mod idlers;
mod leaving;
mod limiting;
mod orders;
mod queue;
mod records;
mod say;
mod shedding;
mod spread;
mod station;
mod tap;
mod tell;
mod times;
mod traffic;
mod udp;

use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use pen_core::event::{EventKey, Subject};
use pen_core::limits;
use pen_core::moment::Moment;
use pen_core::relay::Side;
use pen_core::servers::ServerRef;
use pen_sys::clock::timespec;
use pen_sys::sockets;
use rustix::event::epoll;
use slab::Slab;

use crate::clock;
use crate::engine::Scratch;
use crate::logs::{Level, Logs};
use crate::shared::{Order, Pool};
use conn::{Conn, Phase};
use queue::Queue;
use station::{Station, WatchedDoor};

/// What the names of the threads begin with.
const THREAD: &str = "pen-worker-";
const BELL: u64 = u64::MAX;
const DOOR_BIT: u64 = 1 << 63;
/// What a connection's socket always reports, and how; errors are reported unasked.
const WATCHED: epoll::EventFlags = epoll::EventFlags::IN
    .union(epoll::EventFlags::RDHUP)
    .union(epoll::EventFlags::PRI)
    .union(epoll::EventFlags::ET);

/// A worker thread's whole state.
pub struct Worker {
    index: usize,
    pool: Arc<Pool>,
    epoll: OwnedFd,
    conns: Slab<Conn>,
    stations: Slab<Station>,
    /// Station keys by service id.
    by_service: HashMap<u32, u32>,
    /// Where stations were found by the name of their service; a guess.
    by_name: HashMap<String, u32>,
    doors: Slab<WatchedDoor>,
    scratch: Scratch,
    /// A descriptor held so that there is one for the server of the next client.
    spare: Option<OwnedFd>,
    /// Connections with more to read at once.
    again: Vec<u32>,
    /// Connections with more to read when somebody has looked at memory again.
    withheld: Vec<u32>,
    /// Connections that ended in this turn.
    gone: Vec<u32>,
    /// Connections whose last bytes are not acknowledged yet.
    flushing: Queue,
    /// When to look at them next.
    flush_look: Moment,
    /// The clock, read once per turn.
    now: Moment,
    /// No timer is due before.
    due: Moment,
    logs: Logs,
    /// Stations with log lines of this turn.
    log_waiting: Vec<u32>,
    /// Stations with records for their connection log.
    recording: Vec<u32>,
    /// When those are handed over.
    records_due: Moment,
    /// A server that was passed over because it is full, until that is told.
    full: Cell<Option<ServerRef>>,
    udp: udp::Udp,
    /// Where it looked last for a worker with fewer connections.
    looked: usize,
    /// The look at memory that it has heeded.
    looks: u32,
    /// The look after which it closed connections.
    shed_at: u32,
    /// Something waits for the next look.
    awaits_look: bool,
    /// The connection that is being sent to a server although the event is another's.
    choosing: Option<u32>,
    draining: bool,
    stopped: bool,
}

/// Starts one thread per mailbox of the pool.
///
/// # Errors
/// No descriptors or threads left.
pub fn start(pool: &Arc<Pool>, logs: &Logs) -> io::Result<Vec<JoinHandle<()>>> {
    contain::tell_defects(logs);
    (0..pool.mailboxes.len())
        .map(|index| {
            let seed = Seed::new(index, Arc::clone(pool), logs.clone())?;
            std::thread::Builder::new()
                .name(format!("{THREAD}{index}"))
                .spawn(move || seed.grow().work())
        })
        .collect()
}

impl Worker {
    /// Runs to the end. A defect ends the whole process: a thread that is gone would leave its
    /// listeners collecting clients whom nobody serves.
    fn work(mut self) {
        if catch_unwind(AssertUnwindSafe(|| self.run())).is_ok() {
            return;
        }
        for (_, conn) in &mut self.conns {
            for socket in [conn.down.take(), conn.up.take()].into_iter().flatten() {
                sockets::reset(socket);
            }
        }
        self.turn_away();
        for mailbox in &self.pool.mailboxes {
            mailbox.post(Order::Stop);
        }
        let index = self.index;
        self.logs.say(Level::Always, || {
            format!("worker {index} met a defect of Pen; every connection is reset, Pen ends")
        });
        let text = "a worker met a defect of Pen; every connection is reset, Pen ends";
        self.logs.event(Subject::new(EventKey::Defect), |e| e.saying(text));
        // The process ends badly in any case.
        let moment = Duration::from_millis(limits::LAST_MOMENT_MS);
        let _ = self.logs.flush(moment);
        std::thread::sleep(moment);
        std::process::abort();
    }

    fn run(&mut self) {
        let mut events: Vec<epoll::Event> = Vec::with_capacity(limits::EVENTS_PER_TURN);
        while !self.stopped {
            self.wait(&mut events);
            self.now = clock::now();
            self.pool.memory.stir();
            self.heed_look();
            for event in events.drain(..) {
                self.dispatch(event);
            }
            self.send_replies();
            self.take_turns();
            if self.now >= self.due {
                self.run_timers();
            }
            if !self.log_waiting.is_empty() {
                self.send_log_lines();
            }
            for key in self.gone.drain(..) {
                self.conns.remove(key as usize);
            }
        }
        self.reset_everything();
        self.turn_away();
        self.send_log_lines();
        self.send_records();
    }

    fn wait(&self, events: &mut Vec<epoll::Event>) {
        let timeout = if self.again.is_empty() {
            // A turn is short, so the moment it began is near enough.
            (self.due != Moment(u64::MAX)).then(|| self.due.since_ms(self.now))
        } else {
            Some(0)
        };
        let timeout = timeout.map(timespec);
        // An interrupted wait is an empty turn.
        let _ = epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), timeout.as_ref());
    }

    fn dispatch(&mut self, event: epoll::Event) {
        let token = event.data.u64();
        if token == BELL {
            self.take_orders();
        } else if token & DOOR_BIT != 0 {
            self.accept_from((token & !DOOR_BIT) as usize);
        } else if token & udp::PORT_BIT != 0 {
            self.on_port(token & !udp::PORT_BIT, event.flags);
        } else {
            let side = if token & 1 == 0 { Side::Client } else { Side::Server };
            let key = (token >> 1) as u32;
            self.contain(key, |this| this.on_event(key, side, event.flags));
        }
    }

    /// Gives another turn to connections that had more to read than one turn allows.
    fn take_turns(&mut self) {
        for key in std::mem::take(&mut self.again) {
            self.contain(key, |this| this.take_turn(key));
        }
    }

    fn take_turn(&mut self, key: u32) {
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        conn.again = false;
        match conn.phase {
            Phase::Handshaking { .. } => self.shake_client(key, epoll::EventFlags::empty()),
            Phase::Securing => self.shake_server(key, epoll::EventFlags::empty()),
            _ => {}
        }
        for side in [Side::Client, Side::Server] {
            self.pump(key, side);
        }
    }

    /// Registers a connection's socket, edge-triggered.
    fn watch(&self, key: u32, side: Side, flags: epoll::EventFlags) -> io::Result<()> {
        let Some(socket) = self.conns.get(key as usize).and_then(|c| c.socket(side)) else {
            return Ok(());
        };
        Ok(epoll::add(&self.epoll, socket, token(key, side), WATCHED | flags)?)
    }

    /// No timer may be due later than `at`.
    fn due_by(&mut self, at: Moment) {
        self.due = self.due.min(at);
    }
}

/// What a thread starts from; the rest of a worker is made on the thread itself and never leaves it.
struct Seed {
    index: usize,
    pool: Arc<Pool>,
    epoll: OwnedFd,
    logs: Logs,
}

impl Seed {
    fn new(index: usize, pool: Arc<Pool>, logs: Logs) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mailbox = pool.mailboxes.get(index);
        let mailbox = mailbox.ok_or_else(|| io::Error::other("a worker without a mailbox"))?;
        let bell = epoll::EventData::new_u64(BELL);
        epoll::add(&epoll, mailbox.bell(), bell, epoll::EventFlags::IN)?;
        Ok(Self { index, pool, epoll, logs })
    }

    fn grow(self) -> Worker {
        Worker {
            index: self.index,
            pool: self.pool,
            epoll: self.epoll,
            conns: Slab::new(),
            stations: Slab::new(),
            by_service: HashMap::new(),
            by_name: HashMap::new(),
            doors: Slab::new(),
            scratch: Scratch::new(),
            spare: None,
            again: Vec::new(),
            withheld: Vec::new(),
            gone: Vec::new(),
            flushing: Queue::default(),
            flush_look: Moment(0),
            now: clock::now(),
            due: Moment(u64::MAX),
            logs: self.logs,
            log_waiting: Vec::new(),
            recording: Vec::new(),
            records_due: Moment(0),
            full: Cell::new(None),
            udp: udp::Udp::new(),
            looked: 0,
            looks: 0,
            shed_at: 0,
            awaits_look: false,
            choosing: None,
            draining: false,
            stopped: false,
        }
    }
}

fn token(key: u32, side: Side) -> epoll::EventData {
    let bit = u64::from(side == Side::Server);
    epoll::EventData::new_u64(u64::from(key) << 1 | bit)
}
