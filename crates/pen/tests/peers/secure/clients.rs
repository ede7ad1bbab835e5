//! Client certificates: required, optional, refused, and what the operator is told.

use std::path::PathBuf;

use pen_test::{Authority, Farm, Pen, until};

use super::Office;
use super::talk::Talk;
use crate::find;

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
        let reasons = ["certificate_missing (", "certificate_refused (", "UnknownIssuer"];
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
