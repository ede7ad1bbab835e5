//! What is written reads back, and what is broken is named.

use std::net::{IpAddr, Ipv4Addr};

use super::{Fault, Harvest, Intake, Known, Left, Scanner, Writer};
use crate::addr::{ClientAddr, Host};
use crate::clients::Remembered;
use crate::config::{ServerConfig, ServiceConfig};
use crate::moment::{Moment, WallMs};

const FILE: &str = "pen-state 1\nwritten 1000000\nservice default\nserver 0 10.0.0.9:80\n\
                    server 1 [2001:db8::1]:80\n192.0.2.7 12000 0\n2001:db8:7::9 340000 1\nunix 0 1\n";

/// With the end that it should have.
fn ended(text: &str, clients: u64) -> Vec<u8> {
    let sum = crc32fast::hash(text.as_bytes());
    format!("{text}end {clients} {sum:08x}\n").into_bytes()
}

fn server(ip: &str) -> ServerConfig {
    let host = Host::Ip(ip.parse().unwrap());
    ServerConfig { host, port: 80, ..ServerConfig::default() }
}

fn service(servers: Vec<ServerConfig>, tracking_s: u32) -> ServiceConfig {
    ServiceConfig { servers, tracking_s, ..ServiceConfig::new("default") }
}

fn client(addr: &str) -> ClientAddr {
    addr.parse::<IpAddr>().map_or(ClientAddr::Unix, ClientAddr::from_ip)
}

/// Reads pieces of this size.
fn read(bytes: &[u8], piece: usize, known: Vec<Known>, wall: i64) -> Result<Harvest, Fault> {
    let mut intake = Intake::new(known, Moment(10_000_000), WallMs(wall * 1000));
    let mut scanner = Scanner::default();
    for piece in bytes.chunks(piece) {
        scanner.feed(piece, &mut |item| intake.take(item))?;
    }
    scanner.finish()?;
    Ok(intake.finish())
}

fn remembered(addr: &str, age_s: u64, server: u32) -> Remembered {
    Remembered { addr: client(addr), last_seen: Moment(10_000_000 - age_s * 1000), server }
}

#[test]
fn what_is_written_reads_back_in_any_order_of_servers() {
    let unset = ServerConfig::default();
    let there = vec![server("10.0.0.9"), unset, server("2001:db8::1")];
    let mut writer = Writer::new(Moment(500_000), WallMs(1_000_000));
    writer.service("default", &there);
    writer.client(client("192.0.2.7"), Moment(488_000), 0);
    writer.client(client("2001:db8:7::9"), Moment(160_000), 2);
    let mut bytes = Vec::new();
    writer.take(&mut bytes);
    for nobody in [1, 3, u32::MAX] {
        writer.client(client("192.0.2.8"), Moment(0), nobody);
    }
    writer.client(client("unix"), Moment(600_000), 2);
    assert_eq!(writer.clients(), 3);
    bytes.extend(writer.finish());
    assert_eq!(String::from_utf8(bytes.clone()).unwrap(), {
        String::from_utf8(ended(FILE, 3)).unwrap()
    });
    let here = service(vec![server("2001:db8::1"), server("10.0.0.1"), server("10.0.0.9")], 0);
    for piece in [1, 7, 1000] {
        let harvest = read(&bytes, piece, vec![Known::new(&here, 9)], 1060).unwrap();
        assert_eq!((harvest.age_s, harvest.left), (60, Left::default()));
        let expected = vec![
            remembered("2001:db8:7::9", 400, 0),
            remembered("192.0.2.7", 72, 2),
            remembered("unix", 60, 0),
        ];
        assert_eq!(harvest.clients, [("default".to_owned(), expected)]);
    }
}

#[test]
fn what_is_of_no_use_is_counted() {
    let bytes = ended(FILE, 3);
    let left = |config: &ServiceConfig, max, wall| {
        read(&bytes, 99, vec![Known::new(config, max)], wall).unwrap().left
    };
    let gone = service(vec![server("10.0.0.9")], 0);
    assert_eq!(left(&gone, 9, 1000), Left { no_server: 2, ..Left::default() });
    let both = vec![server("10.0.0.9"), server("2001:db8::1")];
    let forgets = service(both.clone(), 100);
    assert_eq!(left(&forgets, 9, 1000), Left { expired: 1, ..Left::default() });
    assert_eq!(left(&forgets, 9, 1090), Left { expired: 2, ..Left::default() });
    assert_eq!(left(&forgets, 9, 3), Left { expired: 1, ..Left::default() }, "a clock set back");
    let other = ServiceConfig { name: "other".to_owned(), ..forgets };
    assert_eq!(left(&other, 9, 1000), Left { no_service: 3, ..Left::default() });
    let small = read(&bytes, 99, vec![Known::new(&service(both, 0), 1)], 1000).unwrap();
    assert_eq!(small.left, Left { no_room: 2, ..Left::default() });
    assert_eq!(small.clients[0].1, [remembered("unix", 0, 1)], "who was here last stays");
}

#[test]
fn what_is_broken_is_named() {
    let whole = ended(FILE, 3);
    for end in 0..whole.len() {
        let fault = read(&whole[..end], 64, Vec::new(), 0).unwrap_err();
        let expected = if end == 0 { Fault::Foreign } else { Fault::Truncated };
        assert_eq!(fault, expected, "{end} bytes");
    }
    for at in 0..whole.len() {
        for bit in [1, 0x80] {
            let mut bytes = whole.clone();
            bytes[at] ^= bit;
            assert!(read(&bytes, 64, Vec::new(), 0).is_err(), "byte {at}");
        }
    }
    let tail = [whole.clone(), b"x".to_vec()].concat();
    let head = "pen-state 1\nwritten 1\n";
    let rows = [
        (tail, "something follows its end"),
        (whole.repeat(2), "something follows its end"),
        ([whole.clone(), vec![b'x'; 900], b"\n".to_vec()].concat(), "something follows its end"),
        (b"blacklist 5\n".to_vec(), "it is no state file of Pen"),
        (vec![0xff; 900], "it is no state file of Pen"),
        ([vec![0xff; 900], b"\n".to_vec()].concat(), "it is no state file of Pen"),
        (format!("pen-sta{}\n", "a".repeat(600)).into_bytes(), "it is no state file of Pen"),
        (format!("pen-state {}1\n", "0".repeat(60)).into_bytes(), "it is no state file of Pen"),
        (b"pen-state 2\n".to_vec(), "it is of version 2, this Pen reads version 1"),
        (ended(FILE, 4), "it has another number of clients than its end says"),
        (ended("pen-state 1\nservice x\n", 0), "line 2: it does not say when it was written"),
        (ended(&format!("{head}10.0.0.1 0 0\n"), 1), "line 3: it is of no service"),
        (ended(&format!("{head}service x\n10.0.0.1 0 0\n"), 1), "line 4: there is no such server"),
        (ended(&format!("{head}service x\nserver 1 y\n"), 0), "line 4: it is not the next server"),
        (
            ended(&format!("{head}service x\nserver 0 y\n10.0.0.1 +1 0\n"), 1),
            "line 5: it is no client",
        ),
        (format!("{head}{}", "a".repeat(600)).into_bytes(), "line 3: it is too long"),
        (format!("{head}{}\n", "a".repeat(600)).into_bytes(), "line 3: it is too long"),
    ];
    for (bytes, what) in rows {
        for piece in [1, 5, 4096] {
            let said = read(&bytes, piece, Vec::new(), 0).map_err(|fault| fault.to_string());
            assert_eq!(said, Err(what.to_owned()));
        }
    }
}

#[test]
fn a_large_file_takes_no_more_room_than_the_table() {
    let config = service(vec![server("10.0.0.9")], 0);
    let mut writer = Writer::new(Moment(5_000_000), WallMs(0));
    writer.service("default", &config.servers);
    for n in 0..5_000_u32 {
        // Not in order.
        let age = u64::from(n.wrapping_mul(7_919) % 5_000);
        let addr = ClientAddr::Ip(IpAddr::V4(Ipv4Addr::from(n)));
        writer.client(addr, Moment(5_000_000 - age * 1000), 0);
    }
    let harvest = read(&writer.finish(), 4096, vec![Known::new(&config, 100)], 0).unwrap();
    assert_eq!(harvest.left.no_room, 4_900);
    let ages: Vec<u64> =
        harvest.clients[0].1.iter().map(|c| (10_000_000 - c.last_seen.0) / 1000).collect();
    assert_eq!(ages, (0..100).rev().collect::<Vec<_>>());
}
