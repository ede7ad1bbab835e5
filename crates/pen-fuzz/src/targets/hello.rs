//! The first message of a TLS client.
//!
//! The first byte says how the rest is cut into pieces.

use pen_core::hello::{Hello, Progress, Reader};
use pen_core::limits;

use super::named;
use crate::Choices;

/// Feeds bytes in pieces of `size` until it is decided; answers what came of it, and of how many.
fn feed(bytes: &[u8], size: usize) -> (Progress, usize) {
    let (mut reader, mut fed) = (Reader::default(), 0);
    for piece in bytes.chunks(size.max(1)) {
        let piece = piece.get(..piece.len().min(reader.room())).unwrap_or_default();
        fed += piece.len();
        let progress = reader.take(piece);
        if progress != Progress::More {
            assert_eq!(
                Some(&reader.into_bytes()[..]),
                bytes.get(..fed),
                "bytes are not as they came"
            );
            return (progress, fed);
        }
        assert!(fed < limits::HELLO_WIRE_MAX, "it takes more and more");
    }
    assert_eq!(Some(&reader.into_bytes()[..]), bytes.get(..fed));
    (Progress::More, fed)
}

/// However it is cut the outcome is the same; what is read can stand in a table, and reads back.
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let size = usize::from(choices.byte());
    let bytes = choices.0.get(..choices.0.len().min(limits::HELLO_WIRE_MAX)).unwrap_or_default();
    let (whole, _) = feed(bytes, usize::MAX);
    for size in [1, 1 + size] {
        let (pieces, fed) = feed(bytes, size);
        assert_eq!(pieces, whole, "in pieces of {size}, after {fed} bytes");
    }
    let Progress::Hello(hello) = whole else { return };
    check(&hello);
    let again = write(&hello);
    assert_eq!(feed(&again, 7).0, Progress::Hello(hello), "{again:02x?}");
}

fn check(hello: &Hello) {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    if let Some(name) = &hello.sni {
        assert!(!name.is_empty() && name.len() <= 253 && name.bytes().all(fits), "{name}");
        assert!(name.split('.').all(|label| !label.is_empty()), "an empty label: {name}");
    }
    assert!(hello.alpn.iter().all(|p| (1..256).contains(&p.len())));
    assert!(hello.versions.iter().all(|v| v & 0x0f0f != 0x0a0a));
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    crate::record(bytes)
}

/// A hello that says this, as clients write it.
pub fn write(hello: &Hello) -> Vec<u8> {
    let mut extensions = Vec::new();
    let mut extend = |kind: u16, contents: Vec<u8>| {
        extensions.extend(kind.to_be_bytes());
        extensions.extend(sized(&contents));
    };
    if let Some(name) = &hello.sni {
        extend(0, sized(&[&[0][..], &sized(name.as_bytes())].concat()));
    }
    let short = |bytes: &[u8]| {
        let mut text = vec![u8::try_from(bytes.len()).unwrap_or(u8::MAX)];
        text.extend(bytes);
        text
    };
    if !hello.alpn.is_empty() {
        let list: Vec<u8> = hello.alpn.iter().flat_map(|p| short(p)).collect();
        extend(16, sized(&list));
    }
    // A list that held nothing but values without a meaning cannot be written otherwise.
    let list: Vec<u8> = match hello.versions.is_empty() {
        true => vec![0x0a, 0x0a],
        false => hello.versions.iter().flat_map(|v| v.to_be_bytes()).collect(),
    };
    extend(43, short(&list));
    let mut message = vec![3, 3];
    message.extend([7; 32]);
    message.extend([0, 0, 2, 0x13, 1, 1, 0]);
    message.extend(sized(&extensions));
    let [_, a, b, c] = u32::try_from(message.len()).unwrap_or(0).to_be_bytes();
    let message = [&[1, a, b, c][..], &message].concat();
    message.chunks(16_000).flat_map(|part| [&[22, 3, 1][..], &sized(part)].concat()).collect()
}

pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let hello = |sni: Option<&str>, alpn: &[&str], versions: &[u16]| Hello {
        sni: sni.map(str::to_owned),
        alpn: alpn.iter().map(|p| p.as_bytes().to_vec()).collect(),
        versions: versions.to_vec(),
    };
    let with = |size: u8, bytes: &[u8]| [&[size][..], bytes].concat();
    let modern = write(&hello(Some("www.example.org"), &["h2", "http/1.1"], &[0x0304, 0x0303]));
    // The same in records of 9 bytes.
    let contents = modern.get(5..).unwrap_or_default();
    let cut = contents.chunks(9).flat_map(|part| [&[22, 3, 1][..], &sized(part)].concat());
    let cut: Vec<u8> = cut.collect();
    let mut twice = modern.clone();
    twice.extend(&modern);
    named([
        ("modern", with(0, &modern)),
        ("in-small-records", with(3, &cut)),
        ("without-name", with(200, &write(&hello(None, &[], &[0x0303])))),
        ("underscore", with(5, &write(&hello(Some("_a.b-c.d"), &["acme-tls/1"], &[0x0304])))),
        ("twice", with(1, &twice)),
        ("ssl2", with(1, &[0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10])),
        ("http", with(0, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")),
        ("alert", with(0, &[21, 3, 1, 0, 2, 2, 40])),
        ("cut", with(0, modern.get(..60).unwrap_or_default())),
    ])
}
