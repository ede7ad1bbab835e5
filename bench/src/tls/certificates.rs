//! The certificates of a run: made at its start, known to nobody else.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_RSA_SHA256, RsaKeySize,
};
use rustls::RootCertStore;

use super::Key;

/// The name in the certificates, and the one clients ask for.
pub const NAME: &str = "bench.test";

/// An authority and what it signed.
pub struct Certificates {
    folder: PathBuf,
    /// What clients trust.
    pub roots: RootCertStore,
}

impl Certificates {
    /// Makes them; the files go to `folder`.
    ///
    /// # Errors
    /// No certificate, no file.
    pub fn make(folder: &Path) -> Result<Self, String> {
        let folder = fs::canonicalize(folder).map_err(|e| e.to_string())?;
        let mut params = CertificateParams::new(Vec::new()).map_err(|e| e.to_string())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|e| e.to_string())?;
        let root = params.self_signed(&key).map_err(|e| e.to_string())?;
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).map_err(|e| e.to_string())?;
        let authority = Issuer::new(params, key);
        let made = Self { folder, roots };
        let p256 = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|e| e.to_string())?;
        made.write(Key::P256, &p256, &authority)?;
        let rsa = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048);
        made.write(Key::Rsa, &rsa.map_err(|e| e.to_string())?, &authority)?;
        Ok(made)
    }

    fn write(
        &self,
        kind: Key,
        key: &KeyPair,
        authority: &Issuer<'_, KeyPair>,
    ) -> Result<(), String> {
        let params = CertificateParams::new(vec![NAME.into()]).map_err(|e| e.to_string())?;
        let certificate = params.signed_by(key, authority).map_err(|e| e.to_string())?;
        let text = certificate.pem() + &key.serialize_pem();
        fs::write(self.file(kind), text).map_err(|e| e.to_string())
    }

    /// Certificate and key in one file.
    pub fn file(&self, key: Key) -> PathBuf {
        self.folder.join(match key {
            Key::P256 => "p256.pem",
            Key::Rsa => "rsa.pem",
        })
    }
}
