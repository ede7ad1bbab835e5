//! OCSP responses to staple: read from files, believed only within their time.
//!
//! A response must be a successful one that says of this very certificate that it is good. Its
//! signature is the client's to verify. What cannot be stapled is reported, never sent.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use pen_core::limits;
use x509_cert::der::Decode;
use x509_cert::der::oid::ObjectIdentifier;
use x509_ocsp::{BasicOcspResponse, CertId, CertStatus, OcspResponse, OcspResponseStatus};

use super::certificate::Certificate;
use crate::files::{self, Stamp};

#[cfg(test)]
mod tests;

/// A file that holds, or should hold, a response.
#[derive(Clone, Debug)]
pub(super) struct Staple {
    path: PathBuf,
    stamp: Option<Stamp>,
    /// What was in it, or what was wrong with it.
    content: Result<Response, String>,
}

/// A response that is good as long as its time lasts.
#[derive(Clone, Debug)]
struct Response {
    der: Vec<u8>,
    from_s: i64,
    until_s: i64,
}

impl Staple {
    /// Reads the file at `path`, which should speak of `leaf`.
    pub(super) fn read(path: &Path, leaf: &Certificate, issuer: Option<&Certificate>) -> Self {
        let read = files::read_bounded(path, limits::TLS_OCSP_MAX);
        let (stamp, content) = match read {
            Ok((der, metadata)) => (Some(Stamp::of(&metadata)), Ok(der)),
            Err(e) => (Stamp::at(path), Err(e.to_string())),
        };
        Self { stamp, ..Self::of(path, content, leaf, issuer) }
    }

    /// What the file at `path` holds, or why it could not be read.
    pub(super) fn of(
        path: &Path,
        content: Result<Vec<u8>, String>,
        leaf: &Certificate,
        issuer: Option<&Certificate>,
    ) -> Self {
        let content = content.and_then(|der| examine(der, leaf, issuer));
        Self { path: path.to_owned(), stamp: None, content }
    }

    /// Whether the file is still the one that was read, or still not there.
    pub(super) fn is_current(&self) -> bool {
        Stamp::at(&self.path) == self.stamp
    }

    /// What can be given to clients at this moment.
    ///
    /// # Errors
    /// Why nothing can, with the name of the file.
    pub(super) fn usable(&self, now_s: i64) -> Result<&[u8], String> {
        let fault = |why: &str| format!("OCSP response {}: {why}", self.path.display());
        let response = self.content.as_ref().map_err(|why| fault(why))?;
        if response.from_s > now_s.saturating_add(limits::TLS_OCSP_SKEW_S) {
            return Err(fault("its time has not begun"));
        }
        if response.until_s <= now_s {
            return Err(fault("its time is over (nextUpdate); a new one is needed"));
        }
        Ok(&response.der)
    }

    /// When its time ends, if it is usable now.
    pub(super) fn until_s(&self, now_s: i64) -> Option<i64> {
        self.usable(now_s).ok()?;
        self.content.as_ref().ok().map(|r| r.until_s)
    }
}

fn examine(
    der: Vec<u8>,
    leaf: &Certificate,
    issuer: Option<&Certificate>,
) -> Result<Response, String> {
    let unreadable = |e| format!("it is no OCSP response in DER: {e}");
    let response = OcspResponse::from_der(&der).map_err(unreadable)?;
    if response.response_status != OcspResponseStatus::Successful {
        return Err(format!("the responder answered {:?}", response.response_status));
    }
    let bytes = response.response_bytes.ok_or("it is empty")?;
    let basic = BasicOcspResponse::from_der(bytes.response.as_bytes()).map_err(unreadable)?;
    let all = &basic.tbs_response_data.responses;
    let single = all.iter().find(|s| speaks_of(&s.cert_id, leaf, issuer));
    let single = single.ok_or_else(|| {
        format!(
            "it does not speak of the certificate {} of serial {}",
            leaf.facts.subject, leaf.facts.serial
        )
    })?;
    match single.cert_status {
        CertStatus::Good(_) => {}
        CertStatus::Revoked(_) => {
            return Err("it says that the certificate is REVOKED; have a new one issued".to_owned());
        }
        CertStatus::Unknown(_) => {
            return Err("it says that the issuer does not know the certificate".to_owned());
        }
    }
    let seconds = |time: &x509_ocsp::OcspGeneralizedTime| {
        i64::try_from(time.0.to_unix_duration().as_secs()).unwrap_or(i64::MAX)
    };
    let until = single.next_update.as_ref();
    let until = until.ok_or("it does not say how long it holds (nextUpdate)")?;
    Ok(Response { from_s: seconds(&single.this_update), until_s: seconds(until), der })
}

/// Whether `id` is the certificate's: the serial number, and the issuer as far as it is known.
fn speaks_of(id: &CertId, leaf: &Certificate, issuer: Option<&Certificate>) -> bool {
    if id.serial_number.as_bytes() != leaf.serial {
        return false;
    }
    const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
    const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
    let algorithm = match id.hash_algorithm.oid {
        SHA1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        SHA256 => &digest::SHA256,
        // Nobody uses others; the serial number has to do.
        _ => return true,
    };
    let hash = |bytes: &[u8]| digest::digest(algorithm, bytes).as_ref().to_vec();
    hash(&leaf.issuer) == id.issuer_name_hash.as_bytes()
        && issuer.is_none_or(|i| hash(&i.key_bits) == id.issuer_key_hash.as_bytes())
}
