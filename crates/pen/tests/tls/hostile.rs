//! Bad input before and in the handshake: closed, no server contacted, the next client served.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use pen_test::{End, Farm, Pattern, Pen, acts, until};
use rustls::Stream;

use crate::hall::{Hall, echo, read_line, session, socket};
use crate::hello::{client_hello, record};

/// Sends one byte at a time, each in a segment of its own.
struct Dribble(TcpStream);

impl Read for Dribble {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let one = into.len().min(1);
        self.0.read(&mut into[..one])
    }
}

impl Write for Dribble {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes.get(..1).unwrap_or_default())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn a_handshake_one_byte_at_a_time() {
    let hall = Hall::new();
    let farm = Farm::one(&acts::echo());
    let pen = hall.pen(&farm).start();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let socket = socket(&pen);
        socket.set_nodelay(true).expect("TCP_NODELAY");
        let (mut session, mut dribble) = (session(hall.config_of(&[version])), Dribble(socket));
        let mut client = Stream::new(&mut session, &mut dribble);
        assert_eq!(echo(&mut client, "slow and steady").expect("an echo"), "slow and steady");
    }
}

#[test]
fn a_hello_of_64_kib_is_understood_and_a_larger_one_is_not() {
    let hall = Hall::new();
    let farm = Farm::banners(1);
    let pen = hall.pen(&farm).start();
    let mut config = hall.config();
    // Protocols that nobody speaks; without ssl_alpn Pen does not mind.
    config.alpn_protocols = (0..250).map(|n| vec![n; 253]).collect();
    let hello = client_hello(config.clone());
    assert!((63 << 10..66 << 10).contains(&hello.len()), "{} bytes", hello.len());
    let mut client = rustls::StreamOwned::new(session(config), socket(&pen));
    assert!(read_line(&mut client).expect("a greeting").starts_with("s0 "));
    // 64 KiB and one byte more, as its first bytes announce it.
    let larger = [&[1, 1, 0, 1][..], &[0; 16_000]].concat();
    turned_away(&pen, "a hello above 64 KiB", &record(22, &larger).repeat(5));
    assert_eq!(farm[0].accepted(), 1);
}

/// Bytes that are no handshake, or a broken one.
fn nonsense(hall: &Hall) -> Vec<(&'static str, Vec<u8>)> {
    let hello = client_hello(hall.config());
    let mut cut_short = hello.clone();
    // The hello says it is shorter than it is, so that an extension is cut.
    cut_short[8] = cut_short[8].wrapping_sub(40);
    let mut version = hello.clone();
    version[1] = 9;
    vec![
        ("a request of HTTP", b"GET / HTTP/1.1\r\nHost: default.example\r\n\r\n".to_vec()),
        (
            "a request of HTTP with a body",
            b"POST /x HTTP/1.0\r\nContent-Length: 9\r\n\r\n".to_vec(),
        ),
        ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("a greeting of ssh", b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        ("noise", Pattern::new(11).take(100_000)),
        ("zeros", vec![0; 50_000]),
        ("a record of 64 KiB", [&[22, 3, 1, 255, 255][..], &[1; 65_535]].concat()),
        (
            "a hello of SSL 2",
            [&[0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10][..], &[7; 64]].concat(),
        ),
        ("a handshake message of 16 MiB", record(22, &[1, 255, 255, 255, 3, 3])),
        ("a server's hello", record(22, &[2, 0, 0, 40, 3, 3]).repeat(9)),
        (
            "a finish without a beginning",
            record(22, &[20, 0, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3]),
        ),
        ("an alert", record(21, &[2, 40])),
        ("application data", record(23, &[9; 200])),
        ("a record of an unknown kind", record(99, &[9; 200])),
        ("a hello in a record of version 9", version),
        ("a hello that is cut short", cut_short),
        ("noise behind a hello", [hello.clone(), Pattern::new(12).take(5_000)].concat()),
        ("two hellos", [hello.clone(), hello].concat()),
    ]
}

/// Sends `bytes` and waits until pen ends the connection.
fn turned_away(pen: &Pen, what: &str, bytes: &[u8]) {
    let client = pen.client();
    // It may be gone before all of it was sent.
    let _ = client.send(bytes);
    let (said, end) = client.read_to_end();
    assert_ne!(end, End::Silence, "{what}: pen waits after {} bytes", said.len());
}

#[test]
fn nonsense_is_turned_away_and_reaches_no_server() {
    let hall = Hall::new();
    let farm = Farm::banners(1);
    let pen = hall.pen(&farm).start();
    for (what, bytes) in nonsense(&hall) {
        turned_away(&pen, what, &bytes);
        assert_eq!(farm[0].accepted(), 0, "{what}: a server was contacted");
    }
    assert!(hall.is_served(&pen));
    pen.wait_idle();
}

/// Every place at which a handshake can be left, and every bit of its first bytes.
#[test]
fn a_handshake_that_is_cut_or_bent_anywhere_harms_nobody() {
    let hall = Hall::new();
    let farm = Farm::banners(1);
    let pen = hall.pen(&farm).start();
    let before = pen.vitals().descriptors;
    let hello = client_hello(hall.config());
    for cut in 0..hello.len().min(600) {
        let client = pen.client();
        client.send(&hello[..cut]).expect("pen takes it");
        match cut % 2 {
            0 => client.abort(),
            _ => drop(client),
        }
    }
    for at in 0..hello.len().min(200) {
        let mut bent = hello.clone();
        bent[at] ^= 1 << (at % 8);
        let client = pen.client();
        let _ = client.send(&bent);
        client.finish();
        assert_ne!(client.end(), End::Silence, "a bit of byte {at}");
    }
    assert!(hall.is_served(&pen));
    assert_eq!(farm[0].accepted(), 1);
    until("the descriptors of before", || (pen.vitals().descriptors <= before + 8).then_some(()));
}
