//! The replies to `routes`: each route and how often it was taken, then the clients that none took.

use serde::Serialize;

use super::classic::line;
use super::json;
use crate::routes::{Table, To};

/// `routes`
#[must_use]
pub fn text(table: Option<&Table>) -> String {
    let mut reply = String::new();
    let Some(table) = table else { return reply };
    for row in &table.rows {
        line(&mut reply, format_args!("{} taken {}", row.route, row.taken()));
    }
    line(
        &mut reply,
        format_args!(
            "not_tls {} no_route {} hello_timeout {} service_full {}",
            table.not_tls(),
            table.unrouted(),
            table.timed_out(),
            table.turned_away()
        ),
    );
    reply
}

/// `routes json`
#[must_use]
pub fn json(service: &str, table: Option<&Table>) -> String {
    #[derive(Serialize)]
    struct Route<'a> {
        kind: &'static str,
        name: Option<&'a str>,
        to: &'static str,
        to_service: Option<&'a str>,
        to_server: Option<u32>,
        taken: u64,
    }
    #[derive(Serialize)]
    struct Reply<'a> {
        service: &'a str,
        routes: Vec<Route<'a>>,
        not_tls: u64,
        no_route: u64,
        hello_timeout: u64,
        service_full: u64,
    }
    let routes = table.iter().flat_map(|t| &t.rows).map(|row| {
        let (to, to_service, to_server) = match &row.route.to {
            To::Service(name) => ("service", Some(name.as_str()), None),
            To::Server(n) => ("server", None, Some(*n)),
            To::Here => ("here", None, None),
            To::Close => ("close", None, None),
        };
        let when = &row.route.when;
        let (kind, name) = (when.kind(), when.name());
        Route { kind, name, to, to_service, to_server, taken: row.taken() }
    });
    json::line(&Reply {
        service,
        routes: routes.collect(),
        not_tls: table.map_or(0, Table::not_tls),
        no_route: table.map_or(0, Table::unrouted),
        hello_timeout: table.map_or(0, Table::timed_out),
        service_full: table.map_or(0, Table::turned_away),
    })
}
