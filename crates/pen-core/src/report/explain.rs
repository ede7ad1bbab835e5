//! The reply of `explain`: what a client would get now, by which rule, and how each server stands to it.

use std::fmt::Write;
use std::sync::Arc;

#[cfg(test)]
pub(super) mod tests;
mod twin;

use super::classic::line;
use crate::addr::Host;
use crate::arrivals::Excess;
use crate::config::Protocol;
use crate::explain::path::{self, Passage};
use crate::explain::{Answer, By, Outcome, Question, Skip, Standing, Trial};
use crate::moment::Moment;
use crate::reasons::{CloseReason, Refusal};
use crate::routes::To;
use crate::select::Rule;
use crate::servers::{Server, ServerRef};
use crate::service::Live;

pub use twin::json;

/// What is told.
#[derive(Debug)]
pub struct Explained<'a> {
    /// What was asked.
    pub question: &'a Question,
    /// The services with routes that the client comes through.
    pub passages: Vec<Passage>,
    /// Where it is served; `None` if the routes lead nowhere.
    pub place: Option<Served>,
    /// The service that it comes to first.
    pub asked: &'a str,
    /// Routes are for names or protocols, and the question has none.
    pub by_hello: bool,
    /// The present.
    pub now: Moment,
}

/// The service that serves the client.
#[derive(Debug)]
pub struct Served {
    /// The settings that the answer is about.
    pub live: Arc<Live>,
    /// What becomes of it there.
    pub answer: Answer,
    /// What it has to wait for first.
    pub waits: Option<Wait>,
}

/// What new clients wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// `conn_max` is reached.
    ConnMax,
    /// `pending_max` is reached.
    PendingMax,
    /// The service has no listening address.
    Listen,
}

impl Wait {
    fn word(self) -> &'static str {
        match self {
            Self::ConnMax => "conn_max",
            Self::PendingMax => "pending_max",
            Self::Listen => "listen",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::ConnMax => "until a connection ends: conn_max is reached",
            Self::PendingMax => "until a connect is answered: pending_max is reached",
            Self::Listen => "for ever: the service has no listening address",
        }
    }
}

/// What another answer could come of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depends {
    Hello,
    Port,
    Turn,
    Load,
    Flows,
}

impl Depends {
    fn word(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Port => "port",
            Self::Turn => "turn",
            Self::Load => "load",
            Self::Flows => "flows",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Hello => {
                "what the client says first; this is for one that no route by name or protocol is for \
                 (ask with: sni NAME, alpn PROTOCOL)"
            }
            Self::Port => "the client's port, which is part of the key (ask with: port N)",
            Self::Turn => "whose turn it is: each new client moves the round robin on",
            Self::Load => "the connections of the moment",
            Self::Flows => {
                "nothing older: flows of the client that are open stay with their server"
            }
        }
    }
}

impl Explained<'_> {
    fn depends(&self) -> Vec<Depends> {
        let mut all = Vec::new();
        if self.by_hello {
            all.push(Depends::Hello);
        }
        let Some(Served { live, answer, .. }) = &self.place else { return all };
        all.extend(match answer.by {
            By::Rule(Rule::HashPort) | By::Maglev { port: true } => Some(Depends::Port),
            By::Rule(Rule::Roundrobin) => Some(Depends::Turn),
            By::Rule(Rule::Weight) => Some(Depends::Load),
            _ => None,
        });
        if live.config.protocol == Protocol::Udp || matches!(answer.by, By::Maglev { .. }) {
            all.push(Depends::Flows);
        }
        all
    }
}

/// As text: what the client gets, the way there, a line per server.
#[must_use]
pub fn text(row: &Explained<'_>) -> String {
    let mut reply = String::new();
    let client = match row.question.port {
        Some(port) => format!("{} port {port}", row.question.client),
        None => row.question.client.to_string(),
    };
    let gets = match &row.place {
        None => format!("no server: closed, {}", CloseReason::NoRoute.word()),
        Some(served) => gets(served),
    };
    line(&mut reply, format_args!("client {client} gets {gets}"));
    for passage in &row.passages {
        let by = match &passage.when {
            Some(when) => format!("route {when} leads to {}", leads(&passage.to)),
            None => "no route is for it".to_owned(),
        };
        line(&mut reply, format_args!("service {}: {by}", passage.service));
    }
    if let Some(Served { live, answer, waits }) = &row.place {
        let (name, by) = (&live.config.name, answer.by);
        line(&mut reply, format_args!("service {name}: {}, {}", by.word(), rule(by)));
        if let Some(wait) = waits {
            line(&mut reply, format_args!("waits {}", wait.text()));
        }
        for trial in &answer.trials {
            server(&mut reply, live, trial, row.now);
        }
        if let Some(reason) = answer.at_last {
            line(&mut reply, format_args!("if all of these fail: closed, {}", reason.word()));
        }
    }
    for depends in row.depends() {
        line(&mut reply, format_args!("depends on {}", depends.text()));
    }
    reply
}

fn gets(served: &Served) -> String {
    match served.answer.outcome {
        Outcome::Server(which) => called(&served.live, which),
        Outcome::Closed(reason) => format!("no server: closed, {}", reason.word()),
        Outcome::Dropped(reason) => format!("no server: dropped, {}", reason.word()),
        Outcome::ByPort => "one of the servers below, by its port".to_owned(),
        Outcome::Dummy => "Pen's own answer".to_owned(),
    }
}

fn rule(by: By) -> &'static str {
    match by {
        By::Rule(Rule::Remembered) => "it used this server last",
        By::Rule(Rule::Prio) => "the lowest prio",
        By::Rule(Rule::Weight) => "the least connections for the weight",
        By::Rule(Rule::Hash) => "drawn by the client's address",
        By::Rule(Rule::HashPort) => "drawn by the client's address and port",
        By::Rule(Rule::Roundrobin) => "the next in turn",
        By::Denied => "the list denies the client, so only the abuse server is left",
        By::Route => "the route names the server",
        By::Maglev { port: false } => "the table's server for the client's address",
        By::Maglev { port: true } => "the table's server for the client's address and port",
        By::Nothing => "no server of the table can be proposed",
        By::Dummy => "Pen answers itself",
        By::Limit(Excess::Connections) => "its source has as many connections as it may",
        By::Limit(Excess::Rate) => "its source opens connections faster than it may",
    }
}

fn leads(to: &To) -> String {
    match to {
        To::Here => "this service itself".to_owned(),
        To::Close => "nowhere, the client is closed".to_owned(),
        to => to.to_string(),
    }
}

/// `server 1 web1 10.0.0.2:80`, `emergency server 10.0.0.9:80`.
fn called(live: &Live, which: ServerRef) -> String {
    let mut text = match which {
        ServerRef::Regular(n) => format!("server {n}"),
        outside => format!("{outside} server"),
    };
    if let Some(server) = live.server(which) {
        if let Some(name) = &server.config.name {
            // Writing to a string cannot fail.
            let _ = write!(text, " {name}");
        }
        let _ = write!(text, " {}", place(server));
    }
    text
}

fn place(server: &Server) -> String {
    let port = server.config.port;
    match &server.config.host {
        Host::Unset => "without an address".to_owned(),
        Host::Unix(path) => path.display().to_string(),
        host => match host.ip() {
            Some(ip) => std::net::SocketAddr::new(ip, port).to_string(),
            None => host.to_string(),
        },
    }
}

fn server(reply: &mut String, live: &Live, trial: &Trial, now: Moment) {
    let name = called(live, trial.server);
    let stands = match trial.standing {
        Standing::Tried { turn: 1, crowded: false } => "yes, is tried first".to_owned(),
        Standing::Tried { turn, crowded } => {
            let why = if crowded { ", because half of pending_max is pending there" } else { "" };
            format!("would be tried as number {turn}{why}")
        }
        Standing::Possible => "would take it".to_owned(),
        Standing::Skipped(skip) => format!("no, {}: {}", skip.word(), skipped(skip)),
        Standing::Refused(refusal) => {
            let server = live.server(trial.server);
            let why = server.map_or_else(String::new, |s| refused(live, s, refusal, now));
            format!("no, {}: {why}", refusal.word())
        }
    };
    line(reply, format_args!("{name}: {stands}"));
}

fn refused(live: &Live, server: &Server, refusal: Refusal, now: Moment) -> String {
    let (config, load) = (&server.config, &server.load);
    match refusal {
        Refusal::Unset => "it has no address or no port".to_owned(),
        Refusal::Blacklisted => {
            let left = load.sentence_s(now, live.config.blacklist_s).unwrap_or(0);
            format!("{left} s are left")
        }
        Refusal::Full => {
            format!("{} connections, max {} hard {}", load.reserved(), config.max, config.hard)
        }
        Refusal::DeniedByAcl => format!("its list {} denies the client", config.acl),
        Refusal::PendingShare => "half of pending_max is pending there".to_owned(),
        Refusal::NotTransparent => "it cannot be shown the client's address".to_owned(),
    }
}

fn skipped(skip: Skip) -> &'static str {
    match skip {
        Skip::Stubborn => "the service never tries a second server",
        Skip::ClientDenied => "client_acl denies the client",
        Skip::NotDenied => "it is for clients that client_acl denies",
        Skip::Route => "the route names another server",
        Skip::Weightless => "its weight is 0",
        Skip::Dummy => "Pen answers itself",
        Skip::Last => "it is for clients that no other server takes",
        Skip::Silent => "it does not answer on the segment",
        Skip::OverLimit => "the client's source is over its limit",
        Skip::NoFrames => "frames go to servers of the table only",
    }
}

/// Whether the answer depends on what the client says first, which the question does not have.
#[must_use]
pub fn by_hello(question: &Question, live: &Live) -> bool {
    question.hello.is_none() && path::depends_on_hello(live)
}
