//! `openssl s_client`: versions, keys, names, protocols, resumption, early data, renegotiation.

use std::path::PathBuf;

use pen_test::{Farm, Pen, until};

use super::talk::Talk;
use super::{NAME, Office};
use crate::find;

fn stage() -> Option<(PathBuf, Office, Farm)> {
    Some((find("openssl")?, Office::new(), Farm::banners(1)))
}

/// The greeting of the server, and then a good end.
fn is_greeted(talk: &mut Talk) -> String {
    talk.hears("s0 127.");
    talk.types("Q\n");
    let (good, said) = talk.ends();
    assert!(good, "{said}");
    said
}

fn is_refused(mut talk: Talk, alert: &str) {
    talk.hears(alert);
    let (good, said) = talk.ends();
    assert!(!good && !said.contains("s0 127."), "{said}");
}

#[test]
fn versions_and_keys() {
    let Some((openssl, office, farm)) = stage() else { return };
    let rsa = office.authority.sign_rsa(&[NAME]).write(&office.scratch, "rsa.pem");
    let rsa = Pen::over(&farm).args(["-E".to_owned(), rsa.display().to_string()]).start();
    for pen in [office.pen(&farm).start(), rsa] {
        for (option, says) in [("-tls1_2", "New, TLSv1.2,"), ("-tls1_3", "New, TLSv1.3,")] {
            let said = is_greeted(&mut Talk::start(&openssl, &office, &pen, &[option]));
            assert!(said.contains(says) && said.contains("Verify return code: 0 (ok)"), "{said}");
        }
        for old in ["-tls1", "-tls1_1"] {
            let args = [old, "-cipher", "DEFAULT:@SECLEVEL=0"];
            is_refused(Talk::start(&openssl, &office, &pen, &args), " alert ");
        }
        until("the reason in the log", || {
            (pen.stderr().matches("no_common_version (").count() == 2).then_some(())
        });
    }
}

#[test]
fn sessions_are_resumed_on_every_worker() {
    let Some((openssl, office, farm)) = stage() else { return };
    let pen = office.pen(&farm).command("workers 4").start();
    for (option, reused) in [("-tls1_2", "Reused, TLSv1.2,"), ("-tls1_3", "Reused, TLSv1.3,")] {
        let session = office.file(option);
        let said =
            is_greeted(&mut Talk::start(&openssl, &office, &pen, &[option, "-sess_out", &session]));
        assert!(said.contains("New, TLSv1."), "{said}");
        for turn in 0..8 {
            let args = [option, "-sess_in", session.as_str()];
            let said = is_greeted(&mut Talk::start(&openssl, &office, &pen, &args));
            assert!(said.contains(reused), "turn {turn}: {said}");
        }
    }
}

#[test]
fn reconnecting_five_times() {
    let Some((openssl, office, farm)) = stage() else { return };
    let pen = office.pen(&farm).start();
    let said = is_greeted(&mut Talk::start(&openssl, &office, &pen, &["-tls1_2", "-reconnect"]));
    assert_eq!(said.matches("Reused, TLSv1.2,").count(), 5, "{said}");
}

#[test]
fn early_data_is_taken_only_where_that_is_switched_on() {
    let Some((openssl, office, farm)) = stage() else { return };
    let session = office.file("session");
    let early = office.scratch.write("early", "early words\n").display().to_string();
    let pen = office.pen(&farm).start();
    for (switched_on, says) in
        [(false, "Early data was not sent"), (true, "Early data was accepted")]
    {
        if switched_on {
            pen.set("ssl_early_data");
        }
        let first = ["-tls1_3", "-sess_out", session.as_str()];
        is_greeted(&mut Talk::start(&openssl, &office, &pen, &first));
        let again = ["-tls1_3", "-sess_in", session.as_str(), "-early_data", early.as_str()];
        let mut talk = Talk::start(&openssl, &office, &pen, &again);
        talk.hears(says);
        talk.hears("s0 127.");
        if switched_on {
            // The server's echo.
            talk.hears("early words");
        }
        talk.types("Q\n");
        let (good, said) = talk.ends();
        assert!(good && said.contains("early words") == switched_on, "{said}");
    }
}

#[test]
fn names_choose_certificates() {
    let Some((openssl, office, farm)) = stage() else { return };
    let dir = office.add_to("sni", "a.example");
    office.add_to("sni", "b.example");
    office.add_to("sni", "*.wild.example");
    let path = format!("ssl_sni_path {}", dir.display());
    let pen = office.pen(&farm).command(&path).start();
    let ask = |args: &[&str]| is_greeted(&mut Talk::plainly(&openssl, &office, pen.place(), args));
    for (asked, shown) in [
        ("a.example", "CN = a.example"),
        ("B.Example", "CN = b.example"),
        ("x.wild.example", "CN = *.wild.example"),
        ("x.y.wild.example", "CN = default.example"),
        ("c.example", "CN = default.example"),
    ] {
        let said = ask(&["-servername", asked]);
        assert!(said.contains(&format!("subject={shown}")), "{asked}: {said}");
    }
    assert!(ask(&["-noservername"]).contains("subject=CN = default.example"));
    pen.set("ssl_sni_strict");
    for args in [&["-servername", "c.example"][..], &["-noservername"]] {
        is_refused(Talk::plainly(&openssl, &office, pen.place(), args), "alert");
    }
    assert!(ask(&["-servername", "a.example"]).contains("subject=CN = a.example"));
}

#[test]
fn protocols_are_agreed() {
    let Some((openssl, office, farm)) = stage() else { return };
    let pen = office.pen(&farm).command("ssl_alpn h2,http/1.1").start();
    for (offered, agreed) in [
        ("h2", "ALPN protocol: h2"),
        ("http/1.1", "ALPN protocol: http/1.1"),
        ("http/1.1,h2", "ALPN protocol: h2"),
        ("x,http/1.1", "ALPN protocol: http/1.1"),
    ] {
        let said = is_greeted(&mut Talk::start(&openssl, &office, &pen, &["-alpn", offered]));
        assert!(said.contains(agreed), "{offered}: {said}");
    }
    let said = is_greeted(&mut Talk::start(&openssl, &office, &pen, &[]));
    assert!(said.contains("No ALPN negotiated"), "{said}");
    let stranger = Talk::start(&openssl, &office, &pen, &["-alpn", "spdy/3"]);
    is_refused(stranger, "alert no application protocol");
}

#[test]
fn renegotiation_is_refused() {
    let Some((openssl, office, farm)) = stage() else { return };
    let pen = office.pen(&farm).start();
    let mut talk = Talk::start(&openssl, &office, &pen, &["-tls1_2"]);
    talk.hears("s0 127.");
    assert!(talk.said().contains("Secure Renegotiation IS supported"), "{}", talk.said());
    talk.types("R\n");
    talk.hears("RENEGOTIATING");
    talk.hears("no renegotiation");
    let (good, said) = talk.ends();
    assert!(!good, "{said}");
    is_greeted(&mut Talk::start(&openssl, &office, &pen, &["-tls1_2"]));
}
