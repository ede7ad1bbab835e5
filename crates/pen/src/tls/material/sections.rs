//! PEM files as sections: certificates, keys, revocation lists.
//!
//! What a file does not hold is said in words an operator can act on: a passphrase, a binary file, no
//! such section. Files are bounded and regular.

use std::path::{Path, PathBuf};

use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs1KeyDer,
    PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};

use crate::files::{self, Stamp};

/// A file that was read.
#[derive(Debug)]
pub(super) struct Sections {
    pub(super) path: PathBuf,
    pub(super) stamp: Stamp,
    pub(super) certificates: Vec<CertificateDer<'static>>,
    pub(super) keys: Vec<PrivateKeyDer<'static>>,
    pub(super) crls: Vec<CertificateRevocationListDer<'static>>,
    /// A key that a passphrase protects is in it.
    pub(super) encrypted: bool,
}

impl Sections {
    /// Reads the file at `path`, of at most `max` bytes.
    ///
    /// # Errors
    /// A sentence that names the file: it cannot be read, or is no PEM file.
    pub(super) fn read(path: &Path, max: u64) -> Result<Self, String> {
        let (bytes, metadata) =
            files::read_bounded(path, max).map_err(|e| format!("{}: {e}", path.display()))?;
        let mut sections = Self {
            path: path.to_owned(),
            stamp: Stamp::of(&metadata),
            certificates: Vec::new(),
            keys: Vec::new(),
            crls: Vec::new(),
            encrypted: is_protected(&bytes),
        };
        sections.take(&bytes).map_err(|why| format!("{}: {why}", path.display()))?;
        Ok(sections)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), String> {
        if !contains(bytes, b"-----BEGIN ") {
            return Err(what_it_is(bytes).to_owned());
        }
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes) {
            let (kind, der) = match section {
                Ok(section) => section,
                // A section with a passphrase is no base64; it was noticed already.
                Err(_) if self.encrypted => continue,
                Err(e) => return Err(format!("it is no well-formed PEM file: {e}")),
            };
            match kind {
                SectionKind::Certificate => self.certificates.push(der.into()),
                SectionKind::PrivateKey => self.keys.push(PrivatePkcs8KeyDer::from(der).into()),
                SectionKind::RsaPrivateKey => self.keys.push(PrivatePkcs1KeyDer::from(der).into()),
                SectionKind::EcPrivateKey => self.keys.push(PrivateSec1KeyDer::from(der).into()),
                SectionKind::Crl => self.crls.push(der.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

/// What a file without a PEM section probably is, and what to do.
fn what_it_is(bytes: &[u8]) -> &'static str {
    match bytes {
        [] => "it is empty",
        [0x30, 0x80..=0x84, ..] => {
            "it is a binary file (DER or PKCS#12), PEM is needed: convert it with 'openssl x509 \
             -inform DER', 'openssl pkey -inform DER' or 'openssl pkcs12 -nodes'"
        }
        _ => "nothing in it begins with '-----BEGIN', as in a PEM file",
    }
}

fn is_protected(bytes: &[u8]) -> bool {
    contains(bytes, b"-----BEGIN ENCRYPTED PRIVATE KEY")
        || contains(bytes, b"Proc-Type: 4,ENCRYPTED")
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|w| w == part)
}
