//! Client certificates: who is let in, who is not, and what the operator is told; lists of the revoked,
//! directories of authorities, and changes of both.

use std::fs;
use std::path::PathBuf;

use pen_test::{Authority, Farm, Identity, Pen, until};
use rcgen::ExtendedKeyUsagePurpose;

use crate::hall::{Hall, NAME};
use crate::look::Looker;

/// A hall whose clients are vouched for by an authority of their own.
struct Gate {
    hall: Hall,
    farm: Farm,
    clients: Authority,
}

impl Gate {
    fn new() -> Self {
        let (hall, farm) = (Hall::new(), Farm::banners(1));
        Self { hall, farm, clients: Authority::new("clients") }
    }

    fn file(&self, name: &str, text: &str) -> String {
        self.hall.scratch.write(name, text).display().to_string()
    }

    fn pen(&self, args: &[&str]) -> Pen {
        self.hall.pen(&self.farm).args(args).start()
    }
}

/// Whether a client with this certificate is let in; `Err` is the alert.
fn enters(pen: &Pen, identity: Option<&Identity>) -> Result<(), String> {
    let looker = Looker::new();
    let looker = match identity {
        Some(identity) => looker.showing(identity),
        None => looker,
    };
    looker.look(pen, NAME).map(|_| ()).map_err(|e| e.to_string())
}

#[test]
fn refusals_are_told_to_both_sides() {
    let gate = Gate::new();
    let ca = gate.file("ca.pem", gate.clients.pem());
    let good = gate.clients.sign(&["client"]);
    let revoked = gate.clients.sign(&["revoked"]);
    let crl = gate.file("crl.pem", &gate.clients.revocation_list(&[&revoked], 2999));
    let pen = gate.pen(&["-R", "-G", &ca, "-O", &format!("ssl_crl {crl}")]);
    assert_eq!(enters(&pen, Some(&good)), Ok(()));
    let usage = |usage| {
        gate.clients.sign_with(&["client"], |params| params.extended_key_usages = vec![usage])
    };
    assert_eq!(enters(&pen, Some(&usage(ExtendedKeyUsagePurpose::ClientAuth))), Ok(()));
    let of = |from, until| {
        gate.clients.sign_with(&["client"], |params| {
            params.not_before = rcgen::date_time_ymd(from, 1, 1);
            params.not_after = rcgen::date_time_ymd(until, 1, 1);
        })
    };
    for (identity, alert, told) in [
        (None, "CertificateRequired", "no certificate"),
        (Some(Authority::new("clients").sign(&["client"])), "", "not signed by the issuer"),
        (Some(Authority::new("stranger").sign(&["client"])), "UnknownCA", "unknown issuer: none"),
        (Some(revoked), "CertificateRevoked", "the certificate is revoked"),
        (Some(of(2020, 2021)), "CertificateExpired", "expired"),
        (Some(of(2998, 2999)), "", "not valid yet"),
        (
            Some(usage(ExtendedKeyUsagePurpose::ServerAuth)),
            "",
            "does not allow extended key usage for client",
        ),
    ] {
        let before = pen.stderr().len();
        let why = enters(&pen, identity.as_ref()).expect_err(told);
        assert!(why.contains(alert), "{alert}: {why}");
        until(told, || {
            let said = pen.stderr().get(before..).unwrap_or_default().to_lowercase();
            (said.contains("tls handshake failed") && said.contains(&told.to_lowercase()))
                .then_some(())
        });
    }
    // Nobody of these was seen by a server.
    assert_eq!(gate.farm[0].accepted(), 2);
}

#[test]
fn optional_certificates_are_good_or_absent() {
    let gate = Gate::new();
    let ca = gate.file("ca.pem", gate.clients.pem());
    let pen = gate.pen(&["-G", &ca, "-O", "ssl_client_certificate optional"]);
    assert_eq!(enters(&pen, None), Ok(()));
    assert_eq!(enters(&pen, Some(&gate.clients.sign(&["client"]))), Ok(()));
    assert!(enters(&pen, Some(&Authority::new("stranger").sign(&["client"]))).is_err());
}

#[test]
fn a_directory_of_authorities_is_read_again_when_asked() {
    let gate = Gate::new();
    let dir: PathBuf = gate.hall.scratch.path("hashed");
    fs::create_dir(&dir).expect("ours");
    // Links as openssl rehash makes them; only the number at the end is of interest to Pen.
    fs::write(dir.join("clients.pem"), gate.clients.pem()).expect("ours");
    std::os::unix::fs::symlink("clients.pem", dir.join("5ed36f99.0")).expect("ours");
    let pen = gate.pen(&["-R", "-A", &dir.display().to_string()]);
    let others = Authority::new("others");
    let (one, other) = (gate.clients.sign(&["client"]), others.sign(&["client"]));
    assert_eq!(enters(&pen, Some(&one)), Ok(()));
    assert!(enters(&pen, Some(&other)).is_err());

    fs::write(dir.join("abcdef01.0"), others.pem()).expect("ours");
    assert!(enters(&pen, Some(&other)).is_err(), "nothing is opened for a client");
    assert!(pen.ctl("ssl_reload").contains("certificate authorities: read again"));
    assert_eq!(enters(&pen, Some(&one)), Ok(()));
    assert_eq!(enters(&pen, Some(&other)), Ok(()));

    fs::remove_dir_all(&dir).expect("ours");
    let said = pen.ctl("ssl_reload");
    assert!(said.contains("No such file") && said.contains("the authorities there were stay"));
    assert_eq!(enters(&pen, Some(&other)), Ok(()));
}

/// A session of before must not carry a client past a demand of now.
#[test]
fn tickets_do_not_outlive_a_revocation() {
    let gate = Gate::new();
    let ca = gate.file("ca.pem", gate.clients.pem());
    let (one, other) = (gate.clients.sign(&["one"]), gate.clients.sign(&["other"]));
    let crl = gate.file("crl.pem", &gate.clients.revocation_list(&[&other], 2999));
    let pen = gate.pen(&["-R", "-G", &ca, "-O", &format!("ssl_crl {crl}")]);
    let client = Looker::that_returns().showing(&one);
    assert!(!client.look(&pen, NAME).expect("it is let in").resumed);
    assert!(client.look(&pen, NAME).expect("it is let in").resumed);
    gate.file("crl.pem", &gate.clients.revocation_list(&[&one, &other], 2999));
    assert!(pen.ctl("ssl_reload").contains("read again"));
    assert!(client.refusal(&pen).contains("CertificateRevoked"));
}

#[test]
fn an_outdated_list_is_told_before_a_client_is_refused() {
    let gate = Gate::new();
    let ca = gate.file("ca.pem", gate.clients.pem());
    let crl = gate.file("crl.pem", &gate.clients.revocation_list(&[], 2021));
    let crl = format!("ssl_crl {crl}");
    let args = ["-R", "-G", &ca, "-O", &crl];
    let checked = gate.hall.pen(&gate.farm).args(args).args(["--check"]).fail();
    assert_eq!(checked.code, Some(0));
    let told = "crl.pem: the time of a revocation list is over";
    assert!(checked.stderr.contains(told), "{}", checked.stderr);
    let pen = gate.pen(&args);
    until("the warning", || pen.stderr().contains(told).then_some(()));
    let client = gate.clients.sign(&["client"]);
    assert!(enters(&pen, Some(&client)).is_err());
    gate.file("crl.pem", &gate.clients.revocation_list(&[], 2999));
    assert!(pen.ctl("ssl_reload").contains("read again"));
    assert_eq!(enters(&pen, Some(&client)), Ok(()));
}
