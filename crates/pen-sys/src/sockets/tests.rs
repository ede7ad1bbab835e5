//! The sockets against the real kernel, on loopback and in the temporary directory.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::*;

fn any_port(ip: &str) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), 0)
}

fn place(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("pen-sys-{name}-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

/// Accepts with a deadline.
fn client(listener: &OwnedFd) -> (OwnedFd, Peer) {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        match accept(listener) {
            Accepted::Client(fd, peer) => return (fd, peer),
            Accepted::Nobody | Accepted::Gone => {}
            other => panic!("{other:?}"),
        }
        assert!(Instant::now() < deadline, "nobody came");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn several_listeners_share_an_address_only_on_purpose() {
    for ip in ["127.0.0.1", "::1"] {
        let Ok(first) = tcp_bind(any_port(ip), Transport::Tcp, 10, Binding::here(true)) else {
            println!("skipped: no {ip} here");
            continue;
        };
        let address = local_address(&first).unwrap();
        let second = tcp_bind(address, Transport::Tcp, 10, Binding::here(true)).unwrap();
        assert_eq!(
            tcp_probe(address, Binding::here(true)).unwrap_err().kind(),
            ErrorKind::AddrInUse
        );
        drop(first);
        assert_eq!(
            tcp_probe(address, Binding::here(true)).unwrap_err().kind(),
            ErrorKind::AddrInUse
        );
        drop(second);
        tcp_probe(address, Binding::here(true)).unwrap();
    }
}

#[test]
fn an_address_held_by_others_is_refused() {
    let other = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let inside = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
    assert_eq!(tcp_probe(inside, Binding::here(true)).unwrap_err().kind(), ErrorKind::AddrInUse);
    assert_eq!(
        tcp_bind(inside, Transport::Tcp, 5, Binding::here(true)).unwrap_err().kind(),
        ErrorKind::AddrInUse
    );
    let foreign = "192.0.2.1:0".parse().unwrap();
    assert_eq!(
        tcp_probe(foreign, Binding::here(true)).unwrap_err().kind(),
        ErrorKind::AddrNotAvailable
    );
    for foreign in ["192.0.2.1:0", "[2001:db8::1]:0"] {
        let binding = Binding { v6only: true, freebind: true };
        let address = foreign.parse().unwrap();
        match tcp_bind(address, Transport::Tcp, 5, binding) {
            Ok(socket) => assert_eq!(local_address(&socket).unwrap().ip(), address.ip()),
            Err(e) => assert!(address.is_ipv6() && e.kind() == ErrorKind::Unsupported, "{e}"),
        }
    }
}

#[test]
fn v6_listeners_take_v4_clients_unless_told_not_to() {
    let Ok(both) = tcp_bind(any_port("::"), Transport::Tcp, 5, Binding::here(false)) else {
        println!("skipped: no IPv6 here");
        return;
    };
    let port = local_address(&both).unwrap().port();
    let _c = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (_, Peer::Ip(peer)) = client(&both) else { panic!("not an internet peer") };
    assert_eq!(peer.ip().to_canonical(), IpAddr::from(Ipv4Addr::LOCALHOST));
    drop(both);
    let only = tcp_bind(any_port("::"), Transport::Tcp, 5, Binding::here(true)).unwrap();
    let port = local_address(&only).unwrap().port();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn connect_from_an_address_and_exchange() {
    let listener = tcp_bind(any_port("127.0.0.1"), Transport::Tcp, 5, Binding::here(true)).unwrap();
    let to = local_address(&listener).unwrap();
    let from: IpAddr = "127.0.0.9".parse().unwrap();
    let (fd, _) =
        connect_start(Target::Tcp { to, from: Source::Own(from), options: &Options::default() })
            .unwrap();
    let (accepted, peer) = client(&listener);
    let Peer::Ip(peer) = peer else { panic!("not an internet peer") };
    assert_eq!(peer.ip(), from);
    take_error(&fd).unwrap();
    set_nodelay(&fd, true).unwrap();
    assert_eq!(local_address(&fd).unwrap(), peer);

    let mut near = TcpStream::from(fd);
    let mut far = TcpStream::from(accepted);
    far.set_nonblocking(false).unwrap();
    near.write_all(b"abc").unwrap();
    let mut got = [0; 3];
    far.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"abc");
    let deadline = Instant::now() + Duration::from_secs(5);
    while unacknowledged(near.as_fd()).unwrap() != 0 {
        assert!(Instant::now() < deadline);
    }
    shutdown_write(&near).unwrap();
    assert_eq!(far.read(&mut got).unwrap(), 0);
    reset(near.into());
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        match far.write_all(b"x") {
            Ok(()) => assert!(Instant::now() < deadline),
            Err(e) => {
                break assert!(
                    matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
                    "{e}"
                );
            }
        }
    }
}

#[test]
fn the_end_of_the_handshake_goes_with_the_first_bytes() {
    let listener =
        tcp_bind(any_port("127.0.0.1"), Transport::Tcp, 50, Binding::here(true)).unwrap();
    let to = local_address(&listener).unwrap();
    // The kernel's patience is shorter than a pause of this thread may be: one time is enough.
    let waited = (0..100).any(|_| {
        let options = Options { bytes_follow: true, ..Options::default() };
        let (fd, _) =
            connect_start(Target::Tcp { to, from: Source::Any, options: &options }).unwrap();
        let waited = matches!(accept(&listener), Accepted::Nobody);
        let mut near = TcpStream::from(fd);
        near.write_all(b"abc").unwrap();
        if waited {
            let mut far = TcpStream::from(client(&listener).0);
            far.set_nonblocking(false).unwrap();
            let mut got = [0; 3];
            far.read_exact(&mut got).unwrap();
            assert_eq!(&got, b"abc");
        }
        waited
    });
    assert!(waited, "the server knew of the connection before its first bytes");
    // Without bytes it learns of it a little later.
    let options = Options { bytes_follow: true, ..Options::default() };
    let _near = connect_start(Target::Tcp { to, from: Source::Any, options: &options }).unwrap();
    let _far = client(&listener);
}

#[test]
fn unsent_bytes_are_counted() {
    let listener = tcp_bind(any_port("127.0.0.1"), Transport::Tcp, 5, Binding::here(true)).unwrap();
    let mut near = TcpStream::connect(local_address(&listener).unwrap()).unwrap();
    let _deaf = client(&listener);
    near.set_nonblocking(true).unwrap();
    while near.write(&[0; 65_536]).is_ok() {}
    assert!(unacknowledged(&near).unwrap() > 0);
}

#[test]
fn a_refused_connect_says_so() {
    let to = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error =
        match connect_start(Target::Tcp { to, from: Source::Any, options: &Options::default() }) {
            Err(e) => e,
            Ok((fd, _)) => {
                std::thread::sleep(Duration::from_millis(50));
                take_error(&fd).unwrap_err()
            }
        };
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    let from = Source::Own("192.0.2.1".parse().unwrap());
    let error = connect_start(Target::Tcp { to, from, options: &Options::default() }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
}

#[test]
fn unix_listeners_replace_only_what_is_stale() {
    let path = place("stale");
    drop(UnixListener::bind(&path).unwrap());
    let listener = unix_bind(&path, 5, Some(0o600)).unwrap();
    let mode = std::fs::symlink_metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(unix_bind(&path, 5, None).unwrap_err().kind(), ErrorKind::AddrInUse);

    let (fd, progress) = connect_start(Target::Unix(&path)).unwrap();
    assert_eq!(progress, Progress::Done);
    let (accepted, peer) = client(&listener);
    assert_eq!(peer, Peer::Unix);
    assert_eq!(peer_uid(&accepted).unwrap(), crate::privileges::uid());
    drop((fd, accepted));
    std::fs::remove_file(&path).unwrap();

    std::fs::write(&path, "precious").unwrap();
    assert_eq!(unix_bind(&path, 5, None).unwrap_err().kind(), ErrorKind::AlreadyExists);
    let link = place("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(unix_bind(&link, 5, None).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    std::fs::remove_file(&link).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(unix_bind(&std::env::temp_dir().join("x".repeat(200)), 5, None).is_err());
    assert!(unix_bind(&std::env::temp_dir(), 5, None).is_err());
}

#[test]
fn a_full_unix_queue_refuses() {
    let path = place("full");
    let _listener = unix_bind(&path, 0, None).unwrap();
    let mut held: Vec<OwnedFd> = Vec::new();
    let error = loop {
        match connect_start(Target::Unix(&path)) {
            Ok((fd, _)) => held.push(fd),
            Err(e) => break e,
        }
        assert!(held.len() < 100);
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    // A queue that is full is a socket in use all the same.
    assert_eq!(unix_bind(&path, 5, None).unwrap_err().kind(), ErrorKind::AddrInUse);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_broken_listener_is_told_from_an_empty_one() {
    let listener = tcp_bind(any_port("127.0.0.1"), Transport::Tcp, 5, Binding::here(true)).unwrap();
    assert!(matches!(accept(&listener), Accepted::Nobody));
    let (stream, _other) = UnixStream::pair().unwrap();
    assert!(matches!(accept(&stream), Accepted::Broken(_)));
}

#[test]
fn a_foreign_address_is_carried_or_the_reason_is_told() {
    for (ip, foreign) in [("127.0.0.1", "127.0.0.77"), ("::1", "2001:db8::77")] {
        let ipv4 = ip.contains('.');
        let Ok(listener) = tcp_bind(any_port(ip), Transport::Tcp, 5, Binding::here(true)) else {
            println!("skipped: no {ip} here");
            continue;
        };
        let to = local_address(&listener).unwrap();
        let from: IpAddr = foreign.parse().unwrap();
        let target = Target::Tcp { to, from: Source::Foreign(from), options: &Options::default() };
        match (connect_start(target), foreign_permitted(ipv4)) {
            (Ok((fd, _)), Ok(())) => {
                let local = local_address(&fd).unwrap();
                assert_eq!(local.ip(), from);
                assert_ne!(local.port(), 0);
            }
            (Err(e), Err(why)) => {
                let told = NotTransparent::of(&e).expect("the reason is told");
                assert_eq!(told.asked, why.asked);
                assert_eq!(e.kind(), ErrorKind::PermissionDenied);
            }
            (started, permitted) => panic!("{started:?} but {permitted:?}"),
        }
    }
    // An address that means nothing without an interface.
    let Ok(to) = "[::1]:9".parse() else { return };
    let from = Source::Foreign("fe80::1".parse().unwrap());
    let error = connect_start(Target::Tcp { to, from, options: &Options::default() });
    assert!(NotTransparent::of(&error.unwrap_err()).is_some());
}
