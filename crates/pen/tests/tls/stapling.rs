//! OCSP responses: stapled while they hold, left out and reported when they do not, read again unasked.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use pen_test::{Farm, Pen, ocsp_response, until};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_cert::der::asn1::Null;
use x509_ocsp::{CertStatus, OcspGeneralizedTime, RevokedInfo};

use crate::hall::{Hall, NAME};
use crate::look::{Looker, der};

const GOOD: CertStatus = CertStatus::Good(Null);

fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_secs()).expect("a clock")
}

/// A response about a certificate, good until so many seconds from now.
fn response(hall: &Hall, leaf: &CertificateDer<'_>, status: CertStatus, left_s: i64) -> Vec<u8> {
    let issuer = CertificateDer::from_pem_slice(hall.authority.pem().as_bytes()).expect("ours");
    let now = now_s();
    ocsp_response(leaf, &issuer, status, (now - 60, Some(now + left_s)))
}

fn put(path: &Path, bytes: &[u8]) {
    let aside = path.with_extension("new");
    fs::write(&aside, bytes).expect("ours");
    fs::rename(aside, path).expect("ours");
}

fn stapled(pen: &Pen, name: &str) -> Vec<u8> {
    Looker::new().look(pen, name).expect("a handshake").ocsp
}

fn stage() -> (Hall, Farm, PathBuf) {
    let hall = Hall::new();
    let path = hall.scratch.path("r.ocsp");
    (hall, Farm::banners(1), path)
}

#[test]
fn what_does_not_hold_is_reported_and_not_stapled() {
    let (hall, farm, path) = stage();
    let leaf = hall.default_der();
    let revoked = CertStatus::Revoked(RevokedInfo {
        revocation_time: OcspGeneralizedTime::from(
            x509_cert::der::DateTime::new(2026, 1, 1, 0, 0, 0).expect("a date"),
        ),
        revocation_reason: None,
    });
    let other = der(&hall.authority.sign(&["other.example"]));
    let good = response(&hall, &leaf, GOOD, 3_600);
    let pen = hall.pen(&farm).start();
    assert_eq!(stapled(&pen, NAME), b"");
    for (bytes, part) in [
        (None, "No such file"),
        (Some(b"nonsense".to_vec()), "it is no OCSP response in DER"),
        (Some(good[..good.len() / 2].to_vec()), "it is no OCSP response in DER"),
        (Some(response(&hall, &leaf, GOOD, -1)), "its time is over (nextUpdate)"),
        (Some(response(&hall, &leaf, revoked, 3_600)), "the certificate is REVOKED"),
        (Some(response(&hall, &other, GOOD, 3_600)), "does not speak of the certificate"),
        (Some(good.clone()), ""),
    ] {
        if let Some(bytes) = &bytes {
            put(&path, bytes);
        }
        let said = pen.ctl(&format!("ssl_ocsp_response {}", path.display()));
        assert!(!said.starts_with("error"), "{said}");
        let report = pen.ctl("certificates");
        if part.is_empty() {
            assert_eq!(stapled(&pen, NAME), good);
            assert!(report.contains("ocsp stapled until "), "{report}");
        } else {
            assert_eq!(stapled(&pen, NAME), b"", "{part}");
            let line = format!("OCSP response {}: {part}", path.display());
            let warning = |l: &str| {
                l.contains("WARNING: service default: ")
                    && l.contains(part)
                    && l.ends_with("nothing is stapled")
            };
            until(part, || pen.stderr().lines().any(warning).then_some(()));
            assert!(report.contains("NOT stapled: OCSP response"), "{line}: {report}");
        }
        pen.set("no ssl_ocsp_response");
    }
    assert_eq!(stapled(&pen, NAME), b"");
}

/// No command, no signal: when its time is over, the file is looked at again.
#[test]
fn a_response_that_ends_is_followed_by_the_next_one() {
    let (hall, farm, path) = stage();
    let leaf = hall.default_der();
    put(&path, &response(&hall, &leaf, GOOD, 5));
    let pen = hall.pen(&farm).command(&format!("ssl_ocsp_response {}", path.display())).start();
    let next = response(&hall, &leaf, GOOD, 3_600);
    put(&path, &next);
    until("the next response", || (stapled(&pen, NAME) == next).then_some(()));
    assert!(!pen.stderr().contains("nothing is stapled"), "{}", pen.stderr());
}

#[test]
fn each_name_has_its_own_and_a_reload_brings_new_ones() {
    let (hall, farm, _) = stage();
    let (dir, made) = (hall.scratch.path("sni"), hall.authority.sign(&["a.example"]));
    fs::create_dir(&dir).expect("ours");
    put(&dir.join("a.example.crt"), made.certificate.as_bytes());
    put(&dir.join("a.example.key"), made.key.as_bytes());
    let first = response(&hall, &der(&made), GOOD, 3_600);
    put(&dir.join("a.example.ocsp"), &first);
    let pen = hall.pen(&farm).command(&format!("ssl_sni_path {}", dir.display())).start();
    assert_eq!(stapled(&pen, "a.example"), first);
    assert_eq!(stapled(&pen, NAME), b"");
    let second = response(&hall, &der(&made), GOOD, 7_200);
    put(&dir.join("a.example.ocsp"), &second);
    assert_eq!(pen.ctl("ssl_reload"), "", "a response is no news");
    assert_eq!(stapled(&pen, "a.example"), second);
    // A new certificate makes the old response worthless.
    let renewed = hall.authority.sign(&["a.example"]);
    put(&dir.join("a.example.key"), renewed.key.as_bytes());
    put(&dir.join("a.example.crt"), renewed.certificate.as_bytes());
    let said = pen.ctl("ssl_reload");
    assert!(said.contains("a.example.ocsp: it does not speak of the certificate"), "{said}");
    assert_eq!(stapled(&pen, "a.example"), b"");
}
