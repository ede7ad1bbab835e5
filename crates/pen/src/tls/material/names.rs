//! Which certificate a client is shown: by the name it asks for, which is only ever looked up.
//!
//! In this order: a file of the name, a certificate that holds the name, a file for the names one
//! step below a domain, a certificate that holds such a wildcard, the default. Nothing is opened for
//! a name that a client brings, and nobody but its session keeps it.

use std::collections::HashMap;
use std::sync::Arc;

use pen_core::limits;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::tls::facts;

#[cfg(test)]
mod tests;

/// The certificates of a service by name, published whole.
#[derive(Debug)]
pub(super) struct Shelf {
    default: Arc<CertifiedKey>,
    /// Small letters, no dot at the end.
    exact: HashMap<Box<str>, Arc<CertifiedKey>>,
    /// `example.org` for the names one step below it.
    below: HashMap<Box<str>, Arc<CertifiedKey>>,
    strict: bool,
}

/// A name that a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    Exact(String),
    Below(String),
}

impl Pattern {
    /// Reads `www.example.org`, `*.example.org` or `_.example.org`. `None` for what is no domain
    /// name.
    pub(super) fn read(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        match name.strip_prefix("*.").or_else(|| name.strip_prefix("_.")) {
            Some(domain) => is_domain(domain).then(|| Self::Below(domain.to_owned())),
            None => is_domain(&name).then_some(Self::Exact(name)),
        }
    }
}

/// Letters, digits, `-` and `_` in parts of at most 63 bytes, at most 253 bytes in all.
fn is_domain(name: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let part = |p: &str| (1..=63).contains(&p.len()) && p.bytes().all(letter);
    name.len() <= limits::DOMAIN_MAX && name.split('.').all(part)
}

impl Shelf {
    /// A shelf with the default certificate, which serves the names that it holds as well.
    pub(super) fn new(default: Arc<CertifiedKey>, names: &[String], strict: bool) -> Self {
        let mut shelf = Self { default, exact: HashMap::new(), below: HashMap::new(), strict };
        let default = Arc::clone(&shelf.default);
        shelf.add_held(names, &default);
        shelf
    }

    /// Puts a certificate where its file says, over whatever is there.
    pub(super) fn add_file(&mut self, pattern: &Pattern, key: &Arc<CertifiedKey>) {
        let (map, name) = match pattern {
            Pattern::Exact(name) => (&mut self.exact, name),
            Pattern::Below(domain) => (&mut self.below, domain),
        };
        map.insert(name.as_str().into(), Arc::clone(key));
    }

    /// Puts a certificate at the names that it holds, where nothing is yet.
    pub(super) fn add_held(&mut self, names: &[String], key: &Arc<CertifiedKey>) {
        for pattern in names.iter().filter_map(|n| Pattern::read(n)) {
            let (map, name) = match pattern {
                Pattern::Exact(name) => (&mut self.exact, name),
                Pattern::Below(domain) => (&mut self.below, domain),
            };
            map.entry(name.into()).or_insert_with(|| Arc::clone(key));
        }
    }

    /// The certificate for a name, which comes from the network. `None`: the client is refused.
    pub(super) fn find(&self, name: Option<&str>) -> Option<&Arc<CertifiedKey>> {
        let found = name.and_then(|name| self.known(name));
        found.or_else(|| (!self.strict).then_some(&self.default))
    }

    fn known(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.len() > limits::DOMAIN_MAX {
            return None;
        }
        let small;
        let name = match name.bytes().any(|b| b.is_ascii_uppercase()) {
            true => {
                small = name.to_ascii_lowercase();
                &small
            }
            false => name,
        };
        let below = || self.below.get(name.split_once('.')?.1);
        self.exact.get(name).or_else(below)
    }
}

impl ResolvesServerCert for Shelf {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        facts::note_name(hello.server_name());
        self.find(hello.server_name()).cloned()
    }
}
