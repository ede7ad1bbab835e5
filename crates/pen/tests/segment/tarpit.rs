//! Who meets the tarpit, and who does not.

use std::io::{Read, Write};
use std::process::Command;
use std::time::Duration;

use pen_test::{Host, in_own_network, until};

use crate::hall::{SERVERS, SWITCH, Segment, VIP, connect, plug};

const WORDS: [&str; 5] = ["-O", "acl 1 permit 10.0.0.0 255.255.255.0", "-O", "tarpit_acl 1", VIP];

fn tried(program: &str) -> bool {
    let there = Command::new(program).arg("-V").output().is_ok();
    if !there {
        println!("partly skipped: no {program} here");
    }
    there
}

#[test]
fn who_connects_hangs() {
    in_own_network("tarpit::who_connects_hangs", SWITCH, || {
        let segment = Segment::new();
        segment.serve(80);
        let pen = segment.pen(&[&WORDS[..], &SERVERS[..]].concat());
        segment.ask_until("10.0.0.2", VIP, 80);
        segment.client.inside(|| {
            for port in [22, 80, 65_000] {
                let mut wire = until("the tarpit", || connect("10.0.0.2", 0, "10.0.0.200", port));
                wire.write_all(b"anybody there?").unwrap();
                wire.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
                let silence = wire.read(&mut [0; 9]).unwrap_err();
                assert_eq!(silence.kind(), std::io::ErrorKind::WouldBlock);
            }
        });
        pen.shows("dropped tarpit_silent");
        assert!(segment.ask("10.0.0.2", VIP, 80).is_some(), "the service goes on");
        if tried("ping") {
            segment.client.run("! ping -c 1 -W 1 10.0.0.200");
            segment.client.run("! ping -c 1 -W 1 10.0.0.201");
        }
        if tried("nmap") {
            let scan = "nmap -n -sS -p 22,80,443 --send-eth -PR 10.0.0.200 10.0.0.201";
            let found = segment.client.inside(|| {
                let output = Command::new("sh").args(["-c", scan]).output().unwrap();
                String::from_utf8_lossy(&output.stdout).into_owned()
            });
            assert_eq!(found.matches("open").count(), 6, "{found}");
        }
    });
}

#[test]
fn machines_that_exist_are_left_alone() {
    in_own_network("tarpit::machines_that_exist_are_left_alone", SWITCH, || {
        let segment = Segment::new();
        segment.serve(80);
        let pen = segment.pen(&[&WORDS[..], &SERVERS[..]].concat());
        segment.ask_until("10.0.0.2", VIP, 80);
        let stranger = Host::new("another machine");
        plug(&stranger, "port9");
        stranger.run("ip address add 10.0.0.220/24 dev eth0");
        // A machine answers with a reset, the tarpit with silence.
        let refused = |ip: &str| {
            segment.client.inside(|| {
                let to = (ip.parse::<std::net::IpAddr>().unwrap(), 22).into();
                let from = ("10.0.0.2".parse::<std::net::IpAddr>().unwrap(), 0).into();
                let end = pen_test::dial_from(from, to, Duration::from_millis(1_500));
                end.is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionRefused)
            })
        };
        // The stranger, a server, and Pen's own machine.
        for ip in ["10.0.0.220", "10.0.0.11", "10.0.0.50"] {
            for _ in 0..3 {
                assert!(refused(ip), "{ip} belongs to somebody");
                segment.client.run(&format!("ip neigh flush {ip}"));
            }
        }
        pen.shows("tarpit");
    });
}
