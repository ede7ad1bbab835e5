//! The load generator against the server, and against servers that are wrong.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use super::*;

fn plan(targets: Vec<SocketAddr>, kind: Kind, operations: u64) -> Plan {
    Plan {
        targets,
        sources: None,
        tls: None,
        kind,
        connections: 4,
        warm_up: Duration::ZERO,
        window: Duration::ZERO,
        operations: Some(operations),
    }
}

/// A server that does the same to each of its first clients.
fn server(clients: usize, act: fn(&mut std::net::TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming().take(clients) {
            let mut client = client.unwrap();
            let mut request = [0; 64];
            if client.read_exact(&mut request).is_ok() {
                act(&mut client);
            }
        }
    });
    address
}

#[test]
fn a_lost_answer_is_counted() {
    let address = server(8, |client| {
        let _ = client.write_all(&[1, 0, 0]);
    });
    let tally = run(&plan(vec![address], Kind::ShortServer, 8), &mut |_| {}).unwrap();
    assert_eq!((tally.done, tally.errors()), (0, 8));
}

#[test]
fn a_wrong_byte_is_counted() {
    let address = server(8, |client| {
        let _ = client.write_all(&[9; 256]);
    });
    let tally = run(&plan(vec![address], Kind::ShortClient, 8), &mut |_| {}).unwrap();
    assert_eq!((tally.done, tally.wrong), (0, 8));
}

#[test]
fn nobody_listening_ends_the_run() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let tally = run(&plan(vec![address], Kind::Keep, 8), &mut |_| {}).unwrap();
    assert_eq!((tally.done, tally.refused), (0, 8));
}
