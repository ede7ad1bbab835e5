//! Writes databases of countries in the MMDB format, for tests: a search tree over IPv6 with IPv4
//! at `::/96` and records of 24 bits, the data, the metadata.
//!
//! From the format's public specification. Deliberately small: text is short, and there are no
//! pointers within the data.

use std::net::IpAddr;

/// What a database says of a network: where it is, and where it is registered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// `country.iso_code`
    pub country: Option<&'a str>,
    /// `registered_country.iso_code`
    pub registered: Option<&'a str>,
}

/// Located and registered in the same country.
#[must_use]
pub fn is_in(country: &str) -> Facts<'_> {
    Facts { country: Some(country), registered: Some(country) }
}

/// A database of `networks`, written `127.0.1.0/24`. Later ones go over earlier ones.
#[must_use]
pub fn database(networks: &[(&str, Facts<'_>)]) -> Vec<u8> {
    let mut tree = Tree(vec![[Record::Empty; 2]]);
    let mut data = Vec::new();
    for (network, facts) in networks {
        let (bits, length) = prefix(network);
        tree.insert(bits, length, data.len());
        record(&mut data, *facts);
    }
    let mut file = tree.bytes();
    file.extend([0; 16]);
    file.extend(data);
    metadata(&mut file, tree.0.len());
    file
}

fn prefix(network: &str) -> (u128, u32) {
    let (address, length) = network.split_once('/').expect("ADDRESS/LENGTH");
    let length: u32 = length.parse().expect("a length");
    match address.parse().expect("an address") {
        IpAddr::V4(ip) => (u128::from(u32::from(ip)), 96 + length),
        IpAddr::V6(ip) => (u128::from(ip), length),
    }
}

#[derive(Clone, Copy)]
enum Record {
    Empty,
    Node(usize),
    Data(usize),
}

struct Tree(Vec<[Record; 2]>);

impl Tree {
    fn insert(&mut self, bits: u128, length: u32, data: usize) {
        let mut node = 0;
        for depth in 0..length {
            let side = usize::from(bits >> (127 - depth) & 1 == 1);
            if depth + 1 == length {
                self.0[node][side] = Record::Data(data);
            } else if let Record::Node(next) = self.0[node][side] {
                node = next;
            } else {
                // What was said of the whole is true of both halves.
                let halves = [self.0[node][side]; 2];
                self.0[node][side] = Record::Node(self.0.len());
                node = self.0.len();
                self.0.push(halves);
            }
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let count = self.0.len();
        let number = |record: &Record| match record {
            Record::Empty => count,
            Record::Node(n) => *n,
            Record::Data(offset) => count + 16 + offset,
        };
        let short = |record| u32::try_from(number(record)).expect("24 bits").to_be_bytes();
        self.0.iter().flatten().flat_map(|record| short(record)[1..].to_vec()).collect()
    }
}

fn record(out: &mut Vec<u8>, facts: Facts<'_>) {
    let known = [("country", facts.country), ("registered_country", facts.registered)];
    let known: Vec<_> = known.iter().filter_map(|(key, code)| Some((key, (*code)?))).collect();
    map(out, known.len());
    for (key, code) in known {
        text(out, key);
        map(out, 1);
        text(out, "iso_code");
        text(out, code);
    }
}

fn metadata(out: &mut Vec<u8>, nodes: usize) {
    out.extend(b"\xab\xcd\xefMaxMind.com");
    map(out, 9);
    for (key, kind, value) in [
        ("binary_format_major_version", UINT16, 2),
        ("binary_format_minor_version", UINT16, 0),
        ("build_epoch", UINT64, 1_700_000_000),
        ("ip_version", UINT16, 6),
        ("node_count", UINT32, u64::try_from(nodes).expect("few nodes")),
        ("record_size", UINT16, 24),
    ] {
        text(out, key);
        let bytes = value.to_be_bytes();
        let bytes = &bytes[bytes.iter().take_while(|b| **b == 0).count()..];
        control(out, kind, bytes.len());
        out.extend(bytes);
    }
    text(out, "database_type");
    text(out, "Test-Country");
    text(out, "languages");
    control(out, ARRAY, 0);
    text(out, "description");
    map(out, 0);
}

const TEXT: u8 = 2;
const UINT16: u8 = 5;
const UINT32: u8 = 6;
const MAP: u8 = 7;
const UINT64: u8 = 9;
const ARRAY: u8 = 11;

fn text(out: &mut Vec<u8>, text: &str) {
    control(out, TEXT, text.len());
    out.extend(text.bytes());
}

fn map(out: &mut Vec<u8>, pairs: usize) {
    control(out, MAP, pairs);
}

/// Type and size of what follows; types above 7 need a second byte.
fn control(out: &mut Vec<u8>, kind: u8, size: usize) {
    assert!(size < 29, "longer sizes are written differently");
    let size = u8::try_from(size).expect("below 29");
    match kind {
        0..=7 => out.push(kind << 5 | size),
        _ => out.extend([size, kind - 7]),
    }
}
