//! What runs, and how a configuration becomes true.
//!
//! [`Running::publish`] does everything that can fail first (listeners, countries, certificates, logs); on a failure what is
//! new is dropped and what runs goes on untouched. Then it swaps: settings are published whole to
//! the workers, tables grow, doors are handed over. Owned by the control thread alone. Deliberately
//! not here: where a configuration comes from.

mod certificates;

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use pen_core::acl::{AccessList, Countries};
use pen_core::addr::Names;
use pen_core::circles;
use pen_core::clients::ClientTable;
use pen_core::config::{Config, Protocol, ServiceConfig};
use pen_core::handshakes::Handshakes;
use pen_core::limits;
use pen_core::report::dsr::DsrRow;
use pen_core::routes;
use pen_core::service::Live;
use pen_core::slots::Slots;
use pen_sys::services::{self, Services};
use pen_sys::sockets;

use crate::clock;
use crate::countries::{self, Database};
use crate::dsr;
use crate::listeners::{self, Gates, Keeper};
use crate::logs::{self, Level, LogId, Logs};
use crate::shared::{Door, Order, Pool, Service, Tables};
use crate::socket_options;
use crate::tls::material::{Calendar, Told, Vault};
use crate::tls::outward::Outward;
use crate::transparent::{self, When};

/// Everything that runs, as the control thread knows it.
#[derive(Debug)]
pub struct Running {
    /// What is true.
    pub config: Config,
    /// In the order of the configuration.
    pub services: Vec<Arc<Service>>,
    /// The workers.
    pub pool: Arc<Pool>,
    /// The door to the log thread.
    pub logs: Logs,
    /// What knows the countries of clients.
    countries: Option<Arc<Database>>,
    /// What clients are shown: certificates and what belongs to them.
    vault: Vault,
    /// How servers are spoken to in TLS.
    outward: Outward,
    /// Which of them were warned of.
    calendar: Calendar,
    gates: Gates,
    keeper: Keeper,
    /// Services with direct server return.
    posts: dsr::Posts,
    /// Descriptors the process may have.
    descriptors: u64,
    /// Ports of log servers by name.
    ports: Arc<Services>,
    next_service: u32,
    /// Seeds of the client tables: clients must not be able to guess them.
    secret: RandomState,
    /// Services that were removed while they still had connections.
    retired: Vec<Weak<Service>>,
}

/// What a publication brought, for the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Services and listeners that came and went.
    pub news: Vec<String>,
    /// What could not be had as it was asked for.
    pub warnings: Vec<String>,
}

impl Changes {
    /// Adds warnings that are not there yet: several sockets may refuse the same.
    fn caution(&mut self, warnings: impl IntoIterator<Item = String>) {
        for warning in warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }
}

/// New logs by service: `None` closes the old one.
type NewLogs = BTreeMap<String, Option<logs::Target>>;

/// What a start opens before privileges are dropped.
#[derive(Debug)]
pub struct Opened {
    keeper: Keeper,
    gates: Gates,
    posts: dsr::Planned,
    vault: Vault,
    outward: Outward,
    told: Told,
}

/// Reads the certificates of `config` and opens its listeners at start-up, before privileges are
/// dropped.
///
/// # Errors
/// A sentence for the operator about the first certificate or address that cannot be had.
pub fn open(config: &Config, workers: usize) -> Result<Opened, String> {
    let (vault, told) = Vault::default().prepare(config, clock::wall().0)?;
    let outward = Outward::default().load(config)?;
    let mut keeper = Keeper::new(workers);
    let gates = keeper.plan(&Gates::new(), config)?;
    let posts = dsr::Posts::default().plan(config, workers)?;
    Ok(Opened { keeper, gates, posts, vault, outward, told })
}

/// Reads the certificates of `config` and answers what should be known of them.
///
/// # Errors
/// As [`open`].
pub fn check(config: &Config) -> Result<Vec<String>, String> {
    let now = clock::wall().0;
    let (vault, told) = Vault::default().prepare(config, now)?;
    let mut warnings = told.warnings;
    let nobody = Outward::default();
    warnings.extend(nobody.load(config)?.cautions(&nobody));
    warnings.extend(Calendar::default().due(&vault.rows(now)));
    dsr::check(config)?;
    warnings.extend(dsr::cautions(config));
    Ok(warnings)
}

impl Running {
    /// Makes the first configuration true: opens the logs and hands the services to the workers,
    /// which need not run yet. Warnings come with it; that there is no database of countries is one.
    ///
    /// # Errors
    /// A sentence for the operator: a log cannot be opened, a congestion control is not there.
    pub fn start(
        config: Config,
        opened: Opened,
        pool: Arc<Pool>,
        logs: Logs,
        descriptors: u64,
        ports: Arc<Services>,
        names: &dyn Names,
    ) -> Result<(Self, Changes), String> {
        let Opened { keeper, gates, posts, vault, outward, told } = opened;
        let mut running = Self {
            config: Config { process: config.process.clone(), services: Vec::new() },
            services: Vec::new(),
            pool,
            logs,
            countries: None,
            vault: Vault::default(),
            calendar: Calendar::default(),
            gates: Gates::new(),
            keeper,
            posts: dsr::Posts::default(),
            descriptors,
            ports,
            next_service: 1,
            secret: RandomState::new(),
            outward: Outward::default(),
            retired: Vec::new(),
        };
        let mut cautions = socket_options::check(&running.config, &config)?;
        cautions.extend(transparent::check(&running.config, &config, When::Start)?);
        let new_logs = running.open_logs(&config, names)?;
        let opened = countries::open(config.process.geoip_db.as_deref());
        let warning = opened.as_ref().err().map(|why| format!("{why}; Pen starts without it"));
        running.vault = vault;
        let mut changes =
            running.swap(config, gates, new_logs, opened.unwrap_or_default(), outward);
        changes.warnings.extend(dsr::cautions(&running.config));
        changes.warnings.extend(running.posts.swap(posts, &running.services, &running.logs));
        changes.caution(cautions.into_iter().chain(warning));
        changes.take(told);
        changes.warnings.extend(running.expiring());
        Ok((running, changes))
    }

    /// Makes `new` true, wholly or not at all. Returns when the workers have closed the listeners that
    /// are gone, or after [`limits::LISTENER_CLOSE_MS`].
    ///
    /// # Errors
    /// A sentence for the operator; everything is as before.
    pub fn publish(&mut self, new: Config, names: &dyn Names) -> Result<Changes, String> {
        if new == self.config {
            return Ok(Changes::default());
        }
        let mut cautions = socket_options::check(&self.config, &new)?;
        cautions.extend(transparent::check(&self.config, &new, When::Later)?);
        let fault = routes::fault(&new).or_else(|| circles::fault(&new, sockets::is_ours));
        fault.map_or(Ok(()), Err)?;
        let (vault, told) = self.vault.prepare(&new, clock::wall().0)?;
        let outward = self.outward.load(&new)?;
        let gates = self.keeper.plan(&self.gates, &new)?;
        let new_logs = self.open_logs(&new, names)?;
        let posts = self.posts.plan(&new, self.pool.mailboxes.len())?;
        let countries = match new.process.geoip_db == self.config.process.geoip_db {
            true => self.countries.clone(),
            false => countries::open(new.process.geoip_db.as_deref())?,
        };
        self.vault = vault;
        let (known, mut news) = (dsr::cautions(&self.config), dsr::cautions(&new));
        news.retain(|text| !known.contains(text));
        let mut changes = self.swap(new, gates, new_logs, countries, outward);
        changes.caution(news);
        changes.warnings.extend(self.posts.swap(posts, &self.services, &self.logs));
        changes.caution(cautions);
        changes.take(told);
        changes.warnings.extend(self.expiring());
        self.keeper.wait_until_closed();
        Ok(changes)
    }

    /// The service called `name`.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Arc<Service>> {
        self.services.iter().find(|s| s.name == name)
    }

    /// What a service with direct server return does, if it is one.
    #[must_use]
    pub fn frames(&self, service: &str) -> Option<DsrRow> {
        self.posts.row(service)
    }

    /// What knows the countries of clients.
    #[must_use]
    pub fn countries(&self) -> Option<&dyn Countries> {
        self.countries.as_deref().map(|c| c as &dyn Countries)
    }

    /// Reads the database of countries again if its file has changed or could not be read before.
    /// Answers what is new, for the log.
    ///
    /// # Errors
    /// A sentence for the operator; everything is as before.
    pub fn renew_countries(&mut self) -> Result<Option<String>, String> {
        let Some(path) = &self.config.process.geoip_db else { return Ok(None) };
        if self.countries.as_ref().is_some_and(|c| c.is_current()) {
            return Ok(None);
        }
        let database = Database::load(path).map_err(|why| match self.countries {
            Some(_) => format!("{why}; the one there is stays"),
            None => format!("{why}; there is still none"),
        })?;
        let news = match database.caution() {
            Some(caution) => format!("WARNING: {caution}"),
            None => format!("geoip_db {path}: read again"),
        };
        self.countries = Some(Arc::new(database));
        for service in &self.services {
            let live = service.live.load();
            if let Some(countries) = self.countries_for(&live.config) {
                let next = live.rebuilt(Arc::clone(&live.config)).with_countries(Some(countries));
                service.live.store(Arc::new(next));
            }
        }
        Ok(Some(news))
    }

    /// Connections there are, those of removed services included.
    #[must_use]
    pub fn connections(&self) -> u64 {
        let retired: u64 =
            self.retired.iter().filter_map(Weak::upgrade).map(|s| u64::from(s.room.used())).sum();
        let serving: u64 = self.services.iter().map(|s| u64::from(s.room.used())).sum();
        serving + retired
    }

    /// Gives every worker an order.
    pub fn order_all(&self, order: impl Fn() -> Order) {
        for mailbox in &self.pool.mailboxes {
            mailbox.post(order());
        }
    }

    /// Says a warning.
    pub fn warn(&self, text: String) {
        self.logs.say(Level::Always, || format!("WARNING: {text}"));
    }

    /// Closes the listeners: the workers were told to, and clients must not queue at sockets that
    /// nobody looks at.
    pub fn close_doors(&mut self) {
        self.gates = Gates::new();
    }

    /// Asks `names` for what publishing `new` will need, so that hosts that are not known yet are
    /// noted there. Faults are left to [`Running::publish`].
    pub fn survey(&self, new: &Config, names: &dyn Names) {
        for service in &new.services {
            if let (true, Some(word)) = (self.log_changes(service), &service.log) {
                // Only the question counts.
                let _ = place_of_log(word, &self.ports, names);
            }
        }
    }

    fn log_changes(&self, service: &ServiceConfig) -> bool {
        let same = |s: &&ServiceConfig| s.protocol == service.protocol;
        let before = self.config.service(&service.name).filter(same);
        before.and_then(|s| s.log.as_ref()) != service.log.as_ref()
    }

    fn open_logs(&self, new: &Config, names: &dyn Names) -> Result<NewLogs, String> {
        let mut opened = NewLogs::new();
        for service in new.services.iter().filter(|s| self.log_changes(s)) {
            let target = match &service.log {
                Some(word) => Some(logs::Target::open(&place_of_log(word, &self.ports, names)?)?),
                None => None,
            };
            opened.insert(service.name.clone(), target);
        }
        Ok(opened)
    }

    /// The part that cannot fail.
    fn swap(
        &mut self,
        new: Config,
        gates: Gates,
        mut new_logs: NewLogs,
        countries: Option<Arc<Database>>,
        outward: Outward,
    ) -> Changes {
        let mut changes = Changes::default();
        changes.warnings.extend(countries::cautions(
            (&self.config, self.countries.as_ref()),
            (&new, countries.as_ref()),
        ));
        self.countries = countries;
        changes.warnings.extend(outward.cautions(&self.outward));
        let before = std::mem::replace(&mut self.outward, outward);
        self.logs.set_debug(new.process.debug);
        self.pool.dump_ascii.store(new.process.ascii, Ordering::Relaxed);
        self.keeper.let_go(&self.gates, &gates);
        let listeners = u64::try_from(listeners::descriptors(&gates)).unwrap_or(u64::MAX);
        let taken = listeners.saturating_add(self.descriptors_of_pipes());
        self.pool.room.resize(possible(self.descriptors, taken));
        let renewed = self.renew(&new, &before, taken, &mut changes);
        self.retire(&new, &mut changes);
        let mut services = Vec::with_capacity(new.services.len());
        for (config, (service, known)) in new.services.iter().zip(renewed) {
            if let Some(target) = new_logs.remove(&config.name) {
                self.change_log(&service, target, &mut changes);
            }
            let changed = self.hand_over(&service, known, &gates, &mut changes);
            let was = self.config.service(&config.name);
            if let (Some(gates), Some(was)) = (gates.get(&config.name), was)
                && was.sockets.mptcp != config.sockets.mptcp
            {
                changes.caution(listeners::waiting(gates, config));
            }
            if let Some(gates) = gates.get(&config.name).filter(|_| changed) {
                changes.caution(socket_options::tune(gates, config));
            }
            services.push(service);
        }
        self.services = services;
        self.gates = gates;
        self.config = new;
        changes
    }

    /// Publishes the settings of all services. Routes lead from one service to another, so one that
    /// comes is announced to the workers before the routes to it are published, and no route
    /// leads to one that goes when its end is told. With each service comes whether it was known
    /// and, if so, whether its settings changed.
    fn renew(
        &mut self,
        new: &Config,
        before: &Outward,
        taken: u64,
        changes: &mut Changes,
    ) -> Vec<(Arc<Service>, Option<bool>)> {
        let targets: HashSet<&str> = new.services.iter().flat_map(routes::targets).collect();
        let mut all = Vec::with_capacity(new.services.len());
        for config in &new.services {
            let known = self.service(&config.name).filter(|s| goes_on(s, config)).cloned();
            let (places, shortage) = self.places(config, taken);
            let asked = known.as_ref().map(|s| s.live.load().config.conn_max);
            if asked != Some(config.conn_max) {
                changes.warnings.extend(shortage);
            }
            let is_known = known.is_some();
            let service = known.unwrap_or_else(|| self.create(config, places));
            // Before the settings that say so: a server that speaks TLS is never spoken to without.
            self.show_dialers(&service, before);
            service.tls.store(self.vault.terminator(&config.name));
            if !is_known && targets.contains(config.name.as_str()) {
                self.order_all(|| Order::Serve { service: Arc::clone(&service), doors: vec![] });
            }
            all.push((config, service, is_known, places));
        }
        let renewed = all.into_iter().map(|(config, service, is_known, places)| {
            let changed = is_known.then(|| self.refresh(&service, config, places));
            (service, changed)
        });
        renewed.collect()
    }

    /// Connections, or flows, that a service may have. Flows take no descriptors of their own.
    fn places(&self, config: &ServiceConfig, taken: u64) -> (u32, Option<String>) {
        match config.protocol {
            Protocol::Tcp => places(config, self.descriptors, taken),
            Protocol::Udp => {
                let wanted = config.conn_max.unwrap_or(limits::UDP_FLOWS_DEFAULT);
                (wanted.max(self.worker_count()), None)
            }
        }
    }

    /// What all workers share of these places. With UDP each worker has one to itself, so that it
    /// always has room, or a flow that makes room, for the next client.
    fn room(&self, config: &ServiceConfig, places: u32) -> u32 {
        match config.protocol {
            Protocol::Tcp => places,
            Protocol::Udp => places.saturating_sub(self.worker_count()),
        }
    }

    fn worker_count(&self) -> u32 {
        u32::try_from(self.pool.mailboxes.len()).unwrap_or(u32::MAX)
    }

    /// Pipes are welcome, not necessary: with few descriptors connections come first.
    fn descriptors_of_pipes(&self) -> u64 {
        let pipes = 2 * limits::PIPES_PER_WORKER * self.pool.mailboxes.len();
        u64::try_from(pipes).unwrap_or(u64::MAX).min(self.descriptors / 8)
    }

    fn retire(&mut self, new: &Config, changes: &mut Changes) {
        self.retired.retain(|s| s.strong_count() > 0);
        for service in &self.services {
            let after = new.service(&service.name);
            if !after.is_some_and(|config| goes_on(service, config)) {
                let what = if after.is_some() { "speaks another protocol" } else { "is removed" };
                changes.news.push(format!("service {} {what}", service.name));
                self.order_all(|| Order::Retire { service: service.id });
                self.retired.push(Arc::downgrade(service));
                // Lines of its last connections that come later have no place any more.
                if let Err(e) = self.logs.close(LogId(service.id)) {
                    changes.warnings.push(e);
                }
            }
        }
    }

    /// What knows the countries, for a service that wants to know.
    fn countries_for(&self, config: &ServiceConfig) -> Option<Arc<dyn Countries>> {
        let wanted = config.acls.iter().any(AccessList::names_countries);
        self.countries.clone().filter(|_| wanted).map(|c| c as Arc<dyn Countries>)
    }

    fn create(&mut self, config: &ServiceConfig, places: u32) -> Arc<Service> {
        let id = self.next_service;
        let seed = [self.secret.hash_one((id, 0)), self.secret.hash_one((id, 1))];
        let clients = ClientTable::new(config.clients_max, seed);
        let tables =
            Tables { clients, slots: Slots::new(places), handshakes: Handshakes::default() };
        let countries = self.countries_for(config);
        let live = Live::new(Arc::new(config.clone())).with_countries(countries);
        self.next_service += 1;
        let service = Service::new(id, live, tables, self.pool.mailboxes.len());
        service.room.resize(self.room(config, places));
        Arc::new(service)
    }

    fn change_log(&self, service: &Service, target: Option<logs::Target>, changes: &mut Changes) {
        let log = LogId(service.id);
        let changed = match target {
            Some(target) => self.logs.install(log, target),
            None => self.logs.close(log),
        };
        if let Err(e) = changed {
            changes.warnings.push(format!("service {}: {e}", service.name));
        }
    }

    /// Publishes the settings of a known service. Returns whether they changed.
    fn refresh(&self, service: &Service, config: &ServiceConfig, places: u32) -> bool {
        let live = service.live.load();
        let changed = *live.config != *config;
        let countries = self.countries_for(config);
        if changed || !countries::same(countries.as_ref(), live.countries.as_ref()) {
            let next = live.rebuilt(Arc::new(config.clone())).with_countries(countries);
            service.live.store(Arc::new(next));
        }
        let mut tables = service.tables();
        tables.clients.grow(config.clients_max);
        let grows = places > tables.slots.max();
        tables.slots.grow(places);
        drop(tables);
        service.room.grow(self.room(config, places));
        if grows {
            service.feed_starved(&self.pool);
        }
        changed
    }

    /// Tells the workers about a service. A service that is new or whose doors changed is handed
    /// over with all its doors; one with other settings (`Some(true)`) is looked at again.
    /// Returns whether there was something to tell.
    fn hand_over(
        &self,
        service: &Arc<Service>,
        known: Option<bool>,
        gates: &Gates,
        changes: &mut Changes,
    ) -> bool {
        let nothing = Vec::new();
        let old = self.gates.get(&service.name).unwrap_or(&nothing);
        let new = gates.get(&service.name).unwrap_or(&nothing);
        let has = |all: &[_], gate| all.iter().any(|g| listeners::same_doors(g, gate));
        let closed = old.iter().filter(|g| !has(new, g));
        let opened = new.iter().filter(|g| !has(old, g));
        let name = &service.name;
        let closed = closed.map(|g| format!("service {name}: no longer listens on {}", g.place));
        let opened = opened.map(|g| format!("service {name}: listens on {}", g.place));
        let news: Vec<String> = closed.chain(opened).collect();
        let same = news.is_empty();
        changes.news.extend(news);
        match known {
            Some(false) if same => return false,
            Some(true) if same => {
                self.order_all(|| Order::Refresh { service: service.id });
                return true;
            }
            _ => {}
        }
        for (worker, mailbox) in self.pool.mailboxes.iter().enumerate() {
            let doors: Vec<Door> =
                new.iter().filter_map(|g| g.doors.get(worker).cloned()).collect();
            mailbox.post(Order::Serve { service: Arc::clone(service), doors });
        }
        true
    }
}

/// Whether a service that runs is the one that is configured: another protocol makes it another.
fn goes_on(service: &Service, config: &ServiceConfig) -> bool {
    service.live.load().config.protocol == config.protocol
}

fn place_of_log(word: &str, services: &Services, names: &dyn Names) -> Result<logs::Place, String> {
    let port = |name: &str| services.port(name, services::Protocol::Udp);
    logs::Place::parse(word, port, |host| names.host(host))
}

/// Connections that descriptors allow, of all services together; `taken` of them have another use.
fn possible(descriptors: u64, taken: u64) -> u32 {
    let reserved = u64::from(limits::DESCRIPTOR_RESERVE).saturating_add(taken);
    let possible = descriptors.saturating_sub(reserved) / 2;
    u32::try_from(possible).unwrap_or(u32::MAX).clamp(1, limits::CONNECTIONS_MAX)
}

/// Connections a service may have: what was asked for, or as many as descriptors allow; with a
/// warning if it is less than what was asked for.
fn places(config: &ServiceConfig, descriptors: u64, taken: u64) -> (u32, Option<String>) {
    let possible = possible(descriptors, taken);
    match config.conn_max {
        Some(wanted) if wanted > possible => {
            let warning = format!(
                "service {}: {wanted} connections need more than the {descriptors} descriptors \
                 this process may have; {possible} are possible",
                config.name
            );
            (possible, Some(warning))
        }
        Some(wanted) => (wanted.max(1), None),
        None => (possible, None),
    }
}

#[cfg(test)]
mod tests;
