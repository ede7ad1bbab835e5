//! Everything Pen writes down: messages to the operator, the replies of files, and the classic logs
//! of the services.
//!
//! One thread writes; everybody else hands over and goes on. Handing over never waits: what does
//! not fit the queue is counted, and the count is reported when there is room again. A stalled
//! disk, pipe or log daemon therefore costs log lines and nothing else.
//! Deliberately not here: the form of classic lines (`pen_core::logline`), and who says what.

mod batch;
mod events;
mod file;
mod journal;
mod patient;
mod place;
mod sinks;
mod target;
mod thread;
mod topic;

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use pen_core::connlog::{Format, Record};
use pen_core::event::{Event, Occurrence, Subject};
use pen_core::limits;
use pen_sys::{clock, localtime};

pub use batch::{Batch, Form};
pub use events::Events;
pub use place::Place;
pub use target::Target;
pub use topic::Topic;

use sinks::Sinks;
use thread::{Entry, Order};
use topic::Topics;

/// The number of a service's log, given by the daemon; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogId(pub u32);

impl LogId {
    /// The log of events.
    pub const EVENTS: Self = Self(u32::MAX);

    /// The connection log of a service.
    #[must_use]
    pub fn connections(service: u32) -> Self {
        Self(service | 1 << 31)
    }
}

/// What the lines of a log are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// They come as lines.
    Classic,
    /// Of connections.
    Connections {
        /// How.
        format: Format,
        /// The service's name.
        service: String,
    },
    /// Of events.
    Events {
        /// As JSON, else as text.
        json: bool,
    },
}

/// When a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Always.
    Always,
    /// When `debug` is at least this number.
    Debug(u32),
}

/// The door to the log thread; cheap to clone, shared by all threads.
#[derive(Clone, Debug)]
pub struct Logs {
    shared: Arc<Shared>,
}

/// What callers and the log thread share.
#[derive(Debug)]
struct Shared {
    queue: SyncSender<Entry>,
    /// What must not be lost. An entry of the queue says when each is due; see [`Logs::order`].
    orders: Mutex<Orders>,
    /// The queue had no room for that entry.
    late: AtomicBool,
    debug: AtomicU32,
    lost_messages: AtomicU64,
    lost_lines: AtomicU64,
    /// Of the messages, those that were reported.
    reported_messages: AtomicU64,
    /// Lines of all logs that were lost since the start.
    lost_ever: AtomicU64,
    /// There is a log of events.
    keeps_events: AtomicBool,
    topics: Topics,
    events: Events,
}

/// Orders that wait, numbered in the order they were given.
#[derive(Debug, Default)]
struct Orders {
    waiting: VecDeque<(u64, Order)>,
    given: u64,
}

/// The log thread before it runs.
pub struct Unstarted {
    shared: Arc<Shared>,
    entries: Receiver<Entry>,
    sinks: Sinks,
}

impl Unstarted {
    /// Starts it, with the rights that are left.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn start(self) -> io::Result<JoinHandle<()>> {
        thread::spawn(self.shared, self.entries, self.sinks)
    }
}

#[cfg(test)]
impl Logs {
    /// Opens and starts.
    pub fn start(background: bool, debug: u32) -> io::Result<(Self, JoinHandle<()>)> {
        let (logs, writer) = Self::open(background, debug);
        Ok((logs, writer.start()?))
    }

    fn start_with(sinks: Sinks, debug: u32) -> io::Result<(Self, JoinHandle<()>)> {
        let (logs, writer) = Self::open_with(sinks, debug);
        Ok((logs, writer.start()?))
    }
}

impl Logs {
    /// Opens where messages go: in the foreground to standard error; in the background
    /// to syslog, and the important ones to standard error as well until [`Logs::started`]. Call
    /// after the fork and before a chroot. What is said waits until the writer is started.
    #[must_use]
    pub fn open(background: bool, debug: u32) -> (Self, Unstarted) {
        localtime::load();
        let sinks = if background { Sinks::background() } else { Sinks::foreground() };
        Self::open_with(sinks, debug)
    }

    fn open_with(sinks: Sinks, debug: u32) -> (Self, Unstarted) {
        let (queue, entries) = mpsc::sync_channel(limits::LOG_QUEUE);
        let shared = Arc::new(Shared {
            queue,
            orders: Mutex::default(),
            late: AtomicBool::new(false),
            debug: AtomicU32::new(debug),
            lost_messages: AtomicU64::new(0),
            lost_lines: AtomicU64::new(0),
            reported_messages: AtomicU64::new(0),
            lost_ever: AtomicU64::new(0),
            keeps_events: AtomicBool::new(false),
            topics: Topics::default(),
            events: Events::default(),
        });
        let writer = Unstarted { shared: Arc::clone(&shared), entries, sinks };
        (Self { shared }, writer)
    }

    /// Sets the debug level. With a lower one, what was said before is written first, so that who asked
    /// for silence has it from here on; but nobody waits longer than [`limits::SILENCE_MS`].
    pub fn set_debug(&self, level: u32) {
        let before = self.shared.debug.swap(level, Ordering::Relaxed);
        if level < before {
            // A stuck log has other worries.
            let _ = self.flush(Duration::from_millis(limits::SILENCE_MS));
        }
    }

    /// Messages and lines of all logs that were lost since the start: for want of room in the queue, and
    /// lines also because of a target that did not take them.
    #[must_use]
    pub fn lost(&self) -> (u64, u64) {
        let Shared { lost_messages, reported_messages, lost_ever, .. } = &*self.shared;
        let messages = [lost_messages, reported_messages].map(|n| n.load(Ordering::Relaxed));
        (messages.iter().sum(), lost_ever.load(Ordering::Relaxed))
    }

    /// Whether a message of this level would be written.
    #[must_use]
    pub fn wants(&self, level: Level) -> bool {
        match level {
            Level::Always => true,
            Level::Debug(n) => self.shared.debug.load(Ordering::Relaxed) >= n,
        }
    }

    /// Says something to the operator, in one line: control characters, line ends among them, are
    /// escaped. `text` is not asked if the level is not wanted.
    pub fn say(&self, level: Level, text: impl FnOnce() -> String) {
        if self.wants(level) {
            self.hand_over(level, text(), false);
        }
    }

    /// As [`Logs::say`] for what traffic can trigger: at most [`limits::MESSAGES_PER_S`] of a
    /// topic per second, the rest is counted and the count reported.
    pub fn say_often(&self, topic: Topic, level: Level, text: impl FnOnce() -> String) {
        if self.wants(level) && self.shared.topics.admit(topic, clock::monotonic_ms()) {
            self.hand_over(level, text(), false);
        }
    }

    /// Tells an event. `make` adds what is to be known of it; it is not asked for what repeats.
    pub fn event(&self, subject: Subject<'_>, make: impl FnOnce(Event) -> Event) {
        self.shared.event(subject, make);
    }

    /// Tells an event that is complete.
    pub fn happened(&self, event: Event) {
        let service = event.service.clone();
        let Event { key, server, cause, .. } = event;
        let subject = Subject { key, service: service.as_deref(), server, cause };
        self.event(subject, |_| event);
    }

    /// The events there are.
    #[must_use]
    pub fn events(&self) -> &Events {
        &self.shared.events
    }

    /// Says a report of several lines, each a message of its own.
    pub fn say_lines(&self, level: Level, text: impl FnOnce() -> String) {
        if self.wants(level) {
            self.hand_over(level, text(), true);
        }
    }

    /// Shows the replies of a file on standard output, as they are.
    pub fn show(&self, text: String) {
        if !text.is_empty() && self.shared.queue.try_send(Entry::Output(text)).is_err() {
            self.shared.lost_messages.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hands lines of a service's classic log over. Without a log they are thrown away; with no
    /// room in the queue they are counted as lost.
    pub fn lines(&self, log: LogId, batch: Batch) {
        let count = batch.count();
        if count != 0 && self.shared.queue.try_send(Entry::Lines(log, batch)).is_err() {
            self.shared.lose(count);
        }
    }

    /// Hands connections over for the connection log of a service; as [`Logs::lines`].
    pub fn records(&self, log: LogId, records: Vec<Record>) {
        let count = records.len() as u64;
        if count != 0 && self.shared.queue.try_send(Entry::Records(log, records)).is_err() {
            self.shared.lose(count);
        }
    }

    /// Makes an opened target a log of this shape. Lines handed over before go to the old one,
    /// which is then flushed and closed.
    ///
    /// # Errors
    /// The text for the operator: the log thread is stuck and too many changes wait.
    pub fn install(&self, log: LogId, target: Target, shape: Shape) -> Result<(), String> {
        if log == LogId::EVENTS {
            self.shared.keeps_events.store(true, Ordering::Relaxed);
        }
        self.order(Order::Install(log, target, shape))
    }

    /// Ends a service's log.
    ///
    /// # Errors
    /// As [`Logs::install`].
    pub fn close(&self, log: LogId) -> Result<(), String> {
        if log == LogId::EVENTS {
            self.shared.keeps_events.store(false, Ordering::Relaxed);
        }
        self.order(Order::Close(log))
    }

    /// Opens all log files anew by their names. A file that cannot be opened is reported, and its
    /// old one stays in use.
    ///
    /// # Errors
    /// As [`Logs::install`].
    pub fn reopen_all(&self) -> Result<(), String> {
        self.order(Order::Reopen)
    }

    /// Everything handed over before is written, or `patience` is over (`false`).
    pub fn flush(&self, patience: Duration) -> bool {
        self.acknowledged(patience, Order::Flush)
    }

    /// The start is over: in the background nothing is written to standard error any more.
    /// Everything handed over before is written, or `patience` is over (`false`).
    pub fn started(&self, patience: Duration) -> bool {
        self.acknowledged(patience, Order::Started)
    }

    /// Writes what was handed over and ends the thread, or `patience` is over (`false`): then the
    /// thread is stuck in a write and ends with the process.
    pub fn flush_and_stop(&self, patience: Duration) -> bool {
        self.acknowledged(patience, Order::Stop)
    }

    fn hand_over(&self, level: Level, text: String, lines: bool) {
        let important = level == Level::Always;
        let entry = Entry::Message { wall: clock::wall_seconds(), important, lines, text };
        if self.shared.queue.try_send(entry).is_err() {
            self.shared.lost_messages.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn acknowledged(&self, patience: Duration, order: fn(SyncSender<()>) -> Order) -> bool {
        let (done, wait) = mpsc::sync_channel(1);
        self.order(order(done)).is_ok() && wait.recv_timeout(patience).is_ok()
    }

    /// Orders keep their place among the lines as long as the queue has room. Without room they
    /// overtake some lines rather than wait.
    fn order(&self, order: Order) -> Result<(), String> {
        let mut orders = self.shared.orders();
        if orders.waiting.len() >= limits::LOG_ORDERS {
            return Err("the log thread is stuck; the log is unchanged".to_owned());
        }
        orders.given += 1;
        let number = orders.given;
        orders.waiting.push_back((number, order));
        drop(orders);
        if self.shared.queue.try_send(Entry::Order(number)).is_err() {
            self.shared.late.store(true, Ordering::Release);
            // If there is room now, this wakes the thread; if not, the thread has an entry to
            // take and looks at the flag after it.
            let _ = self.shared.queue.try_send(Entry::Order(number));
        }
        Ok(())
    }
}

impl Shared {
    /// Something happened: those who watch and the log of events hear of it.
    fn event(&self, subject: Subject<'_>, make: impl FnOnce(Event) -> Event) {
        let news = self.events.tell(subject, make);
        self.keep(news);
    }

    /// What was held back long enough is told.
    fn sweep(&self) {
        let news = self.events.sweep();
        self.keep(news);
    }

    fn keep(&self, news: Vec<Arc<Occurrence>>) {
        if !self.keeps_events.load(Ordering::Relaxed) {
            return;
        }
        for event in news {
            if self.queue.try_send(Entry::Event(event)).is_err() {
                self.lose(1);
            }
        }
    }

    fn lose(&self, lines: u64) {
        self.lost_lines.fetch_add(lines, Ordering::Relaxed);
        self.lost_ever.fetch_add(lines, Ordering::Relaxed);
    }

    fn orders(&self) -> MutexGuard<'_, Orders> {
        // The list is whole at every moment, so a panic elsewhere does not spoil it.
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first order up to `number` that waits.
    fn next_order(&self, number: u64) -> Option<Order> {
        let due = self.orders().waiting.pop_front_if(|(n, _)| *n <= number);
        due.map(|(_, order)| order)
    }
}

#[cfg(test)]
mod tests;
