//! UDP services: datagrams of clients to servers and back, flow by flow.
//!
//! Each worker has a socket of its own per listening address; the kernel sends a client's datagrams
//! to the same one each time, so a flow belongs to one worker and nothing here is shared or locked
//! but the client table and the numbers, briefly, when a flow begins or ends. What a flow is and
//! when it is over is `pen_core::flow`'s business. Datagrams are received, sent and answered in
//! batches; a datagram that cannot be passed on is dropped and counted, never waited for.
//!
//! `clients` takes datagrams of clients, `servers` the answers, `flows` begins, moves and ends
//! flows, `berth` finds them a port, `ports` keeps the local ports towards servers, `post` sends, `contain`
//! ends a flow that meets a defect of Pen.

mod berth;
mod clients;
mod contain;
mod flows;
mod orders;
mod ports;
mod post;
mod say;
mod servers;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;

use pen_core::flow::{Counts, DropReason, FlowId, FlowTable};
use pen_core::limits;
use pen_core::service::Live;
use pen_sys::datagrams::{Inbox, Outbox};

use crate::shared::{Pool, Service};
use contain::Hand;
use ports::Ports;
use post::{Parcel, Reply};

/// Marks the epoll token of a local port towards servers; the rest of it is the port's number.
pub const PORT_BIT: u64 = 1 << 62;

/// A worker's UDP state.
pub struct Udp {
    /// By station.
    tables: HashMap<u32, Table>,
    ports: Ports,
    /// By the worker's number of the listening socket.
    doors: HashMap<usize, DoorFacts>,
    /// Answers of this turn that are not sent yet, and their bytes.
    replies: Vec<Reply>,
    answers: Option<Inbox>,
    requests: Option<Inbox>,
    /// Datagrams of clients on their way to servers, while a batch is passed on.
    parcels: Vec<Parcel>,
    /// Datagrams of clients that are asked for at once.
    ask: usize,
    outbox: Outbox,
    secret: RandomState,
    /// For whom something is done at the moment.
    hand: Hand,
    /// Things that belong together are being changed.
    changing: bool,
}

/// The flows of one service at this worker.
struct Table {
    flows: FlowTable,
    /// The place that needs none in the room of the service is taken.
    private_taken: bool,
    counts: Counts,
}

/// What is known of a listening socket.
struct DoorFacts {
    bound: Option<SocketAddr>,
    /// Datagrams that the kernel dropped there and that are counted already.
    drops_seen: u32,
}

/// The service that a datagram belongs to.
#[derive(Clone, Copy)]
struct Scene<'a> {
    station: u32,
    service: &'a Service,
    live: &'a Live,
}

impl Udp {
    /// Nothing yet; memory for datagrams is taken when the first one comes.
    pub fn new() -> Self {
        Self {
            tables: HashMap::new(),
            ports: Ports::default(),
            doors: HashMap::new(),
            replies: Vec::new(),
            answers: None,
            requests: None,
            parcels: Vec::new(),
            ask: limits::UDP_BATCH_MIN,
            outbox: Outbox::new(),
            secret: RandomState::new(),
            hand: Hand::default(),
            changing: false,
        }
    }

    fn table(&mut self, station: u32) -> &mut Table {
        let secret = &self.secret;
        self.tables.entry(station).or_insert_with(|| Table {
            flows: FlowTable::new([secret.hash_one((station, 0)), secret.hash_one((station, 1))]),
            private_taken: false,
            counts: Counts::default(),
        })
    }
}

impl Udp {
    /// Where a listening socket listens.
    pub fn bound(&self, door: usize) -> Option<SocketAddr> {
        self.doors.get(&door).and_then(|d| d.bound)
    }
}

impl Udp {
    /// Gives a place of a flow back; `shared`: it is one of those that all workers share.
    fn give_room_back(&mut self, scene: Scene<'_>, shared: bool) {
        if shared {
            scene.service.room.release();
        } else {
            self.table(scene.station).private_taken = false;
        }
    }

    /// A flow at `server` no longer uses a port; `clean`: the next one may at once.
    fn release_port(
        &mut self,
        pool: &Pool,
        station: u32,
        (port, server): (u64, SocketAddr),
        clean: bool,
    ) {
        let dropped = self.ports.release(port, server, clean, pool);
        let counts = &mut self.table(station).counts;
        counts.drop(DropReason::ReceiveQueueFull, u64::from(dropped));
    }

    /// A port was found for a flow that does not use it: the next one at that server may.
    fn offer_port(&mut self, pool: &Pool, station: u32, (port, server): (u64, SocketAddr)) {
        self.ports.take(port, server, (station, FlowId::default()));
        self.release_port(pool, station, (port, server), true);
    }
}

fn inbox() -> Inbox {
    Inbox::new(limits::UDP_BATCH, limits::UDP_DATAGRAM_MAX)
}
