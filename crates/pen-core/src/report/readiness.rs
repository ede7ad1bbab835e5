//! Whether clients can be sent here: the reply of `ready` and of `/readyz`, for whoever moves addresses
//! or clients (keepalived, a BGP daemon, another load balancer).
//!
//! Deliberately not here: how servers were found to be unusable, and how the state is gathered.

use std::sync::Arc;

use serde::Serialize;

use super::json::line;
use super::{ServerRow, Snapshot};
use crate::config::ServiceConfig;
use crate::routes;

/// Why a service is not ready for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// The process accepts no more.
    Draining,
    /// It has no listening address, and no route leads to it.
    NoListener,
    /// Neither a server of the table nor the emergency server can be used.
    NoServer,
    /// The interface of its direct server return is down or gone.
    NoLink,
}

impl NotReady {
    /// The word used in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::NoListener => "no_listener",
            Self::NoServer => "no_server",
            Self::NoLink => "no_link",
        }
    }
}

/// What a service looks like when it is asked whether it is ready.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The settings of all services.
    pub all: &'a [Arc<ServiceConfig>],
    /// The settings of this one.
    pub service: &'a ServiceConfig,
    /// Its servers.
    pub shot: &'a Snapshot,
    /// The process accepts no more.
    pub draining: bool,
    /// With direct server return: its interface can carry frames.
    pub link: Option<bool>,
}

/// Why a service is not ready. A service that is neither listened to nor led to, and has no server
/// either, is not in use (`default` beside named ones): nothing is missing there. Neither does a service
/// need servers that answers itself or only routes to others.
#[must_use]
pub fn not_ready(look: &Look<'_>) -> Vec<NotReady> {
    let Look { all, service, shot, draining, link } = *look;
    let mut targets = all.iter().flat_map(|s| routes::targets(s));
    let reached = !service.listen.is_empty() || targets.any(|name| name == service.name);
    let has_servers = shot.servers.iter().chain(&shot.emergency).any(ServerRow::is_set);
    if !reached && !has_servers {
        return Vec::new();
    }
    let needs_none = service.dummy || !has_servers && !service.routes.is_empty();
    // Without a weight a server gets no new client where weights choose.
    let by_weight = service.mode.weight && !service.mode.prio;
    let usable = shot.servers.iter().any(|s| s.usable() && !(by_weight && s.weight == 0))
        || shot.emergency.as_ref().is_some_and(ServerRow::usable);
    let reasons = [
        (draining, NotReady::Draining),
        (!reached, NotReady::NoListener),
        (!usable && !needs_none, NotReady::NoServer),
        (link == Some(false), NotReady::NoLink),
    ];
    reasons.into_iter().filter_map(|(applies, why)| applies.then_some(why)).collect()
}

/// The answer, service by service.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    /// The services in the order of the settings, those that were asked for.
    pub services: Vec<ServiceReadiness>,
    /// No service at all has a listening address.
    pub nothing_listens: bool,
    /// A worker does not answer: whoever is with it waits.
    pub worker_silent: bool,
}

/// A service.
#[derive(Clone, Debug, Default)]
pub struct ServiceReadiness {
    /// Its name.
    pub name: String,
    /// Why it is not ready; nothing if it is.
    pub not_ready: Vec<NotReady>,
}

impl Readiness {
    /// Whether clients can be sent here.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.whole().is_empty() && self.services.iter().all(|s| s.not_ready.is_empty())
    }

    /// Why not, a line for each reason; nothing if it is ready.
    #[must_use]
    pub fn reasons(&self) -> String {
        let whole = self.whole().into_iter().map(|why| format!("{why}\n"));
        let services = self.services.iter().flat_map(|service| {
            service.not_ready.iter().map(|why| format!("{}: {}\n", service.name, why.word()))
        });
        whole.chain(services).collect()
    }

    /// What is wrong with the process as a whole.
    fn whole(&self) -> Vec<&'static str> {
        let reasons =
            [(self.worker_silent, "worker_silent"), (self.nothing_listens, "nothing_listens")];
        reasons.into_iter().filter_map(|(applies, why)| applies.then_some(why)).collect()
    }
}

/// Whether a reply to `ready` says yes: `penctl` makes its exit status of it. No reply does not.
#[must_use]
pub fn says_yes(reply: &str) -> bool {
    reply == READY || reply.starts_with("{\"ready\":true,")
}

const READY: &str = "ready\n";

/// The reply: `ready`, or `not ready` and a line for each reason.
#[must_use]
pub fn text(readiness: &Readiness) -> String {
    match readiness.is_ready() {
        true => READY.to_owned(),
        false => format!("not ready\n{}", readiness.reasons()),
    }
}

/// The same as one line of JSON.
#[must_use]
pub fn json(readiness: &Readiness) -> String {
    #[derive(Serialize)]
    struct Reply<'a> {
        ready: bool,
        not_ready: Vec<&'static str>,
        services: Vec<Service<'a>>,
    }
    #[derive(Serialize)]
    struct Service<'a> {
        service: &'a str,
        ready: bool,
        not_ready: Vec<&'static str>,
    }
    let service = |s: &'_ ServiceReadiness| -> Vec<&'static str> {
        s.not_ready.iter().map(|why| why.word()).collect()
    };
    line(&Reply {
        ready: readiness.is_ready(),
        not_ready: readiness.whole(),
        services: readiness
            .services
            .iter()
            .map(|s| Service {
                service: &s.name,
                ready: s.not_ready.is_empty(),
                not_ready: service(s),
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let of = |name: &str, not_ready: &[NotReady]| ServiceReadiness {
            name: name.to_owned(),
            not_ready: not_ready.to_vec(),
        };
        let mut readiness = Readiness { services: vec![of("web", &[])], ..Readiness::default() };
        assert_eq!(text(&readiness), "ready\n");
        let ready = r#"{"ready":true,"not_ready":[],"services":[{"service":"web","ready":true,"not_ready":[]}]}"#;
        assert_eq!(json(&readiness), format!("{ready}\n"));
        assert!(says_yes(&text(&readiness)) && says_yes(&json(&readiness)));
        readiness.services.push(of("dns", &[NotReady::Draining, NotReady::NoServer]));
        assert_eq!(text(&readiness), "not ready\ndns: draining\ndns: no_server\n");
        let reply = json(&readiness);
        assert!(
            reply.contains(
                r#"{"service":"dns","ready":false,"not_ready":["draining","no_server"]}"#
            )
        );
        (readiness.worker_silent, readiness.nothing_listens) = (true, true);
        assert!(json(&readiness).contains(r#""not_ready":["worker_silent","nothing_listens"]"#));
        assert!(!says_yes(&text(&readiness)) && !says_yes(&json(&readiness)) && !says_yes(""));
        readiness.services.clear();
        assert_eq!(text(&readiness), "not ready\nworker_silent\nnothing_listens\n");
    }
}
