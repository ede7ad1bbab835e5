//! What is loaded, what is put in order, and what is refused in which words.

use pen_test::Scratch;

use super::*;
use crate::tls::material::forge::{Authority, Made, file, openssl};

fn source(certificate: PathBuf, key: Option<PathBuf>) -> Source {
    Source { certificate, key, chain: None }
}

fn made() -> (Authority, Made) {
    let authority = Authority::new("root");
    let leaf = authority.leaf(&["www.example.org"]);
    (authority, leaf)
}

fn shown(pair: &Pair) -> Vec<CertificateDer<'static>> {
    pair.key.cert.clone()
}

#[test]
fn one_file_or_two() {
    let scratch = Scratch::new();
    let (_, leaf) = made();
    let both = file(&scratch, "both.pem", leaf.both());
    let crt = file(&scratch, "c.pem", &leaf.pem);
    let key = file(&scratch, "k.pem", &leaf.key);
    for source in [source(both, None), source(crt, Some(key))] {
        let pair = Pair::load(&source, &[]).unwrap();
        assert_eq!(shown(&pair), std::slice::from_ref(&leaf.der));
        assert_eq!(pair.facts.names, ["www.example.org"]);
        assert_eq!(pair.facts.key, "ECDSA P-256");
        assert!(pair.cautions.is_empty() && pair.is_current());
    }
}

/// As editors and other systems write files.
#[test]
fn ends_of_lines_and_marks_do_not_matter() {
    let scratch = Scratch::new();
    let (_, leaf) = made();
    let text = leaf.both();
    for text in [
        text.replace('\n', "\r\n"),
        text.replace('\n', "\r"),
        format!("\u{feff}{}\u{feff}{}", leaf.pem, leaf.key),
        format!("Bag Attributes\n    friendlyName: x\n{text}\n# end"),
        text.trim_end().to_owned(),
    ] {
        let pair = Pair::load(&source(file(&scratch, "c.pem", &text), None), &[]);
        assert_eq!(shown(&pair.unwrap()), std::slice::from_ref(&leaf.der), "{text}");
    }
}

/// Dates after 2049 are encoded in another way, those after 2038 do not fit into 32 bits.
#[test]
fn dates_far_ahead_are_understood() {
    let scratch = Scratch::new();
    for (year, not_after_s) in
        [(2039, 2_177_452_800), (2051, 2_556_144_000), (9999, 253_370_764_800)]
    {
        let made = Authority::new("root")
            .leaf_with(&["x"], |params| params.not_after = rcgen::date_time_ymd(year, 1, 1));
        let pair = Pair::load(&source(file(&scratch, "c.pem", made.both()), None), &[]).unwrap();
        assert_eq!(pair.facts.not_after_s, not_after_s, "{year}");
    }
}

#[test]
fn a_chain_is_put_in_order_and_completed() {
    let scratch = Scratch::new();
    let root = Authority::new("root");
    let middle = root.below("middle");
    let leaf = middle.leaf(&["www.example.org"]);
    let stranger = Authority::new("stranger").pem();
    let [middle_pem, root_pem] = [middle.pem(), root.pem()];
    let wanted = [leaf.der.clone(), middle.issuer.der().clone()];
    for (text, caution) in [
        (format!("{}{}{middle_pem}", leaf.key, leaf.pem), None),
        // The root is the client's to know.
        (format!("{}{}{middle_pem}{root_pem}", leaf.key, leaf.pem), None),
        (format!("{middle_pem}{}{}", leaf.key, leaf.pem), Some("not in order")),
        (format!("{}{root_pem}{middle_pem}{}", leaf.pem, leaf.key), Some("not in order")),
        (format!("{}{stranger}{middle_pem}", leaf.both()), Some("1 certificates do not belong")),
    ] {
        let pair = Pair::load(&source(file(&scratch, "c.pem", &text), None), &[]).unwrap();
        assert_eq!(shown(&pair), wanted, "{caution:?}");
        match caution {
            None => assert_eq!(pair.cautions, [""; 0]),
            Some(part) => {
                assert!(pair.cautions.iter().any(|c| c.contains(part)), "{:?}", pair.cautions)
            }
        }
    }
    let known = [&middle, &root].map(|a| Certificate::read(a.issuer.der().clone()).unwrap());
    let pair = Pair::load(&source(file(&scratch, "c.pem", leaf.both()), None), &known).unwrap();
    assert_eq!(shown(&pair), wanted);
    let chain = file(&scratch, "c.ca", format!("{root_pem}{middle_pem}"));
    let with = Source { certificate: scratch.dir().join("c.pem"), key: None, chain: Some(chain) };
    assert_eq!(shown(&Pair::load(&with, &[]).unwrap()), wanted);
}

#[test]
fn a_file_that_was_replaced_is_not_current() {
    let scratch = Scratch::new();
    let (authority, leaf) = made();
    let path = file(&scratch, "both.pem", leaf.both());
    let pair = Pair::load(&source(path.clone(), None), &[]).unwrap();
    assert!(pair.is_current());
    std::fs::rename(file(&scratch, "new.pem", authority.leaf(&["x"]).both()), &path).unwrap();
    assert!(!pair.is_current());
    std::fs::remove_file(&path).unwrap();
    assert!(!pair.is_current());
}

/// Loads a file that must be refused, and answers why.
fn refusal(scratch: &Scratch, certificate: &[u8], key: Option<&[u8]>) -> String {
    let certificate = file(scratch, "c.pem", certificate);
    let key = key.map(|key| file(scratch, "k.pem", key));
    Pair::load(&source(certificate, key), &[]).expect_err("it was taken")
}

#[test]
fn refusals_say_what_and_why() {
    let scratch = Scratch::new();
    let (authority, leaf) = made();
    let other = authority.leaf(&["other.example.org"]);
    let large = vec![b'#'; usize::try_from(limits::TLS_FILE_MAX).unwrap() + 1];
    let torn = leaf.both().replace("-----END CERTIFICATE-----", "");
    let utf16: Vec<u8> = leaf.both().bytes().flat_map(|b| [b, 0]).collect();
    let indented = leaf.both().lines().map(|line| format!("  {line}\n")).collect::<String>();
    let request = leaf.both().replace("CERTIFICATE-", "CERTIFICATE REQUEST-");
    for (certificate, key, parts) in [
        (leaf.pem.as_bytes(), None, &["c.pem: there is no private key", "-K FILE"][..]),
        (leaf.key.as_bytes(), None, &["c.pem: there is no certificate in it"]),
        (leaf.pem.as_bytes(), Some(leaf.pem.as_bytes()), &["k.pem: there is no private key in it"]),
        (
            leaf.pem.as_bytes(),
            Some(other.key.as_bytes()),
            &["CN=www.example.org does not belong to the key in", "k.pem"],
        ),
        (&leaf.der, None, &["c.pem: it is a binary file (DER", "openssl x509 -inform DER"]),
        (b"", None, &["c.pem: it is empty"]),
        (b"hello\n", None, &["nothing in it begins with '-----BEGIN'"]),
        (torn.as_bytes(), None, &["'-----END CERTIFICATE-----' for line", "the file is cut"]),
        (utf16.as_slice(), None, &["c.pem: it is UTF-16 text", "iconv -f UTF-16"]),
        (indented.as_bytes(), None, &["c.pem: line 1: there are blanks in front"]),
        (request.as_bytes(), None, &["'CERTIFICATE REQUEST' (a request"]),
        (
            leaf.pem.as_bytes(),
            Some(leaf.key.replace("PRIVATE", "OPENSSH PRIVATE").as_bytes()),
            &["k.pem: there is no private key in it, only 'OPENSSH PRIVATE KEY' (for ssh"],
        ),
        (&large, None, &["larger than 1048576 bytes"]),
    ] {
        let why = refusal(&scratch, certificate, key);
        for part in parts {
            assert!(why.contains(part), "{part}: {why}");
        }
    }
    let missing = scratch.dir().join("missing.pem");
    let why = Pair::load(&source(missing, None), &[]).unwrap_err();
    assert!(why.contains("missing.pem: No such file"), "{why}");
    let why = Pair::load(&source(scratch.dir().to_owned(), None), &[]).unwrap_err();
    assert!(why.contains("it is a directory, not a file"), "{why}");
}

/// What openssl makes, and a part of the answer; an empty one is a success.
#[test]
fn keys_and_certificates_of_openssl() {
    const SELF: &str = "req -x509 -nodes -keyout k.pem -out c.pem -subj /CN=x -days 9";
    let protected = format!("{SELF} -newkey rsa:2048").replace("k.pem", "p.pem");
    for (lines, parts) in [
        (&[&*format!("{SELF} -newkey rsa:2048")][..], &[""][..]),
        (&[&format!("{SELF} -newkey rsa:3072"), "rsa -in k.pem -traditional -out k.pem"], &[""]),
        (&[&format!("{SELF} -newkey ed25519")], &[""]),
        (&[&format!("{SELF} -newkey ec -pkeyopt ec_paramgen_curve:secp384r1")], &[""]),
        (
            &[
                "ecparam -genkey -name prime256v1 -out k.pem",
                "req -x509 -key k.pem -out c.pem -subj /CN=x -days 9",
            ],
            &[""],
        ),
        (
            &[&format!("{SELF} -newkey rsa:1024")],
            &["k.pem: the key is RSA of 1024 bits, too short", "use RSA of 2048"],
        ),
        (
            &[&format!("{SELF} -newkey rsa:1024"), "rsa -in k.pem -traditional -out k.pem"],
            &["the key is RSA of 1024 bits"],
        ),
        (
            &[&format!("{SELF} -newkey ec -pkeyopt ec_paramgen_curve:secp256k1")],
            &["a key ECDSA secp256k1 is not accepted"],
        ),
        (
            &[
                "ecparam -genkey -name secp256k1 -noout -out k.pem",
                "req -x509 -key k.pem -out c.pem -subj /CN=x -days 9",
            ],
            &["a key ECDSA secp256k1 is not accepted"],
        ),
        (&[&format!("{SELF} -newkey ed448")], &["a key Ed448 is not accepted"]),
        (
            &[&protected, "pkey -in p.pem -aes256 -passout pass:x -out k.pem"],
            &["protected by a passphrase", "openssl pkey -in"],
        ),
        (
            &[&protected, "rsa -in p.pem -traditional -aes256 -passout pass:x -out k.pem"],
            &["protected by a passphrase"],
        ),
        (
            &[
                "req -newkey rsa:2048 -nodes -keyout k.pem -out r.pem -subj /CN=x",
                "x509 -req -in r.pem -key k.pem -out c.pem -days 9",
            ],
            &["c.pem: the certificate CN=x is of the old version 1 of X.509"],
        ),
    ] {
        let scratch = Scratch::new();
        if !lines.iter().all(|line| openssl(scratch.dir(), line)) {
            return;
        }
        let at = |name| scratch.dir().join(name);
        let loaded = Pair::load(&source(at("c.pem"), Some(at("k.pem"))), &[]);
        match (loaded, parts) {
            (Ok(_), [""]) => {}
            (Err(why), parts) if parts != [""] => {
                for part in parts {
                    assert!(why.contains(part), "{lines:?}: {part}: {why}");
                }
            }
            (other, _) => panic!("{lines:?}: {:?}", other.map(|p| p.facts)),
        }
    }
}
