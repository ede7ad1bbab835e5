//! The connection log at a worker: what is known of a connection or flow becomes a record; records are
//! collected and handed to the log thread, which makes lines of them.
//!
//! Nothing here is done for a service without the log. Records wait for company up to
//! [`limits::LOG_RECORDS_MS`]: waking another thread for each connection would cost more than its line.

use std::os::fd::{AsFd, BorrowedFd};

use pen_core::addr::Place;
use pen_core::config::Protocol;
use pen_core::connlog::{ConnectionLog, Local, Record, TcpFacts, What};
use pen_core::flow::Flow;
use pen_core::journey::Journey;
use pen_core::limits;
use pen_core::moment::Moment;
use pen_core::relay::Side;
use pen_core::servers::Server;
use pen_core::service::Live;
use pen_sys::sockets;
use rustix::net::{SocketAddrAny, getpeername, getsockname};

use super::Worker;
use super::conn::{Conn, Phase};
use crate::clock;
use crate::logs::{LogId, Logs};

/// What a station collects for its connection log.
#[derive(Debug)]
pub struct Collector {
    start: bool,
    every_s: u32,
    records: Vec<Record>,
    /// When open connections were looked at last.
    looked: Moment,
}

impl Collector {
    /// As the settings say; what is collected already stays.
    pub fn renew(before: Option<Self>, log: Option<&ConnectionLog>, now: Moment) -> Option<Self> {
        let log = log?;
        let (records, looked) = before.map_or((Vec::new(), now), |c| (c.records, c.looked));
        Some(Self { start: log.start, every_s: log.every_s, records, looked })
    }

    /// Whether a line of this kind is asked for.
    pub fn wants(&self, what: What) -> bool {
        what != What::Start || self.start
    }
}

/// What only open sockets tell.
#[derive(Clone, Debug, Default)]
pub struct Ends {
    listener: Option<Local>,
    client: Option<TcpFacts>,
    server: Option<TcpFacts>,
    place: Option<Place>,
}

impl Worker {
    /// A server has taken the connection.
    pub(super) fn record_start(&mut self, key: u32) {
        let Some(conn) = self.conns.get(key as usize) else { return };
        let collector = self.stations.get(conn.station as usize).and_then(|s| s.collector.as_ref());
        if collector.is_some_and(|c| c.wants(What::Start)) {
            self.record(key, What::Start);
        }
    }

    /// Adds a connection to its service's log, if there is one. To be called while its sockets are there.
    pub(super) fn record(&mut self, key: u32, what: What) {
        let Some(conn) = self.conns.get(key as usize).filter(|c| !c.is_idler()) else { return };
        let Some(station) = self.stations.get(conn.station as usize) else { return };
        if station.collector.is_none() {
            return;
        }
        let live = station.service.live.load();
        let record = of_connection(conn, &live, what, self.now);
        let station = conn.station;
        self.collect(station, record);
    }

    /// A socket of the connection is about to be closed before the other: what it tells is kept.
    pub(super) fn keep_ends(&mut self, key: u32) {
        let Some(conn) = self.conns.get_mut(key as usize).filter(|c| !c.is_idler()) else { return };
        let station = self.stations.get(conn.station as usize);
        if conn.ends.is_none() && station.is_some_and(|s| s.collector.is_some()) {
            let place = conn.socket(Side::Server).and_then(peer);
            conn.ends = Some(Box::new(Ends { place, ..ends_of(conn) }));
        }
    }

    /// What is known of a flow.
    pub(super) fn of_flow(&self, flow: &Flow, live: &Live, what: What) -> Record {
        let bound = self.udp.bound(flow.key.door as usize);
        let listener = bound.map(|mut at| {
            if let Some((ip, _)) = flow.key.local {
                at.set_ip(ip);
            }
            Local::Ip(at)
        });
        Record {
            what,
            wall: clock::wall_ms(),
            protocol: Protocol::Udp,
            number: flow.number,
            listener,
            client: flow.visitor.peer,
            server: flow.journey.server(),
            server_name: name_of(&flow.journey, live),
            place: Some(Place::Tcp(flow.server)),
            trail: flow.journey.trail().cloned().map(Box::new),
            asked_ms: None,
            connected_ms: None,
            first_byte_ms: None,
            total_ms: self.now.since_ms(flow.opened),
            bytes_in: flow.moved.to_server,
            bytes_out: flow.moved.to_client,
            tls: None,
            server_tls: false,
            client_tcp: None,
            server_tcp: None,
        }
    }

    /// Takes a record in for the log of its station.
    pub(super) fn collect(&mut self, key: u32, record: Record) {
        let Some(station) = self.stations.get_mut(key as usize) else { return };
        let id = LogId::connections(station.service.id);
        let Some(collector) = &mut station.collector else { return };
        if collector.records.is_empty() {
            collector.records.reserve_exact(limits::LOG_RECORDS);
            if self.recording.is_empty() {
                self.records_due = self.now.plus_ms(limits::LOG_RECORDS_MS);
            }
            if !self.recording.contains(&key) {
                self.recording.push(key);
            }
        }
        collector.records.push(record);
        if collector.records.len() >= limits::LOG_RECORDS {
            hand_over(&self.logs, id, collector);
        }
        self.due_by(self.records_due);
    }

    /// Hands over what has waited long enough, and looks at what is open for long.
    pub(super) fn look_at_records(&mut self) {
        if self.recording.is_empty() {
            return;
        }
        if self.now < self.records_due {
            return self.due_by(self.records_due);
        }
        self.send_records();
    }

    /// Hands all records over.
    pub(super) fn send_records(&mut self) {
        for key in std::mem::take(&mut self.recording) {
            let Some(station) = self.stations.get_mut(key as usize) else { continue };
            let id = LogId::connections(station.service.id);
            if let Some(collector) = &mut station.collector {
                hand_over(&self.logs, id, collector);
            }
        }
    }

    /// Lines about what is open for long, once a second for those whose time has come.
    pub(super) fn look_at_long_ones(&mut self, key: u32) {
        let now = self.now;
        let Some(collector) =
            self.stations.get_mut(key as usize).and_then(|s| s.collector.as_mut())
        else {
            return;
        };
        let every_ms = u64::from(collector.every_s) * 1_000;
        if every_ms == 0 {
            return;
        }
        let due = collector.looked.plus_s(1);
        if now < due {
            return self.due_by(due);
        }
        let before = std::mem::replace(&mut collector.looked, now);
        self.due_by(now.plus_s(1));
        let came =
            |begin: Moment| now.since_ms(begin) / every_ms > before.since_ms(begin) / every_ms;
        let open = |c: &Conn| c.station == key && c.phase != Phase::Gone && came(c.accepted);
        let conns: Vec<usize> =
            self.conns.iter().filter(|(_, c)| open(c)).map(|(key, _)| key).collect();
        for conn in conns {
            self.record(u32::try_from(conn).unwrap_or(u32::MAX), What::Open);
        }
        self.record_long_flows(key, came);
    }
}

fn hand_over(logs: &Logs, id: LogId, collector: &mut Collector) {
    logs.records(id, std::mem::take(&mut collector.records));
}

fn of_connection(conn: &Conn, live: &Live, what: What, now: Moment) -> Record {
    let ends = conn.ends.as_deref().cloned().unwrap_or_else(|| ends_of(conn));
    let journey = conn.journey.as_ref();
    let server = conn.server();
    let at_home = journey.filter(|j| j.is_where_it_was(live)).and_then(Journey::server);
    // Where the settings are others by now the socket knows better, if it is there.
    let place = match at_home {
        Some(server) => live.server(server).and_then(Server::place),
        None => conn.socket(Side::Server).and_then(peer).or(ends.place),
    };
    Record {
        what,
        wall: clock::wall_ms(),
        protocol: Protocol::Tcp,
        number: conn.slot,
        listener: ends.listener,
        client: conn.visitor.peer,
        server,
        server_name: journey.and_then(|j| name_of(j, live)),
        place,
        trail: journey.and_then(Journey::trail).cloned().map(Box::new),
        asked_ms: conn.times.asked(),
        connected_ms: conn.times.connected(),
        first_byte_ms: conn.times.first_byte(),
        total_ms: now.since_ms(conn.accepted),
        bytes_in: conn.from_client.read,
        bytes_out: conn.from_server.written,
        tls: conn.down_tls.as_ref().and_then(|s| s.facts()).map(Box::new),
        server_tls: conn.up_tls.is_some(),
        client_tcp: ends.client,
        server_tcp: ends.server,
    }
}

fn name_of(journey: &Journey, live: &Live) -> Option<Box<str>> {
    let server = live.server(journey.server().filter(|_| journey.is_where_it_was(live))?)?;
    server.config.name.as_deref().map(Into::into)
}

fn ends_of(conn: &Conn) -> Ends {
    let (down, up) = (conn.socket(Side::Client), conn.socket(Side::Server));
    let unix = conn.client_is_unix();
    Ends {
        listener: down.and_then(|s| local(getsockname(s).ok()?)),
        client: down.filter(|_| !unix).and_then(tcp_facts),
        server: up.and_then(tcp_facts),
        place: None,
    }
}

fn tcp_facts(socket: BorrowedFd<'_>) -> Option<TcpFacts> {
    let state = sockets::tcp_state(socket.as_fd())?;
    Some(TcpFacts { rtt_us: state.rtt_us, retransmits: state.retransmits })
}

fn local(address: SocketAddrAny) -> Option<Local> {
    match place(address)? {
        Place::Tcp(at) => Some(Local::Ip(at)),
        Place::Unix(path) => Some(Local::Unix(path)),
    }
}

fn peer(socket: BorrowedFd<'_>) -> Option<Place> {
    place(getpeername(socket).ok()??)
}

fn place(address: SocketAddrAny) -> Option<Place> {
    if let Ok(unix) = rustix::net::SocketAddrUnix::try_from(address.clone()) {
        let path = unix.path()?.into_owned();
        return Some(Place::Unix(path.to_str().ok()?.into()));
    }
    let mut at = std::net::SocketAddr::try_from(address).ok()?;
    at.set_ip(at.ip().to_canonical());
    Some(Place::Tcp(at))
}
