//! What TLS towards servers needs from files: authorities, and the certificate that Pen shows.

use std::path::Path;
use std::sync::Arc;

use pen_core::limits;
use rustls::RootCertStore;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::files::read_bounded;
use crate::tls::system;

/// Certificate authorities that are trusted.
#[derive(Debug)]
pub(super) struct Authorities(Arc<RootCertStore>);

impl PartialEq for Authorities {
    fn eq(&self, other: &Self) -> bool {
        self.0.roots == other.0.roots
    }
}

impl Authorities {
    /// Those of a file in PEM, all of which must be usable.
    pub(super) fn read(path: &str) -> Result<Self, String> {
        let wrong = |why: String| format!("ca {path}: {why}");
        let certificates = certificates(path, limits::TLS_CA_FILE_MAX).map_err(wrong)?;
        let count = certificates.len();
        if count > limits::TLS_CA_MAX {
            return Err(wrong(format!("more than {} certificates", limits::TLS_CA_MAX)));
        }
        let mut store = RootCertStore::empty();
        for (n, certificate) in certificates.into_iter().enumerate() {
            let which = format!("certificate {} of {count}", n + 1);
            store.add(certificate).map_err(|e| wrong(format!("{which} cannot be used: {e}")))?;
        }
        Ok(Self(Arc::new(store)))
    }

    /// Those that the system trusts, as far as they are usable.
    pub(super) fn of_system() -> Result<Self, String> {
        let Some(path) = system::store() else {
            return Err(format!(
                "nobody says which authorities verify the server, and the system has none at {}; name \
                 a file with ca FILE",
                system::places()
            ));
        };
        let path = path.display().to_string();
        let mut store = RootCertStore::empty();
        let certificates = certificates(&path, limits::TLS_CA_FILE_MAX)
            .map_err(|why| format!("the system's authorities, {path}: {why}"))?;
        store.add_parsable_certificates(certificates.into_iter().take(limits::TLS_CA_MAX));
        if store.is_empty() {
            return Err(format!("none of the system's authorities in {path} can be used"));
        }
        Ok(Self(Arc::new(store)))
    }

    /// The same as rustls takes them.
    pub(super) fn store(&self) -> Arc<RootCertStore> {
        Arc::clone(&self.0)
    }
}

/// A certificate, with its chain, and its key.
#[derive(Debug)]
pub(super) struct Identity {
    key: Arc<CertifiedKey>,
    secret: PrivateKeyDer<'static>,
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.key.cert == other.key.cert && self.secret == other.secret
    }
}

impl Identity {
    /// Reads both; they must belong together.
    pub(super) fn read(cert: &str, key: &str, provider: &CryptoProvider) -> Result<Self, String> {
        let chain =
            certificates(cert, limits::TLS_FILE_MAX).map_err(|e| format!("cert {cert}: {e}"))?;
        let wrong = |why: String| format!("key {key}: {why}");
        let (bytes, _) =
            read_bounded(Path::new(key), limits::TLS_FILE_MAX).map_err(|e| wrong(e.to_string()))?;
        let secret = PrivateKeyDer::from_pem_slice(&bytes).map_err(|e| {
            wrong(format!("no private key in PEM, without a passphrase, in it: {e}"))
        })?;
        let certified = CertifiedKey::from_der(chain, secret.clone_key(), provider);
        let key = certified.map_err(|e| wrong(format!("not usable with {cert}: {e}")))?;
        Ok(Self { key: Arc::new(key), secret })
    }

    /// The same as rustls takes it.
    pub(super) fn resolver(&self) -> Arc<dyn ResolvesClientCert> {
        Arc::new(SingleCertAndKey::from(Arc::clone(&self.key)))
    }
}

/// The certificates of a file in PEM, one at least.
fn certificates(path: &str, max: u64) -> Result<Vec<CertificateDer<'static>>, String> {
    let (bytes, _) = read_bounded(Path::new(path), max).map_err(|e| e.to_string())?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match all {
        Ok(all) if all.is_empty() => Err("no certificate in PEM in it".to_owned()),
        Ok(all) => Ok(all),
        Err(e) => Err(format!("it is not PEM: {e}")),
    }
}
