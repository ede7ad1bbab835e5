//! TLS handshakes: with a client before a server is looked for, with a server before bytes move.
//!
//! Unfinished handshakes of clients, and hellos that routes wait for (`hello`), are bounded in time, per
//! client and in all. A new client never
//! waits for them: where there are too many, the oldest one makes room, because an honest client
//! needs milliseconds.

use std::os::fd::AsFd;
use std::sync::atomic::Ordering;

use pen_core::config::Tls;
use pen_core::limits;
use pen_core::near::shown;
use pen_core::reasons::{CloseReason, ConnectFailure, TlsFault};
use pen_core::relay::Side;
use pen_core::service::Live;
use pen_sys::sockets;
use rustix::event::epoll::EventFlags;

use super::Worker;
use super::beginning::Way;
use super::conn::{Conn, Phase};
use super::ending::Manner;
use super::traffic::note_readable;
use crate::engine::{self, Shaken, Wire};
use crate::shared::Service;
use crate::tls::{Session, Trouble};

impl Worker {
    /// A client of a service that speaks TLS is there.
    pub(super) fn await_handshake(
        &mut self,
        key: u32,
        service: &Service,
        live: &Live,
        permitted: bool,
    ) {
        self.scratch.allowance.take(limits::MEMORY_PER_SESSION);
        self.count_unfinished(key, service, &live.config.tls, Phase::Handshaking { permitted });
    }

    /// A client is to show who it is before anything is done for it: one more that is unfinished.
    pub(super) fn count_unfinished(
        &mut self,
        key: u32,
        service: &Service,
        bounds: &Tls,
        phase: Phase,
    ) {
        let Some(conn) = self.conns.get(key as usize) else { return };
        let (client, station) = (conn.visitor.peer.addr, conn.station);
        let most = bounds.handshakes_per_client;
        if !service.tables().handshakes.begin(client, most) {
            let why = format!("its address has {most} unfinished ones");
            return self.refuse_handshake(key, &Trouble::new(TlsFault::TooMany, &why));
        }
        let unfinished = self.pool.handshakes.fetch_add(1, Ordering::SeqCst);
        if let Some(conn) = self.conns.get_mut(key as usize) {
            conn.phase = phase;
        }
        // Where this worker has no other one the client stays, or it would never find a place here:
        // one too many per worker.
        if unfinished >= bounds.handshakes_max
            && let Some(oldest) = self.oldest_handshake()
        {
            let why = format!("{unfinished} are unfinished, it is the oldest");
            self.refuse_handshake(oldest, &Trouble::new(TlsFault::MadeRoom, &why));
        }
        if let Some(station) = self.stations.get_mut(station as usize) {
            station.handshaking.append(&mut self.conns, key, self.now);
        }
        self.due_by(self.now.plus_s(bounds.handshake_timeout_s));
    }

    fn oldest_handshake(&self) -> Option<u32> {
        let heads = self.stations.iter().filter_map(|(_, s)| s.handshaking.head(&self.conns));
        heads.min_by_key(|(_, since)| since.0).map(|(key, _)| key)
    }

    /// It is taken out of the unfinished ones, whatever came of it.
    pub(super) fn handshake_over(&mut self, key: u32) {
        let Some(conn) = self.conns.get(key as usize) else { return };
        let client = conn.visitor.peer.addr;
        let Some(station) = self.stations.get_mut(conn.station as usize) else { return };
        station.handshaking.remove(&mut self.conns, key);
        station.service.tables().handshakes.end(client);
        self.pool.handshakes.fetch_sub(1, Ordering::SeqCst);
    }

    /// A client that is shaking hands sent something, or its socket has room.
    pub(super) fn shake_client(&mut self, key: u32, flags: EventFlags) {
        let Self { conns, stations, scratch, .. } = self;
        let Some(conn) = conns.get_mut(key as usize) else { return };
        note_readable(conn, Side::Client, flags);
        let Some(station) = stations.get(conn.station as usize) else { return };
        let Conn { down, down_tls, from_client, .. } = conn;
        let Some(down) = down.as_ref() else { return };
        // Made when the first bytes come: a silent client costs no more than a plain one.
        let session = match down_tls {
            Some(session) => Ok(session),
            None => begin_session(&station.service).map(|s| {
                // Handshake, tickets and data are written apart; none must wait for another's
                // acknowledgement. Unix sockets know no delay.
                let _ = sockets::set_nodelay(down, true);
                down_tls.insert(s)
            }),
        };
        let shaken = match session {
            Ok(session) => engine::shake(from_client, down.as_fd(), session, scratch),
            Err(trouble) => Shaken::Failed(trouble),
        };
        match shaken {
            Shaken::Done => self.client_shaken(key),
            Shaken::Waiting => {}
            Shaken::Blocked => self.arm_out(key, Side::Client),
            Shaken::More => self.queue_again(key),
            Shaken::Failed(trouble) => self.refuse_handshake(key, &trouble),
        }
    }

    /// The handshake is over: from here on everything is as without TLS.
    fn client_shaken(&mut self, key: u32) {
        let Some(conn) = self.conns.get(key as usize) else { return };
        let Phase::Handshaking { permitted } = conn.phase else { return };
        let station = conn.station;
        let resumed = conn.down_tls.as_ref().is_some_and(|s| s.is_resumed());
        self.handshake_over(key);
        let Some(service) = self.station_service(station) else { return };
        service.count(self.index, |tally| tally.shaken(resumed));
        self.say_shaken(&service, key);
        let live = service.live.load();
        let waits = permitted && (live.config.peek || live.config.dummy);
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        conn.phase = if live.config.dummy { Phase::Dummy } else { Phase::Peeking };
        if !waits {
            return self.queue(key, Way::of(permitted));
        }
        self.await_first_bytes(key, station);
        self.hear_client(key);
    }

    /// `peek` and `dummy`: the client may have said something.
    pub(super) fn hear_client(&mut self, key: u32) {
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        let phase = conn.phase;
        let Conn { down, down_tls, from_client, .. } = conn;
        let Some(down) = down.as_ref() else { return };
        if let Some(session) = down_tls
            && !engine::hear(from_client, down.as_fd(), session, &mut self.scratch)
        {
            return;
        }
        match phase {
            Phase::Peeking => self.queue(key, Way::Free),
            Phase::Dummy => self.answer_dummy(key),
            _ => {}
        }
    }

    /// The client does not come in.
    pub(super) fn refuse_handshake(&mut self, key: u32, trouble: &Trouble) {
        let Some(conn) = self.conns.get(key as usize) else { return };
        let Some(service) = self.station_service(conn.station) else { return };
        service.count(self.index, |tally| tally.handshake_failed(trouble.fault));
        self.say_handshake_failed(&service, conn, trouble);
        match trouble.fault {
            TlsFault::Left | TlsFault::TimedOut | TlsFault::MadeRoom | TlsFault::TooMany => {
                self.finish(key, Manner::Reset, CloseReason::HandshakeFailed);
            }
            // The alert must arrive: an operator of the other side reads it.
            _ => self.close_flushed(key, CloseReason::HandshakeFailed),
        }
    }

    /// The server accepted; if TLS is spoken to it, that begins now.
    pub(super) fn server_accepted(&mut self, key: u32, flags: EventFlags) {
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        let Some(dialer) = conn.dialer.take() else { return self.connected(key, flags) };
        // What the client was promised is what the server must speak.
        let protocol = conn.down_tls.as_ref().and_then(|s| s.protocol());
        match Session::with_server(&dialer, protocol) {
            Ok(session) => {
                conn.up_tls = Some(Box::new(session));
                self.scratch.allowance.take(limits::MEMORY_PER_SESSION);
                conn.phase = Phase::Securing;
                if let Some(up) = conn.up.as_ref() {
                    // As for clients.
                    let _ = sockets::set_nodelay(up, true);
                }
                self.shake_server(key, flags);
            }
            Err(_) => self.connect_failed(key, ConnectFailure::LocalResources),
        }
    }

    /// A server that is shaking hands sent something, or its socket has room.
    pub(super) fn shake_server(&mut self, key: u32, flags: EventFlags) {
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        note_readable(conn, Side::Server, flags);
        let Conn { up, up_tls, from_server, .. } = conn;
        let (Some(up), Some(session)) = (up.as_ref(), up_tls) else { return };
        match engine::shake(from_server, up.as_fd(), session, &mut self.scratch) {
            Shaken::Done => match protocols_differ(conn) {
                None => self.connected(key, flags | EventFlags::IN),
                Some(trouble) => self.server_not_shaken(key, &trouble),
            },
            // Its socket reports room since the connect.
            Shaken::Waiting | Shaken::Blocked => {}
            Shaken::More => self.queue_again(key),
            Shaken::Failed(trouble) => self.server_not_shaken(key, &trouble),
        }
    }

    fn server_not_shaken(&mut self, key: u32, trouble: &Trouble) {
        let failure = match trouble.fault {
            TlsFault::CertificateRefused => ConnectFailure::TlsCertificate,
            _ => ConnectFailure::TlsHandshake,
        };
        self.say_server_handshake_failed(key, trouble);
        self.connect_failed(key, failure);
    }

    /// No server was reached: the client of a TLS service hears that this is the end, not a cut.
    pub(super) fn say_goodbye(&mut self, key: u32) {
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        let (Some(down), Some(session)) = (conn.down.as_ref(), &mut conn.down_tls) else { return };
        let mut wire = Wire::default();
        // What cannot be said now will not be said.
        if !session.is_handshaking() && session.close(&mut wire).is_ok() {
            session.keep_unsent(wire.bytes());
            let _ = engine::send_outbox(down.as_fd(), session);
        }
    }
}

/// Client and server must speak the same protocol. A server that names none speaks HTTP/1.1, if that
/// is what the client wants.
fn protocols_differ(conn: &Conn) -> Option<Trouble> {
    let promised = conn.down_tls.as_ref().and_then(|s| s.protocol())?;
    let spoken = conn.up_tls.as_ref().and_then(|s| s.protocol());
    if spoken.unwrap_or(b"http/1.1") == promised {
        return None;
    }
    let promised = String::from_utf8_lossy(promised);
    let why = format!("it does not speak {}, as the client does", shown(&promised));
    Some(Trouble::new(TlsFault::NoCommonProtocol, &why))
}

fn begin_session(service: &Service) -> Result<Box<Session>, Trouble> {
    let terminator = service.tls.load();
    let Some(terminator) = terminator.as_ref() else {
        return Err(Trouble::new(TlsFault::Broken, "the service no longer speaks TLS"));
    };
    terminator.session().map(Box::new)
}
