//! A directory of names: what is taken, left out, kept.

use pen_test::Scratch;

use super::*;
use crate::tls::material::forge::{Authority, file};

fn read(scratch: &Scratch, old: &Named) -> (Named, Told) {
    let mut told = Told::default();
    let named = load(scratch.dir(), &[], old, Effort::Changed, &mut told).unwrap();
    (named, told)
}

#[test]
fn pairs_are_read_and_broken_ones_left_out() {
    let scratch = Scratch::new();
    let root = Authority::new("root");
    let middle = root.below("middle");
    let [a, b, c] = ["a.org", "*.b.org", "c.org"].map(|name| middle.leaf(&[name]));
    for (name, text) in [
        ("a.org.crt", a.pem.clone()),
        ("a.org.key", a.key.clone()),
        ("a.org.ca", middle.pem() + &root.pem()),
        ("_.b.org.crt", b.both()),
        ("c.org.crt", c.pem.clone()),
        ("c.org.key", a.key.clone()),
        ("d.org.crt", c.pem),
        ("not a name.crt", c.key),
        ("README", String::new()),
    ] {
        file(&scratch, name, text);
    }
    let (named, told) = read(&scratch, &Named::new());
    assert_eq!(named.keys().collect::<Vec<_>>(), ["_.b.org", "a.org"]);
    assert_eq!(named["a.org"].pair.key.cert, [a.der, middle.issuer.der().clone()]);
    assert!(told.news.is_empty());
    for part in [
        "c.org.crt: the certificate CN=c.org does not belong to the key in",
        "the name 'c.org' is left out",
        "d.org.crt: there is no private key in it",
        "'not a name.crt' is left out",
    ] {
        assert!(told.warnings.iter().any(|w| w.contains(part)), "{part}: {:?}", told.warnings);
    }
    assert_eq!(told.warnings.len(), 3, "{:?}", told.warnings);
}

#[test]
fn a_second_look_reads_only_what_changed() {
    let scratch = Scratch::new();
    let root = Authority::new("root");
    for name in ["a.org", "b.org", "c.org"] {
        file(&scratch, &format!("{name}.crt"), root.leaf(&[name]).both());
    }
    let (first, _) = read(&scratch, &Named::new());
    let (again, told) = read(&scratch, &first);
    assert_eq!(told, Told::default());
    assert!(first.iter().all(|(name, e)| Arc::ptr_eq(&e.pair, &again[name].pair)));

    let new = root.leaf(&["a.org"]);
    fs::rename(file(&scratch, "new", new.both()), scratch.dir().join("a.org.crt")).unwrap();
    file(&scratch, "b.org.crt", "broken");
    fs::remove_file(scratch.dir().join("c.org.crt")).unwrap();
    let (third, told) = read(&scratch, &again);
    assert_eq!(third["a.org"].pair.leaf.der, new.der);
    assert!(Arc::ptr_eq(&third["b.org"].pair, &first["b.org"].pair));
    assert!(!third.contains_key("c.org"));
    assert!(told.news.iter().any(|n| n.ends_with("a.org.crt: read again")), "{told:?}");
    assert!(told.news.iter().any(|n| n.ends_with("'c.org' is gone")), "{told:?}");
    assert!(
        told.warnings.iter().any(|w| w.contains("the certificate there was stays")),
        "{told:?}"
    );
}

/// A key or chain beside it that is not right makes no difference to what is in use.
#[test]
fn companions_that_come_broken_take_nothing_away() {
    for (companion, text) in [("a.org.key", "broken"), ("a.org.ca", "broken"), ("a.org.key", "")] {
        let scratch = Scratch::new();
        let root = Authority::new("root");
        file(&scratch, "a.org.crt", root.leaf(&["a.org"]).both());
        let (first, _) = read(&scratch, &Named::new());
        file(&scratch, companion, text);
        let (second, told) = read(&scratch, &first);
        assert!(Arc::ptr_eq(&second["a.org"].pair, &first["a.org"].pair), "{companion}");
        let [warning] = &told.warnings[..] else { panic!("{told:?}") };
        assert!(warning.contains(companion) && warning.contains("stays"), "{warning}");
    }
}

#[test]
fn a_directory_that_is_none_is_an_error() {
    let scratch = Scratch::new();
    let mut told = Told::default();
    let gone = scratch.dir().join("gone");
    let why = load(&gone, &[], &Named::new(), Effort::Changed, &mut told).unwrap_err();
    assert!(why.contains("ssl_sni_path") && why.contains("gone: No such file"), "{why}");
    let (named, told) = read(&scratch, &Named::new());
    assert!(named.is_empty() && told.warnings[0].contains("no usable NAME.crt"), "{told:?}");
}
