//! A client's first message as bytes that a test can bend.

use crate::hall::session;
use rustls::ClientConfig;

/// A ClientHello, in its records.
pub fn client_hello(config: ClientConfig) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut session = session(config);
    while session.wants_write() {
        session.write_tls(&mut bytes).expect("memory takes it");
    }
    bytes
}

/// The same with another name of the same length in it.
///
/// # Panics
/// When `old` is not in it or is of another length.
pub fn with_name(hello: &[u8], old: &str, new: &str) -> Vec<u8> {
    assert_eq!(old.len(), new.len(), "a name of another length");
    let at = hello.windows(old.len()).position(|w| w == old.as_bytes()).expect("the name");
    let mut hello = hello.to_vec();
    hello[at..at + old.len()].copy_from_slice(new.as_bytes());
    hello
}

/// A record: its type, TLS 1.0 as everybody's first record says, and its content.
pub fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a record");
    let mut bytes = vec![kind, 3, 1];
    bytes.extend(length.to_be_bytes());
    bytes.extend(content);
    bytes
}
