//! Certificates, responses, lists and keys, built without the code that reads them. Nobody has signed them:
//! Pen leaves signatures to those who rely on them.

use aws_lc_rs::digest;

use super::der::{made_of, value};

const SEQUENCE: u8 = 0x30;
const OCTETS: u8 = 4;

pub(super) const SERIAL: [u8; 3] = [0x4a, 0x17, 0x99];
pub(super) const KEY: [u8; 65] = [4; 65];

fn oid(bytes: &[u8]) -> Vec<u8> {
    value(6, bytes)
}

pub(super) fn name_of(common: &str) -> Vec<u8> {
    let pair = made_of(SEQUENCE, &[oid(&[0x55, 4, 3]), value(12, common.as_bytes())]);
    made_of(SEQUENCE, &[made_of(0x31, &[pair])])
}

fn time(text: &str) -> Vec<u8> {
    value(if text.len() == 13 { 0x17 } else { 0x18 }, text.as_bytes())
}

fn signed(content: Vec<u8>) -> Vec<u8> {
    made_of(SEQUENCE, &[content, ecdsa(), value(3, &[0, 1, 2, 3])])
}

fn ecdsa() -> Vec<u8> {
    made_of(SEQUENCE, &[oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2])])
}

fn p256() -> Vec<u8> {
    let curve = oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]);
    made_of(SEQUENCE, &[oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]), curve])
}

/// A certificate that nobody has signed.
fn make(issuer: &str, subject: Vec<u8>, names: &[&str]) -> Vec<u8> {
    let validity = made_of(SEQUENCE, &[time("260101000000Z"), time("20500101000000Z")]);
    let key = made_of(SEQUENCE, &[p256(), value(3, &[&[0][..], &KEY].concat())]);
    let names: Vec<Vec<u8>> = names.iter().map(|name| value(0x82, name.as_bytes())).collect();
    let names = value(OCTETS, &made_of(SEQUENCE, &names));
    let extension = made_of(SEQUENCE, &[oid(&[0x55, 0x1d, 17]), names]);
    signed(made_of(
        SEQUENCE,
        &[
            value(0xa0, &value(2, &[2])),
            value(2, &SERIAL),
            ecdsa(),
            name_of(issuer),
            validity,
            subject,
            key,
            value(0xa3, &made_of(SEQUENCE, &[extension])),
        ],
    ))
}

pub(super) fn leaf() -> Vec<u8> {
    make("Root", name_of("a.example"), &["a.example", "*.a.example"])
}

pub(super) fn issuer() -> Vec<u8> {
    make("Root", name_of("Root"), &[])
}

/// A response about the certificate; `status` with its tag.
fn ocsp(status: &[u8], until: Option<&str>) -> Vec<u8> {
    let sha1 = |bytes: &[u8]| {
        let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes);
        value(OCTETS, hash.as_ref())
    };
    let algorithm = made_of(SEQUENCE, &[oid(&[0x2b, 14, 3, 2, 26]), value(5, &[])]);
    let id = [algorithm, sha1(&name_of("Root")), sha1(&KEY), value(2, &SERIAL)];
    let until = until.map(|until| value(0xa0, &time(until))).unwrap_or_default();
    let single = [made_of(SEQUENCE, &id), status.to_vec(), time("20270101000000Z"), until];
    let data = [
        value(0xa2, &sha1(&KEY)),
        time("20270101000000Z"),
        made_of(SEQUENCE, &[made_of(SEQUENCE, &single)]),
    ];
    let basic = value(OCTETS, &signed(made_of(SEQUENCE, &data)));
    let typed = made_of(SEQUENCE, &[oid(&[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1]), basic]);
    made_of(SEQUENCE, &[value(10, &[0]), value(0xa0, &typed)])
}

fn crl(version: &[u8], next: &str) -> Vec<u8> {
    let entry = made_of(SEQUENCE, &[value(2, &SERIAL), time("270101000000Z")]);
    let (this, next) = (time("270101000000Z"), time(next));
    let entries = made_of(SEQUENCE, &[entry]);
    signed(made_of(SEQUENCE, &[version.to_vec(), ecdsa(), name_of("Root"), this, next, entries]))
}

/// Files of every kind, with names.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let of = |kind: u8, bytes: &[u8]| [&[kind], bytes].concat();
    let (good, until) = (value(0x80, &[]), Some("20270301000000Z"));
    let revoked = value(0xa1, &time("20270101000000Z"));
    let pem =
        "subject=CN = x\n-----BEGIN CERTIFICATE-----\nMIIB\nAbc=\n-----END CERTIFICATE-----\n";
    let two_names = made_of(
        0x31,
        &[
            made_of(SEQUENCE, &[oid(&[0x55, 4, 10]), value(19, b"Z")]),
            made_of(SEQUENCE, &[oid(&[0x55, 4, 3]), value(12, "\u{7}\u{e9}".as_bytes())]),
        ],
    );
    let pkcs8 = made_of(SEQUENCE, &[value(2, &[0]), p256(), value(OCTETS, &[1; 40])]);
    let pkcs1 = made_of(SEQUENCE, &[value(2, &[0]), value(2, &[0x7f; 128]), value(2, &[3])]);
    let sec1 = made_of(
        SEQUENCE,
        &[
            value(2, &[1]),
            value(OCTETS, &[1; 32]),
            value(0xa0, &oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7])),
        ],
    );
    let with = |from: &str, to: &str| of(2, pem.replace(from, to).as_bytes());
    vec![
        ("ocsp-good", of(0, &ocsp(&good, until))),
        ("ocsp-revoked", of(0, &ocsp(&revoked, until))),
        ("ocsp-unknown", of(0, &ocsp(&value(0x82, &[]), until))),
        ("ocsp-over", of(0, &ocsp(&good, Some("20270102000000Z")))),
        ("ocsp-endless", of(0, &ocsp(&good, None))),
        ("ocsp-busy", of(0, &made_of(SEQUENCE, &[value(10, &[3])]))),
        ("certificate", of(1, &leaf())),
        ("certificate-root", of(1, &issuer())),
        (
            "certificate-with-odd-names",
            of(1, &make("Root", made_of(SEQUENCE, &[two_names]), &["\u{1b}[2J"])),
        ),
        ("pem", of(2, pem.as_bytes())),
        ("pem-windows", with("\n", "\r\n")),
        ("pem-cut", with("-----END CERTIFICATE-----\n", "")),
        ("pem-twice", of(2, format!("\u{feff}{pem}\u{feff}{pem}").as_bytes())),
        ("pem-crl", with("CERTIFICATE", "X509 CRL")),
        ("pem-key", with("CERTIFICATE", "PRIVATE KEY")),
        ("pem-protected", with("MIIB", "Proc-Type: 4,ENCRYPTED\n\nMIIB")),
        ("pem-odd-label", with("CERTIFICATE", "\u{1b}[2J")),
        ("pkcs8", of(3, &pkcs8)),
        ("pkcs1", of(3, &pkcs1)),
        ("sec1", of(3, &sec1)),
        ("crl", of(4, &crl(&value(2, &[1]), "270301000000Z"))),
        ("crl-old", of(4, &crl(&[], "20270301000000Z"))),
    ]
}
