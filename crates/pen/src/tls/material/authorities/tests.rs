//! Where authorities come from, and whom they let in.

use std::sync::Arc;

use pen_test::Scratch;
use rcgen::{
    CertificateRevocationListParams, KeyIdMethod, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};

use super::*;
use crate::tls::material::forge::{Authority, file, openssl};

fn path(path: PathBuf) -> Option<String> {
    Some(path.display().to_string())
}

#[test]
fn files_and_directories() {
    let scratch = Scratch::new();
    let [a, b] = ["a", "b"].map(Authority::new);
    let certificates = scratch.dir().join("certs");
    fs::create_dir(&certificates).unwrap();
    let in_it = |name: &str, text: String| fs::write(certificates.join(name), text).unwrap();
    in_it("a.crt", a.pem());
    in_it("b.pem", b.pem());
    in_it("README", "nothing of value\n".to_owned());
    in_it("same.0", a.pem());
    std::os::unix::fs::symlink("gone", certificates.join("broken.0")).unwrap();
    let tls = Tls {
        ca_file: path(file(&scratch, "ca.pem", a.pem() + &b.pem())),
        ca_dir: path(certificates.clone()),
        ..Tls::default()
    };
    let both = Authorities::load(&tls).unwrap();
    assert_eq!((both.roots.len(), both.known.len()), (2, 2));
    let only_directory = Tls { ca_file: None, ..tls.clone() };
    let directory = Authorities::load(&only_directory).unwrap();
    assert_eq!(directory.roots.len(), 2);
    assert!(directory.is_for(&only_directory) && !directory.is_for(&tls));
    assert!(directory.is_current());
    assert_eq!(directory.cautions, [""; 0]);
    in_it("c.pem", a.pem().replace("END", "EMD"));
    let cautions = Authorities::load(&only_directory).unwrap().cautions;
    assert!(cautions[0].contains("c.pem: ") && cautions[0].contains("left out"), "{cautions:?}");
    fs::remove_file(certificates.join("c.pem")).unwrap();
    // Links by hash as openssl makes them bring nothing twice.
    if openssl(scratch.dir(), "rehash certs") {
        assert!(!directory.is_current());
        assert_eq!(Authorities::load(&only_directory).unwrap().roots.len(), 2);
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let scratch = Scratch::new();
    let empty = scratch.dir().join("empty");
    fs::create_dir(&empty).unwrap();
    let text = file(&scratch, "text", "-----BEGIN X-----\n-----END X-----\n");
    let dir = |ca_dir| Tls { ca_dir: path(ca_dir), ..Tls::default() };
    let ca = |ca_file| Tls { ca_file: path(ca_file), ..Tls::default() };
    for (tls, part) in [
        (dir(empty), "empty: no file in it holds a certificate"),
        (dir(scratch.dir().join("gone")), "gone: No such file"),
        (ca(scratch.dir().join("gone")), "gone: No such file"),
        (ca(text.clone()), "text: there is no certificate in it"),
        (Tls { crl: path(text), ..Tls::default() }, "text: there is no revocation list in it"),
    ] {
        let why = Authorities::load(&tls).unwrap_err();
        assert!(why.contains(part), "{part}: {why}");
    }
}

#[test]
fn clients_are_verified() {
    use crate::tls::material::forge::{client, shake};
    use crate::tls::material::server::tests::server;
    let scratch = Scratch::new();
    let [root, stranger] = ["root", "stranger"].map(Authority::new);
    let [good, revoked] = [1_u64, 2].map(|serial| {
        root.leaf_with(&["client"], |p| p.serial_number = Some(SerialNumber::from(serial)))
    });
    let bad = stranger.leaf(&["client"]);
    let day = |d| rcgen::date_time_ymd(2026, 1, d);
    let crl = |until| {
        let params = CertificateRevocationListParams {
            this_update: day(1),
            next_update: until,
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![RevokedCertParams {
                serial_number: SerialNumber::from(2),
                revocation_time: day(1),
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&root.issuer).unwrap()
    };
    let later = rcgen::date_time_ymd(2999, 1, 1);
    let ca = path(file(&scratch, "ca.pem", root.pem()));
    let pem = path(file(&scratch, "crl.pem", crl(later).pem().unwrap()));
    let der = path(file(&scratch, "crl.der", crl(later).der()));
    let old = path(file(&scratch, "old.pem", crl(day(2)).pem().unwrap()));
    let required = ClientCertificates::Required;
    let optional = ClientCertificates::Optional;
    for (clients, crl, shows, refusal) in [
        (ClientCertificates::Off, None, None, None),
        (ClientCertificates::Off, None, Some(&bad), None),
        (optional, None, None, None),
        (optional, None, Some(&good), None),
        (optional, None, Some(&bad), Some("UnknownIssuer")),
        (required, None, Some(&good), None),
        (required, None, None, Some("NoCertificatesPresented")),
        (required, None, Some(&bad), Some("UnknownIssuer")),
        (required, None, Some(&revoked), None),
        (required, pem.clone(), Some(&revoked), Some("Revoked")),
        (required, der, Some(&revoked), Some("Revoked")),
        (required, pem, Some(&good), None),
        (required, old, Some(&good), Some("ExpiredRevocationList")),
    ] {
        let tls = Tls { clients, ca_file: ca.clone(), crl, ..Tls::default() };
        let (server, authority) = server(&tls);
        let shaken = shake(&server.config, &Arc::new(client(&authority, shows)), "localhost");
        match (&shaken, refusal) {
            (Ok(_), None) => {}
            (Err(why), Some(part)) if format!("{why:?}").contains(part) => {}
            _ => panic!("{clients:?}: {shaken:?}, not {refusal:?}"),
        }
    }
    assert!(!root.issuer.key_usages().contains(&KeyUsagePurpose::DigitalSignature));
}
