//! Which certificate a client is shown by the name it asks for: good names, odd ones, none.

use std::fs;
use std::path::PathBuf;

use pen_test::{End, Farm, Identity, Pen, Wire, until};

use crate::hall::{Hall, NAME};
use crate::hello::{client_hello, renamed};
use crate::look::{Looker, der};

/// Puts a certificate into the directory of names, in one file or two.
fn add(hall: &Hall, file: &str, names: &[&str], apart: bool) -> Identity {
    let (made, dir) = (hall.authority.sign(names), directory(hall));
    fs::create_dir_all(&dir).expect("ours");
    let put = |ending: &str, text: &str| {
        fs::write(dir.join(format!("{file}.{ending}")), text).expect("ours");
    };
    match apart {
        true => {
            put("crt", &made.certificate);
            put("key", &made.key);
        }
        false => put("crt", &format!("{}{}", made.certificate, made.key)),
    }
    made
}

fn directory(hall: &Hall) -> PathBuf {
    hall.scratch.path("sni")
}

fn pen(hall: &Hall, farm: &Farm, more: &str) -> Pen {
    let path = format!("ssl_sni_path {}", directory(hall).display());
    hall.pen(farm).command(&path).command(more).start()
}

#[test]
fn names_find_their_certificate_and_others_the_default_or_nothing() {
    let (hall, farm) = (Hall::new(), Farm::banners(1));
    let exact = add(&hall, "a.example", &["a.example"], true);
    let star = add(&hall, "_.w.example", &["*.w.example"], false);
    let inner = add(&hall, "x.w.example", &["x.w.example"], false);
    // The name of the file says nothing of these.
    let held = add(&hall, "many.example", &["held.example", "*.held.example"], false);
    let idn = add(&hall, "xn--bcher-kva.example", &["xn--bcher-kva.example"], true);
    let open = pen(&hall, &farm, "ssl_tickets");
    let strict = pen(&hall, &farm, "ssl_sni_strict");
    for (name, found) in [
        ("a.example", Some(&exact)),
        ("A.EXAMPLE", Some(&exact)),
        ("y.w.example", Some(&star)),
        ("x.w.example", Some(&inner)),
        ("many.example", Some(&held)),
        ("held.example", Some(&held)),
        ("z.held.example", Some(&held)),
        ("xn--bcher-kva.example", Some(&idn)),
        ("w.example", None),
        ("z.y.w.example", None),
        ("b.example", None),
        ("127.0.0.1", None),
    ] {
        let shown = Looker::new().look(&open, name).expect(name);
        let wanted = found.map_or_else(|| hall.default_der(), der);
        assert!(shown.certificate == wanted, "{name}");
        match (Looker::new().look(&strict, name), found) {
            (Ok(shown), Some(_)) => assert!(shown.certificate == wanted, "{name}"),
            (Err(why), None) => {
                assert!(why.to_string().contains("UnrecognisedName"), "{name}: {why}");
            }
            (other, _) => panic!("{name}: {other:?}"),
        }
    }
    until("the name in the log", || {
        strict.stderr().contains("no certificate is for 'z.y.w.example'").then_some(())
    });
    let shown = Looker::nameless().look(&open, NAME).expect("it is let in");
    assert!(shown.certificate == hall.default_der());
    assert!(Looker::nameless().refusal(&strict).contains("UnrecognisedName"));
    // The default certificate's own name is known.
    assert!(Looker::new().look(&strict, NAME).is_ok());
}

/// What pen answers to a hello of TLS 1.2 with this name, in which certificates are plain to see.
fn answer(pen: &Pen, hello: &[u8], name: &[u8]) -> Vec<u8> {
    let client = Wire::connect(pen.place()).expect("pen accepts");
    client.send(renamed(hello, NAME, name)).expect("pen takes it");
    let mut bytes = Vec::new();
    // The last message of the server's part is number 14, and empty.
    while !bytes.ends_with(&[14, 0, 0, 0]) {
        match client.read_exact(1) {
            Ok(more) => bytes.extend(more),
            Err(end) => {
                assert_ne!(end, End::Silence, "{bytes:?}");
                break;
            }
        }
    }
    bytes
}

#[test]
fn hostile_names_are_looked_up_or_refused_and_never_a_path() {
    let (hall, farm) = (Hall::new(), Farm::banners(1));
    let exact = add(&hall, "a.example", &["a.example"], true);
    // What a path made of a name would reach.
    let above = hall.authority.sign(&["above.example"]);
    fs::write(hall.scratch.path("above.crt"), &above.certificate).expect("ours");
    fs::write(hall.scratch.path("above.key"), &above.key).expect("ours");
    let pen = pen(&hall, &farm, "ssl_tickets");
    let hello = client_hello(hall.config_of(&[&rustls::version::TLS12]));
    let contains = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).any(|w| w == what);
    let default = hall.default_der();
    let label = "a".repeat(63);
    let [long, longer] = [[&*label; 4].join("."), [&*label; 16].join(".")];
    let dotted = "a.".repeat(400);
    let huge = vec![b'a'; 40_000];
    for (name, served) in [
        (&b"a.example"[..], Some(&*der(&exact))),
        (b"a.example.", Some(&*der(&exact))),
        (b"b.example", Some(&*default)),
        (b"10.1.2.3", Some(&*default)),
        (b"::1", Some(&*default)),
        (b"../above", None),
        (b"..", None),
        (b"/etc/passwd", None),
        (b"a.example/../../above", None),
        (b"a.example\0", None),
        (b"a.example\0.evil", None),
        (b"\0", None),
        (b"*.example", None),
        (b"a..example", None),
        (b".a.example", None),
        (b" a.example", None),
        (b"a.example:443", None),
        (b"%2e%2e%2fabove", None),
        ("b\u{fc}cher.example".as_bytes(), None),
        (b"\xff\xfe\n\x1b[2J", None),
        (b"", None),
        (long.as_bytes(), None),
        (longer.as_bytes(), None),
        (dotted.as_bytes(), None),
        (&huge, None),
    ] {
        let shown = String::from_utf8_lossy(name.get(..40).unwrap_or(name)).into_owned();
        let said = answer(&pen, &hello, name);
        assert!(!contains(&said, &der(&above)), "{shown:?} reached a file");
        match served {
            Some(certificate) => assert!(contains(&said, certificate), "{shown:?}"),
            None => {
                assert!(matches!(said[..], [21, 3, _, 0, 2, 2, _]), "{shown:?}: {said:?}");
            }
        }
    }
    assert!(hall.is_served(&pen));
    let stderr = pen.stderr();
    assert!(!stderr.contains('\u{1b}') && !stderr.contains('\0'), "{stderr:?}");
}
