//! Certificates for scenarios with TLS, made on the spot: an authority and what it signs.
//!
//! Not here: speaking TLS.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256,
    RevokedCertParams, RsaKeySize, SerialNumber, date_time_ymd,
};

use x509_cert::der::Decode;

use crate::place::Scratch;

const DAY: Duration = Duration::from_secs(86_400);

/// Somebody who signs certificates.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate, in PEM.
    pub certificate: String,
    /// The same in DER.
    pub der: Vec<u8>,
    /// Its key, in PEM.
    pub key: String,
}

impl Authority {
    /// A new one of this name.
    ///
    /// # Panics
    /// When the crypto library makes no key.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut params = params(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key with P-256");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Its certificate, in PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Its key, in PEM.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// A certificate for these names (ECDSA with P-256); the first one is its subject.
    ///
    /// # Panics
    /// When the crypto library makes no key, or a name is none.
    #[must_use]
    pub fn sign(&self, names: &[&str]) -> Identity {
        self.sign_key(names, &KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key"))
    }

    /// The same with something changed.
    ///
    /// # Panics
    /// As [`Authority::sign`].
    #[must_use]
    pub fn sign_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        self.sign_changed(names, &key, change)
    }

    /// A list, in PEM, that revokes these certificates of it and holds until a year begins.
    ///
    /// # Panics
    /// When one of them is no certificate.
    #[must_use]
    pub fn revocation_list(&self, revoked: &[&Identity], until: i32) -> String {
        let begin = date_time_ymd(2020, 1, 1);
        let entry = |identity: &&Identity| {
            let read = x509_cert::Certificate::from_der(&identity.der).expect("DER");
            RevokedCertParams {
                serial_number: SerialNumber::from(
                    read.tbs_certificate.serial_number.as_bytes().to_vec(),
                ),
                revocation_time: begin,
                reason_code: None,
                invalidity_date: None,
            }
        };
        let params = CertificateRevocationListParams {
            this_update: begin,
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).and_then(|list| list.pem()).expect("a list")
    }

    /// The same with RSA of 2048 bits.
    ///
    /// # Panics
    /// As [`Authority::sign`].
    #[must_use]
    pub fn sign_rsa(&self, names: &[&str]) -> Identity {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048);
        self.sign_key(names, &key.expect("a key with RSA 2048"))
    }

    fn sign_key(&self, names: &[&str], key: &KeyPair) -> Identity {
        self.sign_changed(names, key, |_| {})
    }

    fn sign_changed(
        &self,
        names: &[&str],
        key: &KeyPair,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let mut params = params(names.first().copied().unwrap_or_default(), names);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        change(&mut params);
        let certificate = params.signed_by(key, &self.issuer).expect("a certificate");
        Identity {
            certificate: certificate.pem(),
            der: certificate.der().to_vec(),
            key: key.serialize_pem(),
        }
    }
}

impl Identity {
    /// Certificate and key in one file of `scratch`, as `-E` takes it.
    pub fn write(&self, scratch: &Scratch, name: &str) -> PathBuf {
        scratch.write(name, &format!("{}{}", self.certificate, self.key))
    }
}

fn params(subject: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names for a certificate");
    params.distinguished_name.push(DnType::CommonName, subject);
    // From yesterday on, for as long as scanners want it at most.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    let today = date_time_ymd(1970, 1, 1) + now;
    (params.not_before, params.not_after) = (today - DAY, today + DAY * 90);
    params
}
