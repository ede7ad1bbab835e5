//! Frames as real machines send them, built without the code that reads them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The balancer's hardware address.
pub const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// A client's, or a router's.
pub const CLIENT: [u8; 6] = [2, 0, 0, 0, 0, 200];
/// An 802.1Q tag, VLAN 5.
pub const TAG: [u8; 4] = [0x81, 0, 0, 5];
/// A provider's tag, VLAN 7, and a customer's.
pub const TWO_TAGS: [u8; 8] = [0x88, 0xa8, 0, 7, 0x81, 0, 0, 5];

/// A packet and what carries it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// VLAN tags.
    pub tags: Vec<u8>,
    /// Who sends it.
    pub from: IpAddr,
    /// Whom it is for.
    pub to: IpAddr,
    /// What the payload is.
    pub protocol: u8,
    /// Bytes before this part, whether more follow, and what the parts have in common.
    pub part: Option<(u16, bool, u32)>,
    /// IPv4 options, or IPv6 extension headers whose first is of this kind and whose last says 0xff
    /// in place of what follows.
    pub extra: Option<(u8, Vec<u8>)>,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// 10.0.0.`n`
#[must_use]
pub fn v4(n: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, n).into()
}

/// fd00::`n`
#[must_use]
pub fn v6(n: u8) -> IpAddr {
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n.into()).into()
}

/// The sum of IP, TCP, UDP and ICMP over all of `parts`, which are even but for the last: 0xffff
/// where a checksum among them is right.
#[must_use]
pub fn sum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for pair in parts.concat().chunks(2) {
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u32::from(pair.first().copied().unwrap_or(0)) << 8 | u32::from(low);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap_or(u16::MAX)
}

/// What is summed but not sent.
#[must_use]
pub fn pseudo(from: IpAddr, to: IpAddr, protocol: u8, length: usize) -> Vec<u8> {
    let mut bytes = [octets(from), octets(to)].concat();
    bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend([0, 0, 0, protocol]);
    bytes
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn short(n: usize) -> [u8; 2] {
    u16::try_from(n).unwrap_or(u16::MAX).to_be_bytes()
}

/// Writes the complement of the sum to byte `at` of `payload`.
fn seal(from: IpAddr, to: IpAddr, protocol: u8, payload: &mut [u8], at: usize) {
    let header = pseudo(from, to, protocol, payload.len());
    let check = (!sum(&[&header, payload])).to_be_bytes();
    payload.iter_mut().skip(at).zip(check).for_each(|(b, c)| *b = c);
}

impl Draft {
    /// A packet that carries `payload`.
    #[must_use]
    pub fn new(from: IpAddr, to: IpAddr, protocol: u8, payload: Vec<u8>) -> Self {
        Self { tags: Vec::new(), from, to, protocol, part: None, extra: None, payload }
    }

    /// A TCP segment with these flags, from `ports.0` to `ports.1`; what opens offers a segment size,
    /// selective acknowledgements, a time stamp and a scale, as Linux does.
    #[must_use]
    pub fn tcp(from: IpAddr, to: IpAddr, ports: (u16, u16), flags: u8) -> Self {
        let mut payload = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
        payload.extend([0x12, 0x34, 0x56, 0x78, 0, 0, 0, 0]);
        let options: &[u8] = match flags {
            2 => &[2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 1, 2, 3, 0, 0, 0, 0, 1, 3, 3, 7],
            _ => &[1, 1, 8, 10, 0, 1, 2, 3, 0, 0, 9, 9],
        };
        let [_, words] = short((20 + options.len()) / 4);
        payload.extend([words << 4, flags, 0xfa, 0xf0, 0, 0, 0, 0]);
        payload.extend(options);
        if flags & 8 != 0 {
            payload.extend(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        }
        seal(from, to, 6, &mut payload, 16);
        Self::new(from, to, 6, payload)
    }

    /// A datagram of UDP with a question for DNS.
    #[must_use]
    pub fn udp(from: IpAddr, to: IpAddr, ports: (u16, u16)) -> Self {
        let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\0\0\x01\0\x01";
        let mut payload = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
        payload.extend(short(8 + question.len()));
        payload.extend([0, 0]);
        payload.extend(question);
        seal(from, to, 17, &mut payload, 6);
        Self::new(from, to, 17, payload)
    }

    /// An error of ICMP or ICMPv6 of this kind and code, from a router, that quotes `about`.
    #[must_use]
    pub fn error(kind: (u8, u8), about: &Self) -> Self {
        let (router, protocol) = if about.from.is_ipv4() { (v4(1), 1) } else { (v6(1), 58) };
        let mut payload = vec![kind.0, kind.1, 0, 0, 0, 0, 5, 0];
        payload.extend(about.packet());
        match protocol {
            1 => {
                let check = (!sum(&[&payload])).to_be_bytes();
                payload.iter_mut().skip(2).zip(check).for_each(|(b, c)| *b = c);
            }
            _ => seal(router, about.from, 58, &mut payload, 2),
        }
        Self::new(router, about.from, protocol, payload)
    }

    /// A message of neighbour discovery about `target`.
    #[must_use]
    pub fn neighbour(kind: u8, from: IpAddr, to: IpAddr, target: IpAddr, option: &[u8]) -> Self {
        let mut payload = vec![kind, 0, 0, 0, 0, 0, 0, 0];
        payload.extend(octets(target));
        payload.extend(option);
        seal(from, to, 58, &mut payload, 2);
        Self::new(from, to, 58, payload)
    }

    /// The packet without the Ethernet header.
    #[must_use]
    pub fn packet(&self) -> Vec<u8> {
        let (from, to) = (octets(self.from), octets(self.to));
        if self.from.is_ipv4() {
            let options = self.extra.as_ref().map(|e| e.1.clone()).unwrap_or_default();
            let header = 20 + options.len();
            let [_, words] = short(header / 4);
            let (offset, more, id) = self.part.unwrap_or((0, false, 0x4711));
            let [_, _, high, low] = id.to_be_bytes();
            let place = (offset / 8) | if more { 0x2000 } else { 0 };
            let mut ip = vec![0x40 | words, 0];
            ip.extend(short(header + self.payload.len()));
            ip.extend([high, low]);
            ip.extend(place.to_be_bytes());
            ip.extend([64, self.protocol, 0, 0]);
            ip.extend([from, to, options].concat());
            let check = (!sum(&[&ip])).to_be_bytes();
            ip.iter_mut().skip(10).zip(check).for_each(|(b, c)| *b = c);
            ip.extend(&self.payload);
            return ip;
        }
        let mut rest = Vec::new();
        let mut next = self.protocol;
        if let Some((offset, more, id)) = self.part {
            rest.extend([next, 0]);
            rest.extend((offset | u16::from(more)).to_be_bytes());
            rest.extend(id.to_be_bytes());
            next = 44;
        }
        if let Some((first, headers)) = &self.extra {
            let inner = std::mem::replace(&mut next, *first);
            let said = headers.iter().map(|b| if *b == 0xff { inner } else { *b });
            rest = said.chain(rest).collect();
        }
        rest.extend(&self.payload);
        let mut ip = vec![0x60, 0, 0, 0];
        ip.extend(short(rest.len()));
        ip.extend([next, 255]);
        ip.extend([from, to].concat());
        ip.extend(rest);
        ip
    }

    /// The frame, from a client to the balancer.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        let kind = if self.from.is_ipv4() { 0x0800 } else { 0x86dd };
        frame(OWN, &self.tags, kind, &self.packet())
    }

    /// The same with VLAN tags.
    #[must_use]
    pub fn tagged(mut self, tags: &[u8]) -> Self {
        self.tags = tags.to_vec();
        self
    }
}

/// A frame of a client.
#[must_use]
pub fn frame(to: [u8; 6], tags: &[u8], kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = [to, CLIENT].concat();
    frame.extend(tags);
    frame.extend(kind.to_be_bytes());
    frame.extend(payload);
    frame
}

/// What ARP says: `operation` is 1 for a question, 2 for an answer.
#[must_use]
pub fn arp(operation: u8, sender: u8, target: u8) -> Vec<u8> {
    let mut arp = vec![0, 1, 8, 0, 6, 4, 0, operation];
    arp.extend(CLIENT);
    arp.extend(octets(v4(sender)));
    arp.extend([0; 6]);
    arp.extend(octets(v4(target)));
    // Ethernet has no shorter frames than 60 bytes.
    arp.extend([0; 18]);
    arp
}
