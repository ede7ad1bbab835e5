//! A service as one worker serves it: its doors, its lists of connections.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use pen_core::moment::Moment;

use super::queue::Queue;
use super::records::Collector;
use crate::logs::{Batch, Form};
use crate::shared::{Door, Service};

/// What all workers share of a service, counted within the worker: borrowing it for an event costs
/// no operation on memory that other workers use.
pub type Shared = Rc<Arc<Service>>;

/// The worker's own state of one service.
#[derive(Debug)]
pub struct Station {
    /// What all workers share of it.
    pub service: Shared,
    /// Keys of its doors.
    pub doors: Vec<usize>,
    /// TLS handshakes of clients that are not over, and hellos that routes wait for; the oldest first.
    pub handshaking: Queue,
    /// `peek` and `dummy`: the client's first bytes are awaited.
    pub silent: Queue,
    /// Clients that were routed here and wait for room; they count where they came in.
    pub waiting: Queue,
    /// Clients that wait until fewer than `pending_max` connects are pending; the first that came
    /// first.
    pub queued: Queue,
    /// Connects that are pending; the oldest first.
    pub connecting: Queue,
    /// Fully open connections; the one that was active longest ago first, to the second.
    pub open: Queue,
    /// Half-closed connections, in the same order.
    pub halved: Queue,
    /// Connections in whose stream a request's head has begun and not ended, and when it began.
    pub heads: BTreeSet<(Moment, u32)>,
    /// Lines of this loop turn for the classic log, if the service has one.
    pub log: Option<Batch>,
    /// Connections for the connection log, if the service has one.
    pub collector: Option<Collector>,
    /// The idle timeout when the worker looked at all timers last.
    pub idle_s: u32,
    /// The timeout of half-closed connections at that time.
    pub half_close_s: u32,
    /// Connections of this service at this worker, idlers included.
    pub conns: usize,
    /// A lost idler is not replaced before.
    pub idlers_rest: Moment,
    /// No new connections; forgotten when the last one has ended.
    pub retired: bool,
}

impl Station {
    /// A station without doors.
    pub fn new(service: Arc<Service>) -> Self {
        Self {
            service: Rc::new(service),
            doors: Vec::new(),
            handshaking: Queue::default(),
            silent: Queue::default(),
            waiting: Queue::default(),
            queued: Queue::default(),
            connecting: Queue::default(),
            open: Queue::default(),
            halved: Queue::default(),
            heads: BTreeSet::new(),
            log: None,
            collector: None,
            idle_s: 0,
            half_close_s: 0,
            conns: 0,
            idlers_rest: Moment(0),
            retired: false,
        }
    }

    /// Has a batch of log lines if the service has a classic log, and collects connections if it has a
    /// connection log.
    pub fn renew_log(&mut self, now: Moment) {
        let live = self.service.live.load();
        let log = live.config.connection_log.as_ref();
        self.collector = Collector::renew(self.collector.take(), log, now);
        let form = live.config.log.as_deref().map(Form::of);
        if self.log.as_ref().map(Batch::form) != form {
            self.log = form.map(Batch::new);
        }
    }
}

/// A door as one worker watches it.
#[derive(Debug)]
pub struct WatchedDoor {
    /// Key of its station.
    pub station: u32,
    /// The socket.
    pub door: Door,
    /// It is registered with epoll.
    pub armed: bool,
    /// Accepting pauses until then, because descriptors or memory ran out.
    pub paused_until: Option<Moment>,
}
