//! A certificate with its key and chain, loaded from files.
//!
//! Each refusal says the file, what was refused, why, and what to do.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pen_core::limits;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey};

use super::certificate::{self, Certificate, Facts};
use super::sections::Sections;
use crate::files::Stamp;

#[cfg(test)]
mod tests;

/// The files of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// Certificate, and perhaps the rest.
    pub(super) certificate: PathBuf,
    /// The key, if it has a file of its own.
    pub(super) key: Option<PathBuf>,
    /// Further certificates of the chain.
    pub(super) chain: Option<PathBuf>,
}

/// A certificate that can be shown to clients.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) source: Source,
    /// What the files were when they were read, in the order of the source.
    stamps: Vec<Option<Stamp>>,
    pub(super) facts: Facts,
    pub(super) key: Arc<CertifiedKey>,
    /// The certificate, and the one of its issuer, if it is known: for OCSP.
    pub(super) leaf: Certificate,
    pub(super) issuer: Option<Certificate>,
    /// What the operator should know of.
    pub(super) cautions: Vec<String>,
}

impl Source {
    fn paths(&self) -> impl Iterator<Item = &Path> {
        [Some(&self.certificate), self.key.as_ref(), self.chain.as_ref()]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
    }

    fn stamps(&self) -> Vec<Option<Stamp>> {
        self.paths().map(Stamp::at).collect()
    }
}

impl Pair {
    /// Loads the pair. `authorities` complete its chain.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub(super) fn load(source: &Source, authorities: &[Certificate]) -> Result<Self, String> {
        let file = Sections::read(&source.certificate, limits::TLS_FILE_MAX)?;
        let key_file = match &source.key {
            Some(path) => Some(Sections::read(path, limits::TLS_FILE_MAX)?),
            None => None,
        };
        let chain_file = match &source.chain {
            Some(path) => Some(Sections::read(path, limits::TLS_CA_FILE_MAX)?),
            None => None,
        };
        let stamps = [Some(&file), key_file.as_ref(), chain_file.as_ref()];
        let stamps = stamps.into_iter().flatten().map(|f| Some(f.stamp)).collect();
        let holder = key_file.as_ref().unwrap_or(&file);
        let keys = signing_keys(holder, source.key.is_some())?;
        let own = certificates(&file)?;
        let at = match_key(&file, holder, &own, &keys)?;
        let further = chain_file.as_ref().map(certificates).transpose()?.unwrap_or_default();
        let mut cautions = Vec::new();
        let chain = arrange(&own, at.certificate, &further, authorities, &mut cautions);
        let Some(leaf) = chain.first().cloned() else { return Err("an empty chain".to_owned()) };
        let issuer = own.iter().chain(&further).chain(authorities);
        let issuer = issuer.clone().find(|c| c.subject == leaf.issuer).cloned();
        let shown: Vec<CertificateDer<'static>> = chain.into_iter().map(|c| c.der).collect();
        let path = source.certificate.display();
        Ok(Self {
            source: source.clone(),
            stamps,
            facts: leaf.facts.clone(),
            key: Arc::new(CertifiedKey::new(shown, at.key)),
            leaf,
            issuer,
            cautions: cautions.into_iter().map(|c| format!("{path}: {c}")).collect(),
        })
    }

    /// Whether the files are still those that were read. One that is gone is not.
    pub(super) fn is_current(&self) -> bool {
        self.source.stamps() == self.stamps
    }

    /// The same, with another OCSP response to give.
    pub(super) fn with_ocsp(&self, response: Option<&[u8]>) -> Arc<CertifiedKey> {
        match response {
            None => Arc::clone(&self.key),
            Some(der) => Arc::new(CertifiedKey {
                ocsp: Some(der.to_vec()),
                ..CertifiedKey::clone(&self.key)
            }),
        }
    }
}

/// Reads all certificates of a file.
pub(super) fn certificates(file: &Sections) -> Result<Vec<Certificate>, String> {
    let path = file.path.display();
    if file.certificates.is_empty() {
        return Err(format!("{path}: there is no certificate in it{}", file.only()));
    }
    if file.certificates.len() > limits::TLS_CHAIN_MAX {
        return Err(format!("{path}: more than {} certificates", limits::TLS_CHAIN_MAX));
    }
    let read = |der: &CertificateDer<'static>| Certificate::read(der.clone());
    let all = file.certificates.iter().map(read).collect::<Result<Vec<_>, String>>();
    all.map_err(|why| format!("{path}: {why}"))
}

/// The keys of a file that can be used, in their order.
fn signing_keys(file: &Sections, own: bool) -> Result<Vec<Arc<dyn SigningKey>>, String> {
    let path = file.path.display();
    if file.keys.is_empty() {
        return Err(match (file.encrypted, own) {
            (true, _) => format!(
                "{path}: the key is protected by a passphrase, for which Pen cannot ask: take it \
                 away with 'openssl pkey -in {path} -out NEWFILE' and protect the file instead"
            ),
            (false, true) => format!("{path}: there is no private key in it{}", file.only()),
            (false, false) => format!(
                "{path}: there is no private key in it{}: put it into the same file, or name its \
                 file (-K FILE, ssl_certificate {path} KEYFILE)",
                file.only()
            ),
        });
    }
    let load = |key: &PrivateKeyDer<'static>| {
        let provider = aws_lc_rs::default_provider().key_provider;
        provider.load_private_key(key.clone_key()).map_err(|e| refused(key, &e))
    };
    let loaded = file.keys.iter().map(load).collect::<Result<Vec<_>, String>>();
    loaded.map_err(|why| format!("{path}: {why}"))
}

fn refused(key: &PrivateKeyDer<'_>, error: &rustls::Error) -> String {
    const WANTED: &str = "use RSA of 2048 to 8192 bits, ECDSA P-256 or P-384, or Ed25519";
    let kind = certificate::kind_of_key(key);
    let bits = kind.as_deref().and_then(|k| k.strip_prefix("RSA ")?.parse::<u32>().ok());
    match (kind, bits) {
        (_, Some(n @ 0..2048)) => format!(
            "the key is RSA of {n} bits, too short to be safe: make a new key and have the \
             certificate issued again; {WANTED}"
        ),
        (Some(kind), None) if !is_known(&kind) => {
            format!("a key {kind} is not accepted: make a new key; {WANTED}")
        }
        (Some(kind), _) => format!("the key ({kind}) cannot be used: {error}"),
        (None, _) => format!("the key cannot be read: {error}; {WANTED}"),
    }
}

fn is_known(kind: &str) -> bool {
    matches!(kind, "ECDSA P-256" | "ECDSA P-384" | "ECDSA P-521" | "Ed25519")
        || kind.starts_with("RSA ")
}

/// A certificate and the key that belongs to it.
struct Match {
    certificate: usize,
    key: Arc<dyn SigningKey>,
}

/// Finds the certificate that one of the keys belongs to: the first of the file, if it is in order.
fn match_key(
    file: &Sections,
    holder: &Sections,
    own: &[Certificate],
    keys: &[Arc<dyn SigningKey>],
) -> Result<Match, String> {
    for (certificate, candidate) in own.iter().enumerate() {
        for key in keys {
            let pair = CertifiedKey::new(vec![candidate.der.clone()], Arc::clone(key));
            match pair.keys_match() {
                Ok(()) => return Ok(Match { certificate, key: Arc::clone(key) }),
                Err(rustls::Error::InconsistentKeys(_)) => {}
                Err(e) => {
                    let (path, subject) = (file.path.display(), &candidate.facts.subject);
                    return Err(format!("{path}: the certificate {subject} cannot be used: {e}"));
                }
            }
        }
    }
    let subject = own.first().map_or("", |c| c.facts.subject.as_str());
    let (certificate, key) = (file.path.display(), holder.path.display());
    Err(format!(
        "{certificate}: the certificate {subject} does not belong to the key in {key}: name the key \
         that it was issued for"
    ))
}

/// The certificates to show: the one of the key, then each one's issuer, without the root that the
/// client must know anyway.
fn arrange(
    own: &[Certificate],
    leaf: usize,
    further: &[Certificate],
    authorities: &[Certificate],
    cautions: &mut Vec<String>,
) -> Vec<Certificate> {
    let Some(first) = own.get(leaf) else { return Vec::new() };
    let mut chain = vec![first.clone()];
    let mut roots = 0;
    while let Some(last) = chain.last().filter(|c| !c.is_root()) {
        let wanted = &last.issuer;
        let all = own.iter().chain(further).chain(authorities);
        let known = |c: &&Certificate| {
            c.subject == *wanted && !chain.iter().any(|there| there.der == c.der)
        };
        match all.clone().find(known) {
            Some(next) if next.is_root() => {
                roots = own.iter().filter(|c| c.der == next.der).count();
                break;
            }
            Some(next) if chain.len() < limits::TLS_CHAIN_MAX => chain.push(next.clone()),
            _ => break,
        }
    }
    let used = own.iter().filter(|c| chain.iter().any(|there| there.der == c.der)).count();
    let in_order = own.iter().zip(&chain).take(used).all(|(a, b)| a.der == b.der);
    if !in_order {
        cautions.push("its certificates are not in order; Pen puts them in order".to_owned());
    }
    let unused = own.len().saturating_sub(used + roots);
    if unused != 0 {
        cautions
            .push(format!("{unused} certificates do not belong to the chain; they are left out"));
    }
    chain
}
