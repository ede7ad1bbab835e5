//! The web servers of a merge, as the command line names them and as Pen's log does.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::logline::{Entry, RequestKey};

/// A server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerId(usize);

/// All of them.
#[derive(Debug, Default)]
pub struct Servers {
    words: Vec<String>,
    by_word: BTreeMap<String, ServerId>,
    by_ip: BTreeMap<IpAddr, ServerId>,
}

impl Servers {
    /// The server of this word; equal words are one server.
    pub fn add(&mut self, word: &str) -> ServerId {
        if let Some(known) = self.by_word.get(word) {
            return *known;
        }
        let id = match word.parse::<IpAddr>() {
            Ok(ip) => *self.by_ip.entry(ip.to_canonical()).or_insert(ServerId(self.words.len())),
            Err(_) => ServerId(self.words.len()),
        };
        if id.0 == self.words.len() {
            self.words.push(word.to_owned());
        }
        self.by_word.insert(word.to_owned(), id);
        id
    }

    /// Words that are no addresses: Pen's log has addresses, so they may have to be resolved.
    pub fn names(&self) -> impl Iterator<Item = (ServerId, &str)> {
        let ids = self.by_word.iter().map(|(word, id)| (*id, word.as_str()));
        ids.filter(|(_, word)| word.parse::<IpAddr>().is_err())
    }

    /// A name has this address. What was said first stays.
    pub fn learn(&mut self, id: ServerId, ip: IpAddr) {
        self.by_ip.entry(ip.to_canonical()).or_insert(id);
    }

    /// The server that an entry names, if a log of it is merged.
    #[must_use]
    pub fn of(&self, entry: &Entry<'_>) -> Option<ServerId> {
        let by_ip = || entry.server_ip().and_then(|ip| self.by_ip.get(&ip));
        self.by_word.get(entry.server).or_else(by_ip).copied()
    }

    /// The word of a server.
    #[must_use]
    pub fn word(&self, id: ServerId) -> &str {
        self.words.get(id.0).map_or("", String::as_str)
    }

    /// What to find the entry of this request by.
    #[must_use]
    pub fn key(&self, id: ServerId, request: &[u8]) -> RequestKey {
        RequestKey::of_request(self.word(id).as_bytes(), request)
    }

    /// What this entry is found by.
    #[must_use]
    pub fn key_of(&self, id: ServerId, entry: &Entry<'_>) -> RequestKey {
        entry.key(self.word(id).as_bytes())
    }
}
