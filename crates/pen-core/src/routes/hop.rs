//! One step of a client on its way through services with routes.

use super::{Table, To};
use crate::journey::Way;
use crate::select::Visitor;
use crate::service::Live;

/// Where a client is after a service has looked at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hop<'a> {
    /// It is served by this service.
    Here(Way),
    /// No route is for it, or one that closes.
    Nowhere,
    /// At the service of this name, which looks at it next.
    Service(&'a str),
}

/// What a service does with a client. One that was `led` here by a route has to pass the service's
/// access list; one that came by itself has passed it. `choose` looks into the routes.
pub fn hop<'a>(
    live: &'a Live,
    visitor: &Visitor,
    led: bool,
    choose: impl FnOnce(&'a Table) -> &'a To,
) -> Hop<'a> {
    if led && !live.admits(live.config.client_acl, visitor) {
        return Hop::Here(Way::Denied);
    }
    let Some(routes) = &live.routes else { return Hop::Here(Way::Free) };
    match choose(routes) {
        To::Close => Hop::Nowhere,
        To::Here => Hop::Here(Way::Free),
        To::Server(n) => Hop::Here(Way::Server(*n)),
        To::Service(name) => Hop::Service(name),
    }
}
