//! Certificates, keys, authorities and OCSP responses: loaded from files, checked, and made into the
//! [`Terminator`]s of the services.
//!
//! The control thread's own, from before the rights are given up: keys that only root can read stay in
//! use for as long as their settings name them. A [`Vault`] is a value: a new one is made from the old
//! one and replaces it, or does not. All or nothing holds per certificate: one that is not right leaves
//! its predecessor in use, with a message. Deliberately not here: publishing, timers, and handshakes.

mod authorities;
mod calendar;
mod certificate;
mod chest;
mod directory;
mod entry;
mod names;
mod ocsp;
mod pair;
mod pem;
mod sections;
mod server;

#[cfg(test)]
mod forge;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod witness;

use std::collections::BTreeMap;
use std::sync::Arc;

use pen_core::config::{ClientCertificates, Config};
use pen_core::limits;
use pen_core::report::CertificateRow;

pub use calendar::Calendar;
pub(super) use certificate::subject_of;
pub(super) use server::name_of;

use super::{Terminator, Told};
use chest::Chest;

/// What the services with TLS have, by their names.
#[derive(Clone, Debug, Default)]
pub struct Vault {
    chests: BTreeMap<String, Arc<Chest>>,
}

impl Told {
    /// Takes in what is about a service.
    fn about(&mut self, service: &str, told: Self) {
        let with = |text: String| format!("service {service}: {text}");
        self.news.extend(told.news.into_iter().map(with));
        self.warnings.extend(told.warnings.into_iter().map(with));
    }
}

impl Vault {
    /// Loads what `config` names. What is loaded already is not read again.
    ///
    /// # Errors
    /// A sentence for the operator: with these settings a service would have no certificate.
    pub fn prepare(&self, config: &Config, now_s: i64) -> Result<(Self, Told), String> {
        let (mut next, mut told) = (Self::default(), Told::default());
        for service in &config.services {
            let name = &service.name;
            let idle = service.tls.idle_words();
            let old = self.chests.get(name);
            if !service.tls.is_on() {
                if !idle.is_empty() {
                    told.warnings.push(format!(
                        "service {name}: {} without a certificate (-E, ssl_certificate): clients are \
                         served WITHOUT TLS",
                        idle.join(", ")
                    ));
                }
                continue;
            }
            if service.tls.crl.is_some() && service.tls.clients == ClientCertificates::Off {
                told.warnings.push(format!(
                    "service {name}: ssl_crl without ssl_client_certificate (-R): clients are not \
                     asked for certificates"
                ));
            }
            let chest = match old.filter(|chest| chest.tls == service.tls) {
                Some(chest) => Arc::clone(chest),
                None => {
                    let mut about = Told::default();
                    let old = old.map(Arc::as_ref);
                    let loaded = Chest::load(&service.tls, old, now_s, &mut about)
                        .map_err(|why| format!("service {name}: TLS: {why}"))?;
                    told.about(name, about);
                    Arc::new(loaded)
                }
            };
            next.chests.insert(name.clone(), chest);
        }
        Ok((next, told))
    }

    /// Reads again what has changed since it was read.
    #[must_use]
    pub fn renewed(&self, now_s: i64) -> (Self, Told) {
        let (mut next, mut told) = (Self::default(), Told::default());
        for (name, chest) in &self.chests {
            let mut about = Told::default();
            next.chests.insert(name.clone(), Arc::new(chest.renewed(now_s, &mut about)));
            told.about(name, about);
        }
        (next, told)
    }

    /// Looks at the OCSP responses. Answers what is to be published, if clients are to be given
    /// others.
    #[must_use]
    pub fn looked_at(&self, now_s: i64) -> (Option<Self>, Told) {
        let (mut next, mut told, mut changed) = (Self::default(), Told::default(), false);
        for (name, chest) in &self.chests {
            let (mut chest, mut about) = (Chest::clone(chest), Told::default());
            changed |= chest.look(now_s, &mut about);
            changed |= !about.warnings.is_empty();
            told.about(name, about);
            next.chests.insert(name.clone(), Arc::new(chest));
        }
        (changed.then_some(next), told)
    }

    /// Seconds until the next look is due; `None` if there is nothing to look at.
    #[must_use]
    pub fn next_look_s(&self, now_s: i64) -> Option<u32> {
        let mut next = limits::TLS_LOOK_S;
        for (_, entry) in self.chests.values().flat_map(|chest| chest.entries()) {
            if let Some(due) = entry.due_s(now_s) {
                next = next.min(u32::try_from(due.saturating_sub(now_s)).unwrap_or(u32::MAX));
            }
        }
        (!self.chests.is_empty()).then_some(next.max(1))
    }

    /// What makes the clients of a service TLS clients.
    #[must_use]
    pub fn terminator(&self, service: &str) -> Option<Arc<Terminator>> {
        self.chests.get(service).map(|chest| Arc::clone(&chest.terminator))
    }

    /// Every certificate, for the operator.
    #[must_use]
    pub fn rows(&self, now_s: i64) -> Vec<CertificateRow> {
        let of = |(service, chest): (&String, &Arc<Chest>)| -> Vec<CertificateRow> {
            chest.entries().map(|(name, entry)| entry.row(service, name, now_s)).collect()
        };
        self.chests.iter().flat_map(of).collect()
    }
}
