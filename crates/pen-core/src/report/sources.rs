//! `sources`: who has the most connections of a service, and how many were turned away by its limits.

use std::fmt::Write;
use std::net::IpAddr;

use serde::Serialize;

use crate::arrivals::{Arrivals, Excess};
use crate::limits;

/// The table of a service at one moment.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sources {
    /// The service's name.
    pub service: String,
    /// Clients turned away because their source had `limit_conn` connections.
    pub limit_conn: u64,
    /// The same for sources that opened more than `limit_rate` a second.
    pub limit_rate: u64,
    /// The sources with the most connections, most first.
    pub sources: Vec<SourceRow>,
}

/// A source with connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceRow {
    /// The network's first address.
    pub address: IpAddr,
    /// Connections or flows.
    pub connections: u32,
}

impl Sources {
    /// What the table of `service` says.
    #[must_use]
    pub fn of(service: &str, arrivals: &Arrivals) -> Self {
        let busiest = arrivals.busiest(limits::SOURCES_SHOWN).into_iter();
        let row = |(address, connections)| SourceRow { address, connections };
        Self {
            service: service.to_owned(),
            limit_conn: arrivals.turned_away(Excess::Connections),
            limit_rate: arrivals.turned_away(Excess::Rate),
            sources: busiest.map(row).collect(),
        }
    }
}

/// `sources`: a line of what was turned away, then a line for each source.
#[must_use]
pub fn text(sources: &Sources) -> String {
    let Sources { limit_conn, limit_rate, .. } = sources;
    let mut out = format!("turned away limit_conn {limit_conn} limit_rate {limit_rate}\n");
    for SourceRow { address, connections } in &sources.sources {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{address} connections {connections}");
    }
    out
}

/// `sources json`
#[must_use]
pub fn json(sources: &Sources) -> String {
    super::json::line(sources)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::ClientAddr;
    use crate::arrivals::SourceLimit;
    use crate::moment::Moment;

    #[test]
    fn both_forms_tell_the_same() {
        let mut arrivals = Arrivals::new([1, 2]);
        let limit = SourceLimit { connections: 1, ..SourceLimit::default() };
        for ip in ["10.0.0.1", "10.0.0.1", "2001:db8::1"] {
            let client = ClientAddr::from_ip(ip.parse().unwrap());
            let _ = arrivals.admit(client, &limit, Moment(0));
        }
        let sources = Sources::of("web", &arrivals);
        assert_eq!(
            text(&sources),
            "turned away limit_conn 1 limit_rate 0\n10.0.0.1 connections 1\n2001:db8:: connections 1\n"
        );
        assert_eq!(
            json(&sources),
            "{\"service\":\"web\",\"limit_conn\":1,\"limit_rate\":0,\"sources\":[\
             {\"address\":\"10.0.0.1\",\"connections\":1},{\"address\":\"2001:db8::\",\"connections\":1}]}\n"
        );
    }
}
