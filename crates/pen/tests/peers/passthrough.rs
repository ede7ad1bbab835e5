//! openssl and curl through a pen that routes by name, to TLS servers with certificates of their own.

use std::path::PathBuf;
use std::process::Command;

use pen_test::{Finished, Pen, Place, Scratch, run};

use crate::{Real, find};

/// A TLS server of openssl that answers web requests, with a certificate for `name` made on the
/// spot.
fn tls_server(program: &PathBuf, name: &str) -> Real {
    let (scratch, place) = (Scratch::new(), Place::free());
    let (key, cert) = (scratch.path("key"), scratch.path("cert"));
    let mut make = Command::new(program);
    make.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-days", "2", "-subj", &format!("/CN={name}"), "-keyout"])
        .arg(&key)
        .args(["-addext", &format!("subjectAltName=DNS:{name}"), "-out"])
        .arg(&cert);
    let made = make.output().expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::write(scratch.path("name"), format!("{name}\n")).expect("ours");
    let mut command = Command::new(program);
    command
        .args([
            "s_server",
            "-quiet",
            "-WWW",
            "-alpn",
            "http/1.1,h2",
            "-accept",
            &place.word(),
            "-key",
        ])
        .arg(key)
        .arg("-cert")
        .arg(cert);
    Real::start(command, place, scratch)
}

/// Fetches /name from `https://NAME/`; trusts the certificate of `server` alone.
fn curl(program: &PathBuf, pen: &Pen, name: &str, server: &Real, more: &[&str]) -> Finished {
    let port = pen.place().port();
    let (to, url) = (format!("::127.0.0.1:{port}"), format!("https://{name}/name"));
    let trust = server.scratch.path("cert").display().to_string();
    let args = ["-sS", "--max-time", "9", "--connect-to", &to, "--cacert", &trust, &url];
    run(program, args.iter().chain(more))
}

#[test]
fn names_lead_to_the_servers_that_have_their_certificates() {
    let (Some(openssl), Some(program)) = (find("openssl"), find("curl")) else { return };
    let servers = [tls_server(&openssl, "a.example"), tls_server(&openssl, "b.example")];
    let word = |n: usize| format!("address 127.0.0.1 port {}", servers[n].place.port());
    let pen = Pen::bare()
        .file(&format!(
            "route sni a.example service a\nroute sni b.example server 0\nroute alpn none close\n\
             server 0 {}\nservice a\nserver 0 {}\n",
            word(1),
            word(0)
        ))
        .start();
    for (asked, n) in [("a.example", 0), ("b.example", 1), ("A.Example", 0), ("b.example.", 1)] {
        for version in ["--tlsv1.3", "--tls-max=1.2"] {
            let version: Vec<&str> = version.split('=').collect();
            let said = curl(&program, &pen, asked, &servers[n], &version);
            assert_eq!(said.code, Some(0), "{asked} {version:?}: {}", said.stderr);
            let name = ["a.example\n", "b.example\n"][n];
            assert_eq!(said.stdout, name, "{asked} {version:?}");
        }
    }
    let wrong = curl(&program, &pen, "a.example", &servers[1], &[]);
    assert_ne!(wrong.code, Some(0), "the certificate is the server's own, so curl refuses it");
    let unknown = curl(&program, &pen, "c.example", &servers[0], &[]);
    assert_ne!(unknown.code, Some(0), "{}", unknown.stdout);
    assert!(unknown.stderr.contains("unrecognized name"), "{}", unknown.stderr);
}

#[test]
fn openssl_hears_which_certificate_it_got() {
    let Some(openssl) = find("openssl") else { return };
    let servers = [tls_server(&openssl, "a.example"), tls_server(&openssl, "b.example")];
    let word = |n: usize| format!("address 127.0.0.1 port {}", servers[n].place.port());
    let pen = Pen::bare()
        .file(&format!(
            "route sni *.example service a\nroute alpn h2 service b\nroute default service b\n\
             service a\nserver 0 {}\nservice b\nserver 0 {}\n",
            word(0),
            word(1)
        ))
        .start();
    let to = pen.place().word();
    for (args, subject) in [
        (&["-servername", "a.example"][..], "CN = a.example"),
        (&["-servername", "X.EXAMPLE", "-alpn", "h2"], "CN = a.example"),
        (&["-noservername"], "CN = b.example"),
        (&["-noservername", "-alpn", "h2,http/1.1"], "CN = b.example"),
        (&["-servername", "other.org", "-tls1_2"], "CN = b.example"),
    ] {
        let first = ["s_client", "-connect", &to];
        let said = run(&openssl, first.iter().chain(args));
        assert!(said.stdout.contains(&format!("subject={subject}")), "{args:?}: {}", said.stdout);
    }
}
