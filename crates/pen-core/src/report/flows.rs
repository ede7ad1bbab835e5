//! The reply of `flows`: what a UDP service does with datagrams.

use std::collections::BTreeMap;

use serde::Serialize;

use super::classic::line;
use crate::flow::{Counts, DropReason, FlowEnd};

/// The flows of a service at one moment.
#[derive(Clone, Debug, Default)]
pub struct FlowsRow {
    /// The service's name.
    pub service: String,
    /// Flows now.
    pub flows: u64,
    /// Flows there may be.
    pub flows_max: u32,
    /// Local ports towards servers now, of all services together.
    pub ports: u64,
    /// Since the service began.
    pub counts: Counts,
}

/// As text: a line per number, the reasons that have occurred with their counts.
#[must_use]
pub fn text(row: &FlowsRow) -> String {
    let mut reply = String::new();
    let c = &row.counts;
    line(&mut reply, format_args!("flows {} max {} ports {}", row.flows, row.flows_max, row.ports));
    line(&mut reply, format_args!("opened {} moved {}", c.opened, c.moved));
    let (datagrams, bytes) = (c.to_servers, c.to_servers_bytes);
    line(&mut reply, format_args!("to_servers datagrams {datagrams} bytes {bytes}"));
    let (datagrams, bytes) = (c.to_clients, c.to_clients_bytes);
    line(&mut reply, format_args!("to_clients datagrams {datagrams} bytes {bytes}"));
    for (why, count) in ended(c).filter(|(_, count)| *count != 0) {
        line(&mut reply, format_args!("ended {why} {count}"));
    }
    for (why, count) in dropped(c).filter(|(_, count)| *count != 0) {
        line(&mut reply, format_args!("dropped {why} {count}"));
    }
    reply
}

/// `flows json`: every reason is there, also those that have not occurred.
#[must_use]
pub fn json(row: &FlowsRow) -> String {
    #[derive(Serialize)]
    struct Way {
        datagrams: u64,
        bytes: u64,
    }
    #[derive(Serialize)]
    struct Reply<'a> {
        service: &'a str,
        flows: u64,
        flows_max: u32,
        ports: u64,
        opened: u64,
        moved: u64,
        to_servers: Way,
        to_clients: Way,
        ended: BTreeMap<&'static str, u64>,
        dropped: BTreeMap<&'static str, u64>,
    }
    let c = &row.counts;
    super::json::line(&Reply {
        service: &row.service,
        flows: row.flows,
        flows_max: row.flows_max,
        ports: row.ports,
        opened: c.opened,
        moved: c.moved,
        to_servers: Way { datagrams: c.to_servers, bytes: c.to_servers_bytes },
        to_clients: Way { datagrams: c.to_clients, bytes: c.to_clients_bytes },
        ended: ended(c).collect(),
        dropped: dropped(c).collect(),
    })
}

fn ended(counts: &Counts) -> impl Iterator<Item = (&'static str, u64)> {
    FlowEnd::ALL.into_iter().map(|why| (why.word(), counts.ended(why)))
}

fn dropped(counts: &Counts) -> impl Iterator<Item = (&'static str, u64)> {
    DropReason::ALL.into_iter().map(|why| (why.word(), counts.dropped(why)))
}
