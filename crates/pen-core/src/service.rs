//! A service as traffic sees it at one moment: settings and servers, published whole.
//!
//! A change of settings builds a new [`Live`] and publishes it; a connection that has started keeps
//! the loads it holds. Client table, connection slots and round-robin position live beside it in
//! the daemon, because they are changed by traffic and not by settings.

use std::sync::Arc;

use crate::acl::Countries;
use crate::config::{ServerConfig, ServiceConfig};
use crate::routes::Table;
use crate::select::{Visitor, hash};
use crate::servers::{Server, ServerRef};

#[cfg(test)]
pub(crate) mod tests;

/// Everything a worker needs to decide about a new connection, immutable.
#[derive(Debug)]
pub struct Live {
    /// The settings.
    pub config: Arc<ServiceConfig>,
    /// The table.
    pub servers: Vec<Server>,
    /// Outside the rotation.
    pub emergency: Option<Server>,
    /// Outside the rotation.
    pub abuse: Option<Server>,
    /// The pending connects of one server that count against `pending_max`: its equal part. So accepting
    /// pauses when connects are pending everywhere, and never because some servers are silent.
    pub pending_part: u32,
    /// Look-up for the hash algorithm, built from the table.
    pub hash: hash::Table,
    /// Where clients go by their TLS hello; `None` without routes.
    pub routes: Option<Table>,
    /// What knows the countries of clients, if there is such a thing.
    pub countries: Option<Arc<dyn Countries>>,
}

impl Live {
    /// The first publication of a service.
    #[must_use]
    pub fn new(config: Arc<ServiceConfig>) -> Self {
        Self::build(config, None)
    }

    /// The next publication: loads are kept slot by slot, and cleared of their sentence where the
    /// place changed. What knows the countries stays.
    #[must_use]
    pub fn rebuilt(&self, config: Arc<ServiceConfig>) -> Self {
        Self::build(config, Some(self))
    }

    /// The same with `countries` as what knows the countries of clients.
    #[must_use]
    pub fn with_countries(self, countries: Option<Arc<dyn Countries>>) -> Self {
        Self { countries, ..self }
    }

    /// A copy that nobody else sees: what is taken there, or held against a server, changes nothing
    /// here. Routes, which count who takes them, are left out.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self {
            config: Arc::clone(&self.config),
            servers: self.servers.iter().map(Server::detached).collect(),
            emergency: self.emergency.as_ref().map(Server::detached),
            abuse: self.abuse.as_ref().map(Server::detached),
            pending_part: self.pending_part,
            hash: self.hash.clone(),
            routes: None,
            countries: self.countries.clone(),
        }
    }

    /// Whether access list `list` permits the visitor; a list that does not exist does.
    #[must_use]
    pub fn admits(&self, list: u8, visitor: &Visitor) -> bool {
        let Some(list) = self.config.acls.get(usize::from(list)) else { return true };
        list.permits(visitor.peer.addr, |ip| visitor.country(ip, self.countries.as_deref()))
    }

    /// Whether the limits of sources are for the visitor.
    #[must_use]
    pub fn limits_source_of(&self, visitor: &Visitor) -> bool {
        let limit = &self.config.limit;
        limit.is_on() && !(limit.exempt != 0 && self.admits(limit.exempt, visitor))
    }

    fn build(config: Arc<ServiceConfig>, old: Option<&Self>) -> Self {
        let servers: Vec<Server> = config
            .servers
            .iter()
            .enumerate()
            .map(|(n, c)| carry_over(c, old.and_then(|o| o.servers.get(n))))
            .collect();
        let set = u32::try_from(servers.iter().filter(|s| s.is_set()).count()).unwrap_or(u32::MAX);
        let pending_part = config.pending_max.div_ceil(set.max(1));
        let outside =
            |c: &Option<ServerConfig>, old: Option<&Server>| c.as_ref().map(|c| carry_over(c, old));
        let emergency = outside(&config.emergency, old.and_then(|o| o.emergency.as_ref()));
        let abuse = outside(&config.abuse, old.and_then(|o| o.abuse.as_ref()));
        let hash = hash::Table::build(&config.servers);
        let old_routes = old.and_then(|o| o.routes.as_ref());
        let routes = (!config.routes.is_empty()).then(|| Table::build(&config.routes, old_routes));
        let countries = old.and_then(|o| o.countries.clone());
        Self { config, servers, emergency, abuse, pending_part, hash, routes, countries }
    }

    /// The server behind `which`, if it exists.
    #[must_use]
    pub fn server(&self, which: ServerRef) -> Option<&Server> {
        match which {
            ServerRef::Regular(n) => self.servers.get(usize::try_from(n).ok()?),
            ServerRef::Emergency => self.emergency.as_ref(),
            ServerRef::Abuse => self.abuse.as_ref(),
        }
    }
}

fn carry_over(config: &ServerConfig, old: Option<&Server>) -> Server {
    old.map_or_else(|| Server::new(config.clone()), |old| old.republished(config))
}
