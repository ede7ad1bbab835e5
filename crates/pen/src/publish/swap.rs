//! The second half of a publication, in which nothing can fail: what was opened takes the place of what
//! was there, service by service, and the workers hear of it.

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pen_core::acl::{AccessList, Countries};
use pen_core::arrivals::Arrivals;
use pen_core::clients::ClientTable;
use pen_core::config::{Config, Protocol, ServiceConfig};
use pen_core::event::EventKey;
use pen_core::handshakes::Handshakes;
use pen_core::service::Live;
use pen_core::slots::Slots;
use pen_core::{limits, routes};

use crate::countries::{self, Database};
use crate::listeners::{self, Gates};
use crate::logs::{self, LogId, Shape};
use crate::shared::{Door, Order, Service, Tables};
use crate::socket_options;
use crate::tls::Outward;

use super::{Changes, NewLogs, Running};

impl Running {
    /// Nothing in it can fail.
    pub(super) fn swap(
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
        self.pool.memory.configure(u64::from(new.process.mem_max_mib) << 20);
        self.keeper.let_go(&self.gates, &gates);
        let listeners = u64::try_from(listeners::descriptors(&gates)).unwrap_or(u64::MAX);
        let web = if new.process.metrics.is_some() { limits::WEB_CONNECTIONS_MAX } else { 0 };
        let taken = listeners
            .saturating_add(self.descriptors_of_pipes())
            .saturating_add(u64::try_from(web).unwrap_or(0));
        self.pool.room.resize(possible(self.descriptors, taken));
        if let Some(target) = new_logs.events.take() {
            let log = new.process.event_log.as_ref();
            let shape = log.map(|log| Shape::Events { json: log.json });
            changes.warnings.extend(self.change_log(LogId::EVENTS, target, shape).err());
        }
        let renewed = self.renew(&new, &before, taken, &mut changes);
        self.retire(&new, &mut changes);
        let mut services = Vec::with_capacity(new.services.len());
        for (config, (service, known)) in new.services.iter().zip(renewed) {
            self.change_logs(&service, config, &mut new_logs, &mut changes);
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
            let service = known.unwrap_or_else(|| {
                let text = format!("service {} is there", config.name);
                changes.happened(EventKey::ServiceAdded, &config.name, None, &text);
                self.create(config, places)
            });
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
                let text = format!("service {} {what}", service.name);
                changes.happened(EventKey::ServiceRemoved, &service.name, None, &text);
                changes.news.push(text);
                self.order_all(|| Order::Retire { service: service.id });
                self.retired.push(Arc::downgrade(service));
                // Lines of its last connections that come later have no place any more.
                for log in [LogId(service.id), LogId::connections(service.id)] {
                    if let Err(e) = self.logs.close(log) {
                        changes.warnings.push(e);
                    }
                }
            }
        }
    }

    /// What knows the countries, for a service that wants to know.
    pub(super) fn countries_for(&self, config: &ServiceConfig) -> Option<Arc<dyn Countries>> {
        let wanted = config.acls.iter().any(AccessList::names_countries);
        self.countries.clone().filter(|_| wanted).map(|c| c as Arc<dyn Countries>)
    }

    fn create(&mut self, config: &ServiceConfig, places: u32) -> Arc<Service> {
        let id = self.next_service;
        let seed = [self.secret.hash_one((id, 0)), self.secret.hash_one((id, 1))];
        let tables = Tables {
            clients: ClientTable::new(config.clients_max, seed),
            slots: Slots::new(places),
            handshakes: Handshakes::default(),
            arrivals: Arrivals::new(seed),
        };
        let countries = self.countries_for(config);
        let live = Live::new(Arc::new(config.clone())).with_countries(countries);
        self.next_service += 1;
        let service = Service::new(id, live, tables, self.pool.mailboxes.len());
        service.room.resize(self.room(config, places));
        Arc::new(service)
    }

    fn change_logs(
        &self,
        service: &Service,
        config: &ServiceConfig,
        new: &mut NewLogs,
        changes: &mut Changes,
    ) {
        let name = service.name.clone();
        let connections = config
            .connection_log
            .as_ref()
            .map(|log| Shape::Connections { format: log.format.clone(), service: name.clone() });
        let both = [
            (new.classic.remove(&name), LogId(service.id), Some(Shape::Classic)),
            (new.connections.remove(&name), LogId::connections(service.id), connections),
        ];
        for (target, log, shape) in both {
            if let Err(e) = target.map_or(Ok(()), |target| self.change_log(log, target, shape)) {
                changes.warnings.push(format!("service {name}: {e}"));
            }
        }
    }

    fn change_log(
        &self,
        log: LogId,
        target: Option<logs::Target>,
        shape: Option<Shape>,
    ) -> Result<(), String> {
        match target.zip(shape) {
            Some((target, shape)) => self.logs.install(log, target, shape),
            None => self.logs.close(log),
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
        let closed = closed.map(|g| (EventKey::ListenerClosed, "no longer listens", g));
        let opened = opened.map(|g| (EventKey::ListenerOpened, "listens", g));
        let mut same = true;
        for (key, what, gate) in closed.chain(opened) {
            let place = gate.place.to_string();
            let text = format!("service {name}: {what} on {place}");
            if key == EventKey::ListenerOpened {
                changes.caution(listeners::absent(gate, &service.live.load().config));
            }
            changes.happened(key, name, Some(place), &text);
            changes.news.push(text);
            same = false;
        }
        match known {
            Some(false) if same => return false,
            Some(true) if same => {
                self.order_all(|| Order::Refresh { service: service.id });
                return true;
            }
            _ => {}
        }
        let workers = self.pool.mailboxes.len();
        for (worker, mailbox) in self.pool.mailboxes.iter().enumerate() {
            let doors: Vec<Door> =
                new.iter().flat_map(|g| g.doors_of(worker, workers)).cloned().collect();
            mailbox.post(Order::Serve { service: Arc::clone(service), doors });
        }
        true
    }
}

/// Whether a service that runs is the one that is configured: another protocol makes it another.
fn goes_on(service: &Service, config: &ServiceConfig) -> bool {
    service.live.load().config.protocol == config.protocol
}

/// Connections that descriptors allow, of all services together; `taken` of them have another use.
fn possible(descriptors: u64, taken: u64) -> u32 {
    let reserved = u64::from(limits::DESCRIPTOR_RESERVE).saturating_add(taken);
    let possible = descriptors.saturating_sub(reserved) / 2;
    u32::try_from(possible).unwrap_or(u32::MAX).clamp(1, limits::CONNECTIONS_MAX)
}

/// Connections a service may have: what was asked for, or as many as descriptors allow; with a
/// warning if it is less than what was asked for.
pub(super) fn places(
    config: &ServiceConfig,
    descriptors: u64,
    taken: u64,
) -> (u32, Option<String>) {
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
