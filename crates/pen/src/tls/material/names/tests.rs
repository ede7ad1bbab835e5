//! Names from the network meet names from files.

use super::*;
use crate::tls::material::forge::Authority;

fn key() -> Arc<CertifiedKey> {
    let leaf = Authority::new("root").leaf(&["x"]);
    use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
    let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    Arc::new(CertifiedKey::from_der(vec![leaf.der], key, &provider).unwrap())
}

fn names(all: &[&str]) -> Vec<String> {
    all.iter().map(|n| (*n).to_owned()).collect()
}

#[test]
fn names_are_looked_up() {
    let keys: Vec<_> = (0..4).map(|_| key()).collect();
    let build = |strict| {
        let mut shelf =
            Shelf::new(Arc::clone(&keys[0]), &names(&["default.org", "10.0.0.1"]), strict);
        shelf.add_file(&Pattern::read("a.org").unwrap(), &keys[1]);
        shelf.add_file(&Pattern::read("_.b.org").unwrap(), &keys[2]);
        shelf.add_file(&Pattern::read("*.a.org").unwrap(), &keys[2]);
        // A file counts more than what a certificate holds.
        shelf.add_held(&names(&["a.org", "*.b.org", "c.org", "*.C.org", "www.a.org"]), &keys[3]);
        shelf
    };
    let long = format!("{}.org", "a".repeat(300));
    let (open, strict) = (build(false), build(true));
    for (name, found) in [
        (Some("a.org"), Some(1)),
        (Some("A.Org"), Some(1)),
        (Some("a.org."), Some(1)),
        (Some("x.a.org"), Some(2)),
        (Some("www.a.org"), Some(3)),
        (Some("x.b.org"), Some(2)),
        (Some("x.c.org"), Some(3)),
        (Some("default.org"), Some(0)),
        (Some("b.org"), None),
        (Some("x.y.b.org"), None),
        (Some("d.org"), None),
        (Some("*.b.org"), Some(2)),
        (Some("../../etc/passwd"), None),
        (Some("a.org/../x"), None),
        (Some(""), None),
        (Some("."), None),
        (Some(&long), None),
        (None, None),
    ] {
        let at = |key: Option<&Arc<CertifiedKey>>| {
            key.and_then(|key| keys.iter().position(|k| Arc::ptr_eq(k, key)))
        };
        assert_eq!(at(strict.find(name)), found, "{name:?}");
        assert_eq!(at(open.find(name)), found.or(Some(0)), "{name:?}");
    }
}

#[test]
fn names_of_files() {
    let exact = |name: &str| Some(Pattern::Exact(name.to_owned()));
    let below = |name: &str| Some(Pattern::Below(name.to_owned()));
    let long = "a".repeat(64);
    for (name, pattern) in [
        ("WWW.example.org", exact("www.example.org")),
        ("localhost", exact("localhost")),
        ("_dmarc.example.org", exact("_dmarc.example.org")),
        ("*.example.org", below("example.org")),
        ("_.example.org", below("example.org")),
        ("*", None),
        ("*.", None),
        ("", None),
        ("a..b", None),
        ("a b", None),
        ("..", None),
        (&long, None),
    ] {
        assert_eq!(Pattern::read(name), pattern, "{name}");
    }
}
