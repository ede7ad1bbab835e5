//! What is answered to a request.

use std::sync::Arc;

use pen_core::limits;
use pen_core::report::openmetrics::{self, Facts, Form, Scene};
use pen_core::report::overview::{self, Overview};
use pen_core::web::{
    Answer, Kind, Method, Request, Status, SteerFault, Target, command_of, is_from_page, is_steady,
};

use super::door::Who;
use super::files;
use super::host::Host;
use crate::clock;
use crate::gather::Much;

impl Host {
    pub(super) fn answer(&mut self, request: &Request, body: &[u8], who: Who) -> Answer {
        let target = Target::of(&request.path);
        let file = match target {
            Target::File => files::file(&request.path),
            _ => None,
        };
        if target == Target::File && file.is_none() {
            return Answer::plain(Status::NotFound);
        }
        if let Err(allow) = target.takes(request.method) {
            let answer = Answer::plain(Status::MethodNotAllowed);
            return Answer { allow: Some(allow), ..answer };
        }
        match target {
            Target::Metrics => self.metrics(request),
            Target::Healthz => self.healthz(),
            Target::Readyz => self.readyz(),
            Target::Status => self.status(request, who),
            Target::Control => self.control(request, body, who),
            Target::File => file.unwrap_or_else(|| Answer::plain(Status::NotFound)),
        }
    }

    /// An overview of this moment, or of one a little before.
    pub(super) fn overview(&mut self, much: Much) -> Arc<Overview> {
        let now = clock::now();
        if let Some((at, what, overview)) = &self.fresh
            && now.since_ms(*at) < limits::WEB_FRESH_MS
            && *what >= much
        {
            return Arc::clone(overview);
        }
        let overview = Arc::new(self.shared.board.overview(much));
        self.fresh = Some((now, much, Arc::clone(&overview)));
        overview
    }

    fn metrics(&mut self, request: &Request) -> Answer {
        let overview = self.overview(Much::Servers);
        let facts = Facts {
            descriptors_max: Some(self.shared.descriptors),
            ..self.shared.board.complete(self.shared.facts.facts())
        };
        let shown = self.shared.board.shown();
        let scene = Scene { overview: &overview, certificates: &shown.certificates, facts };
        match request.openmetrics {
            true => Answer::ok(Kind::OpenMetrics, openmetrics::text(&scene, Form::OpenMetrics)),
            false => Answer::ok(Kind::Prometheus, openmetrics::text(&scene, Form::Prometheus)),
        }
    }

    fn healthz(&self) -> Answer {
        if self.shared.board.ask_workers(false) {
            Answer::text(Status::Ok, "ok")
        } else {
            Answer::text(Status::Unavailable, "a worker does not answer")
        }
    }

    fn readyz(&self) -> Answer {
        let readiness = self.shared.board.readiness(None);
        match readiness.is_ready() {
            true => Answer::text(Status::Ok, "ready"),
            false => Answer::text(Status::Unavailable, readiness.reasons().trim_end()),
        }
    }

    fn status(&mut self, request: &Request, who: Who) -> Answer {
        let overview = self.overview(Much::Clients);
        let steers = request.host.as_deref().is_some_and(is_steady)
            && self.shared.rules.load().may_steer(who);
        let token = steers.then_some(self.shared.token.as_str());
        Answer::ok(Kind::Json, overview::json(&overview, Some(&self.history), token))
    }

    fn control(&self, request: &Request, body: &[u8], who: Who) -> Answer {
        let reply = self.steer(request, body, who);
        let (status, word, text) = match reply {
            // The control socket's way to refuse.
            Ok(reply) => match reply.strip_prefix("error: ") {
                Some(why) => (Status::BadRequest, "error", why.trim_end().to_owned()),
                None => (Status::Ok, "reply", reply),
            },
            Err(fault) => (fault.status(), "error", fault.text()),
        };
        let body = serde_json::json!({ word: text });
        Answer { status, ..Answer::ok(Kind::Json, format!("{body}\n")) }
    }

    fn steer(&self, request: &Request, body: &[u8], who: Who) -> Result<String, SteerFault> {
        debug_assert_eq!(request.method, Method::Post);
        let rules = self.shared.rules.load();
        if !rules.steering {
            return Err(SteerFault::Off);
        }
        if !rules.may_steer(who) {
            return Err(SteerFault::Denied);
        }
        is_from_page(request, |token| self.shared.knows(token))?;
        let command = command_of(body)?;
        Ok(self.shared.wishes.ask(command, who.to_string()))
    }
}
