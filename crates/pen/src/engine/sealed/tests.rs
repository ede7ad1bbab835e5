//! The engine for TLS over real sockets, with rustls's own client at the far end: the same bytes,
//! ends and back-pressure as without.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;

use pen_core::reasons::CloseReason;
use pen_core::relay::Side;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::super::tests::{pair, pattern};
use super::*;
use crate::tls::testing::{self, VERSIONS};

type Far = StreamOwned<ClientConnection, TcpStream>;

/// A connection as a worker holds it: TLS towards the client, a plain server.
struct Line {
    session: Session,
    down: TcpStream,
    up: TcpStream,
    from_client: Flow,
    from_server: Flow,
    scratch: Scratch,
}

impl Line {
    /// A line whose handshake is over, its client and its server.
    fn new(version: usize) -> (Far, Self, TcpStream) {
        Self::with_early(version, 0)
    }

    /// The same where that many bytes were read before it was known that TLS ends here.
    fn with_early(version: usize, early: usize) -> (Far, Self, TcpStream) {
        let ((client, down), (server, up)) = (pair(), pair());
        let version = VERSIONS[version];
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(testing::client(version), name).unwrap();
        let far = thread::spawn(move || {
            let mut far = StreamOwned::new(session, client);
            while far.conn.is_handshaking() {
                far.conn.complete_io(&mut far.sock).unwrap();
            }
            far
        });
        let mut line = Self {
            session: Session::with_client(Arc::clone(&testing::server(version))).unwrap(),
            down,
            up,
            from_client: Flow::default(),
            from_server: Flow::default(),
            scratch: Scratch::new(),
        };
        if early > 0 {
            let mut bytes = vec![0; early];
            line.down.set_nonblocking(false).unwrap();
            line.down.read_exact(&mut bytes).unwrap();
            line.down.set_nonblocking(true).unwrap();
            line.from_client.begin_with(bytes);
            let Line { from_client, down, session, scratch, .. } = &mut line;
            let shaken = shake(from_client, down.as_fd(), session, scratch);
            assert!(matches!(shaken, Shaken::Waiting) && session.held() == 0, "{shaken:?}");
        }
        loop {
            line.from_client.source_ready(false);
            let Line { from_client, down, session, scratch, .. } = &mut line;
            match shake(from_client, down.as_fd(), session, scratch) {
                Shaken::Done => break,
                Shaken::Failed(trouble) => panic!("{trouble:?}"),
                _ => {}
            }
        }
        let far = far.join().unwrap();
        far.sock.set_nodelay(true).unwrap();
        (far, line, server)
    }

    /// As after an event of the stream's source.
    fn ready(&mut self, source: Side) -> Pumped {
        let Self { session, down, up, from_client, from_server, scratch } = self;
        let down = End { socket: down.as_fd(), session: Some(session) };
        let up = End { socket: up.as_fd(), session: None };
        let (flow, source, sink) = match source {
            Side::Client => (from_client, down, up),
            Side::Server => (from_server, up, down),
        };
        flow.source_ready(false);
        flow.pump_sealed(source, sink, scratch, None)
    }

    fn until_over(&mut self, source: Side) -> Outcome {
        loop {
            if let Pumped::Over(outcome) = self.ready(source) {
                return outcome;
            }
        }
    }
}

#[test]
fn a_handshake_goes_on_behind_what_was_read_early() {
    for (version, early) in [(0, 1), (0, 60), (1, 1), (1, 100)] {
        let (mut client, mut line, mut server) = Line::with_early(version, early);
        client.write_all(b"question").unwrap();
        let mut got = [0; 8];
        while line.from_client.written < 8 {
            line.ready(Side::Client);
        }
        server.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"question");
        assert_eq!((line.from_client.read, line.from_client.unsent()), (8, 0));
    }
}

#[test]
fn bytes_and_ends_pass_both_ways() {
    for version in 0..2 {
        let (mut client, mut line, mut server) = Line::new(version);
        client.write_all(b"question").unwrap();
        client.conn.send_close_notify();
        client.flush().unwrap();
        assert_eq!(line.until_over(Side::Client), Outcome::Ended);
        let mut got = [0; 8];
        server.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"question");
        server.write_all(b"answer").unwrap();
        server.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(line.until_over(Side::Server), Outcome::Ended);
        let mut got = Vec::new();
        client.read_to_end(&mut got).unwrap();
        assert_eq!(got, b"answer");
        assert_eq!((line.from_client.read, line.from_client.written), (8, 8));
        assert_eq!((line.from_server.read, line.from_server.written), (6, 6));
    }
}

#[test]
fn megabytes_pass_unchanged() {
    const TOTAL: usize = 8 << 20;
    for version in 0..2 {
        let (mut client, mut line, mut server) = Line::new(version);
        let all = pattern(TOTAL);
        let far = thread::spawn({
            let all = all.clone();
            move || {
                client.write_all(&all).unwrap();
                let mut got = vec![0; TOTAL];
                client.read_exact(&mut got).unwrap();
                got
            }
        });
        let near = thread::spawn({
            let all = all.clone();
            move || {
                let mut got = vec![0; TOTAL];
                server.read_exact(&mut got).unwrap();
                server.write_all(&all).unwrap();
                (got, server)
            }
        });
        while line.from_server.written < TOTAL as u64 || !line.session.unsent().is_empty() {
            line.ready(Side::Client);
            line.ready(Side::Server);
        }
        assert!(near.join().unwrap().0 == all && far.join().unwrap() == all);
    }
}

#[test]
fn an_end_without_close_notify_is_a_cut() {
    for version in 0..2 {
        let (mut client, mut line, mut server) = Line::new(version);
        client.write_all(b"half a stor").unwrap();
        client.sock.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(line.until_over(Side::Client), Outcome::SourceCut);
        let mut got = [0; 11];
        server.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"half a stor");
    }
}

#[test]
fn a_server_found_dead_by_writing_to_it_has_not_ended_its_stream() {
    for version in 0..VERSIONS.len() {
        let (mut client, mut line, server) = Line::new(version);
        // The reset is told to whoever asks first; the reader is left with an end of stream.
        pen_sys::sockets::reset(server.into());
        while rustix::net::send(&line.up, b"more", SendFlags::NOSIGNAL).is_ok() {}
        line.from_server.source_is_dead();
        assert_eq!(line.until_over(Side::Server), Outcome::SourceReset);
        drop(line);
        // Nothing that says goodbye came before the connection ended.
        let end = client.read(&mut [0]).unwrap_err();
        assert_eq!(end.kind(), std::io::ErrorKind::UnexpectedEof, "version {version}");
    }
}

#[test]
fn a_tls_12_client_may_answer_pens_goodbye_by_leaving() {
    for (version, outcome) in [(0, Outcome::Ended), (1, Outcome::SourceCut)] {
        let (client, mut line, server) = Line::new(version);
        server.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(line.until_over(Side::Server), Outcome::Ended);
        client.sock.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(line.until_over(Side::Client), outcome);
    }
}

#[test]
fn nonsense_in_the_stream_is_a_fault_after_the_bytes_before_it() {
    let (mut client, mut line, mut server) = Line::new(1);
    client.write_all(b"sense").unwrap();
    client.sock.write_all(b"and nonsense").unwrap();
    assert_eq!(line.until_over(Side::Client), Outcome::SourceFault);
    let mut got = [0; 5];
    server.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"sense");
    let error = client.read(&mut [0; 8]).unwrap_err();
    assert!(error.to_string().contains("alert"), "{error}");
}

#[test]
fn a_slow_client_stops_the_server_within_a_bound() {
    let (client, mut line, mut server) = Line::new(1);
    server.set_nonblocking(true).unwrap();
    let piece = pattern(64 * 1024);
    let mut stuck = 0;
    while stuck < 100 {
        match server.write(&piece) {
            Ok(_) => stuck = 0,
            Err(_) => stuck += 1,
        }
        line.ready(Side::Server);
    }
    assert_eq!(line.ready(Side::Server), Pumped::Blocked);
    let held = line.session.unsent().len();
    assert!(held > 0 && held <= limits::SCRATCH + 64 * 64, "{held}");
    drop(client);
}

#[test]
fn what_a_client_says_before_there_is_a_server_is_kept_and_passed_on() {
    let (mut client, mut line, mut server) = Line::new(1);
    client.write_all(b"early").unwrap();
    client.conn.send_close_notify();
    client.flush().unwrap();
    loop {
        line.from_client.source_ready(false);
        let Line { from_client, down, session, scratch, .. } = &mut line;
        if hear(from_client, down.as_fd(), session, scratch) {
            break;
        }
    }
    assert_eq!(line.until_over(Side::Client), Outcome::Ended);
    let mut got = [0; 5];
    server.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"early");
}

#[test]
fn a_tap_sees_and_changes_what_was_decrypted() {
    struct Upper;
    impl Tap for Upper {
        fn pass(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), CloseReason> {
            out.extend(input.iter().map(u8::to_ascii_uppercase));
            Ok(())
        }
        fn finish(&mut self, out: &mut Vec<u8>) {
            out.push(b'.');
        }
        fn paused(&self) -> bool {
            false
        }
        fn resumed(&mut self) -> bool {
            false
        }
    }
    let (mut client, mut line, mut server) = Line::new(1);
    client.write_all(b"quiet").unwrap();
    client.conn.send_close_notify();
    client.flush().unwrap();
    loop {
        let Line { session, down, up, from_client, scratch, .. } = &mut line;
        let source = End { socket: down.as_fd(), session: Some(session) };
        let sink = End { socket: up.as_fd(), session: None };
        from_client.source_ready(false);
        if let Pumped::Over(outcome) =
            from_client.pump_sealed(source, sink, scratch, Some(&mut Upper))
        {
            assert_eq!(outcome, Outcome::Ended);
            break;
        }
    }
    let mut got = [0; 6];
    server.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"QUIET.");
}
