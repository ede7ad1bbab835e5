//! What a certificate says: for the operator, for the choice by name, and for its place in a chain.

use std::fmt::Write;
use std::net::IpAddr;

use aws_lc_rs::digest;
use pen_core::limits;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_cert::Version;
use x509_cert::der::asn1::{AnyRef, ContextSpecific, ObjectIdentifier, OctetStringRef, UintRef};
use x509_cert::der::{Any, Decode, Encode, Header, Reader, SliceReader, Tag, TagNumber};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;
use x509_cert::spki::AlgorithmIdentifierOwned;

/// A certificate that was read.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    pub(super) der: CertificateDer<'static>,
    pub(super) facts: Facts,
    /// As they are encoded, to be compared.
    pub(super) subject: Vec<u8>,
    pub(super) issuer: Vec<u8>,
    /// The bits of the public key.
    pub(super) key_bits: Vec<u8>,
    /// As it is encoded.
    pub(super) serial: Vec<u8>,
}

/// What an operator wants to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// `CN=www.example.org`
    pub subject: String,
    /// As the subject.
    pub issuer: String,
    /// Hex pairs.
    pub serial: String,
    /// Domain names and addresses that it is for, in small letters.
    pub names: Vec<String>,
    /// Seconds since 1970.
    pub not_before_s: i64,
    /// Seconds since 1970.
    pub not_after_s: i64,
    /// `RSA 2048`, `ECDSA P-256` ...
    pub key: String,
    /// SHA-256 over all of it, hex pairs with colons.
    pub fingerprint: String,
}

impl Certificate {
    /// Reads one.
    ///
    /// # Errors
    /// Why it is not accepted, and what to do.
    pub(super) fn read(der: CertificateDer<'static>) -> Result<Self, String> {
        let read = x509_cert::Certificate::from_der(&der)
            .map_err(|e| format!("a certificate in it cannot be read: {e}"))?;
        let tbs = &read.tbs_certificate;
        let subject = printed(&tbs.subject);
        if tbs.version != Version::V3 {
            return Err(format!(
                "the certificate {subject} is of the old version 1 of X.509, which TLS clients and \
                 Pen do not accept: have it issued again with extensions (version 3)"
            ));
        }
        let spki = &tbs.subject_public_key_info;
        let key_bits = spki.subject_public_key.raw_bytes().to_vec();
        let seconds = |time: &x509_cert::time::Time| {
            i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX)
        };
        let encoded = |name: &Name| name.to_der().unwrap_or_default();
        Ok(Self {
            facts: Facts {
                subject,
                issuer: printed(&tbs.issuer),
                serial: hex(tbs.serial_number.as_bytes(), ""),
                names: names(&read),
                not_before_s: seconds(&tbs.validity.not_before),
                not_after_s: seconds(&tbs.validity.not_after),
                key: key_type(&spki.algorithm, &key_bits),
                fingerprint: hex(digest::digest(&digest::SHA256, &der).as_ref(), ":"),
            },
            subject: encoded(&tbs.subject),
            issuer: encoded(&tbs.issuer),
            key_bits,
            serial: tbs.serial_number.as_bytes().to_vec(),
            der,
        })
    }

    /// Whether it is at the top of its chain.
    pub(super) fn is_root(&self) -> bool {
        self.subject == self.issuer
    }
}

/// The subject of a client's certificate, which was verified, as it can stand in a line. Nothing else
/// of it is read: a report may hold thousands of them.
pub(in crate::tls) fn subject_of(der: &[u8]) -> String {
    let subject = match read_subject(der) {
        Ok(name) => printed(&name),
        Err(why) => format!("(not to be read: {why})"),
    };
    match subject.char_indices().nth(limits::TLS_SUBJECT_MAX) {
        Some((end, _)) => format!("{}...", subject.get(..end).unwrap_or_default()),
        None => subject,
    }
}

fn read_subject(der: &[u8]) -> x509_cert::der::Result<Name> {
    SliceReader::new(der)?.sequence(|certificate| {
        let subject = certificate.sequence(|tbs| {
            // Version, serial number, algorithm, issuer, validity.
            for _ in 0..5 {
                AnyRef::decode(tbs)?;
            }
            let subject = Name::decode(tbs)?;
            tbs.read_slice(tbs.remaining_len())?;
            Ok(subject)
        })?;
        certificate.read_slice(certificate.remaining_len())?;
        Ok(subject)
    })
}

/// What kind of key it is, as far as that can be told.
pub(super) fn kind_of_key(key: &PrivateKeyDer<'_>) -> Option<String> {
    match key {
        PrivateKeyDer::Pkcs1(key) => {
            rsa_bits(key.secret_pkcs1_der(), 1).map(|n| format!("RSA {n}"))
        }
        PrivateKeyDer::Pkcs8(key) => kind_of_pkcs8(key.secret_pkcs8_der()).ok(),
        PrivateKeyDer::Sec1(key) => kind_of_sec1(key.secret_sec1_der()).ok(),
        _ => None,
    }
}

fn kind_of_pkcs8(der: &[u8]) -> x509_cert::der::Result<String> {
    SliceReader::new(der)?.sequence(|reader| {
        let _version: u8 = reader.decode()?;
        let algorithm: AlgorithmIdentifierOwned = reader.decode()?;
        let key = OctetStringRef::decode(reader)?;
        let kind = match rsa_bits(key.as_bytes(), 1) {
            Some(bits) if algorithm.oid == RSA => format!("RSA {bits}"),
            _ => key_type(&algorithm, &[]),
        };
        // Attributes may follow.
        reader.read_slice(reader.remaining_len())?;
        Ok(kind)
    })
}

fn kind_of_sec1(der: &[u8]) -> x509_cert::der::Result<String> {
    SliceReader::new(der)?.sequence(|reader| {
        let _version: u8 = reader.decode()?;
        let _key = OctetStringRef::decode(reader)?;
        let curve = ContextSpecific::<ObjectIdentifier>::decode_explicit(reader, TagNumber::N0)?;
        // The public key may follow.
        reader.read_slice(reader.remaining_len())?;
        Ok(format!("ECDSA {}", curve.map_or_else(unknown_curve, |c| curve_name(c.value))))
    })
}

fn unknown_curve() -> String {
    "of an unknown curve".to_owned()
}

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

fn key_type(algorithm: &AlgorithmIdentifierOwned, bits: &[u8]) -> String {
    match algorithm.oid.to_string().as_str() {
        "1.2.840.113549.1.1.1" => {
            rsa_bits(bits, 0).map_or_else(|| "RSA".to_owned(), |n| format!("RSA {n}"))
        }
        "1.2.840.113549.1.1.10" => "RSA-PSS".to_owned(),
        "1.2.840.10045.2.1" => {
            let curve = algorithm.parameters.as_ref().and_then(|p: &Any| p.decode_as().ok());
            format!("ECDSA {}", curve.map_or_else(unknown_curve, curve_name))
        }
        "1.3.101.112" => "Ed25519".to_owned(),
        "1.3.101.113" => "Ed448".to_owned(),
        "1.2.840.10040.4.1" => "DSA".to_owned(),
        other => format!("of the kind {other}"),
    }
}

fn curve_name(curve: ObjectIdentifier) -> String {
    match curve.to_string().as_str() {
        "1.2.840.10045.3.1.7" => "P-256".to_owned(),
        "1.3.132.0.34" => "P-384".to_owned(),
        "1.3.132.0.35" => "P-521".to_owned(),
        "1.3.132.0.10" => "secp256k1".to_owned(),
        other => other.to_owned(),
    }
}

/// The length of the modulus: the integer after `before` others in a sequence.
fn rsa_bits(der: &[u8], before: usize) -> Option<usize> {
    let mut reader = SliceReader::new(der).ok()?;
    let header = Header::decode(&mut reader).ok()?;
    if header.tag != Tag::Sequence {
        return None;
    }
    for _ in 0..before {
        UintRef::decode(&mut reader).ok()?;
    }
    let modulus = UintRef::decode(&mut reader).ok()?;
    let [first, rest @ ..] = modulus.as_bytes() else { return None };
    Some(rest.len() * 8 + 8 - usize::try_from(first.leading_zeros()).ok()?)
}

fn names(certificate: &x509_cert::Certificate) -> Vec<String> {
    let Ok(Some((_, SubjectAltName(all)))) = certificate.tbs_certificate.get::<SubjectAltName>()
    else {
        return Vec::new();
    };
    let text = |name: &GeneralName| match name {
        GeneralName::DnsName(name) => Some(clean(&name.to_string().to_ascii_lowercase())),
        GeneralName::IpAddress(bytes) => match *bytes.as_bytes() {
            [a, b, c, d] => Some(IpAddr::from([a, b, c, d]).to_string()),
            ref more => <[u8; 16]>::try_from(more).ok().map(|b| IpAddr::from(b).to_string()),
        },
        _ => None,
    };
    all.iter().filter_map(text).collect()
}

/// A name as it can stand in a line.
fn printed(name: &Name) -> String {
    clean(&name.to_string())
}

fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn hex(bytes: &[u8], between: &str) -> String {
    let mut text = String::new();
    for byte in bytes {
        if !text.is_empty() {
            text.push_str(between);
        }
        // Writing into a String does not fail.
        let _ = write!(text, "{byte:02X}");
    }
    text
}
