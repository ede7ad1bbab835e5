//! Datagrams whose sender is a lie, put on the wire as raw frames: as root only.

use std::net::{IpAddr, Ipv4Addr};

use pen_fuzz::draft::{CLIENT, Draft, OWN};
use pen_test::{
    Host, Pen, Place, UdpClient, UdpServer, can_send_frames, in_own_network, run_here, send_frames,
    until,
};

use super::{SILENCE, count};

const PEN: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const PORT: u16 = 53;

/// The machines beside Pen's, which is the test's.
struct Lan {
    client: Host,
    server: Host,
}

impl Lan {
    fn build() -> Self {
        let client = Host::new("client");
        client.cable("c0", "front");
        let hex = |mac: [u8; 6]| mac.map(|byte| format!("{byte:02x}")).join(":");
        client.run(&format!(
            "ip link set c0 address {}; ip addr add 192.0.2.2/24 dev c0",
            hex(CLIENT)
        ));
        run_here(&format!(
            "ip link set front address {}; ip addr add {PEN}/24 dev front",
            hex(OWN)
        ));
        // Nobody else filters what is forged: it is all Pen's to judge. Answers have a way.
        run_here(
            "for f in all front; do sysctl -q -w net.ipv4.conf.$f.rp_filter=0 \
             net.ipv4.conf.$f.accept_local=1; done; ip route add default via 192.0.2.2",
        );
        let server = Host::new("server");
        server.cable("e0", "back");
        server.run("ip addr add 198.51.100.11/24 dev e0");
        run_here("ip addr add 198.51.100.1/24 dev back");
        Self { client, server }
    }

    fn server(&self) -> UdpServer {
        self.server.inside(|| UdpServer::echo("198.51.100.11"))
    }

    /// Puts datagrams on Pen's wire; each is said to come from there and goes to a port of Pen.
    fn forge(&self, all: impl Iterator<Item = (IpAddr, u16, u16)>) {
        let frame = |(ip, from, to)| Draft::udp(ip, PEN.into(), (from, to)).frame();
        let frames: Vec<Vec<u8>> = all.map(frame).collect();
        self.client.inside(|| send_frames("c0", &frames));
    }
}

fn place() -> Place {
    Place::Tcp((PEN, PORT).into())
}

#[test]
fn answers_from_elsewhere_reach_nobody() {
    if !can_send_frames() {
        return;
    }
    in_own_network("udp::forged::answers_from_elsewhere_reach_nobody", "true", || {
        let lan = Lan::build();
        let server = lan.server();
        let pen = Pen::bare().listen(&place()).args(["-U"]).servers([server.word()]).start();
        let client = lan.client.inside(|| UdpClient::at("192.0.2.2", &place()));
        assert_eq!(client.ask(b"q"), b"q");
        let (local, _) = server.seen().first().cloned().expect("the question");
        let Place::Tcp(at) = server.place() else { unreachable!("UDP has addresses") };
        // Other machines at the server's port, and the server's machine at other ports.
        let others = (1..=100).map(|n| (IpAddr::from([203, 0, 113, n]), at.port(), local.port()));
        let ports = (1..=100).map(|n| (at.ip(), at.port().wrapping_add(n), local.port()));
        lan.forge(others.chain(ports));
        until("all of them to be counted", || {
            (count(&pen, &["dropped", "foreign_answer"]) == 200).then_some(())
        });
        assert_eq!(client.receive_within(SILENCE), None);
        assert_eq!(client.ask(b"again"), b"again");
    });
}

#[test]
fn who_claims_to_be_pen_is_not_answered() {
    if !can_send_frames() {
        return;
    }
    in_own_network("udp::forged::who_claims_to_be_pen_is_not_answered", "true", || {
        let lan = Lan::build();
        let server = lan.server();
        let pen = Pen::bare().listen(&place()).args(["-U"]).servers([server.word()]).start();
        // Pen's own listening address: an answer would be a question. And a port that nobody has.
        let own = (0..50).map(|_| (IpAddr::from(PEN), PORT, PORT));
        let nobody = (0..50).map(|n| (IpAddr::from([203, 0, 113, n]), 0, PORT));
        lan.forge(own.chain(nobody));
        until("all of them to be counted", || {
            (count(&pen, &["dropped", "forged_source"]) == 100).then_some(())
        });
        assert!(server.seen().is_empty(), "a server heard of it");
        assert_eq!(count(&pen, &["opened"]), 0);
    });
}

#[test]
fn invented_clients_take_a_bounded_number_of_flows() {
    if !can_send_frames() {
        return;
    }
    let test = "udp::forged::invented_clients_take_a_bounded_number_of_flows";
    in_own_network(test, "true", || {
        let lan = Lan::build();
        let server = lan.server();
        let pen = Pen::bare().listen(&place()).args(["-U", "-x", "64"]);
        let pen = pen.servers([server.word()]).start();
        let client = lan.client.inside(|| UdpClient::at("192.0.2.2", &place()));
        assert_eq!(client.ask(b"q"), b"q");
        for round in 0..10_u8 {
            let invented = (0..=255).map(|n| (IpAddr::from([10, 7, round, n]), 40_000, PORT));
            lan.forge(invented);
            assert_eq!(client.ask(&[round]), [round], "a client that is there");
        }
        until("all of them", || (count(&pen, &["opened"]) > 2_000).then_some(()));
        assert!(count(&pen, &["flows"]) <= 64);
        assert!(count(&pen, &["ports"]) <= 64 + 1);
        assert!(count(&pen, &["ended", "recycled"]) > 1_900);
    });
}
