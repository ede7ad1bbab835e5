//! PEM files as sections: certificates, keys, revocation lists.
//!
//! What a file does not hold is said in words an operator can act on: a passphrase, a binary file, no
//! such section. Files are bounded and regular.

use std::io;
use std::path::{Path, PathBuf};

use pen_core::near::shown;
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs1KeyDer,
    PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};

use super::pem::{self, contains};
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
    /// What its sections are called, each once.
    labels: Vec<String>,
}

impl Sections {
    /// Reads the file at `path`, of at most `max` bytes.
    ///
    /// # Errors
    /// A sentence that names the file: it cannot be read, or is no PEM file.
    pub(super) fn read(path: &Path, max: u64) -> Result<Self, String> {
        let (bytes, metadata) = files::read_bounded(path, max).map_err(|e| unread(path, &e))?;
        Self::of(path, Stamp::of(&metadata), bytes)
    }

    /// What the file at `path` holds.
    ///
    /// # Errors
    /// A sentence that names the file: it is no PEM file.
    pub(super) fn of(path: &Path, stamp: Stamp, bytes: Vec<u8>) -> Result<Self, String> {
        let bytes = pem::without_marks(bytes);
        let mut sections = Self {
            path: path.to_owned(),
            stamp,
            certificates: Vec::new(),
            keys: Vec::new(),
            crls: Vec::new(),
            encrypted: is_protected(&bytes),
            labels: Vec::new(),
        };
        sections.take(&bytes).map_err(|why| format!("{}: {why}", path.display()))?;
        Ok(sections)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), String> {
        if !contains(bytes, b"-----BEGIN ") {
            return Err(what_it_is(bytes).to_owned());
        }
        for label in pem::labels(bytes)? {
            if !self.labels.contains(&label) {
                self.labels.push(label);
            }
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

    /// For a file that lacks what is wanted: ", only" what there is instead, and what that means.
    pub(super) fn only(&self) -> String {
        let described = |label: &String| {
            let meaning = MEANINGS.iter().find(|(known, _)| known == label);
            let meaning = meaning.map_or_else(String::new, |(_, text)| format!(" ({text})"));
            format!("{}{meaning}", shown(label))
        };
        // A file is bounded, a sentence should be too.
        let all: Vec<String> = self.labels.iter().take(4).map(described).collect();
        if all.is_empty() { String::new() } else { format!(", only {}", all.join(", ")) }
    }
}

/// Sections that are not what they are taken for.
const MEANINGS: [(&str, &str); 9] = [
    ("CERTIFICATE REQUEST", "a request: the certificate is what the authority makes of it"),
    ("NEW CERTIFICATE REQUEST", "a request: the certificate is what the authority makes of it"),
    ("TRUSTED CERTIFICATE", "convert it with 'openssl x509 -in FILE -out NEWFILE'"),
    ("X509 CERTIFICATE", "convert it with 'openssl x509 -in FILE -out NEWFILE'"),
    ("PKCS7", "convert it with 'openssl pkcs7 -print_certs -in FILE -out NEWFILE'"),
    ("PUBLIC KEY", "the private one is needed"),
    ("RSA PUBLIC KEY", "the private one is needed"),
    ("OPENSSH PRIVATE KEY", "for ssh, it belongs to no certificate"),
    ("DSA PRIVATE KEY", "TLS has no more use for DSA: make a new key of another kind"),
];

/// Why a file could not be read. Who reads it counts when it may not be read.
pub(super) fn unread(path: &Path, error: &io::Error) -> String {
    let reader = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            format!("; Pen reads it as user {}", rustix::process::geteuid().as_raw())
        }
        _ => String::new(),
    };
    format!("{}: {error}{reader}", path.display())
}

/// What a file without a PEM section probably is, and what to do.
fn what_it_is(bytes: &[u8]) -> &'static str {
    match bytes {
        [] => "it is empty",
        _ if contains(bytes, b"B\0E\0G\0I\0N") => {
            "it is UTF-16 text, PEM is plain text: convert it with 'iconv -f UTF-16 -t ASCII'"
        }
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
