//! What the last minutes were like, for the curves of the page: one sample every
//! [`limits::HISTORY_STEP_S`] seconds, [`limits::HISTORY_STEPS`] at most.
//!
//! A curve holds differences from step to step. Services and servers that go take their curves with them;
//! beyond the bounds of `limits` further ones have none.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use super::{Overview, ServiceRow};
use crate::limits;
use crate::report::ServerRow;

/// The samples of the last minutes.
#[derive(Clone, Debug, Default, Serialize)]
pub struct History {
    step_s: u32,
    services: BTreeMap<String, ServiceCurves>,
}

#[derive(Clone, Debug, Default, Serialize)]
struct ServiceCurves {
    accepted: Rates,
    received: Rates,
    sent: Rates,
    connections: Levels,
    servers: BTreeMap<String, ServerCurves>,
}

#[derive(Clone, Debug, Default, Serialize)]
struct ServerCurves {
    connections: Levels,
    total: Rates,
    received: Rates,
    sent: Rates,
}

/// Values at the ends of steps, the oldest first.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
struct Levels(VecDeque<u64>);

impl Levels {
    fn note(&mut self, value: u64) {
        self.0.push_back(value);
        if self.0.len() > limits::HISTORY_STEPS {
            self.0.pop_front();
        }
    }
}

/// How much a sum grew in each step.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
struct Rates {
    steps: Levels,
    #[serde(skip)]
    last: Option<u64>,
}

impl Rates {
    /// The first value is what later ones are compared with.
    fn note(&mut self, sum: u64) {
        if let Some(last) = self.last.replace(sum) {
            // A sum that became smaller began anew.
            self.steps.note(sum.checked_sub(last).unwrap_or(sum));
        }
    }
}

impl History {
    /// A step is over.
    pub fn note(&mut self, overview: &Overview) {
        self.step_s = limits::HISTORY_STEP_S;
        let shown = || overview.services.iter().take(limits::HISTORY_SERVICES_MAX);
        self.services.retain(|name, _| shown().any(|s| s.shot.service == *name));
        for row in shown() {
            self.services.entry(row.shot.service.clone()).or_default().note(row);
        }
    }
}

impl ServiceCurves {
    fn note(&mut self, row: &ServiceRow) {
        let (accepted, received, sent) = row.moved();
        self.accepted.note(accepted);
        self.received.note(received);
        self.sent.note(sent);
        // The first sample has no step before it.
        if !self.accepted.steps.0.is_empty() {
            self.connections.note(row.shot.conn_used.into());
        }
        let shot = &row.shot;
        let all = shot.servers.iter().filter(|s| s.is_set()).take(limits::HISTORY_SERVERS_MAX);
        let all: Vec<&ServerRow> = all.chain(&shot.emergency).chain(&shot.abuse).collect();
        let names: Vec<String> = all.iter().map(|s| s.server.to_string()).collect();
        self.servers.retain(|name, _| names.contains(name));
        for (row, name) in all.into_iter().zip(names) {
            self.servers.entry(name).or_default().note(row);
        }
    }
}

impl ServerCurves {
    fn note(&mut self, row: &ServerRow) {
        self.total.note(row.total);
        self.received.note(row.received);
        self.sent.note(row.sent);
        if !self.total.steps.0.is_empty() {
            self.connections.note(row.conn.into());
        }
    }
}
