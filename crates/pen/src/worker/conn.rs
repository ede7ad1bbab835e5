//! One TCP connection as its worker holds it: two descriptors, two flows, the journey to its
//! server. No buffer while nothing is in flight.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use pen_core::addr::{ClientAddr, Peer};
use pen_core::arrivals::Admission;
use pen_core::clients::ClientId;
use pen_core::journey::Journey;
use pen_core::moment::Moment;
use pen_core::reasons::CloseReason;
use pen_core::relay::{Relay, Side};
use pen_core::report::ConnectionRow;
use pen_core::select::Visitor;
use pen_core::servers::ServerRef;

use super::beginning::Way;
use super::hello::Asking;
use super::queue::{Linked, Links};
use super::records::Ends;
use super::tap::ClientTap;
use super::times::Times;
use crate::engine::{End, Flow, Pumped, Scratch, Tap};
use crate::tls::{Dialer, Session};

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The TLS handshake with the client is not over.
    Handshaking {
        /// `client_acl` admits the client; if not, it goes to the abuse server afterwards.
        permitted: bool,
    },
    /// `peek`: the client's first bytes are awaited.
    Peeking,
    /// `dummy`: the client's first bytes are awaited, Pen answers itself.
    Dummy,
    /// The service has routes: the client's hello is awaited.
    Hello,
    /// The client has said whom it wants and is on the way there, within one turn.
    Routed,
    /// The client was routed to another service and waits for room there.
    Waiting {
        /// Key of that service's station.
        at: u32,
    },
    /// A server is to be chosen, but `pending_max` connects are pending.
    Queued {
        /// How it is served then.
        way: Way,
    },
    /// A connect to a server is pending.
    Connecting,
    /// The TLS handshake with a server is not over; the connect timeout runs.
    Securing,
    /// Bytes move.
    Open,
    /// It is over; what was written must be acknowledged before the socket is closed or reset.
    Flushing {
        /// The side that is still there.
        side: Side,
        /// Reset it, or close it.
        reset: bool,
        /// Why the connection ended.
        reason: CloseReason,
    },
    /// Over; kept until the end of the loop turn, because events of this turn may still name it.
    Gone,
}

/// Bytes already added to the tables.
#[derive(Clone, Copy, Debug, Default)]
struct Settled {
    from_client: u64,
    to_server: u64,
    from_server: u64,
    to_client: u64,
}

/// Bytes moved since they were last added to the tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Read from the client.
    pub from_client: u64,
    /// Written to the server.
    pub to_server: u64,
    /// Read from the server.
    pub from_server: u64,
    /// Written to the client.
    pub to_client: u64,
}

/// One direction with its ends.
pub struct Line<'a> {
    flow: &'a mut Flow,
    source: End<'a>,
    sink: End<'a>,
}

impl Line<'_> {
    /// Moves bytes until something stops it.
    pub fn pump(self, scratch: &mut Scratch, tap: Option<&mut dyn Tap>) -> Pumped {
        let Self { flow, source, sink } = self;
        if source.session.is_some() || sink.session.is_some() {
            flow.pump_sealed(source, sink, scratch, tap)
        } else {
            flow.pump(source.socket, sink.socket, scratch, tap)
        }
    }
}

/// A connection, or an idler (which has no client).
#[derive(Debug)]
pub struct Conn {
    /// Key of the station it belongs to.
    pub station: u32,
    /// Its number in the service.
    pub slot: u32,
    /// Its place in the count of its source.
    pub admission: Admission,
    /// The client's row; `None` for idlers.
    pub client: Option<ClientId>,
    /// The client's address and what was remembered of it.
    pub visitor: Visitor,
    /// The client's socket.
    pub down: Option<OwnedFd>,
    /// The server's socket.
    pub up: Option<OwnedFd>,
    /// The TLS session with the client.
    pub down_tls: Option<Box<Session>>,
    /// The TLS session with the server.
    pub up_tls: Option<Box<Session>>,
    /// How TLS is to be spoken to the server that is being connected, if it is.
    pub dialer: Option<Arc<Dialer>>,
    /// How far it has come.
    pub phase: Phase,
    /// The search for a server; `None` before it starts.
    pub journey: Option<Journey>,
    /// What the client said so far, while it is not known where it goes.
    pub asking: Option<Box<Asking>>,
    /// Which streams are open.
    pub relay: Relay,
    /// Client to server.
    pub from_client: Flow,
    /// Server to client.
    pub from_server: Flow,
    /// What looks at or changes the client's bytes.
    pub tap: Option<Box<ClientTap>>,
    /// The client's socket reports when it can be written.
    pub out_armed: bool,
    /// It is in the worker's list of those with more to read at once.
    pub again: bool,
    /// It is half-closed, and in the list of such.
    pub halved: bool,
    /// Its connect is pending and counts against `pending_max`.
    pub pends: bool,
    /// When it was accepted.
    pub accepted: Moment,
    /// When something moved last.
    pub active: Moment,
    /// When it came how far.
    pub times: Times,
    /// What a socket told that is closed already, for the connection log.
    pub ends: Option<Box<Ends>>,
    /// Its place in a list.
    pub links: Links,
    settled: Settled,
}

impl Linked for Conn {
    fn links(&self) -> &Links {
        &self.links
    }

    fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }
}

impl Conn {
    /// A new connection, or an idler without `down` and `client`.
    pub fn new(station: u32, slot: u32, down: Option<OwnedFd>, peer: Peer, now: Moment) -> Self {
        Self {
            station,
            slot,
            admission: Admission::default(),
            client: None,
            visitor: Visitor::new(peer, None),
            down,
            up: None,
            down_tls: None,
            up_tls: None,
            dialer: None,
            phase: Phase::Peeking,
            journey: None,
            asking: None,
            relay: Relay::new(),
            from_client: Flow::default(),
            from_server: Flow::default(),
            tap: None,
            out_armed: false,
            again: false,
            halved: false,
            pends: false,
            accepted: now,
            active: now,
            times: Times::default(),
            ends: None,
            links: Links::default(),
            settled: Settled::default(),
        }
    }

    /// The socket of one side.
    pub fn socket(&self, side: Side) -> Option<BorrowedFd<'_>> {
        match side {
            Side::Client => self.down.as_ref(),
            Side::Server => self.up.as_ref(),
        }
        .map(AsFd::as_fd)
    }

    /// The TLS session of one side.
    pub fn session(&self, side: Side) -> Option<&Session> {
        match side {
            Side::Client => self.down_tls.as_deref(),
            Side::Server => self.up_tls.as_deref(),
        }
    }

    /// The flow that comes from one side.
    pub fn flow(&mut self, source: Side) -> &mut Flow {
        match source {
            Side::Client => &mut self.from_client,
            Side::Server => &mut self.from_server,
        }
    }

    /// The direction that comes from one side, if both sockets are there.
    pub fn line(&mut self, source: Side) -> Option<Line<'_>> {
        let Self { down, up, down_tls, up_tls, from_client, from_server, .. } = self;
        let down = End { socket: down.as_ref()?.as_fd(), session: down_tls.as_deref_mut() };
        let up = End { socket: up.as_ref()?.as_fd(), session: up_tls.as_deref_mut() };
        Some(match source {
            Side::Client => Line { flow: from_client, source: down, sink: up },
            Side::Server => Line { flow: from_server, source: up, sink: down },
        })
    }

    /// The server being connected to or used.
    pub fn server(&self) -> Option<ServerRef> {
        self.journey.as_ref().and_then(Journey::server)
    }

    /// Whether it is an idler.
    pub fn is_idler(&self) -> bool {
        self.client.is_none()
    }

    /// Whether the client came over a Unix socket.
    pub fn client_is_unix(&self) -> bool {
        self.visitor.peer.addr == ClientAddr::Unix
    }

    /// What moved since the last call.
    pub fn settle(&mut self) -> Moved {
        let now = Settled {
            from_client: self.from_client.read,
            to_server: self.from_client.written,
            from_server: self.from_server.read,
            to_client: self.from_server.written,
        };
        let before = std::mem::replace(&mut self.settled, now);
        Moved {
            from_client: now.from_client - before.from_client,
            to_server: now.to_server - before.to_server,
            from_server: now.from_server - before.from_server,
            to_client: now.to_client - before.to_client,
        }
    }

    /// Bytes that were read and not yet written, both ways.
    pub fn unsent(&self) -> u64 {
        self.from_client.unsent() + self.from_server.unsent()
    }

    /// Its row in a report.
    pub fn row(&self, now: Moment) -> ConnectionRow {
        use std::os::fd::AsRawFd;
        let fd = |fd: &Option<OwnedFd>| fd.as_ref().map_or(-1, AsRawFd::as_raw_fd);
        ConnectionRow {
            slot: self.slot,
            state: match self.phase {
                Phase::Handshaking { .. }
                | Phase::Peeking
                | Phase::Dummy
                | Phase::Hello
                | Phase::Routed
                | Phase::Waiting { .. }
                | Phase::Queued { .. }
                | Phase::Connecting
                | Phase::Securing => 1,
                Phase::Open | Phase::Flushing { .. } | Phase::Gone => self.relay.state_number(),
            },
            downfd: fd(&self.down),
            upfd: fd(&self.up),
            pending_down: self.from_server.unsent(),
            pending_up: self.from_client.unsent(),
            client: self.client.map_or(-1, |c| i64::from(c.slot)),
            server: ServerRef::number_or_none(self.server()),
            age_s: now.since_s(self.accepted),
            idle_s: now.since_s(self.active),
            asked_ms: self.times.asked(),
            connected_ms: self.times.connected(),
            first_byte_ms: self.times.first_byte(),
            tls: self.down_tls.as_ref().and_then(|s| s.facts()).map(Box::new),
        }
    }
}
