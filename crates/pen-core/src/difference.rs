//! What two configurations differ in, in few words, for the operator who reads that settings changed.
//!
//! Settings are compared as the commands that would make them, so that no setting can be forgotten
//! here. Deliberately not here: making the difference true.

use std::collections::{BTreeMap, BTreeSet};

use crate::command::write;
use crate::config::{Config, ServerConfig, ServiceConfig};
use crate::event::{Detail, Event};
use crate::limits::CHANGES_NAMED;
use crate::servers::Server;

/// What has changed, as names: `service`, `service/number`, `service/command`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Services that came.
    pub services_added: Vec<String>,
    /// Services that went.
    pub services_removed: Vec<String>,
    /// Servers that came.
    pub servers_added: Vec<String>,
    /// Servers that went.
    pub servers_removed: Vec<String>,
    /// Servers with another address or other settings.
    pub servers_changed: Vec<String>,
    /// Commands that would set something else.
    pub settings: Vec<String>,
}

impl Difference {
    /// From one configuration to another.
    #[must_use]
    pub fn between(before: &Config, after: &Config) -> Self {
        let mut found = Self::default();
        for gone in before.services.iter().filter(|s| after.service(&s.name).is_none()) {
            found.services_removed.push(gone.name.clone());
        }
        let mut process = BTreeSet::new();
        for service in &after.services {
            match before.service(&service.name) {
                None => found.services_added.push(service.name.clone()),
                Some(was) => {
                    found.servers(was, service);
                    found.settings(
                        (&lines(before, was), &lines(after, service)),
                        &service.name,
                        &mut process,
                    );
                }
            }
        }
        found.settings.extend(process);
        found
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts().iter().all(|(_, _, names)| names.is_empty())
    }

    /// In a few words, for a sentence.
    #[must_use]
    pub fn words(&self) -> String {
        let parts = self.parts();
        let some = parts.iter().filter(|(_, _, names)| !names.is_empty());
        let words: Vec<String> =
            some.map(|(_, what, names)| format!("{what} {}", listed(names))).collect();
        if words.is_empty() { "nothing has changed".to_owned() } else { words.join("; ") }
    }

    /// Adds what differs to an event.
    #[must_use]
    pub fn add_to(&self, event: Event) -> Event {
        let some = self.parts().into_iter().filter(|(_, _, names)| !names.is_empty());
        some.fold(event, |event, (detail, _, names)| event.with(detail, listed(names)))
    }

    fn parts(&self) -> [(Detail, &'static str, &[String]); 6] {
        [
            (Detail::ServicesAdded, "services added:", &self.services_added),
            (Detail::ServicesRemoved, "services removed:", &self.services_removed),
            (Detail::ServersAdded, "servers added:", &self.servers_added),
            (Detail::ServersRemoved, "servers removed:", &self.servers_removed),
            (Detail::ServersChanged, "servers changed:", &self.servers_changed),
            (Detail::Settings, "settings changed:", &self.settings),
        ]
    }

    fn servers(&mut self, before: &ServiceConfig, after: &ServiceConfig) {
        let unset = ServerConfig::default();
        let slots = before.servers.len().max(after.servers.len());
        let numbered = (0..slots).map(|n| {
            let of = |table: &'_ [ServerConfig]| table.get(n).cloned().unwrap_or_default();
            (n.to_string(), of(&before.servers), of(&after.servers))
        });
        let outside = [
            ("emergency", &before.emergency, &after.emergency),
            ("abuse", &before.abuse, &after.abuse),
        ];
        let outside = outside.map(|(name, was, is)| {
            let of = |server: &Option<ServerConfig>| server.clone().unwrap_or(unset.clone());
            (name.to_owned(), of(was), of(is))
        });
        for (number, was, is) in numbered.chain(outside) {
            if was == is {
                continue;
            }
            let name = format!("{}/{number}", after.name);
            let set = |server: ServerConfig| Server::new(server).is_set();
            match (set(was), set(is)) {
                (false, true) => self.servers_added.push(name),
                (true, false) => self.servers_removed.push(name),
                _ => self.servers_changed.push(name),
            }
        }
    }

    /// `process` collects what belongs to the whole process.
    fn settings(
        &mut self,
        (before, after): (&Lines, &Lines),
        service: &str,
        process: &mut BTreeSet<String>,
    ) {
        let words: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for word in words {
            if before.get(word) == after.get(word)
                || matches!(&**word, "server" | "emergency" | "abuse")
            {
                continue;
            }
            let of_process = crate::command::table::find(word)
                .is_some_and(|spec| spec.scope == crate::command::table::Scope::Process);
            if of_process {
                process.insert(word.clone());
            } else {
                self.settings.push(format!("{service}/{word}"));
            }
        }
    }
}

/// The lines of each command.
type Lines = BTreeMap<String, Vec<String>>;

fn lines(config: &Config, service: &ServiceConfig) -> Lines {
    let only = Config { process: config.process.clone(), services: vec![service.clone()] };
    let mut lines = Lines::new();
    for line in write::settings(&only, false).lines() {
        let rest = line.strip_prefix("no ").unwrap_or(line);
        let word = rest.split(' ').next().unwrap_or_default();
        lines.entry(word.to_owned()).or_default().push(line.to_owned());
    }
    lines
}

fn listed(names: &[String]) -> String {
    let shown = names.get(..CHANGES_NAMED).unwrap_or(names).join(",");
    match names.len().saturating_sub(CHANGES_NAMED) {
        0 => shown,
        more => format!("{shown},+{more}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::test_names::Table;
    use crate::command::{Context, Door, apply, parse};

    fn read(text: &str) -> Config {
        let mut config = Config::default();
        let mut context = Context::starting(Door::File);
        for line in text.lines() {
            let line = parse(line, Door::File).unwrap().unwrap();
            apply(&mut config, &mut context, &line, &Table).unwrap();
        }
        config
    }

    #[test]
    fn what_differs_is_named() {
        let before = read(
            "server 0 address 127.0.0.1 port 1\nserver 1 address 127.0.0.1 port 2\n\
             server 2 address 127.0.0.1 port 3\nacl 1 permit 10.0.0.0/8\nservice gone\nservice mail\nhash",
        );
        let after = read(
            "server 0 address 127.0.0.1 port 1\nserver 1 address 127.0.0.1 port 2 weight 9\n\
             server 3 address 127.0.0.1 port 4\nblacklist 7\ndebug 1\nemergency 127.0.0.1:9\n\
             acl 1 permit 11.0.0.0/8\nservice mail\nno hash\nservice extra",
        );
        let found = Difference::between(&before, &after);
        let all = |names: &[String]| names.join(" ");
        assert_eq!(all(&found.services_added), "extra");
        assert_eq!(all(&found.services_removed), "gone");
        assert_eq!(all(&found.servers_added), "default/3 default/emergency");
        assert_eq!(all(&found.servers_removed), "default/2");
        assert_eq!(all(&found.servers_changed), "default/1");
        assert_eq!(all(&found.settings), "default/acl default/blacklist mail/hash debug");
        assert!(found.words().starts_with("services added: extra; services removed: gone; "));
        assert!(Difference::between(&before, &before).is_empty());
        assert_eq!(Difference::default().words(), "nothing has changed");
    }

    #[test]
    fn a_long_list_is_cut() {
        let names: Vec<String> = (0..CHANGES_NAMED + 3).map(|n| n.to_string()).collect();
        let text = listed(&names);
        assert!(text.starts_with("0,1,2,") && text.ends_with(",15,+3"), "{text}");
    }
}
