//! Places, sentences, and limits under many threads.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Load, Server};
use crate::addr::{Host, Place};
use crate::config::ServerConfig;
use crate::moment::Moment;
use crate::reasons::Refusal;

#[test]
fn places() {
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let name = |ip| Host::Name { name: "web".to_owned(), ip };
    let tcp = |port| Some(Place::Tcp((ip, port).into()));
    let path = PathBuf::from("/run/web");
    let rows = [
        (Host::Unset, 80, None),
        (Host::Ip(ip), 0, None),
        (Host::Ip(ip), 80, tcp(80)),
        (Host::Ip(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), 80, None),
        (name(ip), 80, tcp(80)),
        (name(ip), 0, None),
        (Host::Unix(path.clone()), 0, Some(Place::Unix(path))),
    ];
    for (host, port, expected) in rows {
        let server = Server::new(ServerConfig { host, port, ..ServerConfig::default() });
        assert_eq!(server.place(), expected, "{server:?}");
        assert_eq!(server.is_set(), expected.is_some(), "{server:?}");
    }
}

#[test]
fn blacklisting() {
    let at = |s: u64| Moment(s * 1000);
    let load = Load::default();
    assert!(!load.blacklisted(at(0), 30));
    load.fail(at(100));
    assert!(load.blacklisted(at(100), 30) && load.blacklisted(at(129), 30));
    assert!(!load.blacklisted(at(130), 30));
    assert!(!load.blacklisted(at(100), 0), "with time 0 nobody is ever out");
    assert!(load.blacklisted(at(130), 31), "a longer time lengthens the sentence");
    assert_eq!(load.failed_at(), Some(at(100)), "the failure stays on record");
    load.sentence(at(200), 60);
    assert!(load.blacklisted(at(259), 0) && !load.blacklisted(at(260), 30));
    load.fail(at(210));
    load.sentence(at(211), 0);
    assert!(!load.blacklisted(at(211), 30));
}

#[test]
fn limits_are_exact() {
    let load = Load::default();
    assert_eq!([load.reserve(2, 0), load.reserve(2, 0)], [Ok(()), Ok(())]);
    assert_eq!(load.reserve(2, 0), Err(Refusal::Full));
    assert_eq!(load.reserve(0, 2), Err(Refusal::PendingShare));
    load.establish();
    assert_eq!((load.established(), load.reserved()), (1, 2));
    assert_eq!(load.reserve(0, 2), Ok(()));
    load.release_established();
    load.release_pending();
    load.release_pending();
    assert_eq!((load.established(), load.reserved()), (0, 0));
}

#[test]
fn limits_hold_under_many_threads() {
    const LIMIT: u32 = 3;
    const SHARE: u32 = 2;
    let load = Load::default();
    let (inside, pending, taken) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
    let enter = |count: &AtomicU32, limit| {
        let now = count.fetch_add(1, Ordering::SeqCst) + 1;
        assert!(now <= limit, "{now} inside where {limit} may be");
    };
    let leave = |count: &AtomicU32| count.fetch_sub(1, Ordering::SeqCst);
    std::thread::scope(|scope| {
        for thread in 0..4u32 {
            let (load, inside, pending, taken) = (&load, &inside, &pending, &taken);
            scope.spawn(move || {
                for round in 0..20_000u32 {
                    if load.reserve(LIMIT, SHARE).is_err() {
                        std::thread::yield_now();
                        continue;
                    }
                    taken.fetch_add(1, Ordering::SeqCst);
                    enter(inside, LIMIT);
                    enter(pending, SHARE);
                    let succeeds = (round + thread) % 3 != 0;
                    // Leave our own count before the load's, so that ours is never the higher one.
                    leave(pending);
                    if succeeds {
                        load.establish();
                    }
                    leave(inside);
                    if succeeds {
                        load.release_established();
                    } else {
                        load.release_pending();
                    }
                }
            });
        }
    });
    assert!(taken.load(Ordering::SeqCst) > 0);
    assert_eq!((load.established(), load.reserved()), (0, 0));
}

/// Two threads that go through the same rounds, counted from 1, leave this at the same moment.
pub(crate) fn meet(arrived: &AtomicU32, round: u32) {
    arrived.fetch_add(1, Ordering::SeqCst);
    let mut turns = 0u32;
    while arrived.load(Ordering::SeqCst) < 2 * round {
        turns += 1;
        match turns % 256 {
            0 => std::thread::yield_now(),
            _ => std::hint::spin_loop(),
        }
    }
}

#[test]
fn the_last_place_is_taken_once() {
    // A load for each round; both threads ask for its only place at the same moment.
    const ROUNDS: u32 = 50_000;
    let loads: Vec<Load> = (0..ROUNDS).map(|_| Load::default()).collect();
    let arrived = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for (round, load) in (1..).zip(&loads) {
                    meet(&arrived, round);
                    // Whoever gets it keeps it.
                    let _ = load.reserve(1, 0);
                }
            });
        }
    });
    let twice = loads.iter().filter(|load| load.reserved() != 1).count();
    assert_eq!(twice, 0, "of {ROUNDS} last places");
}
