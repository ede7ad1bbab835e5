//! Client certificates: required, optional, refused, revoked, and what the operator is told; the
//! directory and the list of revoked ones are openssl's work.

use std::path::PathBuf;

use pen_test::{Authority, Farm, Pen, run, until};

use super::Office;
use super::talk::Talk;
use crate::find;

/// What makes openssl's list one of version 2.
const V2: &str = "crlnumber = $dir/number\ncrl_extensions = ext\n[ext]\n\
                  authorityKeyIdentifier = keyid\n";

struct Door {
    openssl: PathBuf,
    office: Office,
    farm: Farm,
    good: String,
    stranger: String,
}

impl Door {
    fn new() -> Option<Self> {
        let (openssl, office, farm) = (find("openssl")?, Office::new(), Farm::banners(1));
        let good = office.authority.sign(&["client.example"]).write(&office.scratch, "good.pem");
        let other = Authority::new("somebody else's authority");
        let stranger = other.sign(&["client.example"]).write(&office.scratch, "stranger.pem");
        let (good, stranger) = (good.display().to_string(), stranger.display().to_string());
        Some(Self { openssl, office, farm, good, stranger })
    }

    fn pen(&self, args: &[&str]) -> Pen {
        self.office.pen(&self.farm).args(["-G", &self.office.file("root.crt")]).args(args).start()
    }

    fn openssl(&self, args: &[&str]) -> String {
        let said = run(&self.openssl, args);
        assert_eq!(said.code, Some(0), "{args:?}: {}", said.stderr);
        said.stdout
    }

    /// A list of the authority's that revokes the certificate in `file`, as `more` wants it.
    fn revoking(&self, file: &str, more: &str) -> String {
        let scratch = &self.office.scratch;
        let serial = self.openssl(&["x509", "-in", file, "-noout", "-serial"]);
        let serial = serial.trim().trim_start_matches("serial=");
        let line = format!("R\t350101000000Z\t200101000000Z\t{serial}\tunknown\t/CN=x\n");
        scratch.write("index.txt", &line);
        scratch.write("number", "01\n");
        let dir = scratch.dir().display();
        let config =
            format!("dir = {dir}\n[ca]\ndefault_ca = it\n[it]\ndatabase = $dir/index.txt\n{more}");
        let config = scratch.write("ca.cnf", &config).display().to_string();
        let key = scratch.write("root.key", &self.office.authority.key_pem()).display().to_string();
        let (root, list) = (self.office.file("root.crt"), self.office.file("revoked.pem"));
        self.openssl(&[
            "ca", "-gencrl", "-config", &config, "-keyfile", &key, "-cert", &root, "-md", "sha256",
            "-crldays", "9", "-out", &list,
        ]);
        list
    }

    /// Whether a client is greeted. With TLS 1.3 it hears of a refusal after its handshake.
    fn enters(&self, pen: &Pen, version: &str, certificate: Option<&str>) -> bool {
        let mut args = vec![version];
        args.extend(certificate.iter().flat_map(|file| ["-cert", *file]));
        let mut talk = Talk::start(&self.openssl, &self.office, pen, &args);
        let greeted = until("a greeting or a refusal", || {
            let said = talk.said();
            let refused = said.contains("alert ") || said.contains("errno=");
            (said.contains("s0 127.") || refused).then(|| said.contains("s0 127."))
        });
        talk.ends();
        greeted
    }
}

#[test]
fn required() {
    let Some(door) = Door::new() else { return };
    let pen = door.pen(&["-R"]);
    for version in ["-tls1_2", "-tls1_3"] {
        assert!(door.enters(&pen, version, Some(&door.good)), "{version}");
        assert!(!door.enters(&pen, version, None), "{version}");
        assert!(!door.enters(&pen, version, Some(&door.stranger)), "{version}");
    }
    // The reasons are there for the operator.
    until("the reasons in the log", || {
        let said = pen.stderr();
        let reasons = ["certificate_missing (", "certificate_refused (", "unknown issuer"];
        reasons.iter().all(|reason| said.contains(reason)).then_some(())
    });
    assert_eq!(door.farm[0].accepted(), 2);
}

#[test]
fn optional() {
    let Some(door) = Door::new() else { return };
    let pen = door.pen(&["-O", "ssl_client_certificate optional"]);
    for version in ["-tls1_2", "-tls1_3"] {
        assert!(door.enters(&pen, version, Some(&door.good)), "{version}");
        assert!(door.enters(&pen, version, None), "{version}");
        assert!(!door.enters(&pen, version, Some(&door.stranger)), "{version}");
    }
}

#[test]
fn not_asked_for() {
    let Some(door) = Door::new() else { return };
    let pen = door.pen(&[]);
    for certificate in [None, Some(door.good.as_str()), Some(door.stranger.as_str())] {
        assert!(door.enters(&pen, "-tls1_3", certificate), "{certificate:?}");
    }
}

#[test]
fn a_directory_of_authorities() {
    let Some(door) = Door::new() else { return };
    let dir = door.office.scratch.path("authorities");
    std::fs::create_dir(&dir).expect("ours");
    std::fs::copy(&door.office.root, dir.join("root.pem")).expect("ours");
    let dir = dir.display().to_string();
    door.openssl(&["rehash", &dir]);
    let pen = door.office.pen(&door.farm).args(["-A", &dir, "-R"]).start();
    for version in ["-tls1_2", "-tls1_3"] {
        assert!(door.enters(&pen, version, Some(&door.good)), "{version}");
        assert!(!door.enters(&pen, version, Some(&door.stranger)), "{version}");
    }
}

#[test]
fn revoked() {
    let Some(door) = Door::new() else { return };
    let bad = door.office.authority.sign(&["bad.example"]);
    let bad = bad.write(&door.office.scratch, "bad.pem").display().to_string();
    let pen = door.pen(&["-R"]);
    assert!(door.enters(&pen, "-tls1_3", Some(&bad)), "before");
    let said = pen.ctl(&format!("ssl_crl {}", door.revoking(&bad, "")));
    assert!(said.contains("must be of version 2"), "{said}");
    pen.set(&format!("ssl_crl {}", door.revoking(&bad, V2)));
    for version in ["-tls1_2", "-tls1_3"] {
        assert!(!door.enters(&pen, version, Some(&bad)), "{version}");
        assert!(door.enters(&pen, version, Some(&door.good)), "{version}");
    }
    until("the reason in the log", || {
        pen.stderr().contains("the certificate is revoked").then_some(())
    });
}
