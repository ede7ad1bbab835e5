//! Access lists beside the plainest reading of them: bit by bit, entry by entry.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pen_core::acl::{AccessList, CountryCode, Entry, Verdict, Whom};
use pen_core::addr::ClientAddr;

use super::named;
use crate::Choices;

const ENTRIES_MAX: usize = 12;

/// An entry as it was meant.
enum Meant {
    V4([u8; 4], [u8; 4]),
    V6([u8; 16], u8),
    Country(CountryCode),
}

fn bits(bytes: &[u8]) -> impl Iterator<Item = bool> {
    bytes.iter().flat_map(|byte| (0..8).rev().map(move |n| byte >> n & 1 == 1))
}

fn fits(address: &[u8], network: &[u8], mask: impl Iterator<Item = bool>) -> bool {
    bits(address).zip(bits(network)).zip(mask).all(|((a, n), counts)| !counts || a == n)
}

impl Meant {
    fn matches(&self, client: IpAddr, country: Option<CountryCode>) -> bool {
        // What comes mapped is IPv4, and a network of mapped addresses is one of IPv4.
        match (self, client) {
            (Self::V4(network, mask), IpAddr::V4(ip)) => fits(&ip.octets(), network, bits(mask)),
            (Self::V6(network, prefix), IpAddr::V4(ip)) if is_mapped(network) && *prefix >= 96 => {
                let (_, network) = network.split_at(12);
                fits(&ip.octets(), network, (0..32).map(|n| n < prefix - 96))
            }
            (Self::V6(network, prefix), IpAddr::V6(ip)) => {
                let mapped = is_mapped(network) && *prefix >= 96;
                !mapped && fits(&ip.octets(), network, (0..128).map(|n| n < u16::from(*prefix)))
            }
            (Self::Country(code), _) => country == Some(*code),
            _ => false,
        }
    }
}

fn is_mapped(network: &[u8; 16]) -> bool {
    network.starts_with(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255])
}

fn array<const N: usize>(choices: &mut Choices<'_>) -> [u8; N] {
    std::array::from_fn(|_| choices.byte())
}

fn code(bits: u8) -> CountryCode {
    [b'A' + bits % 3, b'A' + bits / 3 % 3]
}

fn entry(choices: &mut Choices<'_>) -> Option<(Entry, Meant)> {
    let kind = choices.byte();
    let verdict = if kind & 1 == 0 { Verdict::Permit } else { Verdict::Deny };
    let (whom, meant) = match kind >> 1 & 3 {
        0 | 1 => {
            let (address, mask) = (array(choices), array(choices));
            let whom = Whom::v4(Ipv4Addr::from(address), Ipv4Addr::from(mask));
            (whom, Meant::V4(address, mask))
        }
        2 => {
            let (address, prefix) = (array(choices), choices.byte());
            let whom = Whom::v6(Ipv6Addr::from(address), prefix);
            assert_eq!(whom.is_some(), prefix <= 128);
            (whom?, Meant::V6(address, prefix))
        }
        _ => {
            let code = code(choices.byte());
            let text = code.map(|b| char::from(b.to_ascii_lowercase()));
            (Whom::country(&text.iter().collect::<String>())?, Meant::Country(code))
        }
    };
    Some((Entry { verdict, whom }, meant))
}

pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let wanted = usize::from(choices.byte()) % ENTRIES_MAX;
    let rows: Vec<(Entry, Meant)> = (0..wanted).filter_map(|_| entry(&mut choices)).collect();
    let list = AccessList { entries: rows.iter().map(|(entry, _)| *entry).collect() };
    assert!(list.permits(ClientAddr::Unix, |_| None), "peers of Unix sockets come in");
    for _ in 0..32 {
        let kind = choices.byte();
        let ip: IpAddr = match kind & 3 {
            0 => Ipv6Addr::from(array(&mut choices)).into(),
            1 => Ipv4Addr::from(array(&mut choices)).to_ipv6_mapped().into(),
            _ => Ipv4Addr::from(array(&mut choices)).into(),
        };
        let country = (kind & 64 != 0).then(|| code(kind >> 2));
        let mut asked = 0;
        let permitted = list.permits(ClientAddr::from_ip(ip), |_| {
            asked += 1;
            country
        });
        let first = rows.iter().find(|(_, meant)| meant.matches(ip.to_canonical(), country));
        let expected = match (first, rows.last()) {
            (Some((entry, _)), _) => entry.verdict == Verdict::Permit,
            (None, Some((last, _))) => last.verdict == Verdict::Deny,
            (None, None) => true,
        };
        assert_eq!(permitted, expected, "{ip} {country:?} {list:?}");
        assert!(asked <= 1, "a country is looked up once");
        if choices.is_empty() {
            break;
        }
    }
}

pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let v4 = |kind: u8, address: [u8; 4], mask: [u8; 4]| [&[kind][..], &address, &mask].concat();
    let mapped = [&[4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 0, 104][..]].concat();
    let clients =
        [&[2, 10, 0, 0, 1][..], &[2, 11, 0, 0, 1], &[1, 10, 9, 9, 9], &[0x46, 1, 1, 1, 1]].concat();
    let ten = v4(0, [10, 0, 0, 5], [255, 0, 0, 0]);
    let odd = v4(1, [10, 0, 0, 1], [255, 0, 0, 255]);
    let local = [&[5, 0xfe, 0x80][..], &[0; 14], &[10, 0, 0xfe, 0x80], &[1; 14]].concat();
    named([
        ("a-network", [vec![1], ten.clone(), clients.clone()].concat()),
        ("holes-in-the-mask", [vec![2], odd, ten, clients.clone()].concat()),
        ("mapped", [vec![1], mapped, clients.clone()].concat()),
        ("link-local", [vec![1], local].concat()),
        ("a-country", [vec![2], vec![7, 1, 6, 2], clients].concat()),
        ("nobody-listed", vec![0]),
    ])
}
