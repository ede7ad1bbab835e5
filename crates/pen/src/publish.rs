//! What runs, and how a configuration becomes true.
//!
//! [`Running::publish`] does everything that can fail first (`ready`: listeners, countries, certificates,
//! logs); on a failure, a defect of Pen among them, what is new is dropped and what runs goes on untouched.
//! Then it swaps (`swap`), and a defect ends the process: settings are
//! published whole to the workers, tables grow, doors are handed over. Owned by the control thread alone.
//! Deliberately not here: where a configuration comes from.

mod certificates;
mod ready;
mod swap;

use std::collections::BTreeMap;
use std::hash::RandomState;
use std::sync::{Arc, Weak};

use pen_core::acl::Countries;
use pen_core::addr::Names;
use pen_core::config::{Config, ServiceConfig};
use pen_core::connlog::LogPlace;
use pen_core::event::{Event, EventKey, Subject};
use pen_core::explain::{Answer, Question};
use pen_core::moment::Moment;
use pen_core::report::dsr::DsrRow;
use pen_core::service::Live;
use pen_sys::services::{self, Services};

use crate::control::contain::{NOTHING_CHANGED, contained};
use crate::control::page::Wishes;
use crate::control::sentences::Sentences;
use crate::countries::{self, Database};
use crate::gather::{Board, Shown};
use crate::listeners::handed::Pool as Handed;
use crate::listeners::stock::{self, Kept};
use crate::listeners::{Gates, Keeper};
use crate::logs::{self, Level, Logs};
use crate::shared::{Order, Pool, Service};
use crate::state::State;
use crate::tls::{Calendar, Outward, Told, Vault};
use crate::transparent::{self, When};
use crate::web::{self, Web};
use crate::{clock, dsr, socket_options};
use ready::Ready;

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
    /// What other threads may know.
    pub board: Arc<Board>,
    /// Servers that the operator has left out for a time.
    pub sentences: Sentences,
    /// The web thread, which shows it.
    web: Web,
    /// Where it is kept which client used which server.
    pub state: State,
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
    /// Names of listeners that were handed over at the start and that nobody wanted.
    strays: Vec<String>,
}

/// What a publication brought, for the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Services and listeners that came and went.
    pub news: Vec<String>,
    /// What could not be had as it was asked for.
    pub warnings: Vec<String>,
    /// The events among them. A warning that is none of these is one of its own.
    pub events: Vec<Event>,
}

impl Changes {
    /// Adds an event of a service, and of one of its listeners.
    fn happened(&mut self, key: EventKey, service: &str, listener: Option<String>, text: &str) {
        let event = Subject::new(key).at(service).event().saying(text);
        self.events.push(Event { address: listener, ..event });
    }

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
#[derive(Debug, Default)]
struct NewLogs {
    classic: BTreeMap<String, Option<logs::Target>>,
    connections: BTreeMap<String, Option<logs::Target>>,
    events: Option<Option<logs::Target>>,
}

/// What a start opens before privileges are dropped.
#[derive(Debug)]
pub struct Opened {
    keeper: Keeper,
    gates: Gates,
    posts: dsr::Planned,
    vault: Vault,
    outward: Outward,
    told: Told,
    web: Option<Arc<web::Door>>,
    facts: web::Sources,
    /// Names of listeners that were handed over and that nobody wanted.
    strays: Vec<String>,
}

/// Reads the certificates of `config` and opens its listeners at start-up, before privileges are
/// dropped; but for those that were handed over.
///
/// # Errors
/// A sentence for the operator about the first certificate or address that cannot be had.
pub fn open(config: &Config, workers: usize, mut handed: Handed) -> Result<Opened, String> {
    let (vault, mut told) = Vault::default().prepare(config, clock::wall().0)?;
    let outward = Outward::default().load(config)?;
    let listen = config.process.metrics.as_ref();
    let near = listen.is_some_and(|l| handed.is_near(&l.place));
    let web = listen.and_then(|l| Some(web::Door::adopt(l, handed.take_one(&l.place)?)));
    let mut keeper = Keeper::with(workers, handed);
    let gates = keeper.plan(&Gates::new(), config)?;
    let unwanted = keeper.close_unwanted();
    told.warnings.extend(unwanted.sentences);
    let posts = dsr::Posts::default().plan(config, workers)?;
    let web = match (web, listen) {
        (None, Some(listen)) => Some(web::Door::open(listen, near)?),
        (adopted, _) => adopted,
    };
    let (web, facts, strays) = (web.map(Arc::new), web::Sources::open(), unwanted.names);
    Ok(Opened { keeper, gates, posts, vault, outward, told, web, facts, strays })
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
        let Opened { keeper, gates, posts, vault, outward, told, web: door, facts, strays } =
            opened;
        let board = Arc::new(Board::new(Arc::clone(&pool), logs.clone()));
        let web = Web::new(Arc::clone(&board), logs.clone(), (facts, descriptors))
            .map_err(|e| format!("cannot prepare metrics: {e}"))?;
        let state = State::new(Arc::clone(&board), logs.clone());
        let mut running = Self {
            config: Config { process: config.process.clone(), services: Vec::new() },
            services: Vec::new(),
            board,
            web,
            state,
            pool,
            logs,
            sentences: Sentences::default(),
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
            strays,
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
        running.show();
        running.look_at_calendar(&mut changes);
        changes.caution(running.web.swap(door, &running.config, running.countries.clone()));
        running.state.begin(&running.config);
        Ok((running, changes))
    }

    /// Makes `new` true, wholly or not at all. Returns when the workers have closed the listeners that
    /// are gone, or after [`pen_core::limits::LISTENER_CLOSE_MS`].
    ///
    /// # Errors
    /// A sentence for the operator; everything is as before.
    pub fn publish(&mut self, new: Config, names: &dyn Names) -> Result<Changes, String> {
        if new == self.config {
            return Ok(Changes::default());
        }
        let logs = self.logs.clone();
        let ready = contained(&logs, NOTHING_CHANGED, || self.make_ready(&new, names))?;
        Ok(self.put_in_force(new, ready))
    }

    /// Nothing can be refused any more.
    fn put_in_force(&mut self, new: Config, ready: Ready) -> Changes {
        let Ready { vault, told, outward, gates, logs, posts, door, countries, cautions } = ready;
        self.vault = vault;
        #[cfg(debug_assertions)]
        crate::worker::faults::at_settings(&new, "panic-swap");
        let (known, mut news) = (dsr::cautions(&self.config), dsr::cautions(&new));
        news.retain(|text| !known.contains(text));
        let mut changes = self.swap(new, gates, logs, countries, outward);
        changes.caution(news);
        changes.warnings.extend(self.posts.swap(posts, &self.services, &self.logs));
        changes.caution(cautions);
        changes.take(told);
        self.show();
        self.look_at_calendar(&mut changes);
        changes.caution(self.web.swap(door, &self.config, self.countries.clone()));
        self.state.configure(&self.config);
        self.keeper.wait_until_closed();
        changes
    }

    /// Where wishes of the web page arrive.
    #[must_use]
    pub fn wishes(&self) -> Wishes {
        self.web.wishes()
    }

    /// Tells other threads what is true.
    fn show(&self) {
        self.board.show(Shown {
            services: self.services.clone(),
            frames: self.posts.windows(),
            certificates: self.certificates(),
        });
    }

    /// The service called `name`.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Arc<Service>> {
        self.services.iter().find(|s| s.name == name)
    }

    /// Asks every worker and every thread of direct server return for a sign of life.
    pub fn ask_all(&self, round: u64) {
        self.order_all(|| Order::Live { round });
        self.posts.ask(round);
    }

    /// The threads of direct server return that have not answered.
    #[must_use]
    pub fn silent_posts(&self) -> Vec<String> {
        self.posts.silent()
    }

    /// What a service with direct server return does, if it is one.
    #[must_use]
    pub fn frames(&self, service: &str) -> Option<DsrRow> {
        self.posts.row(service)
    }

    /// What becomes of the first frame of a client of this service, with the settings that say so;
    /// `None` if the service passes no frames on.
    #[must_use]
    pub fn explain_frames(
        &self,
        service: &str,
        question: &Question,
        now: Moment,
    ) -> Option<(Arc<Live>, Answer)> {
        self.posts.explain(service, question, now)
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
        self.web.set_rules(&self.config, self.countries.clone());
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
        self.logs.event(Subject::new(EventKey::Warning), |e| e.saying(&*text));
        self.logs.say(Level::Always, || format!("WARNING: {text}"));
    }

    /// Says what a change brought; news at `level`.
    pub fn announce(&self, changes: Changes, level: Level) {
        let Changes { news, warnings, events } = changes;
        for warning in warnings {
            match events.iter().any(|e| e.text == warning) {
                true => self.logs.say(Level::Always, || format!("WARNING: {warning}")),
                false => self.warn(warning),
            }
        }
        for line in news {
            self.logs.say(level, || line);
        }
        for event in events {
            self.logs.happened(event);
        }
    }

    /// The listeners of services.
    #[must_use]
    pub fn listeners(&self) -> Vec<Kept> {
        stock::of(&self.gates)
    }

    /// The listener of the web page.
    #[must_use]
    pub fn web_listener(&self) -> Option<Kept> {
        self.web.kept()
    }

    /// Names of listeners that were handed over at the start and that nobody wanted; once.
    pub fn take_strays(&mut self) -> Vec<String> {
        std::mem::take(&mut self.strays)
    }

    /// Another process serves: what has no connections that end by themselves ends here.
    pub fn yield_frames_and_page(&mut self) {
        self.web.yield_door();
        self.posts = dsr::Posts::default();
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
            if let (true, Some(log)) =
                (self.connection_log_changes(service), &service.connection_log)
            {
                let _ = place_of(&log.place, &self.ports, names);
            }
        }
        if let Some(log) = &new.process.event_log {
            let _ = place_of(&log.place, &self.ports, names);
        }
    }

    fn before(&self, service: &ServiceConfig) -> Option<&ServiceConfig> {
        self.config.service(&service.name).filter(|s| s.protocol == service.protocol)
    }

    fn log_changes(&self, service: &ServiceConfig) -> bool {
        self.before(service).and_then(|s| s.log.as_ref()) != service.log.as_ref()
    }

    fn connection_log_changes(&self, service: &ServiceConfig) -> bool {
        let before = self.before(service).and_then(|s| s.connection_log.as_ref());
        before != service.connection_log.as_ref()
    }

    fn open_logs(&self, new: &Config, names: &dyn Names) -> Result<NewLogs, String> {
        let mut opened = NewLogs::default();
        let open = |place: &LogPlace| logs::Target::open(&place_of(place, &self.ports, names)?);
        for service in &new.services {
            if self.log_changes(service) {
                let target = match &service.log {
                    Some(word) => {
                        Some(logs::Target::open(&place_of_log(word, &self.ports, names)?)?)
                    }
                    None => None,
                };
                opened.classic.insert(service.name.clone(), target);
            }
            if self.connection_log_changes(service) {
                let target = service.connection_log.as_ref().map(|log| open(&log.place));
                opened.connections.insert(service.name.clone(), target.transpose()?);
            }
        }
        let log = &new.process.event_log;
        if *log != self.config.process.event_log || self.services.is_empty() {
            opened.events = Some(log.as_ref().map(|log| open(&log.place)).transpose()?);
        }
        Ok(opened)
    }
}

fn place_of(
    place: &LogPlace,
    services: &Services,
    names: &dyn Names,
) -> Result<logs::Place, String> {
    let port = |name: &str| services.port(name, services::Protocol::Udp);
    logs::Place::of(place, port, |host| names.host(host))
}

fn place_of_log(word: &str, services: &Services, names: &dyn Names) -> Result<logs::Place, String> {
    let port = |name: &str| services.port(name, services::Protocol::Udp);
    logs::Place::parse(word, port, |host| names.host(host))
}

#[cfg(test)]
mod tests;
