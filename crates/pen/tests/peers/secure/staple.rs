//! OCSP responses made by openssl, asked for with `-status`.

use std::path::PathBuf;

use pen_test::{Farm, run};

use super::talk::Talk;
use super::{NAME, Office};
use crate::find;

const STAPLED: &str = "OCSP Response Status: successful";
const NOT_STAPLED: &str = "OCSP response: no response sent";

impl Office {
    /// A response that says the certificate in `file` is good, valid for `minutes`.
    fn ocsp(&self, openssl: &PathBuf, file: &str, minutes: &str) -> PathBuf {
        let key = self.scratch.write("root.key", &self.authority.key_pem());
        let (root, key) = (self.file("root.crt"), key.display().to_string());
        let said = run(openssl, ["x509", "-in", file, "-noout", "-serial"]);
        let serial = said.stdout.trim().trim_start_matches("serial=").to_owned();
        let line = format!("V\t350101000000Z\t\t{serial}\tunknown\t/CN={NAME}\n");
        let index = self.scratch.write("index.txt", &line).display().to_string();
        let out = self.scratch.path("response.der");
        let answer = out.display().to_string();
        let said = run(
            openssl,
            [
                "ocsp", "-index", &index, "-CA", &root, "-rsigner", &root, "-rkey", &key,
                "-issuer", &root, "-cert", file, "-nmin", minutes, "-respout", &answer,
            ],
        );
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        out
    }
}

#[test]
fn a_response_is_stapled_when_asked_for_and_not_when_it_goes() {
    let Some(openssl) = find("openssl") else { return };
    let (office, farm) = (Office::new(), Farm::banners(1));
    let pen = office.pen(&farm).start();
    let ask = |args: &[&str], expected: &str| {
        let mut talk = Talk::start(&openssl, &office, &pen, args);
        talk.hears("s0 127.");
        talk.types("Q\n");
        let (_, said) = talk.ends();
        assert!(said.contains(expected), "{args:?}: {said}");
        said
    };
    ask(&["-status"], NOT_STAPLED);
    let response = office.ocsp(&openssl, &office.file("default.pem"), "60");
    pen.set(&format!("ssl_ocsp_response {}", response.display()));
    for version in ["-tls1_2", "-tls1_3"] {
        let said = ask(&["-status", version], STAPLED);
        assert!(said.contains("Cert Status: good"), "{said}");
        assert!(!ask(&[version], "s0 127.").contains(STAPLED), "stapled unasked");
    }
    pen.set("no ssl_ocsp_response");
    ask(&["-status"], NOT_STAPLED);
}
