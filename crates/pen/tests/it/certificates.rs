//! Certificates of a running pen: read at the start, kept, read again, reported, refused. Handshakes
//! are not here.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use pen_test::{Farm, Pen, Scratch, Sig, is_root, plain_only, until};
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;

/// A certificate and its key in one text, valid until a year.
fn forged(name: &str, until: i32) -> String {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a good name");
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().expect("random numbers");
    let made = params.self_signed(&key).expect("a certificate");
    format!("{}{}", made.pem(), key.serialize_pem())
}

fn put(path: &Path, content: &str) {
    let aside = path.with_extension("new");
    std::fs::write(&aside, content).expect("the directory is ours");
    std::fs::rename(aside, path).expect("the directory is ours");
}

fn certificates(pen: &Pen) -> Vec<Value> {
    let reply = pen.ctl("certificates json");
    let parsed: Value = serde_json::from_str(&reply).unwrap_or_else(|e| panic!("{reply}: {e}"));
    parsed["certificates"].as_array().expect("a list").clone()
}

/// The names of the only certificate.
fn names(pen: &Pen) -> Value {
    let [one] = &certificates(pen)[..] else { panic!("not one certificate") };
    one["names"].clone()
}

#[test]
fn a_start_without_a_good_certificate_fails_with_the_reason() {
    let (farm, scratch) = (Farm::banners(1), Scratch::new());
    let bad = scratch.write("bad.pem", "nonsense").display().to_string();
    let good = scratch.write("good.pem", &forged("a.org", 2999)).display().to_string();
    for (args, parts) in [
        (&["-E", &bad][..], &["service default: TLS: ", "bad.pem: nothing in it begins"][..]),
        (&["-E", "/no/such.pem"], &["/no/such.pem: No such file"]),
        (&["-E", &good, "-K", &bad], &["bad.pem"]),
        (&["-E", &good, "-G", &bad], &["bad.pem"]),
        (&["-E", &good, "-R", "-A", "/no/such/directory"], &["/no/such/directory: No such file"]),
        (&["-E", &good, "-O", "ssl_sni_path /no/such"], &["ssl_sni_path /no/such: No such file"]),
    ] {
        for check in [&[][..], &["--check"]] {
            let failed = Pen::over(&farm).args([args, check].concat()).fail();
            assert_eq!(failed.code, Some(1), "{args:?}: {}", failed.stderr);
            for part in parts {
                assert!(failed.stderr.contains(part), "{part}: {}", failed.stderr);
            }
        }
    }
}

#[test]
fn files_that_changed_are_read_again_and_broken_ones_are_not() {
    let (farm, scratch) = (Farm::banners(1), Scratch::new());
    let path = scratch.write("c.pem", &forged("a.org", 2999));
    let pen =
        Pen::over(&farm).args(["-E", &path.display().to_string()]).file("blacklist 7\n").start();
    assert_eq!(names(&pen), serde_json::json!(["a.org"]));
    assert_eq!(pen.ctl("ssl_reload"), "", "nothing has changed");

    put(&path, &forged("b.org", 2999));
    let reply = pen.ctl("ssl_reload");
    assert!(reply.contains("service default: ") && reply.contains("c.pem: read again"), "{reply}");
    assert_eq!(names(&pen), serde_json::json!(["b.org"]));

    put(&path, &forged("c.org", 2999));
    pen.signal(Sig::Hup);
    until("the reload", || (names(&pen) == serde_json::json!(["c.org"])).then_some(()));

    put(&path, "nonsense");
    let reply = pen.ctl("ssl_reload");
    let kept = "the certificate there was stays";
    assert!(reply.starts_with("WARNING: ") && reply.contains(kept), "{reply}");
    assert_eq!(names(&pen), serde_json::json!(["c.org"]));
    pen.signal(Sig::Hup);
    let twice = || (pen.stderr().matches(kept).count() >= 2).then_some(());
    until("a complaint of the signal", twice);
    assert_eq!(names(&pen), serde_json::json!(["c.org"]));
}

#[test]
fn settings_change_wholly_or_not_at_all() {
    if plain_only("it begins without a certificate") {
        return;
    }
    let (farm, scratch) = (Farm::banners(1), Scratch::new());
    let path = scratch.write("c.pem", &forged("a.org", 2999)).display().to_string();
    let pen = Pen::over(&farm).start();
    assert_eq!(certificates(&pen).len(), 0);
    let reply = pen.ctl("ssl_certificate /no/such.pem");
    assert!(reply.starts_with("error: service default: TLS: /no/such.pem"), "{reply}");
    assert_eq!(pen.ctl("ssl_certificate"), "");
    pen.set(&format!("ssl_certificate {path}"));
    assert_eq!(pen.ctl("ssl_certificate"), format!("{path}\n"));
    assert_eq!(names(&pen), serde_json::json!(["a.org"]));
    for line in ["ssl_key /no/such.key", "ssl_ca_file /no/such.ca", "ssl_crl /no/such.crl"] {
        let reply = pen.ctl(line);
        assert!(reply.starts_with("error: ") && reply.contains("/no/such."), "{line}: {reply}");
    }
    pen.set("no ssl_certificate");
    assert_eq!(certificates(&pen).len(), 0);
    assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"), "plain again");
}

#[test]
fn a_key_of_root_stays_in_use_after_the_rights_are_given_up() {
    if !is_root() {
        eprintln!("skipped: changing the user needs root");
        return;
    }
    let (farm, scratch) = (Farm::banners(1), Scratch::new());
    let path = scratch.write("c.pem", &forged("a.org", 2999));
    let locked = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&path, locked).expect("the file is ours");
    let pen = Pen::over(&farm).args(["-u", "nobody", "-E", &path.display().to_string()]);
    // The pid file is written by the new user.
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(pen.path("."), open).expect("the directory is ours");
    let pen = pen.start();
    assert_eq!(names(&pen), serde_json::json!(["a.org"]));
    pen.set("ssl_alpn h2");
    assert_eq!(pen.ctl("ssl_reload"), "", "it has not changed, so it is not read");
    let mode = std::fs::Permissions::from_mode(0o600);
    put(&path, &forged("b.org", 2999));
    std::fs::set_permissions(&path, mode).expect("the file is ours");
    let reply = pen.ctl("ssl_reload");
    assert!(reply.contains("Permission denied") && reply.contains("stays"), "{reply}");
    assert_eq!(names(&pen), serde_json::json!(["a.org"]));
}

#[test]
fn services_have_certificates_of_their_own_and_expiry_is_told() {
    let scratch = Scratch::new();
    let fresh = scratch.write("fresh.pem", &forged("fresh.org", 2999)).display().to_string();
    let stale = scratch.write("stale.pem", &forged("stale.org", 2020)).display().to_string();
    let port = pen_test::free_port();
    let file = format!(
        "ssl_certificate {fresh}\nservice mail\nlisten 127.0.0.1:{port}\nssl_certificate {stale}\n"
    );
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).file(&file).start();
    let rows = certificates(&pen);
    let services: Vec<&Value> = rows.iter().map(|row| &row["service"]).collect();
    assert_eq!(services, ["default", "mail"]);
    assert_eq!([&rows[0]["expired"], &rows[1]["expired"]], [false, true]);
    assert!(pen.ctl("certificates").contains("stale.pem: EXPIRED\n"));
    let warning = "WARNING: service mail: the certificate CN=rcgen self signed cert";
    until("the warning", || pen.stderr().contains(warning).then_some(()));
    assert!(pen.stderr().contains("has EXPIRED") && !pen.stderr().contains("fresh.pem"));
}
