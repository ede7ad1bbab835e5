//! A certificate in use: the pair, and the OCSP response that goes with it.

use std::path::PathBuf;
use std::sync::Arc;

use pen_core::moment::WallSeconds;
use pen_core::report::CertificateRow;
use rustls::sign::CertifiedKey;

use super::ocsp::Staple;
use super::pair::Pair;

/// A certificate in use.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) pair: Arc<Pair>,
    /// The file of the response, if there is to be one.
    ocsp: Option<PathBuf>,
    /// That file was asked for, so that it is missed when it is not there.
    demanded: bool,
    staple: Option<Staple>,
    /// What clients are given, and what was said about it.
    stapled: Result<(), String>,
}

impl Entry {
    /// A pair whose response is in the file `ocsp`.
    pub(super) fn new(pair: Arc<Pair>, ocsp: Option<PathBuf>, demanded: bool) -> Self {
        let mut entry = Self { pair, ocsp, demanded, staple: None, stapled: Ok(()) };
        entry.read_staple();
        entry
    }

    fn read_staple(&mut self) {
        let wanted = self.ocsp.as_ref().filter(|path| self.demanded || path.exists());
        let (leaf, issuer) = (&self.pair.leaf, self.pair.issuer.as_ref());
        self.staple = wanted.map(|path| Staple::read(path, leaf, issuer));
    }

    /// Looks at the response again. Answers whether clients are to be given something else than
    /// before, and what the operator should know.
    pub(super) fn look(&mut self, now_s: i64) -> (bool, Option<String>) {
        let current = match &self.staple {
            Some(staple) => staple.is_current(),
            None => self.ocsp.as_ref().is_none_or(|path| !path.exists()),
        };
        if !current {
            self.read_staple();
        }
        let now = self.staple.as_ref().map_or(Ok(()), |s| s.usable(now_s).map(|_| ()));
        let said = match (&self.stapled, &now) {
            (before, Err(why)) if before.as_ref() != Err(why) => {
                Some(format!("{why}; nothing is stapled"))
            }
            _ => None,
        };
        let changed = !current || now.is_ok() != self.stapled.is_ok();
        self.stapled = now;
        (changed, said)
    }

    /// When the response must not be given any more.
    pub(super) fn due_s(&self, now_s: i64) -> Option<i64> {
        self.staple.as_ref().and_then(|s| s.until_s(now_s))
    }

    /// What is shown to clients.
    pub(super) fn certified(&self, now_s: i64) -> Arc<CertifiedKey> {
        self.pair.with_ocsp(self.staple.as_ref().and_then(|s| s.usable(now_s).ok()))
    }

    /// The row of the report.
    pub(super) fn row(&self, service: &str, name: Option<&str>, now_s: i64) -> CertificateRow {
        let facts = &self.pair.facts;
        CertificateRow {
            service: service.to_owned(),
            name: name.map(str::to_owned),
            file: self.pair.source.certificate.display().to_string(),
            subject: facts.subject.clone(),
            names: facts.names.clone(),
            issuer: facts.issuer.clone(),
            serial: facts.serial.clone(),
            not_before: WallSeconds(facts.not_before_s),
            not_after: WallSeconds(facts.not_after_s),
            now: WallSeconds(now_s),
            key: facts.key.clone(),
            ocsp: self.staple.as_ref().map(|staple| match staple.until_s(now_s) {
                Some(until_s) => Ok(WallSeconds(until_s)),
                None => Err(staple.usable(now_s).err().unwrap_or_default()),
            }),
            fingerprint: facts.fingerprint.clone(),
        }
    }
}
