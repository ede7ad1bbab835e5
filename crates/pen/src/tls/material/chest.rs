//! Everything that was loaded for one service, and how it becomes something newer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pen_core::config::{ClientCertificates, Tls};

use super::Told;
use super::authorities::Authorities;
use super::directory::{self, Effort, Named};
use super::entry::Entry;
use super::names::{Pattern, Shelf};
use super::pair::{Pair, Source};
use super::server::{self, Resumption};
use crate::tls::Terminator;

/// What one service has.
#[derive(Clone, Debug)]
pub(super) struct Chest {
    pub(super) tls: Tls,
    authorities: Arc<Authorities>,
    default: Entry,
    named: Named,
    resumption: Resumption,
    /// It was said that a revocation list does not hold any more.
    outdated_said: bool,
    pub(super) terminator: Arc<Terminator>,
}

impl Chest {
    /// Loads what the settings name. What `old` has of the same files is taken over, because they may
    /// be out of reach by now.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub(super) fn load(
        tls: &Tls,
        old: Option<&Self>,
        now_s: i64,
        told: &mut Told,
    ) -> Result<Self, String> {
        let authorities = match old.filter(|o| o.authorities.is_for(tls)) {
            Some(old) => Arc::clone(&old.authorities),
            None => {
                let loaded = Authorities::load(tls)?;
                told.warnings.extend(loaded.cautions.iter().cloned());
                Arc::new(loaded)
            }
        };
        let same = old.filter(|o| Arc::ptr_eq(&o.authorities, &authorities));
        let wanted = source(tls)?;
        let pair = match same.filter(|o| o.default.pair.source == wanted) {
            Some(old) => Arc::clone(&old.default.pair),
            None => load_pair(&wanted, &authorities, told)?,
        };
        let nothing = Named::new();
        let there = old.filter(|o| o.tls.sni_path == tls.sni_path).map_or(&nothing, |o| &o.named);
        let named = match &tls.sni_path {
            Some(path) => {
                let effort = if same.is_some() { Effort::Changed } else { Effort::All };
                let path = Path::new(path);
                match directory::load(path, &authorities.known, there, effort, told) {
                    Err(why) if !there.is_empty() => {
                        told.warnings.push(format!("{why}; what was read before stays"));
                        there.clone()
                    }
                    other => other?,
                }
            }
            None => Named::new(),
        };
        let resumption = resumption(tls, &authorities, old)?;
        let ocsp = tls.ocsp_response.as_ref().map(PathBuf::from);
        let default = Entry::new(pair, ocsp, true);
        let mut chest = Self {
            tls: tls.clone(),
            terminator: terminator(tls, &default, &named, &authorities, &resumption, now_s)?,
            authorities,
            default,
            named,
            resumption,
            outdated_said: false,
        };
        chest.look(now_s, told);
        Ok(chest)
    }

    /// Reads again what has changed. What is not right any more stays as it was.
    pub(super) fn renewed(&self, now_s: i64, told: &mut Told) -> Self {
        let mut next = self.clone();
        if !self.authorities.is_current() {
            match Authorities::load(&self.tls) {
                Ok(loaded) => {
                    if !loaded.same(&self.authorities) {
                        told.news.push("certificate authorities: read again".to_owned());
                        told.warnings.extend(loaded.cautions.iter().cloned());
                    }
                    next.authorities = Arc::new(loaded);
                    next.outdated_said = false;
                }
                Err(why) => told.warnings.push(format!("{why}; the authorities there were stay")),
            }
        }
        let others = !next.authorities.same(&self.authorities);
        if others || !self.default.pair.is_current() {
            let wanted = &self.default.pair.source;
            match load_pair(wanted, &next.authorities, told) {
                Ok(pair) => {
                    told.news.push(format!("{}: read again", wanted.certificate.display()));
                    let ocsp = self.tls.ocsp_response.as_ref().map(PathBuf::from);
                    next.default = Entry::new(pair, ocsp, true);
                }
                Err(why) => told.warnings.push(format!("{why}; the certificate there was stays")),
            }
        }
        if let Some(path) = &self.tls.sni_path {
            let effort = if others { Effort::All } else { Effort::Changed };
            let known = &next.authorities.known;
            match directory::load(Path::new(path), known, &self.named, effort, told) {
                Ok(named) => next.named = named,
                Err(why) => told.warnings.push(format!("{why}; what was read before stays")),
            }
        }
        let built = resumption(&self.tls, &next.authorities, Some(self)).and_then(|resumption| {
            let built = next.build(&resumption, now_s)?;
            Ok((resumption, built))
        });
        match built {
            Ok((resumption, terminator)) => {
                next.resumption = resumption;
                next.terminator = terminator;
                next.look(now_s, told);
                next
            }
            Err(why) => {
                told.warnings.push(format!("{why}; everything stays as it was"));
                self.clone()
            }
        }
    }

    /// Looks at the OCSP responses: files that changed, responses whose time is over. Answers whether
    /// clients are shown something else now.
    pub(super) fn look(&mut self, now_s: i64, told: &mut Told) -> bool {
        let mut changed = false;
        for entry in std::iter::once(&mut self.default).chain(self.named.values_mut()) {
            let (differs, said) = entry.look(now_s);
            changed |= differs;
            told.warnings.extend(said);
        }
        self.look_at_lists(now_s, told);
        if changed {
            match self.build(&self.resumption, now_s) {
                Ok(terminator) => self.terminator = terminator,
                Err(why) => told.warnings.push(why),
            }
        }
        changed
    }

    /// An outdated revocation list locks out every client with a certificate: it is said, once.
    fn look_at_lists(&mut self, now_s: i64, told: &mut Told) {
        let asks = self.tls.clients != ClientCertificates::Off;
        let outdated = self.authorities.crls_until_s().is_some_and(|until| until <= now_s);
        if !(asks && outdated) || std::mem::replace(&mut self.outdated_said, true) {
            return;
        }
        let file = self.authorities.crl_file().unwrap_or(Path::new("")).display();
        told.warnings.push(format!(
            "{file}: the time of a revocation list is over (nextUpdate): clients that it would speak \
             of are REFUSED; put a new one there and run 'ssl_reload'"
        ));
    }

    fn build(&self, resumption: &Resumption, now_s: i64) -> Result<Arc<Terminator>, String> {
        terminator(&self.tls, &self.default, &self.named, &self.authorities, resumption, now_s)
    }

    /// Every certificate with the name of its file; the default has none.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Option<&str>, &Entry)> {
        let named = self.named.iter().map(|(name, entry)| (Some(name.as_str()), entry));
        std::iter::once((None, &self.default)).chain(named)
    }
}

fn source(tls: &Tls) -> Result<Source, String> {
    let certificate = tls.certificate.as_ref().ok_or("there is no certificate")?;
    let key = tls.key.as_ref().filter(|key| *key != certificate);
    Ok(Source { certificate: certificate.into(), key: key.map(PathBuf::from), chain: None })
}

fn load_pair(
    source: &Source,
    authorities: &Authorities,
    told: &mut Told,
) -> Result<Arc<Pair>, String> {
    let pair = Pair::load(source, &authorities.known)?;
    told.warnings.extend(pair.cautions.iter().cloned());
    Ok(Arc::new(pair))
}

/// Sessions of before are good as long as clients must show the same to the same authorities.
fn resumption(
    tls: &Tls,
    authorities: &Authorities,
    old: Option<&Chest>,
) -> Result<Resumption, String> {
    match old.filter(|o| o.resumption.fits(tls) && o.authorities.same(authorities)) {
        Some(old) => Ok(old.resumption.clone()),
        None => Resumption::new(tls),
    }
}

fn terminator(
    tls: &Tls,
    default: &Entry,
    named: &Named,
    authorities: &Authorities,
    resumption: &Resumption,
    now_s: i64,
) -> Result<Arc<Terminator>, String> {
    let mut shelf = Shelf::new(default.certified(now_s), &default.pair.facts.names, tls.sni_strict);
    let shown: Vec<_> = named.iter().map(|(name, e)| (name, e, e.certified(now_s))).collect();
    // What a file is called counts more than what a certificate holds.
    for (name, _, key) in &shown {
        if let Some(pattern) = Pattern::read(name) {
            shelf.add_file(&pattern, key);
        }
    }
    for (_, entry, key) in &shown {
        shelf.add_held(&entry.pair.facts.names, key);
    }
    server::build(tls, shelf, authorities, resumption).map(Arc::new)
}
