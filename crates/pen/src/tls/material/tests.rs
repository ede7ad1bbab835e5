//! The vault as a whole: what is kept, what is renewed, what clients see.

use std::path::PathBuf;

use pen_core::config::{ClientCertificates, ServiceConfig, Tls};
use pen_test::Scratch;
use x509_cert::der::asn1::Null;
use x509_ocsp::CertStatus;

use super::certificate::Certificate;
use super::forge::{self, Authority, Made, client, file, now_s, shake};
use super::*;

/// A service with a certificate in a file of its own directory.
struct Stage {
    scratch: Scratch,
    authority: Authority,
    config: Config,
}

impl Stage {
    fn new() -> Self {
        let (scratch, authority) = (Scratch::new(), Authority::new("root"));
        let path = file(&scratch, "both.pem", authority.leaf(&["localhost"]).both());
        let mut config = Config::default();
        config.services[0].tls.certificate = Some(path.display().to_string());
        Self { scratch, authority, config }
    }

    fn tls(&mut self) -> &mut Tls {
        &mut self.config.services[0].tls
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.dir().join(name)
    }

    /// Puts another file in place, as careful programs do.
    fn replace(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::rename(file(&self.scratch, "new", content), self.path(name)).unwrap();
    }

    fn load(&self, old: &Vault) -> (Vault, Told) {
        old.prepare(&self.config, now_s()).unwrap()
    }

    fn seen(&self, vault: &Vault, name: &str) -> Vec<u8> {
        let client = Arc::new(client(&self.authority, None));
        let server = vault.terminator("default").unwrap();
        shake(&server.config, &client, name).unwrap().certificate.to_vec()
    }

    fn renew(&self, vault: &Vault) -> (Vault, Told) {
        vault.renewed(now_s())
    }
}

#[test]
fn services_without_a_certificate_are_plain_and_told_if_they_look_otherwise() {
    let mut stage = Stage::new();
    stage.config.services.push(ServiceConfig::new("plain"));
    let mut odd = ServiceConfig::new("odd");
    odd.tls.clients = ClientCertificates::Required;
    odd.tls.sni_strict = true;
    stage.config.services.push(odd);
    let (vault, told) = stage.load(&Vault::default());
    assert!(vault.terminator("default").is_some());
    assert!(vault.terminator("plain").is_none() && vault.terminator("odd").is_none());
    let [warning] = &told.warnings[..] else { panic!("{told:?}") };
    assert!(warning.contains("service odd: ssl_client_certificate, ssl_sni_strict"), "{warning}");
    assert!(warning.contains("WITHOUT TLS"), "{warning}");
    assert_eq!(Vault::default().next_look_s(0), None);
    assert_eq!(vault.next_look_s(0), Some(limits::TLS_LOOK_S));
}

#[test]
fn a_certificate_that_is_replaced_is_picked_up_and_a_broken_one_is_not() {
    let stage = Stage::new();
    let (vault, _) = stage.load(&Vault::default());
    let (same, told) = stage.renew(&vault);
    assert_eq!(told, Told::default());
    assert_eq!(stage.seen(&same, "localhost"), stage.seen(&vault, "localhost"));

    let new = stage.authority.leaf(&["localhost"]);
    stage.replace("both.pem", new.both());
    let (vault, told) = stage.renew(&vault);
    assert!(told.news[0].contains("both.pem: read again") && told.warnings.is_empty(), "{told:?}");
    assert_eq!(stage.seen(&vault, "localhost"), *new.der);

    for broken in [Some("nonsense"), None] {
        match broken {
            Some(text) => stage.replace("both.pem", text),
            None => std::fs::remove_file(stage.path("both.pem")).unwrap(),
        }
        let (kept, told) = stage.renew(&vault);
        assert!(told.warnings[0].contains("the certificate there was stays"), "{told:?}");
        assert_eq!(stage.seen(&kept, "localhost"), *new.der);
    }
}

/// After the rights are given up, the key of a setting that stays is out of reach.
#[test]
fn other_settings_change_without_the_key_at_hand() {
    let mut stage = Stage::new();
    let (vault, _) = stage.load(&Vault::default());
    let shown = stage.seen(&vault, "localhost");
    std::fs::remove_file(stage.path("both.pem")).unwrap();
    stage.tls().alpn = vec!["h2".to_owned()];
    let (vault, told) = stage.load(&vault);
    assert_eq!(told, Told::default());
    assert_eq!(vault.terminator("default").unwrap().config.alpn_protocols, [b"h2"]);
    assert_eq!(stage.seen(&vault, "localhost"), shown);

    stage.tls().key = Some("/nowhere".to_owned());
    let why = vault.prepare(&stage.config, now_s()).unwrap_err();
    assert!(why.contains("service default: TLS: ") && why.contains("both.pem"), "{why}");
}

#[test]
fn sessions_outlive_new_certificates_but_not_new_demands() {
    let mut stage = Stage::new();
    let (vault, _) = stage.load(&Vault::default());
    let client = Arc::new(client(&stage.authority, None));
    let resumed = |vault: &Vault| {
        let server = vault.terminator("default").unwrap();
        shake(&server.config, &client, "localhost").map(|s| s.resumed)
    };
    assert_eq!(resumed(&vault), Ok(false));
    stage.replace("both.pem", stage.authority.leaf(&["localhost"]).both());
    let (vault, _) = stage.renew(&vault);
    assert_eq!(resumed(&vault), Ok(true));
    stage.tls().ca_file =
        Some(file(&stage.scratch, "ca", stage.authority.pem()).display().to_string());
    stage.tls().clients = ClientCertificates::Optional;
    let (vault, _) = stage.load(&vault);
    assert_eq!(resumed(&vault), Ok(false));
    stage.tls().clients = ClientCertificates::Required;
    let (vault, _) = stage.load(&vault);
    assert!(resumed(&vault).is_err());
}

#[test]
fn names_choose_and_strictness_refuses() {
    let mut stage = Stage::new();
    let directory = stage.path("sni");
    std::fs::create_dir(&directory).unwrap();
    let put = |name: &str, made: &Made| {
        std::fs::write(directory.join(format!("{name}.crt")), made.both()).unwrap();
    };
    let a = stage.authority.leaf(&["a.org", "*.wild.org"]);
    put("a.org", &a);
    stage.tls().sni_path = Some(directory.display().to_string());
    let (vault, _) = stage.load(&Vault::default());
    let default = stage.seen(&vault, "localhost");
    assert_eq!(stage.seen(&vault, "a.org"), *a.der);
    assert_eq!(stage.seen(&vault, "x.wild.org"), *a.der);
    let b = stage.authority.leaf(&["b.org"]);
    put("b.org", &b);
    let (vault, told) = stage.renew(&vault);
    assert_eq!(told, Told::default());
    assert_eq!(stage.seen(&vault, "b.org"), *b.der);

    stage.tls().sni_strict = true;
    let (vault, _) = stage.load(&vault);
    assert_eq!(stage.seen(&vault, "localhost"), default);
    let server = vault.terminator("default").unwrap();
    let stranger = Arc::new(client(&stage.authority, None));
    for name in ["unknown.org", "127.0.0.1"] {
        let why = shake(&server.config, &stranger, name).unwrap_err();
        assert!(why.to_string().contains("no server certificate chain resolved"), "{why}");
    }
    let rows = vault.rows(now_s());
    let names: Vec<_> = rows.iter().map(|row| row.name.as_deref()).collect();
    assert_eq!(names, [None, Some("a.org"), Some("b.org")]);
}

#[test]
fn ocsp_responses_come_and_go() {
    let mut stage = Stage::new();
    let (leaf, issuer) = {
        let (vault, _) = stage.load(&Vault::default());
        let der = stage.seen(&vault, "localhost");
        let issuer = stage.authority.issuer.der().clone();
        (Certificate::read(der.into()).unwrap(), Certificate::read(issuer).unwrap())
    };
    let now = now_s();
    let response = |until| forge::ocsp(&leaf, &issuer, CertStatus::Good(Null), (now, Some(until)));
    stage.tls().ocsp_response = Some(stage.path("r.ocsp").display().to_string());
    let (vault, told) = stage.load(&Vault::default());
    assert!(told.warnings[0].contains("r.ocsp: No such file"), "{told:?}");
    assert!(told.warnings[0].contains("nothing is stapled"), "{told:?}");
    let stapled = |vault: &Vault, at| vault.rows(at)[0].ocsp.clone().unwrap().ok().map(|w| w.0);
    assert_eq!(stapled(&vault, now), None);
    assert!(vault.looked_at(now).0.is_none(), "nothing has changed");

    file(&stage.scratch, "r.ocsp", response(now + 50));
    let (vault, told) = vault.looked_at(now);
    let vault = vault.unwrap();
    assert_eq!((stapled(&vault, now), told), (Some(now + 50), Told::default()));
    assert_eq!(vault.next_look_s(now), Some(50));
    let given = |vault: &Vault| shown_ocsp(vault).is_some();
    assert!(given(&vault));
    let (vault, told) = vault.looked_at(now + 50);
    let vault = vault.unwrap();
    assert!(told.warnings[0].contains("time is over"), "{told:?}");
    assert!(!given(&vault));
    let (none, told) = vault.looked_at(now + 51);
    assert!(none.is_none() && told == Told::default(), "it is said once: {told:?}");
    stage.replace("r.ocsp", response(now + 500));
    assert!(given(&vault.looked_at(now + 52).0.unwrap()));
}

#[test]
fn a_revocation_list_that_is_over_is_said_once() {
    let mut stage = Stage::new();
    let list = |year| {
        let params = rcgen::CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2020, 1, 1),
            next_update: rcgen::date_time_ymd(year, 1, 1),
            crl_number: rcgen::SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        params.signed_by(&stage.authority.issuer).unwrap().pem().unwrap()
    };
    let (old, new) = (list(2021), list(2999));
    let ca = file(&stage.scratch, "ca", stage.authority.pem()).display().to_string();
    stage.tls().crl = Some(file(&stage.scratch, "crl", &old).display().to_string());
    stage.tls().ca_file = Some(ca);
    let (_, told) = stage.load(&Vault::default());
    assert!(told.warnings[0].contains("ssl_crl without ssl_client_certificate"), "{told:?}");

    stage.tls().clients = ClientCertificates::Required;
    let (vault, told) = stage.load(&Vault::default());
    let said = |told: &Told| told.warnings.iter().any(|w| w.contains("crl: the time of a"));
    assert!(said(&told), "{told:?}");
    assert_eq!(vault.looked_at(now_s()).1, Told::default());
    stage.replace("crl", new);
    let (vault, told) = stage.renew(&vault);
    assert!(told.warnings.is_empty(), "{told:?}");
    // A year of 2999 ends, too.
    let (vault, told) = vault.looked_at(32_472_144_000);
    assert!(vault.is_some() && said(&told), "{told:?}");
}

/// What a handshake would staple.
fn shown_ocsp(vault: &Vault) -> Option<Vec<u8>> {
    let chest = vault.chests.get("default").unwrap();
    let (_, entry) = chest.entries().next().unwrap();
    assert!(format!("{:?}", chest.terminator.config.cert_resolver).contains("ocsp"));
    let text = format!("{:?}", chest.terminator.config.cert_resolver);
    let given = !text.contains("ocsp: None");
    given.then(|| entry.certified(now_s()).ocsp.clone()).flatten()
}

#[test]
fn subjects_of_clients_are_cleaned_and_cut() {
    let authority = Authority::new("clients");
    let of = |name: &str| {
        let made = authority.leaf_with(&["client"], |params| {
            params.distinguished_name = rcgen::DistinguishedName::new();
            if !name.is_empty() {
                params.distinguished_name.push(rcgen::DnType::CommonName, name);
            }
        });
        subject_of(&made.der)
    };
    let long = "\u{e4}".repeat(limits::TLS_SUBJECT_MAX);
    let cut = format!("CN={}...", "\u{e4}".repeat(limits::TLS_SUBJECT_MAX - 3));
    for (name, subject) in [
        ("alice", "CN=alice"),
        ("", ""),
        ("a\0\n\u{1b}\u{9b}b", "CN=a\\00\\0a\\1b?b"),
        (&long, &cut),
    ] {
        assert_eq!(of(name), subject);
    }
    let whole = authority.leaf(&["client"]).der;
    for end in 0..whole.len() {
        let said = subject_of(&whole[..end]);
        assert!(said.starts_with("(not to be read: "), "{end}: {said}");
    }
}

#[test]
fn every_suite_has_its_name_in_reports() {
    for suite in rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES {
        assert_ne!(name_of(suite.suite()), "unknown", "{suite:?}");
    }
}
