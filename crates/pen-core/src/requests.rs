//! What `penlogd` remembers: who asked which server for what, most recently.
//!
//! A bounded number of entries, the oldest makes room. An entry is found any number of times, by the
//! server's address and the beginning of the request; of several the newest is meant.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use crate::logline::{Entry, RequestKey};

/// The table.
#[derive(Debug)]
pub struct Requests {
    room: usize,
    /// The newest client of each request, with the number of its entry.
    newest: BTreeMap<RequestKey, (u64, Box<str>)>,
    /// All entries in their order.
    ring: VecDeque<(RequestKey, u64)>,
    number: u64,
    forgotten: u64,
}

impl Requests {
    /// Room for `room` entries.
    #[must_use]
    pub fn new(room: usize) -> Self {
        let (newest, ring) = (BTreeMap::new(), VecDeque::new());
        Self { room: room.max(1), newest, ring, number: 0, forgotten: 0 }
    }

    /// Remembers an entry.
    pub fn remember(&mut self, entry: &Entry<'_>) {
        while self.ring.len() >= self.room {
            self.forget_oldest();
        }
        let server = entry.server_ip();
        let key =
            server.map_or_else(|| entry.key(entry.server.as_bytes()), |ip| entry.key(&name(ip)));
        self.number = self.number.wrapping_add(1);
        self.newest.insert(key, (self.number, entry.client.into()));
        self.ring.push_back((key, self.number));
    }

    /// The client that last asked the server at `server` for one of `requests`, the spellings of one
    /// request in a web line.
    pub fn client<'r>(
        &self,
        server: IpAddr,
        requests: impl IntoIterator<Item = &'r [u8]>,
    ) -> Option<&str> {
        let server = name(server.to_canonical());
        let mut keys = requests.into_iter().map(|r| RequestKey::of_request(&server, r));
        keys.find_map(|key| self.newest.get(&key)).map(|(_, client)| &**client)
    }

    /// Entries in the table.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Entries that made room so far.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn forget_oldest(&mut self) {
        let Some((key, number)) = self.ring.pop_front() else { return };
        self.forgotten = self.forgotten.saturating_add(1);
        // A newer entry of the same request stays.
        if self.newest.get(&key).is_some_and(|(newest, _)| *newest == number) {
            self.newest.remove(&key);
        }
    }
}

fn name(server: IpAddr) -> Vec<u8> {
    server.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn remember(table: &mut Requests, client: &str, server: &str, request: &str) {
        let line = format!("+ {client} {server} {request}");
        table.remember(&Entry::from_datagram(line.as_bytes()).unwrap());
    }

    fn ask<'t>(table: &'t Requests, server: &str, request: &str) -> Option<&'t str> {
        table.client(server.parse().unwrap(), [request.as_bytes()])
    }

    #[test]
    fn the_newest_of_the_same_server_and_request() {
        let mut table = Requests::new(3);
        remember(&mut table, "10.0.0.1", "127.0.0.8", "GET /");
        remember(&mut table, "10.0.0.2", "127.0.0.9", "GET /");
        remember(&mut table, "10.0.0.3", "127.0.0.9", "GET /");
        for _ in 0..2 {
            assert_eq!(ask(&table, "127.0.0.9", "GET /"), Some("10.0.0.3"));
        }
        assert_eq!(ask(&table, "::ffff:127.0.0.8", "GET /"), Some("10.0.0.1"));
        assert_eq!(ask(&table, "127.0.0.7", "GET /"), None);
        assert_eq!(ask(&table, "127.0.0.9", "GET /x"), None);
        // Two of three are the same request: when the older goes, the newer stays.
        for (n, left) in [Some("10.0.0.3"), Some("10.0.0.3"), None].into_iter().enumerate() {
            remember(&mut table, "10.0.0.4", "::1", &format!("GET /{n}"));
            assert_eq!(ask(&table, "127.0.0.9", "GET /"), left, "{n}");
        }
        assert_eq!((table.len(), table.forgotten()), (3, 3));
        assert_eq!(ask(&table, "::1", "GET /0"), Some("10.0.0.4"));
    }

    #[test]
    fn requests_agree_over_a_hundred_bytes() {
        let mut table = Requests::new(9);
        let request = format!("GET /{}", "p".repeat(200));
        remember(&mut table, "::2", "::1", &request);
        let cut = request.get(..100).unwrap();
        assert_eq!(ask(&table, "::1", &format!("{cut}other")), Some("::2"));
        assert_eq!(ask(&table, "::1", cut.get(..99).unwrap()), None);
    }

    proptest! {
        #[test]
        fn like_a_list_that_is_searched_backwards(
            room in 1_usize..6,
            steps in prop::collection::vec((0_u8..4, 0_u8..3), 0..60),
        ) {
            let mut table = Requests::new(room);
            let mut list: Vec<(u8, usize)> = Vec::new();
            for (n, (request, server)) in steps.into_iter().enumerate() {
                let (server, text) = (format!("10.0.0.{server}"), format!("GET /{request}"));
                remember(&mut table, &format!("c{n}"), &server, &text);
                list.push((request * 4 + server.as_bytes()[7] - b'0', n));
                let from = list.len().saturating_sub(room);
                for request in 0..4 {
                    for server in 0..3 {
                        let want = list[from..].iter().rev().find(|(k, _)| *k == request * 4 + server);
                        let want = want.map(|(_, n)| format!("c{n}"));
                        let found = ask(&table, &format!("10.0.0.{server}"), &format!("GET /{request}"));
                        prop_assert_eq!(found, want.as_deref());
                    }
                }
                prop_assert!(table.len() <= room && table.newest.len() <= room);
            }
        }
    }
}
