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

/// The same with another name of any length in it: every length around it is made right.
///
/// # Panics
/// When `old` is not in it, or it is no hello in one record.
pub fn renamed(hello: &[u8], old: &str, new: &[u8]) -> Vec<u8> {
    let at = hello.windows(old.len()).position(|w| w == old.as_bytes()).expect("the name");
    let session = 5 + 4 + 2 + 32;
    let ciphers = session + 1 + usize::from(hello[session]);
    let methods =
        ciphers + 2 + usize::from(u16::from_be_bytes([hello[ciphers], hello[ciphers + 1]]));
    let extensions = methods + 1 + usize::from(hello[methods]);
    // Record, message, all extensions, this one, its list, the name.
    let lengths = [3, 7, extensions, at - 7, at - 5, at - 2];
    let mut bytes = hello.to_vec();
    for place in lengths {
        let was = u16::from_be_bytes([hello[place], hello[place + 1]]);
        let is = usize::from(was) + new.len() - old.len();
        let is = u16::try_from(is).expect("less than 64 KiB");
        bytes[place..place + 2].copy_from_slice(&is.to_be_bytes());
    }
    bytes.splice(at..at + old.len(), new.iter().copied());
    bytes
}

/// A record: its type, TLS 1.0 as everybody's first record says, and its content.
pub fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a record");
    let mut bytes = vec![kind, 3, 1];
    bytes.extend(length.to_be_bytes());
    bytes.extend(content);
    bytes
}
