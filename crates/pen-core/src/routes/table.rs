//! The routes of a service as traffic looks into them: built when settings are published, with
//! counters that outlive publications.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Route, To, When};
use crate::hello::Hello;
use crate::reasons::{CloseReason, HelloFault};

/// The routes of a service.
#[derive(Debug)]
pub struct Table {
    /// In the order of the settings.
    pub rows: Vec<Row>,
    /// Rows by exact name.
    names: HashMap<String, usize>,
    /// Rows by what a wildcard leaves: `example.org` for `*.example.org`.
    wildcards: HashMap<String, usize>,
    /// Rows by protocol.
    protocols: HashMap<Vec<u8>, usize>,
    default: Option<usize>,
    counts: Arc<Counts>,
}

/// A route and how often it was taken.
#[derive(Clone, Debug)]
pub struct Row {
    /// The route.
    pub route: Route,
    taken: Arc<AtomicU64>,
}

impl Row {
    /// How often it was taken.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

/// Clients that no route counts.
#[derive(Debug, Default)]
struct Counts {
    not_tls: AtomicU64,
    unrouted: AtomicU64,
    timed_out: AtomicU64,
    turned_away: AtomicU64,
}

impl Table {
    /// The table of these routes. The counters of `old` go on where the routes are for the same
    /// clients.
    #[must_use]
    pub fn build(routes: &[Route], old: Option<&Self>) -> Self {
        let mut table = Self {
            rows: Vec::with_capacity(routes.len()),
            names: HashMap::new(),
            wildcards: HashMap::new(),
            protocols: HashMap::new(),
            default: None,
            counts: old.map(|o| Arc::clone(&o.counts)).unwrap_or_default(),
        };
        for (n, route) in routes.iter().enumerate() {
            let known = old.and_then(|o| o.row_for(&route.when));
            let taken = known.map(|row| Arc::clone(&row.taken)).unwrap_or_default();
            table.rows.push(Row { route: route.clone(), taken });
            match &route.when {
                When::Sni(name) => match name.strip_prefix("*.") {
                    Some(rest) => table.wildcards.insert(rest.to_owned(), n),
                    None => table.names.insert(name.clone(), n),
                },
                When::Alpn(name) => table.protocols.insert(name.clone().into_bytes(), n),
                When::Default => table.default.replace(n),
            };
        }
        table
    }

    fn row_for(&self, when: &When) -> Option<&Row> {
        let at = match when {
            When::Sni(name) => match name.strip_prefix("*.") {
                Some(rest) => self.wildcards.get(rest).copied(),
                None => self.names.get(name).copied(),
            },
            When::Alpn(name) => self.protocols.get(name.as_bytes()).copied(),
            When::Default => self.default,
        };
        self.rows.get(at?)
    }

    /// Where a client goes that said this; counted.
    #[must_use]
    pub fn choose(&self, said: Result<&Hello, HelloFault>) -> &To {
        if said.is_err() {
            add(&self.counts.not_tls);
        }
        match self.find(said.ok()) {
            Some(row) => {
                add(&row.taken);
                &row.route.to
            }
            None => {
                add(&self.counts.unrouted);
                &To::Close
            }
        }
    }

    /// The route of a client that said this, or nothing in TLS; not counted.
    #[must_use]
    pub fn find(&self, hello: Option<&Hello>) -> Option<&Row> {
        let at = hello.and_then(|hello| self.by_hello(hello)).or(self.default);
        self.rows.get(at?)
    }

    /// A client that was not passed on although it could have been.
    pub fn count_end(&self, reason: CloseReason) {
        match reason {
            CloseReason::HelloTimeout => add(&self.counts.timed_out),
            CloseReason::ServiceFull => add(&self.counts.turned_away),
            _ => {}
        }
    }

    /// Clients whose first bytes were no hello; those that the default route took as well.
    #[must_use]
    pub fn not_tls(&self) -> u64 {
        self.counts.not_tls.load(Ordering::Relaxed)
    }

    /// Clients that no route was for.
    #[must_use]
    pub fn unrouted(&self) -> u64 {
        self.counts.unrouted.load(Ordering::Relaxed)
    }

    /// Clients that did not say in time whom they wanted to talk to.
    #[must_use]
    pub fn timed_out(&self) -> u64 {
        self.counts.timed_out.load(Ordering::Relaxed)
    }

    /// Clients for whom there was no room where they were to go.
    #[must_use]
    pub fn turned_away(&self) -> u64 {
        self.counts.turned_away.load(Ordering::Relaxed)
    }

    fn by_hello(&self, hello: &Hello) -> Option<usize> {
        let by_name = hello.sni.as_deref().and_then(|name| self.by_name(name));
        by_name.or_else(|| {
            if self.protocols.is_empty() {
                return None;
            }
            hello.alpn.iter().filter_map(|p| self.protocols.get(p).copied()).min()
        })
    }

    fn by_name(&self, name: &str) -> Option<usize> {
        if let Some(at) = self.names.get(name) {
            return Some(*at);
        }
        if self.wildcards.is_empty() {
            return None;
        }
        // The rest behind the first dot is the longest.
        let rests = name.match_indices('.').filter_map(|(dot, _)| name.get(dot + 1..));
        rests.filter_map(|rest| self.wildcards.get(rest)).next().copied()
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
