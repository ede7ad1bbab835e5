//! Which events come from traffic: servers that go and come, limits that are reached, clients that are
//! turned away.
//!
//! What repeats is held back by whoever keeps the events; what would be told for every connection costs
//! no more than a load where nothing has happened.

use std::io;

use pen_core::addr::Peer;
use pen_core::event::{Detail, EventKey, Subject};
use pen_core::reasons::{CloseReason, ConnectFailure};
use pen_core::servers::{Server, ServerRef};
use pen_core::service::Live;

use super::Worker;
use crate::shared::Service;

impl Worker {
    /// A server failed. What became of it is known by now: it is blacklisted, or it is not.
    pub(super) fn tell_failed(
        &self,
        (service, live): (&Service, &Live),
        (server, client): (Option<ServerRef>, Peer),
        failure: ConnectFailure,
    ) {
        let name = &service.name;
        if failure == ConnectFailure::LocalResources {
            let subject = Subject::new(EventKey::LimitReached).at(name).because(failure.word());
            return self.logs.event(subject, |e| {
                let text = "no descriptor, memory or port is left for a connection to a server";
                e.with(Detail::Client, client.addr.to_string()).saying(format!("{name}: {text}"))
            });
        }
        let reset = failure == ConnectFailure::Reset;
        let Some(which) = server.filter(|_| reset || failure.blames_server()) else { return };
        let Some(server) = live.server(which) else { return };
        let seconds = live.config.blacklist_s;
        let out = server.load.blacklisted(self.now, seconds);
        let key = match out {
            _ if reset => EventKey::ServerFailed,
            true if server.load.tell_out(self.now) => EventKey::ServerDown,
            false if seconds == 0 => EventKey::ServerFailed,
            // Known already. Or it was another place that failed.
            _ => return,
        };
        let subject = Subject::new(key).at(name).server(which).because(failure.word());
        self.logs.event(subject, |e| {
            let place = server.place().map(|p| p.to_string()).unwrap_or_default();
            let what = if out && !reset {
                format!("blacklisted for {seconds} s")
            } else {
                "not blacklisted".into()
            };
            e.with(Detail::BlacklistS, seconds)
                .with(Detail::Client, client.addr.to_string())
                .saying(format!("{name}: server {which} ({place}): {}; {what}", failure.word()))
                .address(place)
        });
    }

    /// A server took a connection or answered. Asked only where the operator believes that it is out.
    pub(super) fn tell_back(&self, service: &Service, which: ServerRef) {
        let live = service.live.load();
        let Some(server) = live.server(which) else { return };
        // What was under way when it failed does not count.
        if server.load.blacklisted(self.now, live.config.blacklist_s) {
            return;
        }
        let Some(since) = server.load.tell_back() else { return };
        let name = &service.name;
        let subject = Subject::new(EventKey::ServerUp).at(name).server(which).because("answered");
        self.logs.event(subject, |e| {
            let place = server.place().map(|p| p.to_string()).unwrap_or_default();
            let seconds = self.now.since_s(since);
            e.with(Detail::DownS, seconds)
                .saying(format!("{name}: server {which} ({place}) answers again after {seconds} s"))
                .address(place)
        });
    }

    /// A client is turned away because there is no server for it.
    pub(super) fn tell_no_server(&self, service: &Service, client: Peer, reason: CloseReason) {
        use CloseReason::{NoServer, NotTransparent, Stubborn};
        if !matches!(reason, NoServer | Stubborn | NotTransparent) {
            return;
        }
        let name = &service.name;
        let subject = Subject::new(EventKey::NoServer).at(name).because(reason.word());
        self.logs.event(subject, |e| {
            let client = client.addr.to_string();
            let text = format!("{name}: client {client} is turned away: no server can be used");
            e.with(Detail::Client, client).saying(text)
        });
    }

    /// A server was passed over because it is full. Told when no lock is held any more.
    pub(super) fn tell_full(&self, service: &Service, live: &Live) {
        let Some(which) = self.full.take() else { return };
        let name = &service.name;
        let subject = Subject::new(EventKey::LimitReached).at(name).server(which);
        self.logs.event(subject.because("server_max"), |e| {
            let server = live.server(which);
            let place = server.and_then(Server::place).map(|p| p.to_string()).unwrap_or_default();
            let limit = server.map_or(0, |s| s.config.max);
            e.with(Detail::Limit, limit)
                .saying(format!("{name}: server {which} ({place}) has its {limit} connections"))
                .address(place)
        });
    }

    /// A service does not take clients for want of something.
    pub(super) fn tell_limit(
        &self,
        service: &Service,
        cause: &'static str,
        limit: u32,
        what: &str,
    ) {
        let name = &service.name;
        let subject = Subject::new(EventKey::LimitReached).at(name).because(cause);
        self.logs.event(subject, |e| {
            e.with(Detail::Limit, limit).saying(format!("{name}: {what} ({limit})"))
        });
    }

    /// The kernel has nothing left for a service.
    pub(super) fn tell_shortage(&self, service: &Service, cause: &'static str, error: &io::Error) {
        let name = &service.name;
        let subject = Subject::new(EventKey::LimitReached).at(name).because(cause);
        self.logs.event(subject, |e| {
            e.with(Detail::Error, error.to_string()).saying(format!("{name}: {error}"))
        });
    }

    /// A client did not come in; `text` is what the log says of it.
    pub(super) fn tell_refused(
        &self,
        service: &Service,
        (key, cause): (EventKey, &'static str),
        client: Peer,
        text: impl FnOnce() -> String,
    ) {
        let subject = Subject::new(key).at(&service.name).because(cause);
        self.logs
            .event(subject, |e| e.with(Detail::Client, client.addr.to_string()).saying(text()));
    }
}
