//! Hellos whole, in pieces, wrong in every way we know, and wrong in ways nobody thought of.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn short(n: usize) -> [u8; 2] {
    u16::try_from(n).unwrap().to_be_bytes()
}

fn vec8(contents: &[u8]) -> Vec<u8> {
    [&[u8::try_from(contents.len()).unwrap()], contents].concat()
}

fn vec16(contents: &[u8]) -> Vec<u8> {
    [&short(contents.len())[..], contents].concat()
}

fn extension(kind: u16, contents: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &vec16(contents)].concat()
}

fn name(name: &[u8]) -> Vec<u8> {
    extension(0, &vec16(&[&[0][..], &vec16(name)].concat()))
}

fn alpn(protocols: &[&[u8]]) -> Vec<u8> {
    extension(16, &vec16(&protocols.iter().flat_map(|p| vec8(p)).collect::<Vec<_>>()))
}

fn versions(versions: &[u16]) -> Vec<u8> {
    extension(43, &vec8(&versions.iter().flat_map(|v| v.to_be_bytes()).collect::<Vec<_>>()))
}

fn body(extensions: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend(vec8(&[9; 32]));
    body.extend(vec16(&[0x13, 0x01, 0x0a, 0x0a]));
    body.extend(vec8(&[0]));
    body.extend(vec16(&extensions.concat()));
    body
}

fn message(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[1], &length[1..], body].concat()
}

/// The message in records of at most `size` bytes.
fn records(message: &[u8], size: usize) -> Vec<u8> {
    message.chunks(size).flat_map(|c| [&[22, 3, 1], &vec16(c)[..]].concat()).collect()
}

fn wire(extensions: &[Vec<u8>]) -> Vec<u8> {
    records(&message(&body(extensions)), RECORD_MAX)
}

fn at_once(bytes: &[u8]) -> Progress {
    Reader::default().take(bytes)
}

/// In pieces of these lengths, then the rest; the answer is the first that is not `More`.
fn in_pieces(bytes: &[u8], lengths: impl IntoIterator<Item = usize>) -> Progress {
    let mut reader = Reader::default();
    let mut rest = bytes;
    let mut lengths = lengths.into_iter();
    while !rest.is_empty() {
        let length = lengths.next().unwrap_or(rest.len()).clamp(1, rest.len());
        let (piece, after) = rest.split_at(length);
        match reader.take(piece) {
            Progress::More => rest = after,
            other => return other,
        }
    }
    Progress::More
}

fn browser() -> (Vec<u8>, Hello) {
    let bytes = wire(&[
        extension(0x2a2a, &[]),
        name(b"WWW.Example.org"),
        extension(10, &vec16(&[0x1a, 0x1a, 0, 29])),
        alpn(&[b"\x3a\x3a", b"h2", b"http/1.1"]),
        versions(&[0x4a4a, 0x0304, 0x0303]),
        extension(0xdada, &[0]),
    ]);
    let hello = Hello {
        sni: Some("www.example.org".to_owned()),
        alpn: vec![b"\x3a\x3a".to_vec(), b"h2".to_vec(), b"http/1.1".to_vec()],
        versions: vec![0x0304, 0x0303],
    };
    (bytes, hello)
}

#[test]
fn a_hello_is_read_at_every_split_and_in_records_of_every_size() {
    let (bytes, hello) = browser();
    let whole = Progress::Hello(hello);
    assert_eq!(at_once(&bytes), whole);
    assert_eq!(in_pieces(&bytes, std::iter::repeat(1)), whole);
    for split in 0..bytes.len() {
        let mut reader = Reader::default();
        assert_eq!(reader.take(&bytes[..split]), Progress::More, "{split}");
        assert_eq!(reader.take(&bytes[split..]), whole, "{split}");
        assert_eq!(reader.into_bytes(), bytes, "everything is kept");
    }
    let message = &bytes[RECORD_HEADER..];
    for size in 1..message.len() {
        let bytes = records(message, size);
        assert_eq!(at_once(&bytes), whole, "{size}");
        assert_eq!(in_pieces(&bytes, [3, 1, size]), whole, "{size}");
    }
    let followed = [&bytes[..], b"\x17\x03\x03\x00\x01x"].concat();
    assert_eq!(at_once(&followed), whole, "what follows is not looked at");
}

#[test]
fn names_are_as_they_are_looked_up() {
    for (text, expected) in [
        ("a", Ok("a")),
        ("Mixed.CASE.Example", Ok("mixed.case.example")),
        ("example.org.", Ok("example.org")),
        ("x_y-1.example", Ok("x_y-1.example")),
        ("192.0.2.1", Ok("192.0.2.1")),
        (".", Err(HelloFault::BadName)),
        ("", Err(HelloFault::BadName)),
        ("a..", Err(HelloFault::BadName)),
        (".a", Err(HelloFault::BadName)),
        ("a..b", Err(HelloFault::BadName)),
        ("a b", Err(HelloFault::BadName)),
        ("a/../b", Err(HelloFault::BadName)),
        ("a\0b", Err(HelloFault::BadName)),
        ("a\nb", Err(HelloFault::BadName)),
        ("\u{e9}.example", Err(HelloFault::BadName)),
        (&"x".repeat(254), Err(HelloFault::BadName)),
    ] {
        let expected = match expected {
            Ok(name) => Progress::Hello(Hello {
                sni: Some(name.to_owned()),
                versions: vec![0x0303],
                ..Hello::default()
            }),
            Err(fault) => Progress::Fault(fault),
        };
        assert_eq!(at_once(&wire(&[name(text.as_bytes())])), expected, "{text:?}");
    }
}

#[test]
fn a_hello_needs_no_extensions() {
    let mut old = body(&[]);
    let bare = Progress::Hello(Hello { versions: vec![0x0303], ..Hello::default() });
    assert_eq!(at_once(&records(&message(&old), 100)), bare, "an empty list");
    old.truncate(old.len() - 2);
    assert_eq!(at_once(&records(&message(&old), 100)), bare, "no list at all");
    let other_kind = extension(0, &vec16(&[&[7][..], &vec16(b"x")].concat()));
    assert_eq!(at_once(&wire(&[other_kind])), bare, "a name that is no host name");
}

#[test]
fn what_is_wrong_is_said() {
    use HelloFault::{BadRecord, Malformed, NotHello, NotTls, SslV2};
    let good = body(&[name(b"a.example")]);
    let with = |at: usize, byte: u8| {
        let mut body = good.clone();
        body[at] = byte;
        records(&message(&body), RECORD_MAX)
    };
    let trailing = records(&message(&[&good[..], &[0]].concat()), RECORD_MAX);
    let cut = records(&message(&good[..good.len() - 1]), RECORD_MAX);
    let two = |kind, contents: &[u8]| wire(&[extension(kind, contents), extension(kind, contents)]);
    for (bytes, fault, what) in [
        (b"GET / HTTP/1.1\r\n".to_vec(), NotTls, "another protocol"),
        (b"\0".to_vec(), NotTls, "one byte is enough"),
        (vec![0x17, 3, 3, 0, 1, 0], NotTls, "not with application data"),
        (vec![0x80, 0x2e, 1, 0, 2], SslV2, "SSL 2"),
        (vec![0x80, 0x2e, 4], NotTls, "like SSL 2, but no hello"),
        (vec![22, 2], BadRecord, "a version nobody speaks"),
        (vec![22, 3, 1, 0, 0], BadRecord, "an empty record"),
        (vec![22, 3, 1, 0x40, 1], BadRecord, "a record too long"),
        (vec![22, 3, 1, 0, 1, 1, 23, 3], BadRecord, "another record within the hello"),
        (vec![22, 3, 1, 0, 4, 2, 0, 0, 9], NotHello, "the hello of a server"),
        (vec![22, 3, 1, 0, 4, 1, 1, 0, 0], HelloFault::TooLong, "too long a message"),
        (with(34, 33), Malformed, "too long a session"),
        (trailing, Malformed, "something behind the extensions"),
        (cut, Malformed, "the last extension is cut"),
        (two(0, &vec16(&[&[0][..], &vec16(b"a")].concat())), Malformed, "two lists of names"),
        (two(16, &vec16(&vec8(b"h2"))), Malformed, "two lists of protocols"),
        (two(43, &vec8(&[3, 4])), Malformed, "two lists of versions"),
        (wire(&[extension(0, &[])]), Malformed, "an empty extension"),
        (wire(&[extension(0, &vec16(&[]))]), Malformed, "an empty list of names"),
        (wire(&[extension(16, &vec16(&[]))]), Malformed, "an empty list of protocols"),
        (wire(&[alpn(&[b""])]), Malformed, "an empty protocol"),
        (wire(&[extension(43, &vec8(&[3]))]), Malformed, "half a version"),
        (wire(&[extension(16, &[0, 3, 2, b'h', b'2', 9])]), Malformed, "a byte behind a list"),
        (
            wire(&[extension(0, &vec16(&[&[0][..], &vec16(b"a"), &[0], &vec16(b"b")].concat()))]),
            Malformed,
            "two names",
        ),
    ] {
        assert_eq!(at_once(&bytes), Progress::Fault(fault), "{what}");
        assert_eq!(in_pieces(&bytes, std::iter::repeat(1)), Progress::Fault(fault), "{what}");
    }
    assert!(matches!(at_once(&two(0x0a0a, &[])), Progress::Hello(_)), "what nobody reads");
}

#[test]
fn a_hello_of_64_kib_is_read_and_a_longer_one_is_not() {
    let padded = |total: usize| {
        let name = name(b"big.example");
        let bare = message(&body(std::slice::from_ref(&name))).len();
        message(&body(&[name, extension(21, &vec![0; total - bare - 4])]))
    };
    let most = padded(limits::HELLO_MAX);
    assert_eq!(most.len(), limits::HELLO_MAX);
    for size in [RECORD_MAX, 1000, 50] {
        let Progress::Hello(hello) = in_pieces(&records(&most, size), std::iter::repeat(1_448))
        else {
            panic!("records of {size}");
        };
        assert_eq!(hello.sni.as_deref(), Some("big.example"));
    }
    // The extensions have no room for more, but the header can say so.
    let mut more = most.clone();
    more[1..4].copy_from_slice(&[1, 0, 1]);
    assert_eq!(at_once(&records(&more, RECORD_MAX)), Progress::Fault(HelloFault::TooLong));
    let crumbs = records(&most, 1);
    let mut reader = Reader::default();
    let (first, rest) = crumbs.split_at(limits::HELLO_WIRE_MAX - 1);
    assert_eq!(reader.take(first), Progress::More);
    assert_eq!(reader.room(), 1);
    assert_eq!(reader.take(&rest[..1]), Progress::Fault(HelloFault::TooLong));
}

/// A hello with bytes changed, cut and repeated.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let size = prop_oneof![Just(RECORD_MAX), 1..60_usize];
    let changes = vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (size, changes, any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(size, changes, end, cut)| {
            let mut bytes = records(&browser().0[RECORD_HEADER..], size);
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if cut {
                bytes.truncate(end.index(bytes.len()));
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_answered(bytes in vec(any::<u8>(), 0..300), lengths in vec(1..9_usize, 0..9)) {
        prop_assert_eq!(in_pieces(&bytes, lengths), in_pieces(&bytes, std::iter::repeat(1)));
    }

    #[test]
    fn pieces_change_nothing(bytes in mutated(), lengths in vec(1..99_usize, 0..20)) {
        let whole = in_pieces(&bytes, []);
        prop_assert_eq!(&in_pieces(&bytes, lengths), &whole);
        prop_assert_eq!(&in_pieces(&bytes, std::iter::repeat(1)), &whole);
        if let Progress::Hello(Hello { sni: Some(name), .. }) = whole {
            prop_assert!(name.bytes().all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase()));
            prop_assert!(!name.is_empty() && name.len() <= 253);
        }
    }
}
