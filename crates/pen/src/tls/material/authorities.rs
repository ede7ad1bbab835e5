//! Certificate authorities and revocation lists: who verifies clients.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pen_core::config::{ClientCertificates, Tls};
use pen_core::limits;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use x509_cert::der::asn1::AnyRef;
use x509_cert::der::{Decode, Reader, SliceReader, Tag, Tagged};
use x509_cert::time::Time;

use super::certificate::Certificate;
use super::sections::{Sections, unread};
use crate::files::{self, Stamp};
use crate::tls::system;

#[cfg(test)]
mod tests;

/// What was read. Two that are equal verify the same clients.
#[derive(Clone, Debug, Default)]
pub(super) struct Authorities {
    wanted: Wanted,
    /// The files as they were, by path.
    stamps: Vec<(PathBuf, Option<Stamp>)>,
    roots: Vec<CertificateDer<'static>>,
    crls: Vec<CertificateRevocationListDer<'static>>,
    /// Those that can complete a chain.
    pub(super) known: Vec<Certificate>,
    /// What the operator should know of.
    pub(super) cautions: Vec<String>,
}

/// What is to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wanted {
    file: Option<PathBuf>,
    directory: Option<PathBuf>,
    crl: Option<PathBuf>,
    /// Clients are verified, but nobody says by whom.
    system: bool,
}

impl Wanted {
    fn of(tls: &Tls) -> Self {
        let path = |word: &Option<String>| word.as_ref().map(PathBuf::from);
        let system =
            tls.clients != ClientCertificates::Off && tls.ca_file.is_none() && tls.ca_dir.is_none();
        Self { file: path(&tls.ca_file), directory: path(&tls.ca_dir), crl: path(&tls.crl), system }
    }

    /// Every file that counts.
    fn files(&self) -> Result<Vec<PathBuf>, String> {
        let mut all: Vec<PathBuf> = self.file.iter().chain(&self.crl).cloned().collect();
        if let Some(directory) = &self.directory {
            all.extend(files_of(directory)?);
        }
        if self.system {
            all.extend(system::store());
        }
        Ok(all)
    }

    fn stamps(&self) -> Result<Vec<(PathBuf, Option<Stamp>)>, String> {
        let stamped = |path: PathBuf| {
            let stamp = Stamp::at(&path);
            (path, stamp)
        };
        Ok(self.files()?.into_iter().map(stamped).collect())
    }
}

impl Authorities {
    /// Reads what the settings name.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub(super) fn load(tls: &Tls) -> Result<Self, String> {
        let wanted = Wanted::of(tls);
        let mut all = Self { stamps: wanted.stamps()?, ..Self::default() };
        if let Some(path) = &wanted.file {
            all.add(read(path)?, true);
        }
        if let Some(directory) = &wanted.directory {
            all.read_directory(directory)?;
        }
        if wanted.system {
            all.read_system()?;
        }
        if let Some(path) = &wanted.crl {
            all.crls = revocation_lists(path)?;
        }
        all.wanted = wanted;
        Ok(all)
    }

    /// Whether the settings name the same files.
    pub(super) fn is_for(&self, tls: &Tls) -> bool {
        self.wanted == Wanted::of(tls)
    }

    /// Whether the files are still those that were read.
    pub(super) fn is_current(&self) -> bool {
        self.wanted.stamps().is_ok_and(|stamps| stamps == self.stamps)
    }

    /// Whether both trust the same and revoke the same.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.roots == other.roots && self.crls == other.crls
    }

    /// What verifies clients.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub(super) fn verifier(
        &self,
        clients: ClientCertificates,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, String> {
        if clients == ClientCertificates::Off {
            return Ok(WebPkiClientVerifier::no_client_auth());
        }
        let mut store = RootCertStore::empty();
        let (added, _) = store.add_parsable_certificates(self.roots.iter().cloned());
        if added == 0 {
            return Err("none of the certificate authorities can be used".to_owned());
        }
        let many = store.len() > limits::TLS_CA_HINTS_MAX;
        let roots = Arc::new(store);
        let mut builder = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider))
            .with_crls(self.crls.iter().cloned())
            .enforce_revocation_expiration();
        if many {
            builder = builder.clear_root_hint_subjects();
        }
        if clients == ClientCertificates::Optional {
            builder = builder.allow_unauthenticated();
        }
        builder.build().map_err(|e| {
            format!("revocation list: {e} (it must be of version 2 and have a CRL number)")
        })
    }

    /// The first second at which a revocation list does not hold any more: whoever it would have to
    /// speak of is refused from then on.
    pub(super) fn crls_until_s(&self) -> Option<i64> {
        self.crls.iter().filter_map(|list| next_update_s(list)).min()
    }

    /// The file of the revocation lists.
    pub(super) fn crl_file(&self) -> Option<&Path> {
        self.wanted.crl.as_deref()
    }

    /// Takes in what is not there yet.
    fn add(&mut self, found: Vec<CertificateDer<'static>>, completes_chains: bool) {
        for der in found {
            if self.roots.contains(&der) {
                continue;
            }
            if completes_chains && let Ok(certificate) = Certificate::read(der.clone()) {
                self.known.push(certificate);
            }
            self.roots.push(der);
        }
    }

    fn read_directory(&mut self, directory: &Path) -> Result<(), String> {
        let mut certificates = 0;
        for path in files_of(directory)? {
            match read(&path) {
                Ok(found) => {
                    certificates += found.len();
                    self.add(found, true);
                }
                // Its clients are refused without it.
                Err(why) if is_called_a_certificate(&path) => {
                    self.cautions.push(format!("{why}; it is left out"));
                }
                // Other files may lie there.
                Err(_) => {}
            }
            if self.roots.len() > limits::TLS_CA_MAX {
                return Err(format!(
                    "{}: more than {} certificate authorities",
                    directory.display(),
                    limits::TLS_CA_MAX
                ));
            }
        }
        if certificates == 0 {
            return Err(format!("{}: no file in it holds a certificate", directory.display()));
        }
        Ok(())
    }

    fn read_system(&mut self) -> Result<(), String> {
        let Some(path) = system::store() else {
            return Err(format!(
                "clients are to be verified, but nobody says by which authorities (-G FILE, -A \
                 DIRECTORY), and the system has none at {}",
                system::places()
            ));
        };
        self.add(read(&path)?, false);
        self.cautions.push(format!(
            "clients are verified by all authorities that the system trusts ({}), because neither \
             ssl_ca_file nor ssl_ca_dir is set: anybody can have a certificate of one of them",
            path.display()
        ));
        Ok(())
    }
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let file = Sections::read(path, limits::TLS_CA_FILE_MAX)?;
    if file.certificates.is_empty() {
        return Err(format!("{}: there is no certificate in it{}", path.display(), file.only()));
    }
    let found = file.certificates;
    if found.len() > limits::TLS_CA_MAX {
        let max = limits::TLS_CA_MAX;
        return Err(format!("{}: more than {max} certificates", path.display()));
    }
    Ok(found)
}

/// `ca.pem`, `ca.crt`, `ca.cer`, and the links of openssl: `5ed36f99.0`.
fn is_called_a_certificate(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    matches!(ending, "pem" | "crt" | "cer")
        || !ending.is_empty() && ending.bytes().all(|b| b.is_ascii_digit())
}

/// The files of a directory, in the order of their names.
fn files_of(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let fault = |e: std::io::Error| format!("{}: {e}", directory.display());
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if path.is_file() {
            all.push(path);
        }
        if all.len() > limits::TLS_DIRECTORY_MAX {
            let max = limits::TLS_DIRECTORY_MAX;
            return Err(format!("{}: more than {max} files", directory.display()));
        }
    }
    all.sort();
    Ok(all)
}

/// The lists of a file, which may be DER.
fn revocation_lists(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    let (bytes, _) =
        files::read_bounded(path, limits::TLS_CRL_MAX).map_err(|e| unread(path, &e))?;
    if matches!(bytes.as_slice(), [0x30, 0x81..=0x84, ..]) {
        return Ok(vec![bytes.into()]);
    }
    let file = Sections::read(path, limits::TLS_CRL_MAX)?;
    match file.crls.is_empty() {
        true => {
            Err(format!("{}: there is no revocation list in it{}", path.display(), file.only()))
        }
        false => Ok(file.crls),
    }
}

/// When there must be a new list. Only its head is read: it can have millions of entries.
pub(super) fn next_update_s(list: &CertificateRevocationListDer<'_>) -> Option<i64> {
    let next = read_next_update(list).ok()?;
    i64::try_from(next.to_unix_duration().as_secs()).ok()
}

fn read_next_update(list: &[u8]) -> x509_cert::der::Result<Time> {
    SliceReader::new(list)?.sequence(|list| {
        let next = list.sequence(|content| {
            let first = AnyRef::decode(content)?;
            if first.tag() == Tag::Integer {
                let _algorithm = AnyRef::decode(content)?;
            }
            let _issuer = AnyRef::decode(content)?;
            let _this_update = Time::decode(content)?;
            let next = Time::decode(content)?;
            content.read_slice(content.remaining_len())?;
            Ok(next)
        })?;
        list.read_slice(list.remaining_len())?;
        Ok(next)
    })
}
