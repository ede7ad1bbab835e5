//! `explain json`.

use serde::Serialize;

use super::super::json::line;
use super::{Depends, Explained, Wait};
use crate::explain::path::Passage;
use crate::explain::{Outcome, Standing, Trial};
use crate::moment::Moment;
use crate::reasons::CloseReason;
use crate::service::Live;

/// `explain json`
#[must_use]
pub fn json(row: &Explained<'_>) -> String {
    let place = row.place.as_ref();
    let answer = place.map(|served| &served.answer);
    let mut reply = Reply {
        client: row.question.client.to_string(),
        client_port: row.question.port,
        asked: row.asked,
        service: place.map(|served| served.live.config.name.as_str()),
        routes: row.passages.iter().map(Taken::of).collect(),
        rule: answer.map(|answer| answer.by.word()),
        server: None,
        closed: None,
        dropped: None,
        if_all_fail: answer.and_then(|a| a.at_last).map(CloseReason::word),
        waits_for: place.and_then(|served| served.waits).map(Wait::word),
        servers: place.map_or_else(Vec::new, |served| {
            served.answer.trials.iter().map(|t| Row::of(&served.live, t, row.now)).collect()
        }),
        depends_on: row.depends().into_iter().map(Depends::word).collect(),
    };
    match answer.map(|answer| answer.outcome) {
        None => reply.closed = Some(CloseReason::NoRoute.word()),
        Some(Outcome::Server(which)) => reply.server = Some(which.number()),
        Some(Outcome::Closed(reason)) => reply.closed = Some(reason.word()),
        Some(Outcome::Dropped(reason)) => reply.dropped = Some(reason.word()),
        Some(Outcome::ByPort | Outcome::Dummy) => {}
    }
    line(&reply)
}

#[derive(Serialize)]
struct Reply<'a> {
    client: String,
    client_port: Option<u16>,
    asked: &'a str,
    service: Option<&'a str>,
    routes: Vec<Taken<'a>>,
    rule: Option<&'static str>,
    server: Option<i64>,
    closed: Option<&'static str>,
    dropped: Option<&'static str>,
    if_all_fail: Option<&'static str>,
    waits_for: Option<&'static str>,
    servers: Vec<Row<'a>>,
    depends_on: Vec<&'static str>,
}

#[derive(Serialize)]
struct Taken<'a> {
    service: &'a str,
    route: Option<String>,
    to: String,
}

impl<'a> Taken<'a> {
    fn of(passage: &'a Passage) -> Self {
        let route = passage.when.as_ref().map(ToString::to_string);
        Self { service: &passage.service, route, to: passage.to.to_string() }
    }
}

#[derive(Serialize)]
struct Row<'a> {
    number: i64,
    name: Option<&'a str>,
    address: String,
    port: u16,
    turn: Option<u32>,
    possible: bool,
    refusal: Option<&'static str>,
    skipped: Option<&'static str>,
    sentence_s: Option<u64>,
    connections: u32,
    max: u32,
    hard: u32,
    acl: u8,
}

impl<'a> Row<'a> {
    fn of(live: &'a Live, trial: &Trial, now: Moment) -> Self {
        let server = live.server(trial.server);
        let config = server.map(|s| &s.config);
        let load = server.map(|s| &s.load);
        let mut row = Self {
            number: trial.server.number(),
            name: config.and_then(|c| c.name.as_deref()),
            address: config.map_or_else(String::new, |c| c.host.to_string()),
            port: config.map_or(0, |c| c.port),
            turn: None,
            possible: matches!(trial.standing, Standing::Tried { .. } | Standing::Possible),
            refusal: None,
            skipped: None,
            sentence_s: load.and_then(|l| l.sentence_s(now, live.config.blacklist_s)),
            connections: load.map_or(0, |l| l.reserved()),
            max: config.map_or(0, |c| c.max),
            hard: config.map_or(0, |c| c.hard),
            acl: config.map_or(0, |c| c.acl),
        };
        match trial.standing {
            Standing::Tried { turn, .. } => row.turn = Some(turn),
            Standing::Possible => {}
            Standing::Refused(refusal) => row.refusal = Some(refusal.word()),
            Standing::Skipped(skip) => row.skipped = Some(skip.word()),
        }
        row
    }
}
