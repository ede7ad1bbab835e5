//! Certificates change while clients come and stay: nobody is disturbed, nothing is opened for a client.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use pen_test::{Farm, Identity, Pen, Sig, acts, until};
use rustls::version::{TLS12, TLS13};

use crate::hall::{Hall, NAME, echo, session, socket};
use crate::look::{Looker, der};

/// Replaces a file as careful programs do.
fn put(path: &Path, text: &str) {
    let aside = path.with_extension("new");
    fs::write(&aside, text).expect("ours");
    fs::rename(aside, path).expect("ours");
}

fn both(made: &Identity) -> String {
    format!("{}{}", made.certificate, made.key)
}

/// A pen with a default certificate and one for `a.example` in a directory.
fn pen(hall: &Hall, farm: &Farm) -> (Pen, Identity) {
    let (dir, made) = (hall.scratch.path("sni"), hall.authority.sign(&["a.example"]));
    fs::create_dir(&dir).expect("ours");
    put(&dir.join("a.example.crt"), &both(&made));
    (hall.pen(farm).command(&format!("ssl_sni_path {}", dir.display())).start(), made)
}

fn is_shown(pen: &Pen, name: &str, made: &Identity) -> bool {
    Looker::new().look(pen, name).is_ok_and(|shown| shown.certificate == der(made))
}

#[test]
fn connections_keep_what_they_started_with() {
    let (hall, farm) = (Hall::new(), Farm::one(&acts::echo()));
    let (pen, _) = pen(&hall, &farm);
    let mut clients = [&TLS12, &TLS13]
        .map(|version| rustls::StreamOwned::new(session(hall.config_of(&[version])), socket(&pen)));
    for client in &mut clients {
        echo(client, "before").expect("an echo");
    }
    for turn in ["ssl_reload", "ssl_option no_tlsv1.2", "ssl_ciphers CHACHA20", "no ssl_sni_path"] {
        put(&hall.certificate, &both(&hall.authority.sign(&[NAME])));
        let said = pen.ctl(turn);
        assert!(!said.contains("error"), "{said}");
        for client in &mut clients {
            assert_eq!(echo(client, turn).expect("an echo"), turn);
        }
    }
    // Even when the service no longer speaks TLS.
    pen.set("no ssl_certificate");
    for client in &mut clients {
        assert_eq!(echo(client, "plain").expect("an echo"), "plain");
    }
}

#[test]
fn the_command_and_the_signal_bring_new_certificates_for_names() {
    let (hall, farm) = (Hall::new(), Farm::banners(1));
    let (pen, old) = pen(&hall, &farm);
    let dir = hall.scratch.path("sni");
    assert!(is_shown(&pen, "a.example", &old) && !is_shown(&pen, "b.example", &old));

    let [a, b] = ["a.example", "b.example"].map(|name| hall.authority.sign(&[name]));
    put(&dir.join("a.example.crt"), &both(&a));
    // The certificate comes before its key: until then the name has none.
    put(&dir.join("b.example.crt"), &b.certificate);
    let said = pen.ctl("ssl_reload");
    assert!(said.contains("a.example.crt: read again"), "{said}");
    assert!(said.contains("b.example.crt: there is no private key in it"), "{said}");
    assert!(is_shown(&pen, "a.example", &a) && !is_shown(&pen, "b.example", &b));

    put(&dir.join("b.example.key"), &b.key);
    pen.signal(Sig::Hup);
    until("the name of the signal", || is_shown(&pen, "b.example", &b).then_some(()));

    // A new key that does not belong to the certificate yet changes nothing.
    put(&dir.join("b.example.key"), &a.key);
    let said = pen.ctl("ssl_reload");
    assert!(said.contains("does not belong to the key") && said.contains("stays"), "{said}");
    assert!(is_shown(&pen, "b.example", &b));

    fs::remove_file(dir.join("b.example.crt")).expect("ours");
    assert!(pen.ctl("ssl_reload").contains("'b.example' is gone"));
    assert!(!is_shown(&pen, "b.example", &b) && is_shown(&pen, "a.example", &a));
}

#[test]
fn nothing_is_opened_for_a_client() {
    let (hall, farm) = (Hall::new(), Farm::banners(1));
    let (pen, made) = pen(&hall, &farm);
    let default = hall.default_der();
    fs::remove_dir_all(hall.scratch.path("sni")).expect("ours");
    fs::remove_file(&hall.certificate).expect("ours");
    let still = || {
        assert!(is_shown(&pen, "a.example", &made));
        let shown = Looker::new().look(&pen, NAME).expect("the default certificate");
        assert!(shown.certificate == default);
    };
    still();
    // A reload that finds nothing says so and takes nothing away.
    let said = pen.ctl("ssl_reload");
    assert_eq!(said.matches("WARNING: service default: ").count(), 2, "{said}");
    assert_eq!(said.matches("No such file").count(), 2, "{said}");
    assert!(said.contains("the certificate there was stays"), "{said}");
    assert!(said.contains("what was read before stays"), "{said}");
    still();
}

#[test]
fn handshakes_go_on_while_certificates_change() {
    let (hall, farm) = (Hall::new(), Farm::banners(1));
    let (pen, _) = pen(&hall, &farm);
    let (over, shaken) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for name in [NAME, "a.example"] {
            let (pen, over, shaken) = (&pen, &over, &shaken);
            scope.spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    Looker::new().look(pen, name).expect("a handshake");
                    shaken.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for turn in 0..30 {
            put(&hall.certificate, &both(&hall.authority.sign(&[NAME])));
            let path = hall.scratch.path("sni").join("a.example.crt");
            match turn % 3 {
                0 => put(&path, "broken"),
                _ => put(&path, &both(&hall.authority.sign(&["a.example"]))),
            }
            let said = pen.ctl("ssl_reload");
            assert!(said.contains("read again"), "{said}");
            let before = shaken.load(Ordering::SeqCst);
            until("a handshake", || (shaken.load(Ordering::SeqCst) > before).then_some(()));
        }
        over.store(true, Ordering::SeqCst);
    });
}
