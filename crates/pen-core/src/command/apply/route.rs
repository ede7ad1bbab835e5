//! `route` lines. Whether services exist is asked when all settings are there (`routes::fault`).

use super::server;
use crate::command::parse::check_name;
use crate::command::{Context, Door, Fault, RouteChange, RouteTo};
use crate::config::ServiceConfig;
use crate::limits::ROUTES_MAX;
use crate::near::{hint, shown};
use crate::routes::{Route, To, When};

/// Applies a `route` line.
pub(super) fn change(
    service: &mut ServiceConfig,
    context: &mut Context,
    change: &RouteChange,
) -> Result<(), Fault> {
    match change {
        RouteChange::Set(when, to) => set(service, context, when, to),
        RouteChange::Unset(when, column) => unset(service, context, when.as_ref(), *column),
    }
}

/// Adds a route, or replaces the one for the same clients.
fn set(
    service: &mut ServiceConfig,
    context: &mut Context,
    when: &When,
    to: &RouteTo,
) -> Result<(), Fault> {
    let to = match to {
        RouteTo::Service(name) => {
            check_name("service", (&name.text, name.column))?;
            To::Service(name.text.clone())
        }
        RouteTo::Server(word) => To::Server(server::slot_of(service, word)?),
        RouteTo::Here => To::Here,
        RouteTo::Close => To::Close,
    };
    mention(service, context);
    if let Some(route) = service.routes.iter_mut().find(|r| r.when == *when) {
        route.to = to;
        return Ok(());
    }
    if service.routes.len() >= ROUTES_MAX {
        return Err(Fault::new(format!("route: there are {ROUTES_MAX} already"), 0));
    }
    service.routes.push(Route { when: when.clone(), to });
    Ok(())
}

/// Takes a route away, or all of them.
fn unset(
    service: &mut ServiceConfig,
    context: &mut Context,
    when: Option<&When>,
    column: usize,
) -> Result<(), Fault> {
    let Some(when) = when else {
        mention(service, context);
        service.routes.clear();
        return Ok(());
    };
    let Some(at) = service.routes.iter().position(|r| r.when == *when) else {
        let same = service.routes.iter().filter(|r| r.when.kind() == when.kind());
        let near = when.name().map(|name| hint(name, same.filter_map(|r| r.when.name())));
        let name = shown(when.name().unwrap_or(when.kind()));
        let message = format!("route: there is none for {name}{}", near.unwrap_or_default());
        return Err(Fault::new(message, column));
    };
    service.routes.remove(at);
    Ok(())
}

/// Routes of a file replace those there are.
fn mention(service: &mut ServiceConfig, context: &mut Context) {
    let first = context.routes_seen.insert(service.name.clone());
    if first && context.door == Door::File {
        service.routes.clear();
    }
}
