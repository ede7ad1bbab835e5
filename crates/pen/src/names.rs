//! Names while settings change: ports from the machine's table, hosts from what the resolver
//! has answered so far.
//!
//! A host that was not asked for yet gets a stand-in and is noted. Whoever changes settings throws
//! the result away then, has the noted names resolved, and starts over: so the names that a line
//! or a file needs are found by the code that uses them. Deliberately not here: asking the
//! resolver.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;

use pen_core::addr::{Host, Names};
use pen_core::config::Config;
use pen_sys::services::{Protocol, Services};

use crate::resolve::{self, Answer};

/// The names of the start: the system's resolver is asked and waited for, once per name, because
/// nothing runs yet.
#[derive(Debug)]
pub struct AskedNames {
    services: Arc<Services>,
    answers: RefCell<HashMap<String, Answer>>,
}

impl AskedNames {
    /// Nothing asked yet.
    #[must_use]
    pub fn new(services: Arc<Services>) -> Self {
        Self { services, answers: RefCell::default() }
    }
}

impl Names for AskedNames {
    fn port(&self, service: &str) -> Option<u16> {
        port(&self.services, service)
    }

    fn host(&self, name: &str) -> Answer {
        let mut answers = self.answers.borrow_mut();
        answers.entry(name.to_owned()).or_insert_with(|| resolve::now(name)).clone()
    }
}

/// A port by its name. Which protocol a service speaks may be said after its ports are named, so the
/// other protocol's table counts too: where both know a name they agree.
fn port(services: &Services, name: &str) -> Option<u16> {
    services.port(name, Protocol::Tcp).or_else(|| services.port(name, Protocol::Udp))
}

/// The names one change of settings can use.
#[derive(Debug)]
pub struct KnownNames {
    services: Arc<Services>,
    hosts: HashMap<String, Answer>,
    missing: RefCell<BTreeSet<String>>,
}

impl KnownNames {
    /// Nothing known but ports.
    #[must_use]
    pub fn new(services: Arc<Services>) -> Self {
        Self { services, hosts: HashMap::new(), missing: RefCell::default() }
    }

    /// Names that were asked for and are not known: the result they were part of is worthless.
    #[must_use]
    pub fn take_missing(&mut self) -> Vec<String> {
        self.missing.take().into_iter().collect()
    }

    /// Notes an answer of the resolver.
    pub fn learn(&mut self, name: String, answer: Answer) {
        self.hosts.insert(name, answer);
    }

    /// Names that could not be resolved keep the address that `config` has for them. Returns a
    /// warning for each.
    pub fn fall_back(&mut self, config: &Config) -> Vec<String> {
        let mut warnings = Vec::new();
        let services = config.services.iter();
        let servers = services.flat_map(|s| s.servers.iter().chain(&s.emergency).chain(&s.abuse));
        for server in servers {
            let Host::Name { name, ip } = &server.host else { continue };
            if let Some(answer @ Err(_)) = self.hosts.get_mut(name) {
                let why = std::mem::replace(answer, Ok(*ip)).err().unwrap_or_default();
                warnings.push(format!(
                    "cannot resolve {name} ({why}); its last known address {ip} is kept"
                ));
            }
        }
        warnings
    }
}

impl Names for KnownNames {
    fn port(&self, service: &str) -> Option<u16> {
        port(&self.services, service)
    }

    fn host(&self, name: &str) -> Answer {
        match self.hosts.get(name) {
            Some(answer) => answer.clone(),
            None => {
                self.missing.borrow_mut().insert(name.to_owned());
                Ok(Ipv4Addr::LOCALHOST.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use pen_core::config::ServerConfig;

    use super::*;

    #[test]
    fn unknown_hosts_are_noted_and_known_ones_answered() {
        let mut names = KnownNames::new(Arc::default());
        assert!(names.host("one").is_ok());
        assert!(names.host("one").is_ok());
        assert_eq!(names.take_missing(), ["one"]);
        names.learn("one".to_owned(), Err("no such host".to_owned()));
        assert_eq!(names.host("one"), Err("no such host".to_owned()));
        assert!(names.take_missing().is_empty());
    }

    #[test]
    fn a_failing_name_keeps_its_last_address() {
        let ip: IpAddr = "192.0.2.7".parse().unwrap();
        let mut config = Config::default();
        let host = Host::Name { name: "one".to_owned(), ip };
        config.services[0].servers.push(ServerConfig { host, ..ServerConfig::default() });
        let mut names = KnownNames::new(Arc::default());
        for name in ["one", "two"] {
            names.learn(name.to_owned(), Err("timed out".to_owned()));
        }
        let warnings = names.fall_back(&config);
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("one (timed out)") && warnings[0].contains("192.0.2.7"));
        assert_eq!(names.host("one"), Ok(ip));
        assert!(names.host("two").is_err());
    }
}
