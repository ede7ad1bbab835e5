//! Ports against real sockets: which flows share them, and when they are gone.

use std::net::{IpAddr, Ipv4Addr};

use super::*;

const ANY: Origin = Origin { ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED), foreign: false };

fn server(n: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, n).into()
}

fn stage() -> (Ports, Pool, OwnedFd) {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    (Ports::default(), Pool::new(1).unwrap(), epoll)
}

/// A port for a flow at `server`, which is taken.
fn take(ports: &mut Ports, pool: &Pool, epoll: &OwnedFd, server: SocketAddr) -> u64 {
    let port = match ports.free_for(ANY, server) {
        Some(port) => port,
        None => ports.open(ANY, pool, epoll).unwrap(),
    };
    ports.take(port, server, (0, FlowId::default()));
    port
}

#[test]
fn flows_at_different_servers_share_a_port_and_others_do_not() {
    let (mut ports, pool, epoll) = stage();
    let first = take(&mut ports, &pool, &epoll, server(1));
    assert_eq!(take(&mut ports, &pool, &epoll, server(2)), first);
    let second = take(&mut ports, &pool, &epoll, server(1));
    assert_ne!(second, first);
    assert_eq!(take(&mut ports, &pool, &epoll, server(2)), second);
    assert_eq!(pool.ports.used(), 2);
    assert_eq!(ports.owner(first, server(1)), Some((0, FlowId::default())));
    assert_eq!(ports.owner(first, server(3)), None);
}

#[test]
fn a_clean_port_serves_again_and_another_is_closed_with_its_last_flow() {
    let (mut ports, pool, epoll) = stage();
    let port = take(&mut ports, &pool, &epoll, server(1));
    assert_eq!(take(&mut ports, &pool, &epoll, server(2)), port);
    ports.release(port, server(1), true, &pool);
    assert_eq!(take(&mut ports, &pool, &epoll, server(1)), port);
    // Something of it may still be under way.
    ports.release(port, server(1), false, &pool);
    assert!(ports.socket(port).is_some(), "the other flow still uses it");
    let next = take(&mut ports, &pool, &epoll, server(1));
    assert_ne!(next, port);
    ports.release(port, server(2), true, &pool);
    assert!(ports.socket(port).is_none());
    ports.release(next, server(1), false, &pool);
    assert_eq!(pool.ports.used(), 0);
    assert!(ports.docks.is_empty() && ports.owners.is_empty() && ports.all.is_empty());
    assert_eq!(ports.spare, 0);
}

#[test]
fn no_two_flows_at_one_server_have_one_port_whatever_happens() {
    let (mut ports, pool, epoll) = stage();
    let mut held: Vec<(u64, SocketAddr)> = Vec::new();
    let mut x = 1_u32;
    for step in 0..20_000 {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        let at = server(1 + (x % 5) as u16);
        if x & 64 == 0 || held.len() > 60 {
            if !held.is_empty() {
                let (port, at) = held.swap_remove(x as usize % held.len());
                ports.release(port, at, x & 128 == 0, &pool);
            }
            continue;
        }
        let port = take(&mut ports, &pool, &epoll, at);
        assert!(!held.contains(&(port, at)), "step {step}");
        held.push((port, at));
        assert_eq!(ports.all.len() as u32, pool.ports.used());
        let spare = ports.all.values().filter(|p| p.flows == 0).count();
        assert_eq!(ports.spare, spare);
    }
    for (port, at) in held {
        ports.release(port, at, true, &pool);
    }
    assert!(ports.all.len() <= limits::UDP_PORTS_SPARE);
}

#[test]
fn ports_are_bounded_and_wear_out() {
    let (mut ports, pool, epoll) = stage();
    pool.ports.resize(2);
    let a = ports.open(ANY, &pool, &epoll).unwrap();
    ports.open(ANY, &pool, &epoll).unwrap();
    assert!(ports.open(ANY, &pool, &epoll).is_err());
    assert_eq!(pool.room.used(), 2, "a failure took descriptors");
    for _ in 0..limits::UDP_PORT_USES {
        ports.take(a, server(1), (0, FlowId::default()));
        ports.release(a, server(1), true, &pool);
    }
    assert!(ports.socket(a).is_none(), "whoever forges answers has learned it");
    assert_eq!(pool.ports.used(), 1);
}
