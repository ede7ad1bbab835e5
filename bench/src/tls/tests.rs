//! The clients against a server of the same library: what they must notice.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::Socket;

use super::*;
use crate::load::{self, Kind, Plan, Tally};
use crate::protocol::{REQUEST, Request, Wish, answer};

const OPERATIONS: u64 = 6;
const CONNECTIONS: usize = 2;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pen-bench-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

type Stream = StreamOwned<ServerConnection, TcpStream>;

/// A server that reads a request and then acts.
fn server(
    certificates: &Certificates,
    variant: Variant,
    act: fn(&mut Stream, Request),
) -> SocketAddr {
    let file = certificates.file(variant.key);
    let chain = vec![CertificateDer::from_pem_file(&file).unwrap()];
    let key = PrivateKeyDer::from_pem_file(&file).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    let mut config = config.unwrap();
    match variant.resumed {
        true => config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().unwrap(),
        false => config.session_storage = Arc::new(NoServerSessionStorage {}),
    }
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming().take(OPERATIONS as usize).flatten() {
            let config = Arc::clone(&config);
            std::thread::spawn(move || {
                let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), socket);
                let mut request = [0; REQUEST];
                if stream.read_exact(&mut request).is_ok() {
                    act(&mut stream, Request::parse(&request).unwrap());
                }
            });
        }
    });
    address
}

fn polite(stream: &mut Stream, request: Request) {
    let _ = stream.write_all(&answer(request.id));
    // Until the client leaves.
    let _ = stream.read(&mut [0]);
}

fn run(name: &str, asked: Variant, kind: Kind, act: fn(&mut Stream, Request)) -> Tally {
    run_against(name, asked, asked, kind, act)
}

fn run_against(
    name: &str,
    offered: Variant,
    asked: Variant,
    kind: Kind,
    act: fn(&mut Stream, Request),
) -> Tally {
    let folder = Folder::new(name);
    let certificates = Certificates::make(&folder.0).unwrap();
    let address = server(&certificates, offered, act);
    let plan = Plan {
        targets: vec![address],
        sources: None,
        tls: Some(Clients::new(&certificates, asked, CONNECTIONS).unwrap()),
        kind,
        connections: CONNECTIONS,
        warm_up: Duration::ZERO,
        window: Duration::ZERO,
        operations: Some(OPERATIONS),
    };
    load::run(&plan, &mut |_| {}).unwrap()
}

#[test]
fn every_variant_works() {
    for key in [Key::P256, Key::Rsa] {
        for version in [Version::V12, Version::V13] {
            for resumed in [false, true] {
                let variant = Variant { key, version, resumed };
                let name = format!("{variant:?}").replace(|c: char| !c.is_alphanumeric(), "");
                let tally = run(&name, variant, Kind::ShortClient, polite);
                assert_eq!((tally.done, tally.errors()), (OPERATIONS, 0), "{variant:?}");
            }
        }
    }
}

const VARIANT: Variant = Variant { key: Key::P256, version: Version::V13, resumed: false };

#[test]
fn a_full_handshake_is_wrong_where_a_resumed_one_was_asked_for() {
    let asked = Variant { resumed: true, ..VARIANT };
    let tally = run_against("full", VARIANT, asked, Kind::ShortClient, polite);
    let first = CONNECTIONS as u64;
    assert_eq!((tally.done, tally.wrong), (first, OPERATIONS - first));
}

#[test]
fn a_wrong_byte_is_counted() {
    let tally = run("wrong", VARIANT, Kind::ShortClient, |stream, _| {
        let _ = stream.write_all(&[9; 256]);
    });
    assert_eq!((tally.done, tally.wrong), (0, OPERATIONS));
}

#[test]
fn an_answer_without_its_close_notify_is_lost() {
    let tally = run("cut", VARIANT, Kind::ShortServer, |stream, request| {
        let _ = stream.write_all(&answer(request.id));
        let _ = stream.sock.shutdown(std::net::Shutdown::Write);
        let _ = stream.read(&mut [0]);
    });
    assert_eq!((tally.done, tally.lost), (0, OPERATIONS));
}

#[test]
fn an_answer_with_its_close_notify_is_done() {
    let tally = run("whole", VARIANT, Kind::ShortServer, |stream, request| {
        let _ = stream.write_all(&answer(request.id));
        stream.conn.send_close_notify();
        let _ = stream.flush();
        let _ = stream.read(&mut [0]);
    });
    assert_eq!((tally.done, tally.errors()), (OPERATIONS, 0));
}

/// Records that do not end where reads do bring more than a read's length at once.
#[test]
fn nothing_stays_behind_when_a_read_completes_an_earlier_record() {
    const RECORDS: usize = 3;
    const RECORD: usize = 10_000;
    let folder = Folder::new("records");
    let certificates = Certificates::make(&folder.0).unwrap();
    let address = server(&certificates, VARIANT, |stream, _| {
        for _ in 0..RECORDS {
            let _ = stream.write_all(&[7; RECORD]);
        }
        let _ = stream.read(&mut [0]);
    });
    let (config, _) = Clients::new(&certificates, VARIANT, 1).unwrap().of(0, 0).unwrap();
    let socket = Socket::from(TcpStream::connect(address).unwrap());
    socket.set_nonblocking(true).unwrap();
    let mut session = Session::new(config, false).unwrap();
    let mut buffer = vec![0; 32 * 1024];
    let request = Request { wish: Wish::Answer, id: 1, length: 0 }.bytes();
    while session.send(&socket, &request) == Err(Errno::AGAIN) {
        assert_eq!(session.recv(&socket, &mut buffer), Err(Errno::AGAIN));
        std::thread::yield_now();
    }
    let mut waiting = vec![std::mem::MaybeUninit::uninit(); 64 * 1024];
    while socket.peek(&mut waiting).unwrap_or(0) < RECORDS * RECORD {
        std::thread::yield_now();
    }
    let mut have = 0;
    while let Ok(bytes) = session.recv(&socket, &mut buffer) {
        have += bytes.len();
    }
    assert_eq!(have, RECORDS * RECORD);
}
