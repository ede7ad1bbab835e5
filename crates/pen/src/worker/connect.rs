//! The way to a server: start a connect, hear what came of it, go on to the next server.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pen_core::addr::Place;
use pen_core::config::Trust;
use pen_core::journey::{Journey, Step};
use pen_core::reasons::{CloseReason, ConnectFailure, TlsFault};
use pen_core::relay::Side;
use pen_core::servers::ServerRef;
use pen_core::service::Live;
use pen_sys::sockets;
use rustix::event::epoll::EventFlags;

use super::Worker;
use super::conn::{Conn, Phase};
use super::dial::{Call, failure_of};
use super::ending::Manner;
use crate::shared::Service;
use crate::tls::{Dialer, Trouble};

impl Worker {
    /// Takes steps until a connect is pending or the journey is over.
    pub(super) fn walk(&mut self, key: u32, service: &Service, live: &Live, mut step: Step) {
        self.tell_full(service, live);
        loop {
            let server = match step {
                Step::Connect(server) => server,
                Step::Close(reason @ CloseReason::ServerReset) => {
                    return self.finish(key, Manner::Reset, reason);
                }
                // No server was reached, so there is no stream that could be cut short: as the
                // classic does, the client is closed.
                Step::Close(reason) => {
                    if let Some(conn) = self.conns.get(key as usize).filter(|c| !c.is_idler()) {
                        if reason == CloseReason::NotTransparent {
                            self.say_cannot_be_shown(service, conn.visitor.peer);
                        }
                        self.tell_no_server(service, conn.visitor.peer, reason);
                    }
                    self.say_goodbye(key);
                    return self.finish(key, Manner::Close, reason);
                }
            };
            match self.start_connect(key, service, live, server) {
                Ok(()) => return,
                Err(failure) => match self.next_step(key, service, live, failure) {
                    Some(next) => step = next,
                    None => return,
                },
            }
        }
    }

    fn start_connect(
        &mut self,
        key: u32,
        service: &Service,
        live: &Live,
        server: ServerRef,
    ) -> Result<(), ConnectFailure> {
        let place = live.server(server).and_then(pen_core::servers::Server::place);
        let place = place.ok_or(ConnectFailure::Unreachable)?;
        let dialer = dialer(service, live, server)?;
        let Some(conn) = self.conns.get(key as usize) else { return Ok(()) };
        // Of a TLS handshake the client's part comes first.
        let bytes_follow = dialer.is_some() || has_spoken(conn);
        let (config, client) = (&live.config, conn.visitor.peer);
        let call = Call { service, config, client, server, bytes_follow };
        self.note_asked(key);
        let socket = match self.dial(call, &place) {
            // The spare descriptor was kept for this.
            Err(ConnectFailure::LocalResources) if self.spare.take().is_some() => {
                self.scratch.spare_descriptors();
                self.dial(call, &place)?
            }
            socket => socket?,
        };
        let Some(conn) = self.conns.get_mut(key as usize) else { return Ok(()) };
        conn.up = Some(socket);
        conn.dialer = dialer;
        conn.phase = Phase::Connecting;
        let is_unix = matches!(place, Place::Unix(_));
        conn.from_client.leads_to_unix(is_unix);
        if is_unix {
            conn.from_server.read_to_the_last();
        }
        let (slot, station) = (conn.slot, conn.station);
        service.last_server.store(server.number(), Ordering::Relaxed);
        if self.watch(key, Side::Server, EventFlags::OUT).is_err() {
            return Err(ConnectFailure::LocalResources);
        }
        self.now_pending(key, service, live);
        if let Some(station) = self.stations.get_mut(station as usize) {
            station.connecting.append(&mut self.conns, key, self.now);
        }
        self.due_by(self.now.plus_s(live.config.timeout_s));
        self.say_connecting(service, slot, server, &place);
        Ok(())
    }

    /// The server's socket of a connecting connection reported something.
    pub(super) fn on_connect_event(&mut self, key: u32, flags: EventFlags) {
        let Some(conn) = self.conns.get(key as usize) else { return };
        let Some(up) = conn.up.as_ref() else { return };
        // A reset that came with bytes before it ends an open connection, and reading tells of it: asking
        // for the error here would take it away, and the end would look like a clean one.
        let spoken = rustix::io::ioctl_fionread(up).is_ok_and(|bytes| bytes > 0);
        if flags.intersects(EventFlags::ERR | EventFlags::HUP) && !spoken {
            let failure = match sockets::take_error(up) {
                Err(error) => failure_of(&error),
                // It was connected, and the server (a Unix one) has closed again. It may have said
                // something before.
                Ok(()) => return self.server_accepted(key, flags),
            };
            self.connect_failed(key, failure);
        } else if spoken || flags.contains(EventFlags::OUT) {
            self.server_accepted(key, flags);
        }
    }

    /// A pending connect failed: on to the next server.
    pub(super) fn connect_failed(&mut self, key: u32, failure: ConnectFailure) {
        let Some(station) = self.conns.get(key as usize).map(|c| c.station) else { return };
        let Some(service) = self.station_service(station) else { return };
        self.no_longer_pending(key, &service);
        let live = service.live.load();
        if let Some(step) = self.next_step(key, &service, &live, failure) {
            self.walk(key, &service, &live, step);
        }
    }

    /// What the journey answers to a failure. `None` if the connection is not there any more.
    fn next_step(
        &mut self,
        key: u32,
        service: &Service,
        live: &Live,
        failure: ConnectFailure,
    ) -> Option<Step> {
        let now = self.now;
        let conn = self.conns.get_mut(key as usize)?;
        // Dropping the socket takes it out of epoll as well.
        conn.up = None;
        if conn.up_tls.take().is_some() {
            conn.from_server.restart();
        }
        let (slot, visitor, client) = (conn.slot, conn.visitor.clone(), conn.client);
        let mut journey = conn.journey.take()?;
        let server = journey.server();
        self.say_connect_failed(service, slot, visitor.peer, server, failure);
        let note = |s, refusal| self.say_passed_over(service, visitor.peer, s, refusal);
        let step = journey.failed(live, &visitor, failure, now, note);
        self.tell_failed((service, live), (server, visitor.peer), failure);
        if let (Step::Connect(ServerRef::Regular(n)), Some(id)) = (step, client)
            && !live.config.mode.forgetful
        {
            service.tables().clients.remember(id, n);
        }
        let conn = self.conns.get_mut(key as usize)?;
        conn.journey = Some(journey);
        conn.visitor = visitor;
        Some(step)
    }

    pub(super) fn connected(&mut self, key: u32, flags: EventFlags) {
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        conn.phase = Phase::Open;
        conn.active = self.now;
        if let Some(journey) = conn.journey.as_mut() {
            journey.connected();
        }
        let (station, idler) = (conn.station, conn.is_idler());
        let back = conn.journey.as_ref().filter(|j| j.is_told_out()).and_then(Journey::server);
        let Some(service) = self.station_service(station) else { return };
        if let Some(server) = back {
            self.tell_back(&service, server);
        }
        self.no_longer_pending(key, &service);
        self.say_connected(&service, key);
        if idler {
            return self.keep_idler(key, flags);
        }
        self.note_connected(key, &service);
        self.record_start(key);
        if let Some(station) = self.stations.get_mut(station as usize) {
            station.open.append(&mut self.conns, key, self.now);
            let idle_s = station.idle_s;
            if idle_s > 0 {
                self.due_by(self.now.plus_s(idle_s));
            }
        }
        self.traffic(key, Side::Server, flags);
        self.pump(key, Side::Client);
    }

    fn now_pending(&mut self, key: u32, service: &Service, live: &Live) {
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        conn.pends = conn.journey.as_ref().is_some_and(|j| j.counts_as_pending(live));
        if conn.pends {
            service.pending.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Takes a connection out of the pending ones and lets waiting clients in.
    pub(super) fn no_longer_pending(&mut self, key: u32, service: &Service) {
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        if std::mem::take(&mut conn.pends) {
            service.pending.fetch_sub(1, Ordering::SeqCst);
        }
        let station = conn.station;
        if let Some(station) = self.stations.get_mut(station as usize) {
            station.connecting.remove(&mut self.conns, key);
        }
        service.feed_starved(&self.pool);
    }

    /// A server did not answer in time: so do not wait for it on behalf of the others either.
    pub(super) fn connect_timed_out(&mut self, station: u32, key: u32) {
        let Some(conn) = self.conns.get(key as usize) else { return };
        let Some(server) = conn.server() else { return };
        if conn.phase == Phase::Securing {
            let why = "it accepted the connection, but did not end the handshake in time";
            self.say_server_handshake_failed(key, &Trouble::new(TlsFault::TimedOut, why));
        }
        let stubborn = self
            .station_service(station)
            .is_some_and(|s: Rc<_>| s.live.load().config.mode.stubborn);
        self.connect_failed(key, ConnectFailure::TimedOut);
        if stubborn {
            return;
        }
        let Some(station) = self.stations.get(station as usize) else { return };
        let others: Vec<u32> = station
            .connecting
            .keys(&self.conns)
            .filter(|k| self.conns.get(*k as usize).and_then(Conn::server) == Some(server))
            .collect();
        for other in others {
            self.connect_failed(other, ConnectFailure::TimedOut);
        }
    }
}

/// How TLS is spoken to the server, if it is. The settings decide, so that a server that wants TLS is
/// never spoken to in plain text, even while settings are changing.
fn dialer(
    service: &Service,
    live: &Live,
    server: ServerRef,
) -> Result<Option<Arc<Dialer>>, ConnectFailure> {
    if live.server(server).is_none_or(|s| s.config.tls.trust == Trust::Off) {
        return Ok(None);
    }
    let dialers = service.tls_servers.load();
    let dialer = dialers.as_ref().and_then(|d| d.of(server));
    dialer.map(|d| Some(Arc::clone(d))).ok_or(ConnectFailure::LocalResources)
}

/// Whether bytes of the client wait that go to the server at once. Those of a TLS session are not known
/// to be for the server.
fn has_spoken(conn: &Conn) -> bool {
    let Some(down) = conn.down.as_ref().filter(|_| conn.down_tls.is_none()) else { return false };
    rustix::io::ioctl_fionread(down).is_ok_and(|bytes| bytes > 0)
}
