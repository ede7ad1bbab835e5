//! Access lists as data rows, and against a reading of the rules bit by bit.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::{AccessList, CountryCode, Entry, Verdict, Whom};
use crate::addr::ClientAddr;

const PERMIT: Verdict = Verdict::Permit;
const DENY: Verdict = Verdict::Deny;

fn v4(address: &str, mask: &str) -> Whom {
    Whom::v4(address.parse().unwrap(), mask.parse().unwrap())
}

fn v6(address: &str, prefix: u8) -> Whom {
    Whom::v6(address.parse().unwrap(), prefix).unwrap()
}

fn check(entries: &[(Verdict, Whom)], client: &str, expected: bool) {
    let entries = entries.iter().map(|&(verdict, whom)| Entry { verdict, whom }).collect();
    let list = AccessList { entries };
    let client = match client {
        "unix" => ClientAddr::Unix,
        ip => ClientAddr::from_ip(ip.parse().unwrap()),
    };
    let nobody_knows = |_| None;
    assert_eq!(list.permits(client, nobody_knows), expected, "{client} against {list:?}");
}

#[test]
fn verdicts() {
    let one = "255.255.255.255";
    let country = Whom::country("se").unwrap();
    check(&[], "127.0.0.1", true);
    check(&[(DENY, v4("0.0.0.0", "0.0.0.0"))], "unix", true);
    check(&[(PERMIT, v4("127.0.0.7", one))], "127.0.0.7", true);
    check(&[(PERMIT, v4("127.0.0.7", one))], "127.0.0.8", false);
    check(&[(DENY, v4("127.0.0.7", one))], "127.0.0.7", false);
    check(&[(DENY, v4("127.0.0.7", one))], "127.0.0.8", true);
    // The first match decides, whatever follows.
    let ordered = [
        (PERMIT, v4("127.0.0.5", one)),
        (DENY, v4("127.0.0.0", "255.255.255.0")),
        (PERMIT, v4("127.0.0.6", one)),
    ];
    check(&ordered, "127.0.0.5", true);
    check(&ordered, "127.0.0.6", false);
    check(&ordered, "127.0.9.1", false);
    // Host bits are masked; masks may have holes.
    check(&[(PERMIT, v4("10.0.0.5", "255.255.255.0"))], "10.0.0.200", true);
    check(&[(PERMIT, v4("10.0.0.5", "255.255.255.0"))], "10.0.1.5", false);
    check(&[(PERMIT, v4("10.9.0.1", "255.0.0.255"))], "10.77.3.1", true);
    check(&[(PERMIT, v4("10.9.0.1", "255.0.0.255"))], "10.77.3.2", false);
    // IPv6, and what counts as "last" when families mix.
    check(&[(PERMIT, v6("::1", 128))], "::1", true);
    check(&[(PERMIT, v6("::1", 64))], "::9:0:1", true);
    check(&[(PERMIT, v6("::", 127))], "::1", true);
    check(&[(PERMIT, v6("::", 128))], "::1", false);
    check(&[(PERMIT, v6("::", 0))], "fe80::1", true);
    check(&[(PERMIT, v6("::", 0))], "10.0.0.1", false);
    check(&[(DENY, v6("fe80::", 10))], "10.0.0.1", true);
    check(&[(PERMIT, v4("0.0.0.0", "0.0.0.0"))], "::1", false);
    // Mapped addresses are IPv4, on both sides.
    check(&[(PERMIT, v4("10.0.0.1", one))], "::ffff:10.0.0.1", true);
    check(&[(PERMIT, v6("::ffff:10.0.0.0", 104))], "10.200.0.1", true);
    check(&[(PERMIT, v6("::ffff:0.0.0.0", 96))], "10.200.0.1", true);
    // Unknown countries match nothing but are the last entry where they are last.
    check(&[(PERMIT, country)], "10.0.0.1", false);
    check(&[(DENY, country)], "10.0.0.1", true);
}

#[test]
fn countries_are_asked_for_once_at_most() {
    let [se, no] = ["se", "NO"].map(|code| Whom::country(code).unwrap());
    let all = v4("0.0.0.0", "0.0.0.0");
    let here = v4("10.0.0.1", "255.255.255.255");
    type Row<'a> = (&'a [(Verdict, Whom)], Option<&'a str>, bool, u32);
    let rows: [Row<'_>; 10] = [
        (&[], Some("SE"), true, 0),
        (&[(DENY, all)], Some("SE"), false, 0),
        (&[(PERMIT, se)], Some("SE"), true, 1),
        (&[(PERMIT, se)], Some("NO"), false, 1),
        (&[(PERMIT, se)], None, false, 1),
        (&[(DENY, se)], Some("SE"), false, 1),
        (&[(DENY, se)], None, true, 1),
        (&[(PERMIT, no), (PERMIT, se)], Some("SE"), true, 1),
        (&[(DENY, here), (PERMIT, se)], Some("SE"), false, 0),
        (&[(PERMIT, no), (PERMIT, here), (DENY, all)], Some("SE"), true, 1),
    ];
    for (entries, country, expected, questions) in rows {
        let entries = entries.iter().map(|&(verdict, whom)| Entry { verdict, whom }).collect();
        let list = AccessList { entries };
        let asked = Cell::new(0);
        let lookup = |ip: IpAddr| {
            assert_eq!(ip, IpAddr::from([10, 0, 0, 1]), "mapped addresses are IPv4");
            asked.set(asked.get() + 1);
            country.and_then(super::country_code)
        };
        let client = ClientAddr::from_ip("::ffff:10.0.0.1".parse().unwrap());
        assert_eq!(list.permits(client, lookup), expected, "{list:?} {country:?}");
        assert_eq!(asked.get(), questions, "{list:?} {country:?}");
        let names = list.entries.iter().any(|e| [se, no].contains(&e.whom));
        assert_eq!(list.names_countries(), names);
    }
}

#[test]
fn printed_as_written() {
    let rows = [
        (PERMIT, v4("10.0.0.0", "255.0.0.0"), "permit 10.0.0.0 255.0.0.0"),
        (DENY, v4("10.1.2.3", "255.255.255.255"), "deny 10.1.2.3 255.255.255.255"),
        (PERMIT, v4("10.0.0.5", "255.255.255.0"), "permit 10.0.0.5 255.255.255.0"),
        (DENY, v6("::1", 64), "deny ::1/64"),
        (PERMIT, v6("fe80::2", 128), "permit fe80::2/128"),
        (PERMIT, Whom::country("SE").unwrap(), "permit country SE"),
    ];
    for (verdict, whom, expected) in rows {
        assert_eq!(Entry { verdict, whom }.to_string(), expected);
    }
}

#[test]
fn impossible_entries_are_not_made() {
    assert_eq!(Whom::v6(Ipv6Addr::LOCALHOST, 129), None);
    for code in ["", "S", "SWE", "S1", "é", "--"] {
        assert_eq!(Whom::country(code), None, "{code:?}");
    }
}

/// The bits of an address, most significant first.
fn bits(ip: IpAddr) -> Vec<bool> {
    let octets = match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    octets.iter().flat_map(|o| (0..8).rev().map(move |b| o >> b & 1 == 1)).collect()
}

fn oracle_matches(whom: Whom, client: IpAddr, country: Option<CountryCode>) -> bool {
    let (address, cared_for) = match whom {
        Whom::V4 { address, mask } => (IpAddr::V4(address), bits(IpAddr::V4(mask))),
        Whom::V6 { address, prefix } => {
            (IpAddr::V6(address), (0..128).map(|n| n < usize::from(prefix)).collect())
        }
        Whom::Country(code) => return country == Some(code),
    };
    let (address, client) = (bits(address), bits(client));
    address.len() == client.len()
        && (0..client.len()).all(|n| !cared_for[n] || address[n] == client[n])
}

fn oracle(list: &[Entry], client: IpAddr, country: Option<CountryCode>) -> bool {
    for entry in list {
        if oracle_matches(entry.whom, client, country) {
            return entry.verdict == PERMIT;
        }
    }
    list.last().is_none_or(|last| last.verdict == DENY)
}

/// Few distinct bits, so that matches happen.
fn some_v4() -> impl Strategy<Value = Ipv4Addr> {
    (0u32..4, 0u32..4).prop_map(|(high, low)| (high << 30 | low).into())
}

fn some_v6() -> impl Strategy<Value = Ipv6Addr> {
    (0u128..4, 0u128..4, 0u128..4)
        .prop_map(|(high, mid, low)| (high << 126 | mid << 63 | low).into())
}

fn some_entry() -> impl Strategy<Value = Entry> {
    let whom = prop_oneof![
        (some_v4(), some_v4()).prop_map(|(a, m)| Whom::v4(a, m)),
        (some_v4(), 0u32..33).prop_map(|(a, ones)| {
            Whom::v4(a, u32::MAX.checked_shl(32 - ones).unwrap_or(0).into())
        }),
        (some_v6(), 0u8..129).prop_map(|(a, p)| Whom::v6(a, p).unwrap()),
        Just(Whom::Country(*b"SE")),
    ];
    (prop_oneof![Just(PERMIT), Just(DENY)], whom)
        .prop_map(|(verdict, whom)| Entry { verdict, whom })
}

proptest! {
    #[test]
    fn agrees_with_the_rules_read_bit_by_bit(
        entries in prop::collection::vec(some_entry(), 0..8),
        client in prop_oneof![some_v4().prop_map(IpAddr::V4), some_v6().prop_map(IpAddr::V6)],
        country in prop_oneof![Just(None), Just(Some(*b"SE")), Just(Some(*b"NO"))],
    ) {
        let expected = oracle(&entries, client, country);
        let client = ClientAddr::from_ip(client);
        prop_assert_eq!(AccessList { entries }.permits(client, |_| country), expected);
    }
}
