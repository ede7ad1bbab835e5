//! Sessions without sockets: against rustls's own client, and against each other.

use std::io::{Read, Write};

use rustls::{ClientConnection, SupportedProtocolVersion};

use super::super::testing::{self, VERSIONS};
use super::*;

/// A client that keeps its own buffers, and Pen's session with it.
struct Pair {
    client: ClientConnection,
    session: Session,
    /// What the session decrypted.
    heard: Vec<u8>,
}

impl Pair {
    fn new(version: &'static SupportedProtocolVersion) -> Self {
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        let client = ClientConnection::new(testing::client(version), name).unwrap();
        let session = Session::with_client(testing::server(version)).unwrap();
        Self { client, session, heard: Vec::new() }
    }

    fn shaken(version: &'static SupportedProtocolVersion) -> Self {
        let mut pair = Self::new(version);
        while pair.client.is_handshaking() || pair.session.is_handshaking() {
            pair.deliver(usize::MAX).unwrap();
        }
        pair.deliver(usize::MAX).unwrap();
        pair
    }

    /// Brings what waits on both sides to the other one, `piece` bytes at a time.
    fn deliver(&mut self, piece: usize) -> Result<(), Trouble> {
        let mut wire = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut wire).unwrap();
        }
        self.hand_over(&wire, piece)?;
        self.answer();
        Ok(())
    }

    /// Gives bytes to the session.
    fn hand_over(&mut self, bytes: &[u8], piece: usize) -> Result<(), Trouble> {
        for part in bytes.chunks(piece) {
            let held = self.session.held();
            let mut buffer = vec![0; held];
            buffer.extend_from_slice(part);
            self.session.open(&mut buffer, &mut self.heard)?;
        }
        Ok(())
    }

    /// Gives what the session has to say to the client.
    fn answer(&mut self) {
        let mut unsent = self.session.unsent();
        while !unsent.is_empty() {
            self.client.read_tls(&mut unsent).unwrap();
            // What it makes of it the tests ask later.
            let _ = self.client.process_new_packets();
        }
        self.session.sent(usize::MAX);
    }

    /// Lets the session say something.
    fn say(&mut self, bytes: &[u8]) {
        let mut wire = Wire::default();
        self.session.seal(bytes, &mut wire).unwrap();
        self.session.keep_unsent(wire.bytes());
    }

    fn client_read(&mut self) -> Vec<u8> {
        let mut got = Vec::new();
        // Would block at the end of what there is.
        let _ = self.client.reader().read_to_end(&mut got);
        got
    }

    /// Nothing is kept between two messages.
    fn assert_idle(&self) {
        assert_eq!(self.session.partial.capacity(), 0);
        assert_eq!(self.session.opened.capacity(), 0);
        assert_eq!(self.session.outbox.bytes.capacity(), 0);
    }
}

#[test]
fn both_versions_carry_bytes_both_ways_and_keep_none() {
    for version in VERSIONS {
        let mut pair = Pair::shaken(version);
        pair.assert_idle();
        pair.client.writer().write_all(b"question").unwrap();
        pair.deliver(usize::MAX).unwrap();
        assert_eq!(pair.heard, b"question");
        pair.say(b"answer");
        pair.answer();
        assert_eq!(pair.client_read(), b"answer");
        pair.assert_idle();
    }
}

#[test]
fn one_byte_at_a_time_is_as_good() {
    for version in VERSIONS {
        let mut pair = Pair::new(version);
        while pair.client.is_handshaking() || pair.session.is_handshaking() {
            pair.deliver(1).unwrap();
        }
        pair.client.writer().write_all(b"slowly").unwrap();
        pair.client.send_close_notify();
        pair.deliver(1).unwrap();
        assert_eq!(pair.heard, b"slowly");
        assert!(pair.session.has_ended());
        pair.assert_idle();
    }
}

#[test]
fn full_records_and_many_at_once() {
    for version in VERSIONS {
        let mut pair = Pair::shaken(version);
        let all: Vec<u8> = (0..300_000_u32).map(|i| (i * 31 % 251) as u8).collect();
        pair.client.set_buffer_limit(None);
        pair.client.writer().write_all(&all).unwrap();
        pair.deliver(100_000).unwrap();
        assert!(pair.heard == all);
        let mut got = Vec::new();
        for part in all.chunks(100_000) {
            pair.say(part);
            let wire = pair.session.unsent().to_vec();
            pair.session.sent(usize::MAX);
            let mut rest = &wire[..];
            while !rest.is_empty() {
                pair.client.read_tls(&mut rest).unwrap();
                pair.client.process_new_packets().unwrap();
                got.extend(pair.client_read());
            }
        }
        assert!(got == all);
        pair.assert_idle();
    }
}

#[test]
fn bytes_that_come_with_the_end_of_the_handshake_are_not_lost() {
    for version in VERSIONS {
        let mut pair = Pair::new(version);
        pair.client.writer().write_all(b"at once").unwrap();
        while pair.client.is_handshaking() || pair.session.is_handshaking() {
            pair.deliver(usize::MAX).unwrap();
        }
        pair.deliver(usize::MAX).unwrap();
        assert_eq!(pair.heard, b"at once");
    }
}

#[test]
fn a_key_update_is_followed_and_answered_before_the_next_data() {
    let mut pair = Pair::shaken(VERSIONS[1]);
    pair.client.refresh_traffic_keys().unwrap();
    pair.client.writer().write_all(b"with new keys").unwrap();
    pair.deliver(3).unwrap();
    assert_eq!(pair.heard, b"with new keys");
    pair.say(b"with new keys, too");
    pair.answer();
    assert_eq!(pair.client_read(), b"with new keys, too");
    pair.assert_idle();
}

#[test]
fn both_ends_say_goodbye_and_either_may_go_on() {
    for version in VERSIONS {
        let mut pair = Pair::shaken(version);
        pair.client.writer().write_all(b"last question").unwrap();
        pair.client.send_close_notify();
        pair.deliver(usize::MAX).unwrap();
        assert!(pair.session.has_ended());
        assert_eq!(pair.heard, b"last question");
        // What comes behind it is not looked at.
        pair.hand_over(b"nonsense", usize::MAX).unwrap();
        pair.say(b"last answer");
        let mut wire = Wire::default();
        pair.session.close(&mut wire).unwrap();
        pair.session.close(&mut wire).unwrap();
        pair.session.keep_unsent(wire.bytes());
        pair.answer();
        let mut got = Vec::new();
        // Without close_notify this would be an error.
        pair.client.reader().read_to_end(&mut got).unwrap();
        assert_eq!(got, b"last answer");
    }
}

#[test]
fn only_tls_12_may_leave_without_a_word_after_pens_goodbye() {
    for (version, may) in VERSIONS.into_iter().zip([true, false]) {
        let mut pair = Pair::shaken(version);
        assert!(!pair.session.may_just_leave());
        pair.session.close(&mut Wire::default()).unwrap();
        assert_eq!(pair.session.may_just_leave(), may);
    }
}

#[test]
fn a_changed_byte_is_answered_with_an_alert() {
    for version in VERSIONS {
        let mut pair = Pair::shaken(version);
        pair.client.writer().write_all(b"trust me").unwrap();
        let mut wire = Vec::new();
        pair.client.write_tls(&mut wire).unwrap();
        *wire.last_mut().unwrap() ^= 1;
        let trouble = pair.hand_over(&wire, usize::MAX).unwrap_err();
        assert_eq!(trouble.fault, TlsFault::Malformed);
        assert!(pair.heard.is_empty());
        let mut alert = pair.session.unsent();
        pair.client.read_tls(&mut alert).unwrap();
        let error = pair.client.process_new_packets().unwrap_err();
        assert!(error.to_string().contains("BadRecordMac"), "{error}");
        // Nothing can be said any more, and nothing panics.
        pair.session.sent(usize::MAX);
        assert!(pair.session.seal(b"x", &mut Wire::default()).is_err());
        pair.hand_over(&wire, 1).unwrap();
    }
}

#[test]
fn a_name_without_a_certificate_is_not_recognized() {
    for version in VERSIONS {
        let mut config = ServerConfig::clone(&testing::server(version));
        config.cert_resolver = Arc::new(rustls::server::ResolvesServerCertUsingSni::new());
        let mut pair = Pair::new(version);
        pair.session = Session::with_client(Arc::new(config)).unwrap();
        let trouble = pair.deliver(usize::MAX).unwrap_err();
        assert_eq!(trouble.fault, TlsFault::NoCertificateForName);
        let mut alert = pair.session.unsent();
        pair.client.read_tls(&mut alert).unwrap();
        let heard = pair.client.process_new_packets().unwrap_err();
        let alert = rustls::AlertDescription::UnrecognisedName;
        assert_eq!(heard, rustls::Error::AlertReceived(alert));
    }
}

#[test]
fn strangers_are_told_apart() {
    let hello = {
        let mut pair = Pair::new(VERSIONS[1]);
        let mut wire = Vec::new();
        pair.client.write_tls(&mut wire).unwrap();
        wire
    };
    let mut broken = hello.clone();
    broken[5] = 77;
    let rows: [(&[u8], TlsFault); 4] = [
        (b"GET / HTTP/1.1\r\n\r\n", TlsFault::PlainHttp),
        (b"SSH-2.0-OpenSSH_9.2\r\n", TlsFault::NotTls),
        (&broken, TlsFault::Malformed),
        (b"\x16\x03\x01\xff\xff................", TlsFault::Malformed),
    ];
    for (bytes, fault) in rows {
        let mut pair = Pair::new(VERSIONS[1]);
        let trouble = pair.hand_over(bytes, usize::MAX).unwrap_err();
        assert_eq!(trouble.fault, fault, "{trouble:?}");
        assert!(!pair.session.unsent().is_empty(), "an alert for {bytes:?}");
    }
    let mut pair = Pair::new(VERSIONS[0]);
    let trouble = pair.hand_over(&hello, usize::MAX).unwrap_err();
    assert_eq!(trouble.fault, TlsFault::NoCommonVersion);
}

/// A handshake message of `size` bytes in records of `piece` bytes.
fn hello_in_pieces(size: usize, piece: usize) -> Vec<u8> {
    let mut message = vec![1, 0, (size >> 8) as u8, size as u8];
    message.resize(size + 4, 0);
    let mut wire = Vec::new();
    for part in message.chunks(piece) {
        wire.extend([22, 3, 1, (part.len() >> 8) as u8, part.len() as u8]);
        wire.extend(part);
    }
    wire
}

#[test]
fn a_hello_of_64_kib_is_read_and_refused_for_what_it_says() {
    let mut pair = Pair::new(VERSIONS[1]);
    let trouble = pair.hand_over(&hello_in_pieces(65_000, 16_000), 1_000).unwrap_err();
    assert_eq!(trouble.fault, TlsFault::Malformed);
    assert_eq!(pair.session.partial.capacity(), 0);
}

#[test]
fn what_is_kept_of_a_hello_is_bounded() {
    let mut pair = Pair::new(VERSIONS[1]);
    let wire = hello_in_pieces(65_000, 1);
    let mut most = 0;
    for part in wire.chunks(4_000) {
        match pair.hand_over(part, usize::MAX) {
            Ok(()) => most = most.max(pair.session.held()),
            Err(trouble) => {
                assert_eq!(trouble.detail, "a message in too many pieces");
                assert!(most <= limits::TLS_PARTIAL_MAX);
                return;
            }
        }
    }
    panic!("{most} bytes were kept");
}

#[test]
fn pen_speaks_to_servers_as_well() {
    for (version, protocol) in
        [(VERSIONS[0], None), (VERSIONS[1], None), (VERSIONS[1], Some(&b"h2"[..]))]
    {
        let mut config = (*testing::server(version)).clone();
        config.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
        let mut server = Session::with_client(Arc::new(config)).unwrap();
        let mut client = Session::with_server(&testing::dialer(version), protocol).unwrap();
        let (mut at_server, mut at_client) = (Vec::new(), Vec::new());
        let carry = |from: &mut Session, to: &mut Session, heard: &mut Vec<u8>| {
            let mut buffer = vec![0; to.held()];
            buffer.extend_from_slice(from.unsent());
            from.sent(usize::MAX);
            to.open(&mut buffer, heard).unwrap();
        };
        for _ in 0..4 {
            carry(&mut client, &mut server, &mut at_server);
            carry(&mut server, &mut client, &mut at_client);
        }
        assert!(!client.is_handshaking() && !server.is_handshaking());
        assert_eq!((client.protocol(), server.protocol()), (protocol, protocol));
        let mut wire = Wire::default();
        client.seal(b"from Pen", &mut wire).unwrap();
        client.keep_unsent(wire.bytes());
        carry(&mut client, &mut server, &mut at_server);
        assert_eq!(at_server, b"from Pen");
    }
}
