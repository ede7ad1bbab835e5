//! The services that a client is led through before one serves it.

use std::sync::Arc;

use super::Question;
use crate::config::Protocol;
use crate::journey::Way;
use crate::limits;
use crate::routes::{Hop, Row, Table, To, When, hop};
use crate::select::Visitor;
use crate::service::Live;

/// A look into the routes of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The service.
    pub service: String,
    /// Which clients the route is for; `None` if no route is for the client.
    pub when: Option<When>,
    /// Where it leads.
    pub to: To,
}

/// Where the client is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// By this service.
    At(String, Way),
    /// Nowhere.
    Nowhere,
}

/// Follows the routes from `service`; `live_of` knows the services that clients can be led to.
pub fn follow(
    question: &Question,
    service: &str,
    live_of: impl Fn(&str) -> Option<Arc<Live>>,
) -> (Vec<Passage>, End) {
    let visitor = Visitor::new(question.peer(), None);
    let mut passages = Vec::new();
    let mut at = service.to_owned();
    for hops in 0..=limits::ROUTE_HOPS_MAX {
        let Some(live) = live_of(&at) else { break };
        let led = hops > 0;
        let tcp = live.config.protocol == Protocol::Tcp;
        if !led && (!tcp || !live.admits(live.config.client_acl, &visitor)) {
            let way = Way::of(live.admits(live.config.client_acl, &visitor));
            return (passages, End::At(at, way));
        }
        let next = hop(&live, &visitor, led, |routes| {
            let row = routes.find(question.hello.as_ref());
            passages.push(passage(&at, row));
            row.map_or(&To::Close, |row| &row.route.to)
        });
        match next {
            Hop::Here(way) => return (passages, End::At(at, way)),
            Hop::Nowhere => break,
            Hop::Service(name) => at = name.to_owned(),
        }
    }
    (passages, End::Nowhere)
}

/// Whether a service has routes, so that the answer depends on what the client says first.
#[must_use]
pub fn depends_on_hello(live: &Live) -> bool {
    live.routes.as_ref().is_some_and(|table: &Table| {
        table.rows.iter().any(|row| !matches!(row.route.when, When::Default))
    })
}

fn passage(service: &str, row: Option<&Row>) -> Passage {
    Passage {
        service: service.to_owned(),
        when: row.map(|row| row.route.when.clone()),
        to: row.map_or(To::Close, |row| row.route.to.clone()),
    }
}
