//! Readers of single frames and packets.

use std::net::IpAddr;

use pen_core::frames::ethernet::{self, Frame};
use pen_core::frames::{Mac, Packet, Transport, arp, icmp, ipv4, ipv6, ndp, tcp};
use pen_core::limits;

use super::named;
use crate::draft::{self, CLIENT, Draft, OWN, TAG, TWO_TAGS, pseudo, sum, v4, v6};
use crate::segment::malformed_is_dropped;

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk::<2>()?))
}

/// The parts of a frame are the frame, byte for byte; tags are skipped and nothing else.
pub fn ethernet(data: &[u8]) {
    let is_tag = |at| matches!(word(data, at), Some(0x8100 | 0x88a8));
    let tags = (0..).take_while(|n| is_tag(12 + 4 * n)).count();
    let length = 12 + 4 * tags;
    match Frame::parse(data) {
        Ok(frame) => {
            assert!(tags <= limits::VLAN_TAGS_MAX && frame.tags.len() == 4 * tags);
            let kind = frame.kind.to_be_bytes();
            let parts = [&frame.to.0[..], &frame.from.0, frame.tags, &kind, frame.payload];
            assert_eq!(parts.concat(), data, "bytes were lost or made up");
            assert_eq!(Mac::from_number(frame.from.to_number()), frame.from);
        }
        Err(_) => {
            assert!(tags > limits::VLAN_TAGS_MAX || data.len() < length + 2, "{data:02x?}");
            malformed_is_dropped(data);
        }
    }
}

pub fn frames() -> Vec<(String, Vec<u8>)> {
    let syn = Draft::tcp(v4(2), v4(100), (40_000, 80), 2);
    let three = [&TWO_TAGS[..], &TAG].concat();
    named([
        ("plain", syn.frame()),
        ("tagged", syn.clone().tagged(&TAG).frame()),
        ("two-tags", syn.clone().tagged(&TWO_TAGS).frame()),
        ("three-tags", syn.clone().tagged(&three).frame()),
        ("ipv6", Draft::udp(v6(2), v6(100), (40_000, 53)).frame()),
        ("arp", draft::frame([0xff; 6], &[], 0x0806, &draft::arp(1, 7, 100))),
        ("spanning-tree", draft::frame([1, 0x80, 0xc2, 0, 0, 0], &[], 38, &[0x42, 0x42, 3, 0])),
        ("cut-in-the-tag", draft::frame(OWN, &[0x81, 0], 0, &[])),
    ])
}

/// What ARP says is what stands there; an answer to it reads back.
pub fn arp(data: &[u8]) {
    let Ok(arp) = arp::parse(data) else { return };
    let at = |from: usize, to: usize| data.get(from..to).unwrap_or_default();
    assert_eq!(at(0, 6), [0, 1, 8, 0, 6, 4]);
    assert_eq!(word(data, 6), Some(if arp.is_request { 1 } else { 2 }));
    assert_eq!((at(8, 14), at(14, 18)), (&arp.sender_mac.0[..], &arp.sender.octets()[..]));
    assert_eq!(at(24, 28), arp.target.octets());
    for tags in [&[][..], &TAG, &TWO_TAGS] {
        let answer = arp::reply(Mac(OWN), Mac(CLIENT), &arp, tags);
        let Ok(frame) = Frame::parse(answer.bytes()) else { panic!("unreadable answer") };
        assert_eq!((frame.to, frame.from, frame.tags), (Mac(CLIENT), Mac(OWN), tags));
        let Ok(told) = arp::parse(frame.payload) else { panic!("unreadable answer") };
        assert_eq!((told.is_request, told.sender_mac), (false, Mac(OWN)));
        assert_eq!((told.sender, told.target), (arp.target, arp.sender));
    }
}

pub fn arps() -> Vec<(String, Vec<u8>)> {
    named([
        ("question", draft::arp(1, 7, 100)),
        ("answer", draft::arp(2, 7, 100)),
        ("announcement", draft::arp(1, 7, 7)),
        ("reverse", draft::arp(3, 7, 100)),
        ("cut", draft::arp(1, 7, 100).into_iter().take(27).collect()),
    ])
}

/// A packet lies within its bytes; a quotation of it reads the same.
pub fn ipv4(data: &[u8]) {
    let beginning = ipv4::parse(data, ipv4::Whole::Beginning);
    let Ok(packet) = ipv4::parse(data, ipv4::Whole::Yes) else {
        let Ok(packet) = beginning else { return };
        assert!(data.len() < usize::from(word(data, 2).unwrap_or(0)), "refused without need");
        return assert!(data.ends_with(packet.payload));
    };
    assert_eq!(beginning, Ok(packet), "the beginning of a whole is the whole");
    let header = usize::from(data.first().map_or(0, |b| b & 15)) * 4;
    let total = usize::from(word(data, 2).unwrap_or(0));
    assert_eq!(data.get(header..total), Some(packet.payload));
    let ips = [packet.from, packet.to].map(|ip| match ip {
        IpAddr::V4(ip) => ip.octets(),
        IpAddr::V6(_) => panic!("of the other family"),
    });
    assert_eq!(data.get(12..20), Some(ips.as_flattened()));
    let place = word(data, 6).unwrap_or(0);
    match packet.fragment {
        Some(f) => assert_eq!((f.offset, f.more), ((place & 0x1fff) * 8, place & 0x2000 != 0)),
        None => assert_eq!(place & 0x3fff, 0),
    }
    ports(&packet);
}

/// Only the beginning of TCP or UDP has ports, and they are its first bytes.
fn ports(packet: &Packet<'_>) {
    for transport in [Transport::Tcp, Transport::Udp] {
        let here = packet.protocol == transport.number()
            && packet.fragment.is_none_or(|f| f.offset == 0)
            && packet.payload.len() >= 4;
        let ports = packet.ports(transport);
        assert_eq!(ports.is_some(), here, "{packet:?}");
        if let Some((from, to)) = ports {
            assert!(packet.payload.starts_with(&[from.to_be_bytes(), to.to_be_bytes()].concat()));
        }
    }
}

pub fn ipv4s() -> Vec<(String, Vec<u8>)> {
    let udp = Draft::udp(v4(2), v4(100), (40_000, 53));
    let part = |offset, more| Draft { part: Some((offset, more, 77)), ..udp.clone() }.packet();
    let options = vec![7, 11, 4, 10, 0, 0, 1, 0, 0, 0, 0, 0];
    let mut padded = udp.packet();
    padded.extend([0; 9]);
    named([
        ("tcp", Draft::tcp(v4(2), v4(100), (40_000, 80), 24).packet()),
        ("record-route", Draft { extra: Some((0, options)), ..udp.clone() }.packet()),
        ("first-part", part(0, true)),
        ("middle-part", part(1_480, true)),
        ("last-part", part(65_512, false)),
        ("padded", padded),
        ("cut", udp.packet().into_iter().take(30).collect()),
    ])
}

/// A packet lies within its bytes, behind as many extension headers as are read.
pub fn ipv6(data: &[u8]) {
    let beginning = ipv6::parse(data, ipv6::Whole::Beginning);
    let Ok(packet) = ipv6::parse(data, ipv6::Whole::Yes) else { return };
    assert_eq!(beginning, Ok(packet), "the beginning of a whole is the whole");
    let end = 40 + usize::from(word(data, 4).unwrap_or(0));
    let carried = data.get(40..end).unwrap_or_default();
    assert!(carried.ends_with(packet.payload), "bytes that are not the packet's");
    let headers = carried.len() - packet.payload.len();
    assert!(headers % 8 == 0 && headers <= limits::IPV6_HEADERS_MAX * 2_048, "{headers}");
    let is_middle = packet.fragment.is_some_and(|f| f.offset != 0);
    let is_extension = matches!(packet.protocol, 0 | 43 | 44 | 60);
    assert!(is_middle || !is_extension, "an extension header was taken for the contents");
    assert!(packet.fragment.is_none_or(|f| f.offset % 8 == 0 && headers >= 8));
    ports(&packet);
}

pub fn ipv6s() -> Vec<(String, Vec<u8>)> {
    let tcp = Draft::tcp(v6(2), v6(100), (40_000, 80), 24);
    let with =
        |first, headers: &[u8]| Draft { extra: Some((first, headers.to_vec())), ..tcp.clone() };
    let part = |offset, more| Draft { part: Some((offset, more, 0x1234_5678)), ..tcp.clone() };
    let alert = [60, 0, 5, 2, 0, 0, 1, 0, 43, 0, 1, 4, 0, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0];
    let nine = [60, 0, 1, 4, 0, 0, 0, 0].repeat(9);
    named([
        ("tcp", tcp.packet()),
        ("udp", Draft::udp(v6(2), v6(100), (40_000, 53)).packet()),
        ("hop-by-hop-destination-routing", with(0, &alert).packet()),
        ("nine-headers", with(60, &nine).packet()),
        ("header-without-end", with(60, &[6, 200, 1, 4, 0, 0, 0, 0]).packet()),
        ("first-part", part(0, true).packet()),
        ("last-part", part(1_448, false).packet()),
    ])
}

/// A header is read alike by all who look at it; what seems to accept is right and not longer.
pub fn tcp(data: &[u8]) {
    let Ok(segment) = tcp::parse(data) else { return };
    assert_eq!((word(data, 0), word(data, 2)), (Some(segment.from), Some(segment.to)));
    assert_eq!(segment.opens(), tcp::opens(data), "two readers disagree");
    let length = data.get(12).map_or(0, |b| usize::from(b >> 4) * 4);
    assert!((20..=60).contains(&length) && length <= data.len());
    if let Some(size) = segment.segment_size {
        let option = [[2, 4], size.to_be_bytes()].concat();
        let options = data.get(20..length).unwrap_or_default();
        assert!(options.windows(4).any(|w| w == option), "a size that nobody named");
    }
    let (IpAddr::V4(from), IpAddr::V4(to)) = (v4(200), v4(2)) else { return };
    let ends = tcp::Ends { own: Mac(OWN), client_mac: Mac(CLIENT), from, to };
    let answer = tcp::acceptance(&ends, &TAG, &segment, 7, 1_024);
    assert!(answer.bytes().len() <= 18 + 20 + length, "longer than what it answers");
    let packet = Frame::parse(answer.bytes()).ok();
    let packet = packet.and_then(|f| ipv4::parse(f.payload, ipv4::Whole::Yes).ok());
    let Some(packet) = packet else { panic!("unreadable answer") };
    let header = pseudo(packet.from, packet.to, 6, packet.payload.len());
    assert_eq!(sum(&[&header, packet.payload]), 0xffff);
    let Ok(told) = tcp::parse(packet.payload) else { panic!("unreadable answer") };
    assert_eq!((told.from, told.to, told.sequence), (segment.to, segment.from, 7));
    assert!(!told.opens() && told.segment_size.is_some() == segment.segment_size.is_some());
}

pub fn segments() -> Vec<(String, Vec<u8>)> {
    let of = |flags| Draft::tcp(v4(2), v4(200), (40_000, 22), flags).payload;
    let with = |options: &[u8]| {
        let mut bytes: Vec<u8> = of(2).into_iter().take(20).collect();
        let words = u8::try_from(5 + options.len() / 4).unwrap_or(15);
        bytes.iter_mut().skip(12).take(1).for_each(|b| *b = words << 4);
        [bytes, options.to_vec()].concat()
    };
    named([
        ("opens", of(2)),
        ("accepts", of(18)),
        ("data", of(24)),
        ("resets", of(4)),
        ("size-only", with(&[2, 4, 5, 180])),
        ("option-without-end", with(&[8, 40, 0, 0])),
        ("option-of-length-0", with(&[8, 0, 0, 0])),
        ("size-behind-the-end", with(&[0, 2, 4, 5])),
        ("size-behind-fillers", with(&[1, 1, 1, 1, 2, 4, 2, 24])),
    ])
}

/// Packets of either family as they are looked at for their ports.
pub fn udp(data: &[u8]) {
    let kind = match data.first().map(|b| b >> 4) {
        Some(4) => ethernet::IPV4,
        _ => ethernet::IPV6,
    };
    let Some(Ok(packet)) = Packet::parse(kind, data) else { return };
    assert_eq!((packet.from.is_ipv4(), packet.to.is_ipv4()), (kind == 0x800, kind == 0x800));
    assert!(packet.payload.len() <= data.len().saturating_sub(20));
    ports(&packet);
    assert!(Packet::parse(0x0842, data).is_none(), "other types are nobody's business");
}

pub fn datagrams() -> Vec<(String, Vec<u8>)> {
    let (four, six) =
        (Draft::udp(v4(2), v4(100), (40_000, 53)), Draft::udp(v6(2), v6(100), (5, 53)));
    let cut = |draft: &Draft, payload: &[u8]| Draft { payload: payload.to_vec(), ..draft.clone() };
    named([
        ("ipv4", four.packet()),
        ("ipv6", six.packet()),
        ("ports-cut", cut(&four, &[1, 2, 3]).packet()),
        ("ports-only", cut(&six, &[1, 2, 3, 4]).packet()),
        ("fragment", Draft { part: Some((1_480, true, 3)), ..four }.packet()),
    ])
}

/// An error quotes what lies in it, and only errors do.
pub fn icmp(data: &[u8]) {
    let kind = match data.first().map(|b| b >> 4) {
        Some(4) => ethernet::IPV4,
        _ => ethernet::IPV6,
    };
    let Some(Ok(packet)) = Packet::parse(kind, data) else { return };
    let Some(quoted) = icmp::quoted(&packet) else { return };
    assert_eq!(packet.protocol, if kind == ethernet::IPV4 { 1 } else { 58 });
    let is_error = match (kind, packet.payload.first()) {
        (ethernet::IPV4, Some(said)) => [3, 11, 12].contains(said),
        (_, Some(said)) => (1..=4).contains(said),
        (_, None) => false,
    };
    assert!(is_error, "a quotation in something that is no error: {data:02x?}");
    assert_eq!(quoted.from.is_ipv4(), packet.from.is_ipv4());
    let shortest = if kind == ethernet::IPV4 { 20 } else { 40 };
    assert!(quoted.payload.len() + 8 + shortest <= packet.payload.len());
    ports(&quoted);
}

pub fn errors() -> Vec<(String, Vec<u8>)> {
    let four = Draft::tcp(v4(100), v4(2), (80, 40_000), 16);
    let six = Draft::udp(v6(100), v6(2), (80, 40_000));
    let short = Draft { payload: four.payload.iter().take(8).copied().collect(), ..four.clone() };
    let nested = Draft::error((3, 1), &four);
    named([
        ("too-big", Draft::error((3, 4), &four).packet()),
        ("too-big-ipv6", Draft::error((2, 0), &six).packet()),
        ("time-exceeded", Draft::error((11, 0), &short).packet()),
        ("parameter-problem-ipv6", Draft::error((4, 1), &six).packet()),
        ("ping", Draft::error((8, 0), &four).packet()),
        ("error-about-an-error", Draft::error((3, 3), &nested).packet()),
        ("part-quoted", Draft::error((2, 0), &Draft { part: Some((0, true, 9)), ..six }).packet()),
    ])
}

/// Only what is summed right and came from the segment itself is believed, and the answer is, too. The
/// bytes are looked at as they are, and with the sum set right, which chance alone would not find.
pub fn ndp(data: &[u8]) {
    believe(data);
    let Ok(packet) = ipv6::parse(data, ipv6::Whole::Yes) else { return };
    let (whole, carried) = (40 + usize::from(word(data, 4).unwrap_or(0)), packet.payload.len());
    let mut mended = data.to_vec();
    let Some(message) = mended.get_mut(whole - carried..whole) else { return };
    message.iter_mut().skip(2).take(2).for_each(|b| *b = 0);
    let header = pseudo(packet.from, packet.to, 58, carried);
    let check = (!sum(&[&header, message])).to_be_bytes();
    message.iter_mut().skip(2).zip(check).for_each(|(b, c)| *b = c);
    believe(&mended);
}

fn believe(data: &[u8]) {
    let Ok(packet) = ipv6::parse(data, ipv6::Whole::Yes) else { return };
    let Some(Ok(said)) = ndp::parse(&packet, data) else { return };
    assert_eq!((data.get(7), packet.payload.get(1)), (Some(&255), Some(&0)));
    let header = pseudo(packet.from, packet.to, 58, packet.payload.len());
    assert_eq!(sum(&[&header, packet.payload]), 0xffff, "a wrong sum was believed");
    assert_eq!(packet.payload.first(), Some(&if said.is_question { 135 } else { 136 }));
    assert_eq!(packet.payload.get(8..24), Some(&said.target.octets()[..]));
    assert!(packet.fragment.is_none() && !said.target.is_multicast());
    let IpAddr::V6(asker) = packet.from else { panic!("of the other family") };
    let answer = ndp::advertisement(Mac(OWN), said.target, asker, Mac(CLIENT), &TWO_TAGS);
    let Ok(frame) = Frame::parse(answer.bytes()) else { panic!("unreadable answer") };
    let told = ipv6::parse(frame.payload, ipv6::Whole::Yes).ok();
    let told = told.and_then(|packet| ndp::parse(&packet, frame.payload)?.ok());
    let Some(told) = told else { panic!("the answer would not be believed") };
    assert_eq!((told.is_question, told.target, told.mac), (false, said.target, Some(Mac(OWN))));
}

pub fn neighbours() -> Vec<(String, Vec<u8>)> {
    let group = IpAddr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 100]);
    let nobody = IpAddr::from([0_u16; 8]);
    let mac = [1, 1, 2, 0, 0, 0, 0, 200];
    let two = [&[14, 1, 0, 0, 0, 0, 0, 0][..], &mac].concat();
    let mut wrong = Draft::neighbour(135, v6(2), group, v6(100), &mac);
    wrong.payload.iter_mut().skip(23).take(1).for_each(|b| *b ^= 1);
    named([
        ("question", Draft::neighbour(135, v6(2), group, v6(100), &mac).packet()),
        ("probe", Draft::neighbour(135, nobody, group, v6(100), &[]).packet()),
        (
            "answer",
            Draft::neighbour(136, v6(11), v6(2), v6(11), &[2, 1, 2, 0, 0, 0, 1, 0]).packet(),
        ),
        ("two-options", Draft::neighbour(135, v6(2), group, v6(100), &two).packet()),
        ("option-of-length-0", Draft::neighbour(135, v6(2), group, v6(100), &[1, 0]).packet()),
        ("about-a-group", Draft::neighbour(135, v6(2), group, group, &mac).packet()),
        ("wrong-sum", wrong.packet()),
    ])
}
