//! What a source may take of a service: tables of arrivals and what becomes of them.

use std::net::Ipv4Addr;

use super::*;

fn client(ip: &str) -> ClientAddr {
    ClientAddr::from_ip(ip.parse().unwrap())
}

fn limit(connections: u32, rate: u32, burst: u32) -> SourceLimit {
    SourceLimit { connections, rate, burst, ..SourceLimit::default() }
}

fn table() -> Arrivals {
    Arrivals::new([7, 9])
}

#[test]
fn a_source_has_no_more_connections_than_it_may() {
    let (mut table, limit) = (table(), limit(2, 0, 0));
    let (one, other) = (client("10.0.0.1"), client("10.0.0.2"));
    let first = table.admit(one, &limit, Moment(0)).unwrap();
    table.admit(one, &limit, Moment(0)).unwrap();
    assert_eq!(table.admit(one, &limit, Moment(0)), Err(Excess::Connections));
    assert!(table.admit(other, &limit, Moment(0)).is_ok());
    table.leave(one, first);
    assert!(table.admit(one, &limit, Moment(0)).is_ok());
    assert_eq!(table.admit(one, &limit, Moment(0)), Err(Excess::Connections));
    assert_eq!(table.turned_away(Excess::Connections), 2);
    assert_eq!(table.turned_away(Excess::Rate), 0);
}

#[test]
fn a_bucket_holds_the_burst_and_gains_the_rate() {
    let (mut table, limit) = (table(), limit(0, 10, 3));
    let one = client("10.0.0.1");
    let mut admitted =
        |at| (0..20).filter(|_| table.admit(one, &limit, Moment(at)).is_ok()).count();
    assert_eq!(admitted(0), 3);
    assert_eq!(admitted(99), 0);
    assert_eq!(admitted(100), 1);
    assert_eq!(admitted(250), 1);
    assert_eq!(admitted(300), 1);
    assert_eq!(admitted(60_000), 3);
    // A clock read a little earlier by another worker gains nothing.
    assert_eq!(admitted(59_990), 0);
}

#[test]
fn a_look_says_what_an_arrival_would_hear_and_counts_nothing() {
    for (connections, rate, burst) in [(2, 0, 0), (0, 3, 0), (4, 2, 5), (0, 0, 0)] {
        let (mut table, limit) = (table(), limit(connections, rate, burst));
        let mut refused = 0;
        for n in 0..400_u64 {
            let (one, now) = (client(&format!("10.0.0.{}", n % 3)), Moment(n * 90));
            let seen = table.look(one, &limit, now);
            assert_eq!(table.look(one, &limit, now), seen);
            let admitted = table.admit(one, &limit, now);
            assert_eq!(admitted.map(drop), seen, "{n}");
            refused += u64::from(admitted.is_err());
            if let Some(admission) = admitted.ok().filter(|_| n % 5 != 0) {
                table.leave(one, admission);
            }
        }
        assert_eq!(refused > 0, limit.is_on());
    }
}

#[test]
fn without_a_burst_it_is_the_rate() {
    let (mut table, limit) = (table(), limit(0, 5, 0));
    let one = client("10.0.0.1");
    let admitted = (0..20).filter(|_| table.admit(one, &limit, Moment(0)).is_ok()).count();
    assert_eq!(admitted, 5);
}

#[test]
fn networks_are_sources() {
    let rows = [
        ("10.0.0.1", "10.0.0.1", 32, 64),
        ("10.1.2.3", "10.1.2.0", 24, 64),
        ("10.1.2.3", "0.0.0.0", 0, 64),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::", 32, 64),
        ("2001:db8:1:2:3::4", "2001:db8:1::", 32, 48),
        ("2001:db8::1", "2001:db8::1", 32, 128),
        ("2001:db8::1", "::", 32, 0),
        // What comes from IPv4 counts as IPv4.
        ("::ffff:10.1.2.3", "10.1.0.0", 16, 64),
    ];
    for (ip, source, prefix4, prefix6) in rows {
        let limit = SourceLimit { prefix4, prefix6, ..limit(1, 0, 0) };
        assert_eq!(limit.source(client(ip)), Some(source.parse().unwrap()), "{ip}");
    }
    assert_eq!(limit(1, 0, 0).source(ClientAddr::Unix), None);
}

#[test]
fn who_is_not_counted_costs_nothing() {
    let mut table = table();
    for _ in 0..10 {
        let admission = table.admit(ClientAddr::Unix, &limit(1, 1, 1), Moment(0)).unwrap();
        table.leave(ClientAddr::Unix, admission);
        let admission = table.admit(client("10.0.0.1"), &limit(0, 0, 0), Moment(0)).unwrap();
        assert_eq!(admission, Admission::default());
    }
    assert!(table.rows.is_empty());
}

#[test]
fn with_other_prefixes_the_count_begins_anew() {
    let mut table = table();
    let one = client("2001:db8::1");
    let old = table.admit(one, &limit(1, 0, 0), Moment(0)).unwrap();
    let wider = SourceLimit { prefix6: 48, ..limit(1, 0, 0) };
    let new = table.admit(one, &wider, Moment(0)).unwrap();
    table.leave(one, old);
    assert_eq!(table.admit(one, &wider, Moment(0)), Err(Excess::Connections));
    table.leave(one, new);
    assert!(table.admit(one, &wider, Moment(0)).is_ok());
}

#[test]
fn sources_at_rest_are_forgotten_and_the_table_is_bounded() {
    let (mut table, limit) = (table(), limit(5, 1, 1));
    let source = |n: u32| ClientAddr::from_ip(IpAddr::V4(Ipv4Addr::from_bits(n)));
    let kept = table.admit(source(0), &limit, Moment(0)).unwrap();
    for n in 1..300_000_u32 {
        let admission = table.admit(source(n), &limit, Moment(u64::from(n) / 1_000)).unwrap();
        table.leave(source(n), admission);
        assert!(table.rows.len() <= limits::SOURCES_MAX);
    }
    assert!(table.rows.len() > limits::SOURCES_SWEEP_MIN);
    table.admit(source(u32::MAX), &limit, Moment(10_000)).unwrap();
    assert_eq!(table.busiest(9).len(), 2, "one that stayed and the last");
    assert_eq!(table.rows.len(), 2);
    table.leave(source(0), kept);
    assert_eq!(table.busiest(9), vec![("255.255.255.255".parse().unwrap(), 1)]);
}
