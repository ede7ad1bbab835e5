//! What is read of certificates, keys, revocation lists, OCSP responses and PEM texts, beside a second reading
//! of the same bytes.
//!
//! The first byte says what the rest is. Here for tests and for the fuzzer `certificates`, which has this file
//! by its path.

use std::path::Path;

use aws_lc_rs::digest;
use pen_core::limits;
use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs1KeyDer,
    PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};

use super::authorities::next_update_s;
use super::certificate::{Certificate, kind_of_key, subject_of};
use super::ocsp::Staple;
use super::sections::Sections;
use crate::files::Stamp;

mod der;
mod seeds;
#[cfg(test)]
mod tests;

use der::{Node, split};
pub use seeds::seeds;
use seeds::{KEY, SERIAL, issuer, leaf, name_of};

/// When OCSP responses are looked at.
const NOW_S: i64 = 1_800_000_000;

/// Reads `data` as what its first byte says.
pub fn run(data: &[u8]) {
    let [kind, bytes @ ..] = data else { return };
    match kind {
        0 => response(bytes),
        1 => certificate(bytes),
        2 => text(bytes),
        3 => keys(bytes),
        _ => list(bytes),
    }
}

/// Nothing that a terminal would obey, and no line of its own.
fn clean(text: &str) {
    assert!(!text.contains(char::is_control), "{text:?}");
}

/// A response is given to clients if it says in so many words that the certificate is good at this time.
fn response(bytes: &[u8]) {
    let leaf = Certificate::read(leaf().into()).expect("a certificate");
    let issuer = Certificate::read(issuer().into()).expect("a certificate");
    let staple = Staple::of(Path::new("x"), Ok(bytes.to_vec()), &leaf, Some(&issuer));
    let usable = staple.usable(NOW_S);
    match (&usable, good_between(bytes)) {
        (Ok(der), Some((from_s, until_s))) => {
            assert_eq!(*der, bytes);
            assert!(from_s <= NOW_S + 300 && NOW_S < until_s, "{from_s} {until_s}");
            assert_eq!(staple.until_s(NOW_S), Some(until_s));
        }
        (Ok(_), None) => panic!("nothing in it says so"),
        (Err(why), Some((from_s, until_s))) => {
            clean(why);
            let in_time = from_s <= NOW_S + 300 && NOW_S < until_s;
            // The library takes no DER but the shortest.
            assert!(!in_time || why.contains("no OCSP response"), "{why}");
        }
        (Err(why), None) => clean(why),
    }
    let without = Staple::of(Path::new("x"), Ok(bytes.to_vec()), &leaf, None);
    assert!(usable.is_err() || without.usable(NOW_S).is_ok(), "worse for knowing less");
}

/// From when to when it says that the certificate is good.
fn good_between(bytes: &[u8]) -> Option<(i64, i64)> {
    let outer = split(bytes)?.0.parts()?;
    let status = outer.first().filter(|s| s.tag == 10 && s.inner == [0])?;
    let typed = outer.get(1).filter(|_| status.tag == 10)?.parts()?.first()?.parts()?;
    let basic = split(typed.get(1)?.inner)?.0.parts()?;
    let data = basic.first()?.parts()?;
    // The version may be left out.
    let singles = data.iter().skip_while(|n| n.tag != 0x18).nth(1)?.parts()?;
    let single = singles.iter().find_map(|single| about_us(&single.parts()?))?;
    (single.get(1)?.tag == 0x80).then_some(())?;
    let from = single.get(2)?.seconds()?;
    let until = single.get(3).filter(|n| n.tag == 0xa0)?.parts()?.first()?.seconds()?;
    Some((from, until))
}

/// The parts of a single response, if it is about the certificate.
fn about_us<'a>(single: &[Node<'a>]) -> Option<Vec<Node<'a>>> {
    let id = single.first()?.parts()?;
    let [algorithm, name, key, serial] = id.as_slice() else { return None };
    let oid = algorithm.parts()?.first()?.inner;
    let of = match oid {
        [0x2b, 14, 3, 2, 26] => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1] => &digest::SHA256,
        _ => return (serial.inner == SERIAL).then(|| single.to_vec()),
    };
    let hash = |bytes: &[u8]| digest::digest(of, bytes).as_ref().to_vec();
    let ours = serial.inner == SERIAL
        && name.inner == hash(&name_of("Root")).as_slice()
        && key.inner == hash(&KEY).as_slice();
    ours.then(|| single.to_vec())
}

/// What is said of a certificate stands in it.
fn certificate(bytes: &[u8]) {
    clean(&subject_of(bytes));
    let read = match Certificate::read(CertificateDer::from(bytes.to_vec())) {
        Ok(read) => read,
        Err(why) => return clean(&why),
    };
    let facts = &read.facts;
    for text in
        [&facts.subject, &facts.issuer, &facts.serial, &facts.key].into_iter().chain(&facts.names)
    {
        clean(text);
    }
    assert_eq!(facts.fingerprint.len(), 32 * 3 - 1);
    let whole = facts.subject.chars().take(limits::TLS_SUBJECT_MAX).collect::<String>();
    assert!(
        subject_of(bytes).starts_with(&whole),
        "two readers: {:?} {whole:?}",
        subject_of(bytes)
    );
    let parts = split(bytes).and_then(|(outer, _)| outer.parts()?.first()?.parts());
    let Some([_version, serial, _algorithm, issuer, validity, subject, ..]) = parts.as_deref()
    else {
        panic!("no certificate has been read");
    };
    let hex: String = serial.inner.iter().map(|b| format!("{b:02X}")).collect();
    assert_eq!(facts.serial, hex);
    assert_eq!((read.issuer.as_slice(), read.subject.as_slice()), (issuer.whole, subject.whole));
    assert_eq!(read.is_root(), issuer.whole == subject.whole);
    let times = validity.parts().unwrap_or_default();
    let times: Vec<Option<i64>> = times.iter().map(Node::seconds).collect();
    assert_eq!(times, [Some(facts.not_before_s), Some(facts.not_after_s)]);
}

/// Sections are what is between their marks.
fn text(bytes: &[u8]) {
    let Some(stamp) = Stamp::at(Path::new("/")) else { return };
    let sections = match Sections::of(Path::new("x"), stamp, bytes.to_vec()) {
        Ok(sections) => sections,
        Err(why) => return clean(&why),
    };
    let only = sections.only();
    clean(&only);
    assert!(only.len() < limits::LINE_MAX, "{} bytes", only.len());
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.replace('\u{feff}', ""),
        // Marks of UTF-8 in what is none are no marks.
        Err(_) => String::from_utf8_lossy(bytes).into_owned(),
    };
    let Some(meant) = plainly(&text, "CERTIFICATE") else { return };
    let found: Vec<&[u8]> = sections.certificates.iter().map(|der| der.as_ref()).collect();
    assert_eq!(found, meant, "{text}");
    let Some(meant) = plainly(&text, "X509 CRL") else { return };
    assert_eq!(sections.crls.len(), meant.len(), "{text}");
}

/// The sections with a label, decoded; `None` where a text has more than plain sections, or sections that a
/// decoder may take or leave.
fn plainly(text: &str, label: &str) -> Option<Vec<Vec<u8>>> {
    // The library takes every CR for the end of a line, Pen only in texts without LF.
    if text.replace("\r\n", "").contains('\r') {
        return None;
    }
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        match &mut open {
            Some(body) if line == end => {
                found.push(decoded(body)?);
                open = None;
            }
            Some(_) if line.contains('-') => return None,
            Some(body) => body.push_str(line),
            None if line == begin => open = Some(String::new()),
            None if line.contains(label) => return None,
            None => {}
        }
    }
    open.is_none().then_some(found)
}

/// Base64 without anything that is none.
fn decoded(text: &str) -> Option<Vec<u8>> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bare = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - bare.len() > 2 {
        return None;
    }
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0_u32, 0);
    for letter in bare.bytes() {
        let digit = LETTERS.iter().position(|l| *l == letter)?;
        bits = bits << 6 | u32::try_from(digit).ok()?;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    // Bits that are left over must be none.
    (bits & ((1 << held) - 1) == 0).then_some(bytes)
}

/// Of a key nothing but its kind is said.
fn keys(bytes: &[u8]) {
    let der = || bytes.to_vec();
    let keys: [PrivateKeyDer<'_>; 3] = [
        PrivatePkcs1KeyDer::from(der()).into(),
        PrivatePkcs8KeyDer::from(der()).into(),
        PrivateSec1KeyDer::from(der()).into(),
    ];
    for kind in keys.iter().filter_map(kind_of_key) {
        clean(&kind);
        let bits = kind.strip_prefix("RSA ").and_then(|bits| bits.parse::<usize>().ok());
        assert!(bits.is_none_or(|bits| bits <= bytes.len() * 8), "{kind} in {} bytes", bytes.len());
    }
}

/// The time of the next list stands behind the time of this one, within the list.
fn list(bytes: &[u8]) {
    let found = next_update_s(&CertificateRevocationListDer::from(bytes.to_vec()));
    let content = || split(split(bytes)?.0.inner)?.0.parts();
    let (Some(found), Some(parts)) = (found, content()) else { return };
    // Behind the version, if there is one: algorithm, issuer, time.
    let version = usize::from(parts.first().is_some_and(|n| n.tag == 2));
    assert_eq!(parts.get(version + 3).and_then(Node::seconds), Some(found));
}
