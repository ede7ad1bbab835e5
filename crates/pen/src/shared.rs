//! All that threads share, one rule per kind.
//!
//! | Kind | Written by | Rule |
//! |---|---|---|
//! | [`Service::live`] | control thread | published whole; a connection keeps what it started with |
//! | [`Service::tls`], [`Service::tls_servers`] | control thread | as above |
//! | [`Service::tables`] | any worker | one short lock per new and per ended connection, never over a system call |
//! | [`Service::room`], [`Service::pending`], server loads | any worker | atomics; limits by compare-and-swap |
//! | [`Service::count`] | each worker its own | atomics that one thread writes and anybody reads |
//! | [`Mailbox`] | control thread, and workers that free a place or hand a client over | a short lock and a wake-up |
//!
//! What every connection writes to lies [`Apart`], so that it does not slow down who reads the rest.
//! Connections, buffers and timers are not here: each belongs to one worker. Bytes are counted with the
//! connection and added to the server's count when it ends or somebody asks.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use pen_core::addr::Peer;
use pen_core::apart::Apart;
use pen_core::arrivals::Arrivals;
use pen_core::clients::ClientTable;
use pen_core::flow::Counters;
use pen_core::handshakes::Handshakes;
use pen_core::limits;
use pen_core::report::ConnectionRow;
use pen_core::select::Cursor;
use pen_core::service::Live;
use pen_core::slots::Slots;
use pen_core::tally::{Sums, Tally};
use rustix::event::{EventfdFlags, eventfd};

use crate::memory::Memory;
use crate::tls;

/// What the workers and the control thread know of one service.
#[derive(Debug)]
pub struct Service {
    /// Never re-used within a process.
    pub id: u32,
    /// As configured.
    pub name: String,
    /// Settings and servers of the moment.
    pub live: ArcSwap<Live>,
    /// Clients speak TLS, if there is one.
    pub tls: ArcSwapOption<tls::Terminator>,
    /// Servers that are spoken to in TLS, if there are any.
    pub tls_servers: ArcSwapOption<tls::Dialers>,
    tables: Apart<Mutex<Tables>>,
    /// Connections taken and allowed.
    pub room: Apart<Room>,
    /// Connects to servers that are pending.
    pub pending: Apart<AtomicU32>,
    /// The round-robin position of clients.
    pub cursor: Apart<Cursor>,
    /// The round-robin position of idlers.
    pub idler_cursor: Cursor,
    /// Idlers there are, pending ones included.
    pub idlers: AtomicU32,
    /// Number of the server used last, as the reports print it; -3 before the first.
    pub last_server: Apart<AtomicI64>,
    /// What became of connections: each worker writes its own.
    tallies: Vec<Apart<Tally>>,
    /// What became of datagrams.
    pub datagrams: Counters,
    /// Workers that stopped accepting for want of room in this service.
    starved: Starved,
}

/// Workers that stopped accepting for want of something; woken when there is some.
#[derive(Debug)]
struct Starved {
    workers: Vec<AtomicBool>,
    any: AtomicBool,
}

impl Starved {
    fn new(workers: usize) -> Self {
        let workers = (0..workers).map(|_| AtomicBool::new(false)).collect();
        Self { workers, any: AtomicBool::new(false) }
    }

    fn note(&self, worker: usize) {
        if let Some(flag) = self.workers.get(worker) {
            flag.store(true, Ordering::SeqCst);
        }
        // Last: whoever takes this away sees the flag.
        self.any.store(true, Ordering::SeqCst);
    }

    fn wake(&self, mailboxes: &[Mailbox], order: impl Fn() -> Order) {
        if !self.any.load(Ordering::SeqCst) {
            return;
        }
        self.any.store(false, Ordering::SeqCst);
        for (flag, mailbox) in self.workers.iter().zip(mailboxes) {
            if flag.swap(false, Ordering::SeqCst) {
                mailbox.post(order());
            }
        }
    }
}

/// The tables that new connections look into.
#[derive(Debug)]
pub struct Tables {
    /// Remembered clients.
    pub clients: ClientTable,
    /// Connection numbers.
    pub slots: Slots,
    /// Unfinished TLS handshakes by client.
    pub handshakes: Handshakes,
    /// Connections and flows by source.
    pub arrivals: Arrivals,
}

impl Service {
    /// A service nobody serves yet. `conn_max` is the number of connections allowed, `workers` the
    /// number of worker threads.
    #[must_use]
    pub fn new(id: u32, live: Live, tables: Tables, workers: usize) -> Self {
        Self {
            id,
            name: live.config.name.clone(),
            room: Apart::new(Room::new(tables.slots.max())),
            live: ArcSwap::from_pointee(live),
            tls: ArcSwapOption::empty(),
            tls_servers: ArcSwapOption::empty(),
            tables: Apart::new(Mutex::new(tables)),
            pending: Apart::default(),
            cursor: Apart::default(),
            idler_cursor: Cursor::default(),
            idlers: AtomicU32::new(0),
            last_server: Apart::new(AtomicI64::new(-3)),
            tallies: (0..workers).map(|_| Apart::default()).collect(),
            datagrams: Counters::default(),
            starved: Starved::new(workers),
        }
    }

    /// Takes a place for a connection, in the service and in the process.
    pub fn enter(&self, pool: &Pool) -> bool {
        if !self.room.take() {
            return false;
        }
        let entered = pool.room.take();
        if !entered {
            self.room.release();
        }
        entered
    }

    /// Gives a place back and wakes those who wait for one.
    pub fn leave(&self, pool: &Pool) {
        self.room.release();
        pool.room.release();
        self.feed_starved(pool);
        pool.starved.wake(&pool.mailboxes, || Order::ResumeAll);
    }

    /// Gives a place back whose connection goes on in another service, and stays in the process.
    pub fn hand_on(&self, pool: &Pool) {
        self.room.release();
        self.feed_starved(pool);
    }

    /// Worker `worker` counts something; it alone may say that it is this worker.
    pub fn count(&self, worker: usize, note: impl FnOnce(&Tally)) {
        if let Some(tally) = self.tallies.get(worker) {
            note(tally);
        }
    }

    /// What became of connections at all workers since the service began.
    #[must_use]
    pub fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        for tally in &self.tallies {
            sums += &tally.read();
        }
        sums
    }

    /// The tables, locked. Hold it briefly and never over a system call.
    pub fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a panic came while the tables were locked, since this was asked last.
    pub fn tables_broke(&self) -> bool {
        let broke = self.tables.is_poisoned();
        self.tables.clear_poison();
        broke
    }

    /// Worker `worker` stops accepting until there is room here or in the process; it must look
    /// once more after this.
    pub fn starve(&self, pool: &Pool, worker: usize) {
        self.starved.note(worker);
        if !pool.room.has_some() {
            pool.starved.note(worker);
        }
    }

    /// There is room again, or fewer connects are pending: wakes the workers that wait for it.
    pub fn feed_starved(&self, pool: &Pool) {
        self.starved.wake(&pool.mailboxes, || Order::Resume { service: self.id });
    }
}

/// How many connections there are and may be. Exact: `used` never exceeds `max` by one.
#[derive(Debug)]
pub struct Room {
    used: AtomicU32,
    max: AtomicU32,
}

impl Room {
    fn new(max: u32) -> Self {
        Self { used: AtomicU32::new(0), max: AtomicU32::new(max) }
    }

    /// Takes a place if there is one.
    pub fn take(&self) -> bool {
        let max = self.max.load(Ordering::Acquire);
        self.used
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |used| {
                (used < max).then_some(used + 1)
            })
            .is_ok()
    }

    /// Gives a place back.
    pub fn release(&self) {
        let before = self.used.fetch_sub(1, Ordering::SeqCst);
        debug_assert!(before > 0, "released a place nobody had taken");
    }

    /// Whether there is a place at this moment.
    #[must_use]
    pub fn has_some(&self) -> bool {
        self.used() < self.max.load(Ordering::Acquire)
    }

    /// Places there may be.
    #[must_use]
    pub fn max(&self) -> u32 {
        self.max.load(Ordering::Acquire)
    }

    /// Places taken.
    #[must_use]
    pub fn used(&self) -> u32 {
        self.used.load(Ordering::SeqCst)
    }

    /// Raises the number of places; a smaller value changes nothing. The slots are grown first.
    pub fn grow(&self, max: u32) {
        self.max.fetch_max(max, Ordering::AcqRel);
    }

    /// Sets the number of places. Who is there stays, even beyond it.
    pub fn resize(&self, max: u32) {
        self.max.store(max, Ordering::Release);
    }
}

/// The workers, as the others see them.
#[derive(Debug)]
pub struct Pool {
    /// One per worker, in their order.
    pub mailboxes: Vec<Mailbox>,
    /// Connections of all services together, as many as descriptors allow: what is left belongs to
    /// control sessions, logs and files.
    pub room: Apart<Room>,
    /// Local ports towards UDP servers, of all workers.
    pub ports: Apart<Room>,
    starved: Starved,
    /// Unfinished TLS handshakes of clients of all services.
    pub handshakes: AtomicU32,
    /// How short memory is.
    pub memory: Apart<Memory>,
    /// Dumps are text, else hex pairs.
    pub dump_ascii: AtomicBool,
}

impl Pool {
    /// Mailboxes for `workers` workers.
    ///
    /// # Errors
    /// No descriptors left.
    pub fn new(workers: usize) -> io::Result<Self> {
        let mailboxes = (0..workers).map(|_| Mailbox::new()).collect::<io::Result<_>>()?;
        let (room, starved) = (Apart::new(Room::new(u32::MAX)), Starved::new(workers));
        Ok(Self {
            mailboxes,
            room,
            ports: Apart::new(Room::new(limits::UDP_PORTS_MAX)),
            starved,
            handshakes: AtomicU32::new(0),
            memory: Apart::default(),
            dump_ascii: AtomicBool::new(false),
        })
    }
}

/// Orders for one worker. Posting wakes it.
#[derive(Debug)]
pub struct Mailbox {
    /// Connections at the worker, and on their way to it. The worker writes to it with each of them;
    /// others look at it once per client they accept.
    pub connections: Apart<AtomicU32>,
    /// The watchdog's last question that the worker has answered.
    pub answered: AtomicU64,
    orders: Mutex<Slot>,
    bell: OwnedFd,
}

/// Where orders lie until the worker takes them.
#[derive(Debug, Default)]
struct Slot {
    orders: VecDeque<Order>,
    /// The worker has ended.
    closed: bool,
}

impl Mailbox {
    fn new() -> io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let (connections, answered) = (Apart::default(), AtomicU64::new(0));
        Ok(Self { connections, answered, orders: Mutex::default(), bell })
    }

    /// Hands an order over and wakes the worker.
    pub fn post(&self, order: Order) {
        self.lock().orders.push_back(order);
        self.ring();
    }

    /// Hands a client over and wakes the worker, unless it has ended.
    ///
    /// # Errors
    /// It has, and here is the client again.
    pub fn entrust(&self, newcomer: Newcomer) -> Result<(), Newcomer> {
        let mut slot = self.lock();
        if slot.closed {
            return Err(newcomer);
        }
        // Whoever posts the first order rings, so that a burst of clients costs one wake-up.
        let rings = slot.orders.is_empty();
        slot.orders.push_back(Order::TakeOver(newcomer));
        drop(slot);
        if rings {
            self.ring();
        }
        Ok(())
    }

    /// The worker ends: takes the last orders; no client is handed over any more.
    #[must_use]
    pub fn close(&self) -> VecDeque<Order> {
        let mut slot = self.lock();
        slot.closed = true;
        std::mem::take(&mut slot.orders)
    }

    /// Takes all orders and silences the bell.
    #[must_use]
    pub fn collect(&self) -> VecDeque<Order> {
        let mut count = [0_u8; 8];
        // Nothing to read means that the bell does not ring; the orders are what counts.
        let _ = rustix::io::read(&self.bell, &mut count);
        std::mem::take(&mut self.lock().orders)
    }

    /// What rings when orders arrive.
    #[must_use]
    pub fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    fn ring(&self) {
        // A full counter means that the bell rings already.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }

    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket that clients connect to, as handed to a worker.
#[derive(Clone, Debug)]
pub struct Door {
    /// Tells listeners apart over re-configurations: a door with the same number is the same
    /// socket.
    pub id: u64,
    /// The listening socket, non-blocking.
    pub socket: Arc<OwnedFd>,
    /// The socket is shared by several workers (Unix): only one of them is to be woken.
    pub shared: bool,
    /// Datagrams come to it, not connections.
    pub datagram: bool,
}

/// A client on its way from the worker that accepted it to another. Its places in the service and in
/// the process are taken.
#[derive(Debug)]
pub struct Newcomer {
    /// Whose client it is.
    pub service: Arc<Service>,
    /// Its socket, which no epoll knows yet.
    pub socket: OwnedFd,
    /// Where it comes from.
    pub peer: Peer,
}

/// What a worker is told to do.
#[derive(Debug)]
pub enum Order {
    /// Serve this service at these doors, from here on and only these. Doors that are gone are
    /// closed after the clients in their queue were accepted, as far as there is room for them. Known
    /// services are updated.
    Serve {
        /// The service.
        service: Arc<Service>,
        /// Its doors at this worker.
        doors: Vec<Door>,
    },
    /// The settings of a service changed; look at timers, log and idlers again.
    Refresh {
        /// The service's id.
        service: u32,
    },
    /// Stop accepting for the service; its connections go on, and when the last has ended the
    /// worker forgets the service.
    Retire {
        /// The service's id.
        service: u32,
    },
    /// There is room for new connections again.
    Resume {
        /// The service's id.
        service: u32,
    },
    /// There is room in the process again: accept for all services.
    ResumeAll,
    /// Close a connection by its number.
    Close {
        /// The service's id.
        service: u32,
        /// The connection's number.
        slot: u32,
        /// Hears whether this worker had it.
        reply: Sender<bool>,
    },
    /// Add what open connections have moved to the tables, and answer their rows.
    Report {
        /// The service's id.
        service: u32,
        /// Whether rows are wanted, or only the adding up.
        rows: bool,
        /// Hears the rows in any order.
        reply: Sender<Vec<ConnectionRow>>,
    },
    /// Say that it still works.
    Answer {
        /// Add what the open connections of all services have moved to the tables first.
        settle: bool,
        /// Hears that it is done.
        done: Sender<()>,
    },
    /// Another worker, which has more connections, accepted this client.
    TakeOver(Newcomer),
    /// An address has left the machine: close what is bound to it.
    AddressLeft {
        /// The address.
        address: IpAddr,
        /// Hears how much that was.
        reply: Sender<Closed>,
    },
    /// Memory is shorter than before, or less short, or still too short.
    Memory,
    /// The watchdog asks for a sign of life.
    Live {
        /// The number of its question.
        round: u64,
    },
    /// Stop accepting everywhere; connections go on.
    Drain,
    /// The same, because another process accepts at the same sockets: flows go on as well, though what
    /// their clients send arrives there.
    Yield,
    /// Reset every connection and end the thread.
    Stop,
}

/// How much was closed at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Closed {
    /// Connections, spare ones included.
    pub connections: u64,
    /// Flows.
    pub flows: u64,
}

impl Closed {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { connections: self.connections + other.connections, flows: self.flows + other.flows }
    }
}

#[cfg(test)]
mod tests;
