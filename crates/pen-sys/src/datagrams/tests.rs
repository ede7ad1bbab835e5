//! Datagrams against the real kernel, on loopback.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::*;
use crate::sockets::{Binding, local_address};

const SIZE: usize = 65_536;

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Receives until `count` datagrams are there, with a deadline.
fn take(inbox: &mut Inbox, socket: &OwnedFd, count: u64) {
    let deadline = Instant::now() + Duration::from_secs(5);
    let have = |i: &Inbox| (0..i.filled()).map(|n| i.get(n).unwrap().count()).sum::<u64>();
    while have(inbox) < count {
        if let Err(e) = inbox.receive(socket, 8) {
            assert_eq!(e.kind(), ErrorKind::WouldBlock);
        }
        assert!(Instant::now() < deadline, "{} of {count} came", have(inbox));
    }
}

fn datagrams(inbox: &Inbox) -> Vec<Vec<u8>> {
    let all = (0..inbox.filled()).map(|n| inbox.get(n).unwrap());
    all.flat_map(|r| match r.joined {
        0 => vec![r.bytes.to_vec()],
        size => r.bytes.chunks(size).map(<[u8]>::to_vec).collect(),
    })
    .collect()
}

fn own(ip: IpAddr) -> Origin {
    Origin { ip, foreign: false }
}

#[test]
fn sizes_from_nothing_to_the_largest() {
    let socket = listener(at("127.0.0.1:0"), Binding::here(true), 1 << 20).unwrap();
    let to = local_address(&socket).unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sent: Vec<Vec<u8>> = [0, 1, 1_500, 65_507, 3].map(|n| vec![n as u8; n]).into();
    for datagram in &sent {
        client.send_to(datagram, to).unwrap();
    }
    let mut inbox = Inbox::new(8, SIZE);
    take(&mut inbox, &socket, 5);
    assert_eq!(datagrams(&inbox), sent);
    let first = inbox.get(0).unwrap();
    assert_eq!((first.from, first.to), (Some(client.local_addr().unwrap()), None));
    assert!(inbox.get(5).is_none());
    inbox.clear();
    assert_eq!(inbox.receive(&socket, 8).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_wildcard_tells_and_keeps_the_address_that_was_meant() {
    for (wildcard, v6only, meant, host) in [
        ("0.0.0.0:0", true, "127.0.0.7", "127.0.0.1:0"),
        ("[::]:0", true, "::1", "[::1]:0"),
        ("[::]:0", false, "127.0.0.7", "127.0.0.1:0"),
    ] {
        let Ok(socket) = listener(at(wildcard), Binding::here(v6only), 1 << 16) else {
            println!("skipped: no {wildcard} here");
            continue;
        };
        let port = local_address(&socket).unwrap().port();
        let client = UdpSocket::bind(host).unwrap();
        let meant: IpAddr = meant.parse().unwrap();
        client.connect((meant, port)).unwrap();
        client.send(b"q").unwrap();
        let mut inbox = Inbox::new(4, SIZE);
        take(&mut inbox, &socket, 1);
        let got = inbox.get(0).unwrap();
        assert_eq!(got.to.unwrap().ip.to_canonical(), meant);
        let letter =
            Letter { to: got.from.unwrap(), from: got.to, pieces: &[b"answer"], joined: 0 };
        assert_eq!(Outbox::new().send(&socket, &[letter]).unwrap(), 1);
        // A connected socket takes nothing from another address.
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut answer = [0; 10];
        assert_eq!(client.recv(&mut answer).unwrap(), 6, "{wildcard}");
    }
}

#[test]
fn joined_and_single_datagrams_arrive_alike() {
    let server = listener(at("127.0.0.1:0"), Binding::here(true), 1 << 20).unwrap();
    let to = local_address(&server).unwrap();
    let socket = local_port(own(Ipv4Addr::UNSPECIFIED.into()), 1 << 16).unwrap();
    let joined = [&b"aaaa"[..], b"bbbb", b"cc"];
    let letters = [
        Letter { to, from: None, pieces: &joined, joined: 4 },
        Letter { to, from: None, pieces: &[b"d"], joined: 0 },
        Letter { to, from: None, pieces: &[b""], joined: 0 },
    ];
    let mut outbox = Outbox::new();
    match outbox.send(&socket, &letters) {
        Ok(3) => {}
        other => panic!("{other:?}"),
    }
    let mut inbox = Inbox::new(8, SIZE);
    take(&mut inbox, &server, 5);
    assert_eq!(datagrams(&inbox), [&b"aaaa"[..], b"bbbb", b"cc", b"d", b""]);
}

#[test]
fn nobody_there_is_reported_with_the_address() {
    for host in ["127.0.0.1", "::1"] {
        let host: IpAddr = host.parse().unwrap();
        let Ok(gone) = UdpSocket::bind((host, 0)) else {
            println!("skipped: no {host} here");
            continue;
        };
        let to = gone.local_addr().unwrap();
        drop(gone);
        let socket = local_port(own(any(host)), 1 << 16).unwrap();
        let letter = Letter { to, from: None, pieces: &[b"x"], joined: 0 };
        Outbox::new().send(&socket, &[letter]).unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        let bounce = loop {
            if let Some(bounce) = next_bounce(&socket) {
                break bounce;
            }
            assert!(Instant::now() < deadline, "no report");
        };
        assert_eq!((bounce.to, bounce.error), (Some(to), Errno::CONNREFUSED));
        assert!(next_bounce(&socket).is_none());
        Outbox::new().send(&socket, &[letter]).expect("reports are used up");
    }
}

#[test]
fn a_taken_address_is_refused() {
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    assert_eq!(probe(address, Binding::here(true)).unwrap_err().kind(), ErrorKind::AddrInUse);
    drop(other);
    probe(address, Binding::here(true)).unwrap();
    let first = listener(address, Binding::here(true), 1 << 16).unwrap();
    let _second = listener(address, Binding::here(true), 1 << 16).unwrap();
    assert_eq!(probe(address, Binding::here(true)).unwrap_err().kind(), ErrorKind::AddrInUse);
    assert_eq!(dropped(&first), 0);
}

#[test]
fn what_the_kernel_drops_is_counted() {
    let socket = listener(at("127.0.0.1:0"), Binding::here(true), 0).unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = local_address(&socket).unwrap();
    for _ in 0..100 {
        client.send_to(&[0; 1_000], to).unwrap();
    }
    assert!(dropped(&socket) > 0);
}
