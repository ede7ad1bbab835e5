//! What is built reads back; what is cut or contradicts itself is refused. And the frames that other
//! tests of the crate play with.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::arp::Arp;
use super::checksum::Sum;
use super::ethernet::{self, Frame};
use super::*;

/// The hardware address 02:00:00:00:00:`n`.
pub(crate) fn mac(n: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, n])
}

/// What a test frame carries.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) to: Mac,
    pub(crate) from: Mac,
    pub(crate) tags: Vec<u8>,
    pub(crate) client: IpAddr,
    pub(crate) service: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) fragment: Option<Fragment>,
    pub(crate) payload: Vec<u8>,
}

impl Draft {
    /// A TCP segment with these flags, from port 4000 with sequence number 7.
    pub(crate) fn tcp(client: IpAddr, service: IpAddr, port: u16, flags: u8) -> Self {
        let mut payload = vec![0_u8; 24];
        payload[..2].copy_from_slice(&4_000_u16.to_be_bytes());
        payload[2..4].copy_from_slice(&port.to_be_bytes());
        payload[4..8].copy_from_slice(&7_u32.to_be_bytes());
        payload[12..14].copy_from_slice(&[6 << 4, flags]);
        payload[20..].copy_from_slice(&[2, 4, 5, 180]);
        let (to, from) = (mac(1), mac(200));
        Self { to, from, tags: Vec::new(), client, service, protocol: 6, fragment: None, payload }
    }

    /// A datagram.
    pub(crate) fn udp(client: IpAddr, service: IpAddr, port: u16) -> Self {
        let mut draft = Self::tcp(client, service, port, 0);
        draft.protocol = 17;
        draft.payload[4..8].copy_from_slice(&[0, 24, 0, 0]);
        draft
    }

    /// The packet without the Ethernet header.
    pub(crate) fn packet(&self) -> Vec<u8> {
        match (self.client, self.service) {
            (IpAddr::V4(client), IpAddr::V4(service)) => self.v4(client, service),
            (IpAddr::V6(client), IpAddr::V6(service)) => self.v6(client, service),
            _ => panic!("two families"),
        }
    }

    /// The frame.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let kind = if self.client.is_ipv4() { ethernet::IPV4 } else { ethernet::IPV6 };
        let header = ethernet::header(self.to, self.from, &self.tags, kind);
        [header.bytes(), &self.packet()].concat()
    }

    fn v4(&self, client: Ipv4Addr, service: Ipv4Addr) -> Vec<u8> {
        let mut ip = vec![0x45, 0];
        ip.extend(u16::try_from(20 + self.payload.len()).unwrap().to_be_bytes());
        let place = self.fragment.map_or(0, |f| (f.offset / 8) | if f.more { 0x2000 } else { 0 });
        let id = self.fragment.map_or(0, |f| f.id);
        ip.extend(u16::try_from(id).unwrap().to_be_bytes());
        ip.extend(place.to_be_bytes());
        ip.extend([64, self.protocol, 0, 0]);
        ip.extend(client.octets());
        ip.extend(service.octets());
        let sum = Sum::default().with(&ip).finish().to_be_bytes();
        ip[10..12].copy_from_slice(&sum);
        ip.extend(&self.payload);
        ip
    }

    fn v6(&self, client: Ipv6Addr, service: Ipv6Addr) -> Vec<u8> {
        let mut rest = Vec::new();
        let mut next = self.protocol;
        if let Some(f) = self.fragment {
            rest.extend([next, 0]);
            rest.extend((f.offset | u16::from(f.more)).to_be_bytes());
            rest.extend(f.id.to_be_bytes());
            next = 44;
        }
        rest.extend(&self.payload);
        let mut ip = vec![0x60, 0, 0, 0];
        ip.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
        ip.extend([next, 255]);
        ip.extend(client.octets());
        ip.extend(service.octets());
        ip.extend(rest);
        ip
    }
}

fn v4(n: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, n).into()
}

fn v6(n: u16) -> IpAddr {
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n).into()
}

fn read(frame: &[u8]) -> Packet<'_> {
    let frame = Frame::parse(frame).unwrap();
    Packet::parse(frame.kind, frame.payload).unwrap().unwrap()
}

#[test]
fn packets_of_both_families() {
    for (client, service) in [(v4(1), v4(2)), (v6(1), v6(2))] {
        for tags in [vec![], vec![0x81, 0, 0, 5], vec![0x88, 0xa8, 0, 7, 0x81, 0, 0, 5]] {
            let draft = Draft { tags, ..Draft::tcp(client, service, 80, 2) };
            let mut frame = draft.frame();
            // What is behind the packet is padding.
            frame.extend([0; 9]);
            let packet = read(&frame);
            assert_eq!((packet.from, packet.to, packet.protocol), (client, service, 6));
            assert_eq!(packet.payload, draft.payload);
            assert_eq!(packet.ports(Transport::Tcp), Some((4_000, 80)));
            assert_eq!(packet.ports(Transport::Udp), None);
            assert!(tcp::opens(packet.payload));
        }
    }
}

#[test]
fn fragments() {
    for (client, service) in [(v4(1), v4(2)), (v6(1), v6(2))] {
        for (offset, more) in [(0, true), (1480, true), (2960, false)] {
            let fragment = Some(Fragment { id: 77, offset, more });
            let draft = Draft { fragment, ..Draft::udp(client, service, 53) };
            let frame = draft.frame();
            let packet = read(&frame);
            assert_eq!((packet.fragment, packet.protocol), (fragment, 17));
            assert_eq!(packet.ports(Transport::Udp).is_some(), offset == 0);
        }
    }
}

#[test]
fn extension_headers() {
    let mut draft = Draft::tcp(v6(1), v6(2), 80, 2);
    let tcp = draft.payload.clone();
    // Hop by hop, destination options of 16 bytes, then TCP.
    draft.protocol = 0;
    draft.payload = [&[60, 0, 0, 0, 0, 0, 0, 0], &[6, 1][..], &[0; 14], &tcp].concat();
    let frame = draft.frame();
    assert_eq!(read(&frame).ports(Transport::Tcp), Some((4_000, 80)));
    draft.payload = [0, 0, 0, 0, 0, 0, 0, 0].repeat(9);
    let frame = draft.frame();
    let parsed = Packet::parse(ethernet::IPV6, &frame[14..]).unwrap();
    assert_eq!(parsed, Err(Malformed::Headers));
}

#[test]
fn what_contradicts_itself() {
    let good = Draft::tcp(v4(1), v4(2), 80, 2).packet();
    let with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        Packet::parse(ethernet::IPV4, &bytes).unwrap().map(|_| ())
    };
    assert_eq!(with(8, 1), Ok(()));
    assert_eq!(with(0, 0x65), Err(Malformed::Field));
    assert_eq!(with(0, 0x44), Err(Malformed::Length));
    assert_eq!(with(0, 0x4f), Err(Malformed::Length));
    assert_eq!(with(2, 1), Err(Malformed::Length));
    assert_eq!(with(3, 19), Err(Malformed::Length));
    let tags = [0x81, 0, 0, 5].repeat(3);
    let frame = Draft { tags, ..Draft::tcp(v4(1), v4(2), 80, 2) };
    assert_eq!(Frame::parse(&frame.frame_with_many_tags()), Err(Malformed::Headers));
}

impl Draft {
    fn frame_with_many_tags(&self) -> Vec<u8> {
        [&self.to.0[..], &self.from.0, &self.tags, &[8, 0], &self.packet()].concat()
    }
}

#[test]
fn arp_reads_back() {
    let (own, ip) = (mac(1), Ipv4Addr::new(10, 0, 0, 9));
    let request = arp::request(own, ip);
    let frame = Frame::parse(request.bytes()).unwrap();
    assert_eq!((frame.to, frame.from, frame.kind), (Mac::BROADCAST, own, ethernet::ARP));
    let asked = arp::parse(frame.payload).unwrap();
    assert_eq!((asked.is_request, asked.target), (true, ip));
    assert!(asked.sender.is_unspecified());
    let question = Arp { sender_mac: mac(7), sender: Ipv4Addr::new(10, 0, 0, 7), ..asked };
    let reply = arp::reply(own, mac(8), &question, &[0x81, 0, 0, 5]);
    let frame = Frame::parse(reply.bytes()).unwrap();
    assert_eq!((frame.to, frame.from, frame.tags), (mac(8), own, &[0x81, 0, 0, 5][..]));
    let answer = arp::parse(frame.payload).unwrap();
    assert_eq!((answer.is_request, answer.sender, answer.sender_mac), (false, ip, own));
    assert_eq!(answer.target, question.sender);
    for cut in 0..28 {
        assert_eq!(arp::parse(&request.bytes()[14..14 + cut]), Err(Malformed::Short));
    }
}

#[test]
fn neighbour_discovery_reads_back() {
    let target = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0x12, 0x3456);
    let asked = ndp::solicitation(mac(1), target);
    let frame = Frame::parse(asked.bytes()).unwrap();
    assert_eq!(frame.to, Mac([0x33, 0x33, 0xff, 0x12, 0x34, 0x56]));
    let packet = read(asked.bytes());
    assert_eq!(packet.to.to_string(), "ff02::1:ff12:3456");
    let question = ndp::parse(&packet, frame.payload).unwrap().unwrap();
    assert_eq!(question, ndp::Neighbour { is_question: true, target, mac: None });
    for (asker, to) in [(Ipv6Addr::UNSPECIFIED, "ff02::1"), (Ipv6Addr::LOCALHOST, "::1")] {
        let told = ndp::advertisement(mac(1), target, asker, mac(3), &[]);
        let frame = Frame::parse(told.bytes()).unwrap();
        let packet = read(told.bytes());
        assert_eq!((packet.from, packet.to.to_string()), (target.into(), to.to_owned()));
        let told = ndp::parse(&packet, frame.payload).unwrap().unwrap();
        assert_eq!(told, ndp::Neighbour { is_question: false, target, mac: Some(mac(1)) });
    }
    let mut forged = asked.bytes().to_vec();
    forged[21] = 64;
    assert!(ndp::parse(&read(&forged), &forged[14..]).unwrap().is_err(), "it crossed a router");
    let mut broken = asked.bytes().to_vec();
    broken[70] ^= 1;
    assert!(ndp::parse(&read(&broken), &broken[14..]).unwrap().is_err(), "its checksum is wrong");
}

#[test]
fn quotations() {
    let flow = Draft::tcp(v4(2), v4(1), 80, 16).packet();
    for (kind, quotes) in [(0, false), (3, true), (8, false), (11, true), (12, true)] {
        let payload = [&[kind, 4, 0, 0, 0, 0, 5, 220], &flow[..28]].concat();
        let draft = Draft { protocol: 1, payload, ..Draft::tcp(v4(9), v4(2), 0, 0) };
        let frame = draft.frame();
        let packet = read(&frame);
        let ports = icmp::quoted(&packet).and_then(|q| q.ports(Transport::Tcp));
        assert_eq!(ports, quotes.then_some((4_000, 80)));
    }
    let flow = Draft::udp(v6(2), v6(1), 53).packet();
    let payload = [&[2, 0, 0, 0, 0, 0, 5, 0], &flow[..]].concat();
    let draft = Draft { protocol: 58, payload, ..Draft::tcp(v6(9), v6(2), 0, 0) };
    let frame = draft.frame();
    let packet = read(&frame);
    assert_eq!(icmp::quoted(&packet).unwrap().ports(Transport::Udp), Some((4_000, 53)));
}

#[test]
fn options_of_tcp() {
    let read = |options: &[u8]| {
        let mut bytes = Draft::tcp(v4(1), v4(2), 80, 2).payload[..20].to_vec();
        bytes[12] = u8::try_from((20 + options.len()) / 4).unwrap() << 4;
        bytes.extend(options);
        tcp::parse(&bytes).map(|s| s.segment_size)
    };
    assert_eq!(read(&[]), Ok(None));
    assert_eq!(read(&[2, 4, 5, 180]), Ok(Some(1460)));
    assert_eq!(read(&[1, 3, 3, 7, 2, 4, 5, 180]), Ok(Some(1460)));
    assert_eq!(read(&[0, 0, 0, 0, 2, 4, 5, 180]), Ok(None));
    assert_eq!(read(&[3, 0, 0, 0]), Err(Malformed::Length));
    assert_eq!(read(&[3, 9, 0, 0]), Err(Malformed::Length));
}

/// The sum over a packet that carries a right checksum is none.
pub(crate) fn assert_summed(frame: &[u8]) {
    let packet = read(frame);
    let sum = Sum::default().pseudo(packet.from, packet.to, packet.protocol, packet.payload.len());
    assert_eq!(sum.with(packet.payload).finish(), 0, "checksum of {frame:02x?}");
    if packet.from.is_ipv4() {
        let frame = Frame::parse(frame).unwrap();
        assert_eq!(Sum::default().with(&frame.payload[..20]).finish(), 0);
    }
}

#[test]
fn checksums() {
    // The example of RFC 1071.
    assert_eq!(Sum::default().with(&[0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7]).finish(), !0xddf2);
    assert_eq!(Sum::default().with(&[1, 2, 3]).finish(), !(0x0102 + 0x0300));
    let target = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0x12, 0x3456);
    assert_summed(ndp::solicitation(mac(1), target).bytes());
    assert_summed(ndp::announcement(mac(1), target).bytes());
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        for kind in [ethernet::IPV4, ethernet::IPV6] {
            if let Some(Ok(packet)) = Packet::parse(kind, &bytes) {
                let _ = icmp::quoted(&packet);
                let _ = ndp::parse(&packet, &bytes);
                let _ = tcp::parse(packet.payload);
            }
        }
        let _ = (Frame::parse(&bytes), arp::parse(&bytes));
    }
}
