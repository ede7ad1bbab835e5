//! What is known of Pen: the last overview, and how fast its numbers grow.
//!
//! Rates are differences between two looks at this machine's clock. A process with another number is
//! another Pen, whose numbers begin anew.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Instant;

use pen_core::limits;
use serde::Deserialize;

/// The reply to `overview json`, as far as it is shown. What is missing is 0 or nothing: Pen may be
/// older or newer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Overview {
    pub(super) pen: Process,
    pub(super) services: Vec<Service>,
    pub(super) events: Vec<Event>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Process {
    pub(super) version: String,
    pub(super) pid: u64,
    pub(super) uptime_s: u64,
    pub(super) workers: u64,
    pub(super) draining: bool,
    pub(super) connections: u64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Service {
    pub(super) service: String,
    pub(super) mode: String,
    pub(super) listen: Vec<String>,
    pub(super) ready: bool,
    pub(super) not_ready: Vec<String>,
    pub(super) conn_used: u64,
    pub(super) conn_max: u64,
    pub(super) flows: u64,
    pub(super) flows_max: u64,
    pub(super) totals: Totals,
    pub(super) servers: Vec<Server>,
    pub(super) emergency: Option<Server>,
    pub(super) abuse: Option<Server>,
    pub(super) clients_max: u64,
    pub(super) clients_used: u64,
    pub(super) top_clients: Vec<Client>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Totals {
    pub(super) accepted: u64,
    pub(super) received: u64,
    pub(super) sent: u64,
    pub(super) closed: BTreeMap<String, u64>,
    pub(super) dropped: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Server {
    pub(super) number: i64,
    pub(super) name: Option<String>,
    pub(super) address: String,
    pub(super) port: u16,
    pub(super) connections: u64,
    pub(super) pending: u64,
    pub(super) max: u64,
    pub(super) usable: bool,
    pub(super) blacklisted: bool,
    pub(super) sentence_s: Option<u64>,
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) total: u64,
    pub(super) failures: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Client {
    pub(super) address: String,
    pub(super) age_s: u64,
    pub(super) server: Option<i64>,
    pub(super) connects: u64,
    pub(super) sent: u64,
    pub(super) received: u64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    pub(super) time_ms: i64,
    pub(super) key: String,
    pub(super) text: String,
}

impl Service {
    /// Its servers, those outside the rotation last.
    pub(super) fn all_servers(&self) -> impl Iterator<Item = &Server> {
        self.servers.iter().chain(&self.emergency).chain(&self.abuse)
    }

    /// Connections, or flows, now and at most.
    pub(super) fn load(&self) -> (u64, u64) {
        (self.conn_used + self.flows, self.conn_max + self.flows_max)
    }
}

impl Server {
    pub(super) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    fn is_set(&self) -> bool {
        self.usable || self.blacklisted
    }
}

/// How fast something grows, and how fast it did.
#[derive(Clone, Debug, Default)]
pub(super) struct Rates {
    before: Option<Counts>,
    /// New connections or flows per second.
    pub(super) opened: f64,
    /// Bytes per second from clients.
    pub(super) received: f64,
    /// Bytes per second to clients.
    pub(super) sent: f64,
    /// [`Rates::opened`] of the last looks, the newest last.
    pub(super) curve: VecDeque<f64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    opened: u64,
    received: u64,
    sent: u64,
}

impl Rates {
    fn look(&mut self, now: Counts, seconds: f64) {
        let before = self.before.replace(now);
        let Some(before) = before.filter(|_| seconds > 0.0) else { return };
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        self.opened = rate(now.opened, before.opened);
        self.received = rate(now.received, before.received);
        self.sent = rate(now.sent, before.sent);
        if self.curve.len() >= limits::PENCTL_TOP_STEPS {
            self.curve.pop_front();
        }
        self.curve.push_back(self.opened);
    }
}

/// How well Pen is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Well,
    /// Something is not as it should be; clients are served.
    Limping(String),
    /// Clients are turned away.
    Bad(String),
}

/// All that is known.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) overview: Overview,
    /// Why the last look failed, if it did.
    pub(super) trouble: Option<String>,
    /// Pen was started anew since the first look.
    pub(super) restarted: bool,
    looked: Option<Instant>,
    services: HashMap<String, Rates>,
    servers: HashMap<(String, i64), Rates>,
}

impl Model {
    /// What a look brought.
    pub(super) fn take(&mut self, overview: Overview, now: Instant) {
        self.trouble = None;
        if self.looked.is_some() && overview.pen.pid != self.overview.pen.pid {
            self.restarted = true;
            (self.looked, self.services, self.servers) = (None, HashMap::new(), HashMap::new());
        }
        let seconds = self.looked.map_or(0.0, |at| now.duration_since(at).as_secs_f64());
        self.looked = Some(now);
        let (mut services, mut servers) = (HashMap::new(), HashMap::new());
        for service in &overview.services {
            let totals = &service.totals;
            let mut rates = self.services.remove(&service.service).unwrap_or_default();
            let counts =
                Counts { opened: totals.accepted, received: totals.received, sent: totals.sent };
            rates.look(counts, seconds);
            services.insert(service.service.clone(), rates);
            for server in service.all_servers() {
                let key = (service.service.clone(), server.number);
                let mut rates = self.servers.remove(&key).unwrap_or_default();
                // What clients send is what the server gets.
                let counts =
                    Counts { opened: server.total, received: server.sent, sent: server.received };
                rates.look(counts, seconds);
                servers.insert(key, rates);
            }
        }
        // What is gone is forgotten.
        (self.services, self.servers) = (services, servers);
        self.overview = overview;
    }

    /// A look failed.
    pub(super) fn fail(&mut self, why: String) {
        self.trouble = Some(why);
    }

    pub(super) fn service_rates(&self, service: &str) -> Rates {
        self.services.get(service).cloned().unwrap_or_default()
    }

    pub(super) fn server_rates(&self, service: &str, server: &Server) -> Rates {
        let key = (service.to_owned(), server.number);
        self.servers.get(&key).cloned().unwrap_or_default()
    }

    /// All services together: opened, received and sent per second.
    pub(super) fn sum(&self) -> (f64, f64, f64) {
        self.services.values().fold((0.0, 0.0, 0.0), |(opened, received, sent), rates| {
            (opened + rates.opened, received + rates.received, sent + rates.sent)
        })
    }

    /// Whether all is well, and if not, what to look at first.
    pub(super) fn health(&self) -> Health {
        let services = &self.overview.services;
        if let Some(service) = services.iter().find(|s| !s.ready) {
            let why = service.not_ready.join(", ");
            return Health::Bad(format!("service {} is not ready: {why}", service.service));
        }
        if self.overview.pen.draining {
            return Health::Limping("draining: no new clients are accepted".to_owned());
        }
        let out = |s: &Service| s.servers.iter().filter(|s| s.blacklisted).count();
        let all: usize = services.iter().map(out).sum();
        if let Some(first) = services.iter().find(|s| out(s) > 0) {
            let set = first.servers.iter().filter(|s| s.is_set()).count();
            let more = if all > out(first) { format!(", {all} in all") } else { String::new() };
            return Health::Limping(format!(
                "service {}: {} of {set} servers out{more}",
                first.service,
                out(first)
            ));
        }
        Health::Well
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;

    /// Two services of a Pen as it replies.
    pub(in super::super) fn overview(accepted: u64) -> Overview {
        let text = r#"{"pen":{"version":"0.35.0","pid":41,"uptime_s":93784,"workers":2,"connections":7},
            "services":[
             {"service":"default","mode":"tcp","listen":["80","[::]:80"],"ready":true,"conn_used":7,"conn_max":500,
              "totals":{"accepted":ACC,"received":5000,"sent":900000,"closed":{"client_finished":90,"idle_timeout":2}},
              "servers":[
               {"number":0,"name":"red","address":"192.0.2.1","port":80,"connections":4,"usable":true,"total":ACC,"received":900000},
               {"number":1,"name":null,"address":"192.0.2.2","port":80,"connections":0,"blacklisted":true,"sentence_s":17,"failures":{"refused":3,"timed_out":1}},
               {"number":2,"name":null,"address":"0.0.0.0","port":0},
               {"number":3,"address":"2001:db8::3","port":8080,"connections":3,"max":3,"usable":true,"total":5}],
              "emergency":{"number":-1,"address":"192.0.2.9","port":80,"usable":true},"abuse":null,
              "clients_max":2048,"clients_used":2,
              "top_clients":[{"address":"198.51.100.7","age_s":3,"server":0,"connects":55,"sent":800000,"received":4000},
                             {"address":"2001:db8::77","age_s":61,"server":null,"connects":2,"sent":1,"received":2}]},
             {"service":"dns","mode":"udp","listen":["53"],"ready":true,"flows":12,"flows_max":4096,"servers":[]}],
            "events":[{"seq":1,"time_ms":1700000000000,"key":"server_down","text":"default: server 1 (192.0.2.2:80) is out: refused"}]}"#;
        serde_json::from_str(&text.replace("ACC", &accepted.to_string())).unwrap()
    }

    pub(in super::super) fn model() -> Model {
        let mut model = Model::default();
        let start = Instant::now();
        for n in 0..9 {
            let accepted = 100 + [0, 2, 6, 12, 18, 20, 21, 21, 31][n as usize];
            model.take(overview(accepted), start + Duration::from_secs(n * 2));
        }
        model
    }

    #[test]
    fn rates_are_differences() {
        let model = model();
        let rates = model.service_rates("default");
        assert_eq!((rates.opened, rates.received), (5.0, 0.0));
        assert_eq!(rates.curve, [1.0, 2.0, 3.0, 3.0, 1.0, 0.5, 0.0, 5.0]);
        assert_eq!(model.sum().0, 5.0);
        let red = model.overview.services[0].servers[0].clone();
        assert_eq!(model.server_rates("default", &red).opened, 5.0);
        assert_eq!(model.server_rates("nobody", &red).opened, 0.0);
    }

    #[test]
    fn another_process_begins_anew() {
        let mut model = model();
        let mut other = overview(3);
        other.pen.pid = 42;
        model.take(other, Instant::now());
        assert!(model.restarted);
        assert!(model.service_rates("default").curve.is_empty());
    }

    #[test]
    fn health_names_what_to_look_at() {
        let mut model = model();
        let limps = "service default: 1 of 3 servers out".to_owned();
        assert_eq!(model.health(), Health::Limping(limps));
        model.overview.services[0].servers[1].blacklisted = false;
        assert_eq!(model.health(), Health::Well);
        let dns = &mut model.overview.services[1];
        (dns.ready, dns.not_ready) = (false, vec!["no_server".to_owned()]);
        assert_eq!(model.health(), Health::Bad("service dns is not ready: no_server".to_owned()));
    }

    #[test]
    fn curves_are_bounded_and_strange_replies_are_taken() {
        let mut model = Model::default();
        let start = Instant::now();
        for n in 0..200 {
            model.take(overview(n), start + Duration::from_secs(n));
        }
        assert_eq!(model.service_rates("default").curve.len(), limits::PENCTL_TOP_STEPS);
        let strange: Overview = serde_json::from_str(r#"{"more":[1],"services":[{}]}"#).unwrap();
        model.take(strange, start);
        assert_eq!(model.overview.services.len(), 1);
    }
}
