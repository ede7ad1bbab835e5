//! Routes to where Pen ends TLS: the handshake begins with the bytes that the route was chosen by.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use pen_test::{Farm, Pattern, Pen, until};
use rustls::StreamOwned;

use crate::hall::{Hall, read_line, session, socket};
use crate::hello::client_hello;

/// Sends at most `piece` bytes at a time.
struct Pieces {
    socket: TcpStream,
    piece: usize,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.socket.read(into)
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes.get(..self.piece).unwrap_or(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// A pen that ends TLS itself and in a service that clients of the protocol `there` are led to.
fn pen(hall: &Hall, farm: &Farm, engine: &str) -> Pen {
    let service = |n: usize| {
        let (certificate, port) = (hall.certificate(), farm[n].place().port());
        format!(
            "ssl_certificate {certificate}\nserver 0 address 127.0.0.1 port {port}\nengine {engine}\n"
        )
    };
    let (own, there) = (service(0), service(1));
    Pen::bare()
        .file(&format!("route alpn there service t\nroute default here\n{own}service t\n{there}"))
        .start()
}

#[test]
fn no_byte_of_a_handshake_is_lost_on_the_way() {
    let hall = Hall::new();
    let farm = Farm::banners(2);
    for engine in ["auto", "splice"] {
        let pen = pen(&hall, &farm, engine);
        for (protocol, server) in [("there", "s1"), ("else", "s0")] {
            for (version, piece, long) in [
                (&rustls::version::TLS12, usize::MAX, false),
                (&rustls::version::TLS13, usize::MAX, false),
                (&rustls::version::TLS12, 1, false),
                (&rustls::version::TLS13, 1, false),
                (&rustls::version::TLS13, 5_000, true),
                (&rustls::version::TLS13, usize::MAX, true),
            ] {
                let what = format!("{engine} {protocol} {version:?} {piece} {long}");
                let mut config = hall.config_of(&[version]);
                config.alpn_protocols = vec![protocol.into()];
                if long {
                    config.alpn_protocols.extend((0..250).map(|n| vec![n; 253]));
                    assert!(client_hello(config.clone()).len() > 63 << 10);
                }
                let socket = socket(&pen);
                socket.set_nodelay(true).expect("TCP_NODELAY");
                let mut client = StreamOwned::new(session(config), Pieces { socket, piece });
                let line = read_line(&mut client).unwrap_or_else(|e| panic!("{what}: {e}"));
                assert!(line.starts_with(server), "{what}: {line}");
                let bytes = Pattern::new(5).take(20_000);
                client.write_all(&bytes).expect("it takes all");
                let mut echoed = vec![0; bytes.len()];
                client.read_exact(&mut echoed).expect("it echoes");
                assert!(echoed == bytes, "{what}: other bytes");
            }
        }
        let plain = pen.client();
        plain.send("GET / HTTP/1.1\r\n\r\n").expect("it accepts");
        assert_eq!(plain.read_to_end().0.first(), Some(&21), "an alert: TLS is spoken here");
    }
}

#[test]
fn what_follows_the_hello_at_once_is_not_lost() {
    let hall = Hall::new();
    let farm = Farm::banners(2);
    let pen = pen(&hall, &farm, "auto");
    let mut config = hall.config();
    config.alpn_protocols = vec![b"there".to_vec()];
    // Half of the hello waits while the routes change under it.
    let hello = client_hello(config);
    let client = pen.client();
    client.send(&hello[..hello.len() / 2]).expect("it accepts");
    until("it to be counted", || pen.ctl("services").contains("conn 1").then_some(()));
    pen.set("no route");
    client.send(&hello[hello.len() / 2..]).expect("it accepts");
    let answer = client.read_exact(1).expect("a server's hello");
    assert_eq!(answer, [22], "the service that it came to ends TLS now");
    let mut next = hall.client(&pen);
    assert!(read_line(&mut next).expect("a greeting").starts_with("s0"));
}
