//! What an OCSP responder says of a certificate.
//!
//! Not here: a signature that holds. Who staples a response does not look at it, clients do.

use std::time::Duration;

use aws_lc_rs::digest;
use x509_cert::Certificate;
use x509_cert::der::asn1::{BitString, GeneralizedTime, ObjectIdentifier, OctetString};
use x509_cert::der::{Decode, Encode};
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_ocsp::{
    BasicOcspResponse, CertId, CertStatus, OcspGeneralizedTime, OcspResponse, ResponderId,
    ResponseData, SingleResponse, Version,
};

/// A response in DER about the certificate `leaf` of `issuer`, both in DER, from a second to a
/// second.
///
/// # Panics
/// When one of them is no certificate.
#[must_use]
pub fn ocsp_response(
    leaf: &[u8],
    issuer: &[u8],
    status: CertStatus,
    (from_s, until_s): (i64, Option<i64>),
) -> Vec<u8> {
    let read = |der| Certificate::from_der(der).expect("a certificate").tbs_certificate;
    let (leaf, issuer) = (read(leaf), read(issuer));
    let key = issuer.subject_public_key_info.subject_public_key;
    let name = leaf.issuer.to_der().expect("a name");
    let algorithm =
        |oid| AlgorithmIdentifierOwned { oid: ObjectIdentifier::new_unwrap(oid), parameters: None };
    let single = SingleResponse {
        cert_id: CertId {
            hash_algorithm: algorithm("1.3.14.3.2.26"),
            issuer_name_hash: sha1(&name),
            issuer_key_hash: sha1(key.raw_bytes()),
            serial_number: leaf.serial_number,
        },
        cert_status: status,
        this_update: time(from_s),
        next_update: until_s.map(time),
        single_extensions: None,
    };
    let basic = BasicOcspResponse {
        tbs_response_data: ResponseData {
            version: Version::V1,
            responder_id: ResponderId::ByKey(sha1(key.raw_bytes())),
            produced_at: time(from_s),
            responses: vec![single],
            response_extensions: None,
        },
        signature_algorithm: algorithm("1.2.840.10045.4.3.2"),
        signature: BitString::from_bytes(&[0; 64]).expect("bits"),
        certs: None,
    };
    OcspResponse::successful(basic).and_then(|r| r.to_der()).expect("a response")
}

fn time(s: i64) -> OcspGeneralizedTime {
    let since = Duration::from_secs(u64::try_from(s).expect("after 1970"));
    OcspGeneralizedTime(GeneralizedTime::from_unix_duration(since).expect("before 10000"))
}

fn sha1(bytes: &[u8]) -> OctetString {
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes);
    OctetString::new(hash.as_ref()).expect("twenty bytes")
}
