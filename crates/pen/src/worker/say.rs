//! What a worker tells the operator: what happened, to which service, connection, server and
//! client, and what Pen did about it. Suppressed messages cost one load.

use std::io;
use std::net::IpAddr;

use pen_core::addr::{Peer, Place};
use pen_core::event::{Detail, EventKey, Subject};
use pen_core::hello::Hello;
use pen_core::limits;
use pen_core::near::shown;
use pen_core::reasons::{CloseReason, ConnectFailure, HelloFault, Refusal};
use pen_core::report::TlsRow;
use pen_core::servers::{Server, ServerRef};
use pen_core::transparent;

use super::Worker;
use super::conn::Conn;
use super::dial::Call;
use crate::logs::{Level, Topic};
use crate::shared::Service;
use crate::tls::Trouble;

impl Worker {
    pub(super) fn say_accepted(&self, service: &Service, conn: &Conn) {
        self.logs.say(Level::Debug(2), || {
            let Peer { addr, port } = conn.visitor.peer;
            let before = match conn.visitor.remembered {
                Some(server) => format!("it used server {server} last"),
                None => "no server is remembered for it".to_owned(),
            };
            format!(
                "{}: connection {}: accepted client {addr} port {port}; {before}",
                service.name, conn.slot
            )
        });
    }

    pub(super) fn say_connected(&self, service: &Service, key: u32) {
        let Some(conn) = self.conns.get(key as usize) else { return };
        self.logs.say(Level::Debug(2), || {
            let server = conn.server().map_or_else(|| "none".to_owned(), |s| s.to_string());
            format!("{}: connection {}: connected to server {server}", service.name, conn.slot)
        });
    }

    pub(super) fn say_passed_over(
        &self,
        service: &Service,
        peer: Peer,
        server: ServerRef,
        refusal: Refusal,
    ) {
        if refusal == Refusal::Full {
            self.full.set(Some(server));
        }
        self.logs.say(Level::Debug(2), || {
            let service = &service.name;
            format!(
                "{service}: client {}: server {server} passed over: {}",
                peer.addr,
                refusal.word()
            )
        });
    }

    pub(super) fn say_connecting(
        &self,
        service: &Service,
        slot: u32,
        server: ServerRef,
        place: &Place,
    ) {
        self.logs.say(Level::Debug(2), || {
            format!("{}: connection {slot}: connecting to server {server} ({place})", service.name)
        });
    }

    pub(super) fn say_connect_failed(
        &self,
        service: &Service,
        slot: u32,
        peer: Peer,
        server: Option<ServerRef>,
        failure: ConnectFailure,
    ) {
        if failure == ConnectFailure::NotTransparent {
            // The dial has said more.
            return;
        }
        let live = service.live.load();
        let place = server.and_then(|s| live.server(s)).and_then(Server::place);
        let text = || {
            let what = match server {
                Some(server) => format!("server {server}"),
                None => "no server".to_owned(),
            };
            let place = place.map(|p| format!(" ({p})")).unwrap_or_default();
            let blacklisted = match (failure.blames_server(), live.config.blacklist_s) {
                (true, s) if s > 0 => format!("blacklisted for {s} s"),
                _ => "not blacklisted".to_owned(),
            };
            format!(
                "{}: connection {slot}, client {}: {what}{place}: connect {}; {blacklisted}",
                service.name,
                peer.addr,
                failure.word()
            )
        };
        let of_server = failure.blames_server() || failure == ConnectFailure::Reset;
        let topic = if of_server { Topic::ServerFailed } else { Topic::Shortage };
        self.logs.say_often(topic, Level::Always, text);
    }

    pub(super) fn say_handshake_failed(&self, service: &Service, conn: &Conn, trouble: &Trouble) {
        let (cause, client) = (trouble.fault.word(), conn.visitor.peer);
        let text = || {
            format!(
                "{}: connection {}, client {}: TLS handshake failed: {cause} ({}); closed",
                service.name, conn.slot, client.addr, trouble.detail
            )
        };
        self.tell_refused(service, (EventKey::HandshakeFailed, cause), client, text);
        self.logs.say_often(Topic::HandshakeFailed, Level::Always, text);
    }

    pub(super) fn say_shaken(&self, service: &Service, key: u32) {
        let Some(conn) = self.conns.get(key as usize) else { return };
        self.logs.say(Level::Debug(2), || {
            let (name, slot, client) = (&service.name, conn.slot, conn.visitor.peer.addr);
            let facts = conn.down_tls.as_ref().and_then(|s| s.facts());
            let facts = facts.map_or_else(|| "nothing is known of it".to_owned(), agreed);
            format!("{name}: connection {slot}, client {client}: TLS handshake finished: {facts}")
        });
    }

    pub(super) fn say_server_handshake_failed(&self, key: u32, trouble: &Trouble) {
        let Some(conn) = self.conns.get(key as usize) else { return };
        let Some(service) = self.station_service(conn.station) else { return };
        self.logs.say_often(Topic::ServerFailed, Level::Always, || {
            let server = conn.server().map_or_else(|| "none".to_owned(), |s| s.to_string());
            format!(
                "{}: connection {}: server {server}: TLS handshake failed: {} ({})",
                service.name,
                conn.slot,
                trouble.fault.word(),
                trouble.detail
            )
        });
    }

    /// A connection to a server cannot carry the client's address.
    pub(super) fn say_not_transparent(&self, call: Call<'_>, why: &str) {
        let Call { service, config, client, server, .. } = call;
        let text = || {
            let then = match config.transparent_fallback {
                true => "it sees Pen's own (transparent_fallback)",
                false => "it is passed over, not blacklisted",
            };
            format!(
                "{}: client {}: server {server} cannot be shown its address: {why}; {then}",
                service.name, client.addr
            )
        };
        let subject = Subject::new(EventKey::NotTransparent).at(&service.name).server(server);
        self.logs
            .event(subject, |e| e.with(Detail::Client, client.addr.to_string()).saying(text()));
        self.logs.say_often(Topic::NotTransparent, Level::Always, text);
    }

    /// No server was left that a client's address can be shown to.
    pub(super) fn say_cannot_be_shown(&self, service: &Service, client: Peer) {
        self.logs.say_often(Topic::NotTransparent, Level::Always, || {
            let live = service.live.load();
            let client = client.addr;
            let why = live.servers.iter().zip(0_u32..).find_map(|(server, n)| {
                let Some(Place::Tcp(to)) = server.place() else { return None };
                let obstacle = transparent::departure(&live.config, client, to).err()?;
                Some(format!(" (server {n}, {to}: {})", obstacle.words()))
            });
            format!(
                "{}: client {client}: no server that can be used can be shown its address{}; it is \
                 turned away (transparent)",
                service.name,
                why.unwrap_or_default()
            )
        });
    }

    pub(super) fn say_foreign_source(&self, service: &Service, source: IpAddr) {
        let text = || {
            let name = &service.name;
            format!("{name}: source {source} is no address of this machine: it is ignored")
        };
        let subject = Subject::new(EventKey::SourceMissing).at(&service.name);
        self.logs.event(subject, |e| e.address(source.to_string()).saying(text()));
        self.logs.say_often(Topic::ForeignSource, Level::Always, text);
    }

    pub(super) fn say_exhausted(&self, service: &Service, error: &io::Error) {
        self.tell_shortage(service, "descriptors", error);
        self.logs.say_often(Topic::Shortage, Level::Always, || {
            format!(
                "{}: cannot accept clients: {error}; they wait in the kernel's queue, Pen tries again",
                service.name
            )
        });
    }

    /// Where a client's hello led it: to the end is worth a line at any level.
    pub(super) fn say_routed(&self, key: u32, said: Result<&Hello, HelloFault>, nowhere: bool) {
        let Some(conn) = self.conns.get(key as usize) else { return };
        let Some(service) = self.station_service(conn.station) else { return };
        let text = || {
            let what = match said {
                Ok(hello) => {
                    let name = hello.sni.as_deref().unwrap_or("no name");
                    let protocols = hello.alpn.iter().take(limits::PROTOCOLS_SHOWN);
                    let protocols: Vec<String> =
                        protocols.map(|p| shown(&String::from_utf8_lossy(p))).collect();
                    let version = hello.versions.iter().max().copied().unwrap_or_default();
                    let offers = match protocols.is_empty() {
                        true => "no protocol".to_owned(),
                        false => protocols.join(", "),
                    };
                    format!("asks for {name}, offers {offers}, version {version:#06x}")
                }
                Err(fault) => format!("sent no TLS hello: {}", fault.word()),
            };
            let then = if nowhere { "no route is for it; closed" } else { "routed" };
            let (slot, client) = (conn.slot, conn.visitor.peer.addr);
            format!("{}: connection {slot}, client {client}: {what}; {then}", service.name)
        };
        match nowhere {
            true => {
                let cause = CloseReason::NoRoute.word();
                let client = conn.visitor.peer;
                self.tell_refused(&service, (EventKey::HelloRefused, cause), client, text);
                self.logs.say_often(Topic::HelloRefused, Level::Always, text);
            }
            false => self.logs.say(Level::Debug(2), text),
        }
    }

    pub(super) fn say_waiting(&self, key: u32, to: &Service) {
        let Some(conn) = self.conns.get(key as usize) else { return };
        self.logs.say_often(Topic::HelloRefused, Level::Debug(1), || {
            let client = conn.visitor.peer.addr;
            format!("{}: no room for client {client}, which was routed here; it waits", to.name)
        });
    }

    pub(super) fn say_not_routed(
        &self,
        service: &Service,
        conn: &Conn,
        reason: CloseReason,
        seconds: u32,
    ) {
        let why = match reason {
            CloseReason::HelloTimeout => "did not finish its TLS hello",
            CloseReason::ServiceFull => "found no room where its route leads",
            _ => return,
        };
        let text = || {
            let (slot, client) = (conn.slot, conn.visitor.peer.addr);
            let name = &service.name;
            format!("{name}: connection {slot}, client {client}: {why} in {seconds} s; reset")
        };
        let subject = (EventKey::HelloRefused, reason.word());
        self.tell_refused(service, subject, conn.visitor.peer, text);
        self.logs.say_often(Topic::HelloRefused, Level::Always, text);
    }

    pub(super) fn say_ended(&self, service: &Service, key: u32, reason: CloseReason) {
        let Some(conn) = self.conns.get(key as usize) else { return };
        self.logs.say(Level::Debug(1), || {
            let server = conn.server().map_or_else(|| "none".to_owned(), |s| s.to_string());
            format!(
                "{}: connection {}: ended: {}; client {}, server {server}, {} bytes to the server, {} to the client",
                service.name,
                conn.slot,
                reason.word(),
                conn.visitor.peer.addr,
                conn.from_client.written,
                conn.from_server.written,
            )
        });
    }
}

/// What a handshake led to. The subject, which may hold any word, comes last.
fn agreed(facts: TlsRow) -> String {
    let TlsRow { version, cipher, sni, alpn, client_subject, resumed } = facts;
    let resumed = if resumed { "resumed" } else { "full" };
    let name = sni.map_or_else(|| "no name".to_owned(), |name| format!("name {}", shown(&name)));
    let protocol =
        alpn.map_or_else(|| "no protocol".to_owned(), |p| format!("protocol {}", shown(&p)));
    let subject = client_subject
        .map_or_else(|| "no certificate".to_owned(), |s| format!("certificate of {s}"));
    format!("{version}, {cipher}, {resumed}; {name}, {protocol}, {subject}")
}
