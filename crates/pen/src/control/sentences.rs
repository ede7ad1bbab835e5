//! Sentences of the operator (`server N blacklist T`): told when they begin, when they are taken back,
//! and when their time is over.

use std::sync::Arc;

use pen_core::event::{Detail, EventKey, Subject};
use pen_core::limits;
use pen_core::moment::Moment;
use pen_core::servers::{Server, ServerRef};

use crate::logs::Logs;
use crate::shared::Service;

/// Sentences whose end is to be told, one per server.
#[derive(Debug, Default)]
pub struct Sentences {
    pending: Vec<(Arc<Service>, u32, Moment)>,
}

impl Sentences {
    /// When the next one ends.
    #[must_use]
    pub fn next(&self) -> Option<Moment> {
        self.pending.iter().map(|(_, _, until)| *until).min()
    }

    /// A server was sentenced to `seconds` from `now` on; 0 is a pardon.
    pub fn pass(
        &mut self,
        logs: &Logs,
        (service, slot): (&Arc<Service>, u32),
        seconds: u32,
        now: Moment,
    ) {
        self.pending.retain(|(s, n, _)| (s.id, *n) != (service.id, slot));
        let live = service.live.load();
        let which = ServerRef::Regular(slot);
        let Some(server) = live.server(which) else { return };
        if seconds == 0 {
            return tell_back(logs, service, (which, server), "pardoned");
        }
        if let Some(until) = server.load.sentenced_until() {
            self.pending.push((Arc::clone(service), slot, until));
        }
        server.load.tell_out(now);
        let subject = Subject::new(EventKey::ServerDown).at(&service.name).server(which);
        logs.event(subject.because("operator"), |e| {
            let place = server.place().map(|p| p.to_string()).unwrap_or_default();
            let name = &service.name;
            let time = match seconds {
                limits::SECONDS_MAX => "until it is pardoned".to_owned(),
                seconds => format!("for {seconds} s"),
            };
            e.with(Detail::BlacklistS, seconds)
                .saying(format!("{name}: server {which} ({place}) is blacklisted {time}"))
                .address(place)
        });
    }

    /// Tells of those that are over.
    pub fn look(&mut self, logs: &Logs, now: Moment) {
        self.pending.retain(|(service, slot, until)| {
            if now < *until {
                return true;
            }
            let live = service.live.load();
            let which = ServerRef::Regular(*slot);
            if let Some(server) = live.server(which)
                && server.load.sentenced_until() == Some(*until)
                && !server.load.blacklisted(now, live.config.blacklist_s)
            {
                tell_back(logs, service, (which, server), "sentence_over");
            }
            false
        });
    }
}

fn tell_back(
    logs: &Logs,
    service: &Service,
    (which, server): (ServerRef, &Server),
    cause: &'static str,
) {
    if server.load.tell_back().is_none() {
        return;
    }
    let subject = Subject::new(EventKey::ServerUp).at(&service.name).server(which);
    logs.event(subject.because(cause), |e| {
        let place = server.place().map(|p| p.to_string()).unwrap_or_default();
        let text = format!("{}: server {which} ({place}) may take clients again", service.name);
        e.saying(text).address(place)
    });
}
