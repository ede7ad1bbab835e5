//! Frames reach the right server, and its answers the client.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::process::Command;
use std::time::Duration;

use pen_test::{Host, deadline, in_own_network, run_here, until};

use crate::hall::{Balancer, SERVERS, SWITCH, Segment, VIP, VIP6, connect, plug};

#[test]
fn tcp_of_both_families() {
    in_own_network("service::tcp_of_both_families", SWITCH, || {
        let segment = Segment::new();
        segment.serve(80);
        let both = format!("listen {VIP}:80 {VIP6}:80");
        let pen = segment.pen(&[&["-O", &both, "81"][..], &SERVERS[..]].concat());
        for (vip, net) in [(VIP, "10.0.0."), (VIP6, "fd00::")] {
            let mut seen = BTreeSet::new();
            for n in 2..10 {
                let client = format!("{net}{n}");
                let server = segment.ask_until(&client, vip, 80);
                assert_eq!(segment.ask(&client, vip, 80), Some(server), "a client stays");
                let told = pen.ctl(&format!("explain {client}"));
                let gets = format!("client {client} gets server {server} ");
                assert!(told.starts_with(&gets), "{server}: {told}");
                seen.insert(server);
            }
            assert_eq!(seen.len(), 2, "clients are spread");
        }
        assert_eq!(segment.ask("10.0.0.2", VIP, 81), None, "another port");
        pen.shows("dropped other_port");
        assert_eq!(pen.stop(), Some(0));
    });
}

#[test]
fn an_upload_in_joined_segments() {
    in_own_network("service::an_upload_in_joined_segments", SWITCH, || {
        let segment = Segment::new();
        segment.serve(80);
        let pen = segment.pen(&[&[VIP][..], &SERVERS[..]].concat());
        segment.ask_until("10.0.0.2", VIP, 80);
        let bytes = 20_000_000;
        let said = segment.client.inside(|| {
            let mut wire = until("a connection", || connect("10.0.0.2", 9_000, VIP, 80));
            wire.write_all(&vec![7; bytes]).unwrap();
            wire.shutdown(std::net::Shutdown::Write).unwrap();
            let mut said = String::new();
            wire.read_to_string(&mut said).unwrap();
            said
        });
        assert!(said.ends_with(&format!(" {bytes}")), "{said}");
        let counts = pen.ctl("dsr");
        assert!(!counts.contains("dropped too_big"), "{counts}");
        let services = pen.ctl("services");
        assert!(services.contains("servers 2 usable 2 "), "every port is usable: {services}");
    });
}

#[test]
fn datagrams_whole_and_in_fragments() {
    in_own_network("service::datagrams_whole_and_in_fragments", SWITCH, || {
        let segment = Segment::new();
        segment.serve(53);
        let both = format!("listen {VIP} [{VIP6}]");
        let words = ["-r", "-U", "-O", &both, "81"];
        let pen = segment.pen(&[&words[..], &SERVERS[..]].concat());
        pen.finds(2);
        for (vip, client) in [(VIP, "10.0.0.2"), (VIP6, "fd00::2")] {
            let seen: BTreeSet<String> = segment.client.inside(|| {
                let ask = |length: usize| {
                    let from: IpAddr = client.parse().unwrap();
                    let socket = UdpSocket::bind((from, 0)).unwrap();
                    socket.connect((vip.parse::<IpAddr>().unwrap(), 53)).unwrap();
                    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
                    let answer = until("an answer", || {
                        let mut buffer = [0; 64];
                        socket.send(&vec![1; length]).ok()?;
                        let got = socket.recv(&mut buffer).ok()?;
                        Some(String::from_utf8_lossy(&buffer[..got]).into_owned())
                    });
                    let (server, seen) = answer.split_once(' ').unwrap();
                    assert_eq!(seen, length.to_string());
                    server.to_owned()
                };
                (0..24).map(|n| ask([0, 100, 1_472, 1_473, 5_000, 60_000][n % 6])).collect()
            });
            assert_eq!(seen.len(), 2, "with -r the port is part of the key");
        }
        let counts = pen.ctl("dsr");
        assert!(!counts.contains("lone_fragment"), "{counts}");
    });
}

/// A narrow link behind a router: what servers send does not fit, and they must be told.
#[test]
fn too_big_reaches_the_server_of_the_flow() {
    in_own_network("service::too_big_reaches_the_server_of_the_flow", SWITCH, || {
        const BYTES: usize = 300_000;
        let segment = Segment::new();
        run_here("ip link add br1 type bridge && ip link set br1 up");
        let (router, far) = (Host::new("the router"), Host::new("a far client"));
        plug(&router, "port4");
        for (host, port) in [(&router, "port5"), (&far, "port6")] {
            host.cable("eth1", port);
            run_here(&format!("ip link set {port} master br1"));
        }
        router.run(
            "sysctl -q -w net.ipv4.ip_forward=1; ip address add 10.0.0.60/24 dev eth0; \
             ip address add 10.7.0.1/24 dev eth1; ip link set eth1 mtu 1300",
        );
        far.run("ip address add 10.7.0.2/24 dev eth1; ip route add default via 10.7.0.1");
        for (n, server) in (0_u8..).zip(&segment.servers) {
            server.run("ip route add 10.7.0.0/24 via 10.0.0.60");
            server.inside(|| {
                let listener = TcpListener::bind((VIP, 81)).unwrap();
                std::thread::spawn(move || {
                    while let Ok((mut wire, _)) = listener.accept() {
                        drop(wire.write_all(&[n; BYTES]));
                    }
                });
            });
        }
        let pen = segment.pen(&[&["-r", VIP][..], &SERVERS[..]].concat());
        pen.finds(2);
        let mut seen = BTreeSet::new();
        for _ in 0..12 {
            let mut wire = until("a connection", || far.inside(|| connect("10.7.0.2", 0, VIP, 81)));
            let mut got = Vec::new();
            wire.read_to_end(&mut got).unwrap();
            assert_eq!(got.len(), BYTES);
            seen.insert(got[0]);
        }
        assert_eq!(seen.len(), 2, "each server was told");
        let told = servers_told(&segment);
        assert_eq!(told, [true, true], "the packets did fit: the test proves nothing");
    });
}

/// Whether each server has learnt that the way to the far client is narrow.
fn servers_told(segment: &Segment) -> Vec<bool> {
    let told = |server: &Host| {
        server.inside(|| {
            let output =
                Command::new("ip").args(["route", "get", "10.7.0.2", "from", VIP]).output();
            String::from_utf8_lossy(&output.expect("ip is there").stdout).contains("mtu 1300")
        })
    };
    segment.servers.iter().map(told).collect()
}

#[test]
fn tagged_frames_keep_their_tag() {
    in_own_network("service::tagged_frames_keep_their_tag", SWITCH, || {
        let segment = Segment::new();
        segment.serve(80);
        let vlan = |address: &str| {
            format!(
                "ip link add link eth0 name eth0.5 type vlan id 5; ip link set eth0.5 up; \
                 ip address add {address}/24 dev eth0.5"
            )
        };
        if segment.client.inside(|| !vlans()) {
            println!("skipped: this kernel has no VLANs");
            return;
        }
        segment.client.run(&vlan("10.5.0.2"));
        for (n, server) in segment.servers.iter().enumerate() {
            server.run(&vlan(&format!("10.5.0.1{}", n + 1)));
        }
        // Questions and frames come with a tag; Pen itself has no interface for the VLAN.
        segment.client.run(&format!("ip route replace {VIP}/32 dev eth0.5 src 10.5.0.2"));
        let pen = segment.pen(&[&[VIP][..], &SERVERS[..]].concat());
        segment.ask_until("10.5.0.2", VIP, 80);
        pen.shows("forwarded frames");
    });
}

#[test]
fn blacklisting_and_new_servers() {
    in_own_network("service::blacklisting_and_new_servers", SWITCH, || {
        let segment = Segment::new();
        segment.serve(80);
        let file = pen_test::Scratch::new();
        let path = file.write("pen.conf", &format!("server 0 address {} port 80\n", SERVERS[0]));
        let pen = segment.pen(&["-F", &path.display().to_string(), &format!("{VIP}:80")]);
        let all = || -> BTreeSet<usize> {
            (2..10).map(|n| segment.ask_until(&format!("10.0.0.{n}"), VIP, 80)).collect()
        };
        assert_eq!(all(), [0].into());
        file.write(
            "pen.conf",
            &format!(
                "server 0 address {} port 80\nserver 1 address {} port 80\n",
                SERVERS[0], SERVERS[1]
            ),
        );
        pen.reload();
        pen.finds(2);
        until("both servers", || (all().len() == 2).then_some(()));
        let home = (2..10).find(|n| segment.ask(&format!("10.0.0.{n}"), VIP, 80) == Some(0));
        let client = format!("10.0.0.{}", home.expect("somebody is at home there"));
        pen.ctl("server 0 blacklist 60");
        assert_eq!(all(), [1].into());
        pen.ctl("server 0 blacklist 0");
        assert_eq!(segment.ask(&client, VIP, 80), Some(0), "it comes home");
    });
}

#[test]
fn a_transfer_survives_the_machine_that_forwarded_it() {
    in_own_network("service::a_transfer_survives_the_machine_that_forwarded_it", SWITCH, || {
        let segment = Segment::new();
        segment.serve(80);
        let words = [&[VIP][..], &SERVERS[..]].concat();
        let first = segment.pen(&words);
        segment.ask_until("10.0.0.2", VIP, 80);
        let second = Host::new("another machine");
        plug(&second, "port9");
        let wires: Vec<_> = (2..10)
            .map(|n| {
                let from = format!("10.0.0.{n}");
                let dial = || segment.client.inside(|| connect(&from, 9_000, VIP, 80));
                let mut wire = until("a connection", dial);
                wire.write_all(&[1; 100_000]).unwrap();
                wire
            })
            .collect();
        first.kill();
        let _second = second.inside(|| Balancer::start(&words));
        for mut wire in wires {
            wire.write_all(&[2; 100_000]).unwrap();
            wire.shutdown(std::net::Shutdown::Write).unwrap();
            wire.set_read_timeout(Some(deadline())).unwrap();
            let mut said = String::new();
            wire.read_to_string(&mut said).unwrap();
            assert!(said.ends_with(" 200000"), "{said}");
        }
    });
}

fn vlans() -> bool {
    let command = "ip link add link eth0 name probe type vlan id 9 && ip link del probe";
    Command::new("sh").args(["-c", command]).status().is_ok_and(|s| s.success())
}
