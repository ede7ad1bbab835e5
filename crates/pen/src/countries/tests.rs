//! Databases made for the purpose: what is found in them, and what becomes of broken ones.

use std::fs;
use std::path::PathBuf;

use super::*;

#[path = "../../tests/mmdb/mod.rs"]
mod mmdb;

use mmdb::{Facts, database, is_in};

struct File(PathBuf);

impl File {
    fn new(name: &str, contents: &[u8]) -> Self {
        let file =
            std::env::temp_dir().join(format!("pen-countries-{}-{name}", std::process::id()));
        fs::write(&file, contents).unwrap();
        Self(file)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // Some tests remove it themselves.
        let _ = fs::remove_file(&self.0);
    }
}

fn sample() -> Vec<u8> {
    database(&[
        ("127.0.0.0/8", is_in("XX")),
        ("127.0.1.0/24", is_in("SE")),
        ("127.0.2.0/24", Facts { country: Some("no"), registered: Some("SE") }),
        ("127.0.3.0/24", Facts { country: None, registered: Some("SE") }),
        ("127.0.4.0/24", Facts::default()),
        ("127.0.5.0/24", Facts { country: Some("Sweden"), registered: None }),
        ("127.0.1.7/32", is_in("NO")),
        ("2001:db8::/32", is_in("DK")),
    ])
}

#[test]
fn the_location_counts_and_else_the_registration() {
    let file = File::new("found", &sample());
    let database = Database::load(file.path()).unwrap();
    for (ip, expected) in [
        ("127.0.1.1", Some("SE")),
        ("127.0.1.7", Some("NO")),
        ("127.0.2.255", Some("NO")),
        ("127.0.3.1", Some("SE")),
        ("127.0.4.1", None),
        ("127.0.5.1", None),
        ("127.9.9.9", Some("XX")),
        ("128.0.0.0", None),
        ("2001:db8:ffff::1", Some("DK")),
        ("2001:db9::", None),
        ("::1", None),
    ] {
        let found = database.country(ip.parse().unwrap());
        assert_eq!(found, expected.and_then(country_code), "{ip}");
    }
    assert_eq!(database.caution(), None);
}

#[test]
fn files_that_are_no_databases_are_errors_that_name_them() {
    let dir = std::env::temp_dir();
    let text = File::new("text", b"acl 0 permit country SE\n");
    let empty = File::new("empty", b"");
    let half = File::new("half", &sample()[..100]);
    for path in [dir.to_str().unwrap(), "/no/such/file", text.path(), empty.path(), half.path()] {
        let why = open(Some(path)).unwrap_err();
        assert!(why.starts_with(&format!("geoip_db {path}: ")), "{why}");
    }
    assert!(open(None).unwrap().is_none());
    let other = File::new("other", &database(&[("127.0.0.0/8", Facts::default())]));
    let caution = Database::load(other.path()).unwrap().caution().unwrap();
    assert!(caution.contains(other.path()) && caution.contains("Test-Country"), "{caution}");
}

#[test]
fn damage_is_an_error_or_an_unknown_country() {
    let whole = sample();
    let clients = ["127.0.1.1", "127.0.3.1", "::1", "2001:db8::1", "255.255.255.255"];
    let look = |bytes: Vec<u8>, path: &str| {
        let Ok(reader) = Reader::from_source(bytes) else { return };
        let stamp = Stamp::at(Path::new("/")).unwrap();
        let database = Database { reader, path: path.to_owned(), stamp };
        let _ = database.caution();
        for ip in clients {
            let _ = database.country(ip.parse().unwrap());
        }
    };
    for length in 0..whole.len() {
        look(whole[..length].to_vec(), "cut");
    }
    for at in 0..whole.len() {
        for value in [0x00, 0xff, 0x20, !whole[at], whole[at] ^ 1] {
            let mut damaged = whole.clone();
            damaged[at] = value;
            look(damaged, "damaged");
        }
    }
}

#[test]
fn a_changed_file_is_noticed() {
    let file = File::new("stamp", &sample());
    let database = Database::load(file.path()).unwrap();
    assert!(database.is_current());
    let other = File::new("stamp-new", &sample());
    fs::rename(other.path(), file.path()).unwrap();
    assert!(!database.is_current());
    let database = Database::load(file.path()).unwrap();
    assert!(database.is_current());
    fs::remove_file(file.path()).unwrap();
    assert!(!database.is_current());
}

#[test]
fn cautions_are_given_once() {
    use pen_core::acl::{Entry, Verdict, Whom};
    let file = File::new("caution", &sample());
    let known = open(Some(file.path())).unwrap();
    let plain = Config::default();
    let mut naming = plain.clone();
    let whom = Whom::country("SE").unwrap();
    naming.services[0].acls[3].entries.push(Entry { verdict: Verdict::Permit, whom });
    for (old, new, expected) in [
        ((&plain, None), (&plain, None), 0),
        ((&plain, None), (&naming, None), 1),
        ((&naming, None), (&naming, None), 0),
        ((&naming, known.as_ref()), (&naming, None), 1),
        ((&plain, None), (&naming, known.as_ref()), 0),
    ] {
        assert_eq!(cautions(old, new).len(), expected);
    }
}
