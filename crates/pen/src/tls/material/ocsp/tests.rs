//! Which responses are stapled, and when.

use pen_test::Scratch;
use x509_cert::der::Encode;
use x509_cert::der::asn1::Null;
use x509_ocsp::{OcspGeneralizedTime, RevokedInfo};

use super::*;
use crate::tls::material::forge::{self, Authority};

const NOW_S: i64 = 1_800_000_000;
const HOUR_S: i64 = 3_600;

fn revoked() -> CertStatus {
    let time = x509_cert::der::DateTime::new(2026, 1, 1, 0, 0, 0).unwrap();
    CertStatus::Revoked(RevokedInfo {
        revocation_time: OcspGeneralizedTime::from(time),
        revocation_reason: None,
    })
}

#[test]
fn responses_hold_for_their_certificate_and_their_time() {
    let scratch = Scratch::new();
    let authority = Authority::new("root");
    let read = |der: &_| Certificate::read(rustls::pki_types::CertificateDer::clone(der)).unwrap();
    let leaf = read(&authority.leaf(&["a.org"]).der);
    let other = read(&authority.leaf(&["b.org"]).der);
    let issuer = read(authority.issuer.der());
    let impostor = read(Authority::new("root").issuer.der());
    let time = (NOW_S - HOUR_S, Some(NOW_S + HOUR_S));
    let make = |leaf, issuer, status, time| forge::ocsp(leaf, issuer, status, time);
    let good = CertStatus::Good(Null);
    let ok = make(&leaf, &issuer, good, time);
    let busy = OcspResponse::try_later().to_der().unwrap();
    for (name, response, issuer, part) in [
        ("good", ok.clone(), Some(&issuer), ""),
        ("good, issuer not known", ok.clone(), None, ""),
        ("another's", make(&other, &issuer, good, time), Some(&issuer), "does not speak of"),
        ("same serial, other issuer", ok.clone(), Some(&impostor), "does not speak of"),
        ("revoked", make(&leaf, &issuer, revoked(), time), Some(&issuer), "REVOKED"),
        (
            "unknown",
            make(&leaf, &issuer, CertStatus::Unknown(Null), time),
            Some(&issuer),
            "does not know",
        ),
        (
            "endless",
            make(&leaf, &issuer, good, (NOW_S, None)),
            Some(&issuer),
            "how long it holds (nextUpdate)",
        ),
        (
            "early",
            make(&leaf, &issuer, good, (NOW_S + HOUR_S, Some(NOW_S + 2 * HOUR_S))),
            Some(&issuer),
            "has not begun",
        ),
        (
            "late",
            make(&leaf, &issuer, good, (NOW_S - 2 * HOUR_S, Some(NOW_S))),
            Some(&issuer),
            "time is over",
        ),
        ("busy", busy, Some(&issuer), "TryLater"),
        ("cut", ok[..ok.len() - 1].to_vec(), Some(&issuer), "no OCSP response"),
        ("text", b"hello".to_vec(), Some(&issuer), "no OCSP response"),
        ("empty", Vec::new(), Some(&issuer), "no OCSP response"),
        ("large", vec![0x30; 40_000], Some(&issuer), "larger than 32768"),
    ] {
        let staple = Staple::read(&forge::file(&scratch, "r.ocsp", &response), &leaf, issuer);
        match (staple.usable(NOW_S), part) {
            (Ok(der), "") => assert_eq!(der, response, "{name}"),
            (Err(why), part) if !part.is_empty() => {
                assert!(why.contains("r.ocsp") && why.contains(part), "{name}: {why}");
            }
            (other, _) => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_response_ends_and_its_file_is_watched() {
    let scratch = Scratch::new();
    let authority = Authority::new("root");
    let leaf = Certificate::read(authority.leaf(&["a.org"]).der).unwrap();
    let issuer = Certificate::read(authority.issuer.der().clone()).unwrap();
    let path = scratch.dir().join("r.ocsp");
    let none = Staple::read(&path, &leaf, Some(&issuer));
    assert!(none.is_current() && none.usable(NOW_S).unwrap_err().contains("No such file"));
    let time = (NOW_S, Some(NOW_S + HOUR_S));
    let response = forge::ocsp(&leaf, &issuer, CertStatus::Good(Null), time);
    forge::file(&scratch, "r.ocsp", response);
    assert!(!none.is_current());
    let staple = Staple::read(&path, &leaf, Some(&issuer));
    assert!(staple.is_current());
    assert_eq!(staple.until_s(NOW_S), Some(NOW_S + HOUR_S));
    assert!(staple.usable(NOW_S + HOUR_S - 1).is_ok());
    assert!(staple.usable(NOW_S + HOUR_S).is_err());
    assert_eq!(staple.until_s(NOW_S + HOUR_S), None);
}
