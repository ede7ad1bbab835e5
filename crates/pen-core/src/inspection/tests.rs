//! Facts and what is made of them.

use super::*;

fn facts() -> Facts {
    Facts {
        descriptors: 1_048_576,
        opaque: None,
        doors: Vec::new(),
        ways: Vec::new(),
        filter_sees_sockets: Some(false),
        segments: Vec::new(),
    }
}

fn transparent() -> Config {
    let mut config = Config::default();
    config.services[0].transparent = true;
    config
}

fn way_to(ip: &str, back: Back) -> Way {
    Way {
        service: "default".to_owned(),
        server: "0".to_owned(),
        ip: ip.parse().unwrap(),
        interface: Some("back".to_owned()),
        local: false,
        back,
    }
}

fn last(config: &Config, facts: &Facts) -> (Verdict, String) {
    let last = findings(config, facts).pop().unwrap();
    (last.verdict, last.to_string())
}

#[test]
fn descriptors_have_to_do_for_conn_max() {
    let mut config = Config::default();
    let few = Facts { descriptors: 1_024, ..facts() };
    assert_eq!(last(&config, &few).0, Verdict::Good);
    config.services[0].conn_max = Some(1_000);
    let (verdict, text) = last(&config, &few);
    assert_eq!(verdict, Verdict::Wrong);
    assert!(text.contains("do: ulimit -n 2"), "{text}");
    assert_eq!(last(&config, &facts()).0, Verdict::Good);
}

#[test]
fn listening_addresses() {
    use io::ErrorKind::{AddrInUse, AddrNotAvailable, OutOfMemory, PermissionDenied};
    let rows = [
        (None, false, Verdict::Good, "is free"),
        (Some(AddrInUse), true, Verdict::Caution, "in use"),
        (Some(AddrNotAvailable), false, Verdict::Wrong, "do: ip addr add 192.0.2.1 dev"),
        (Some(AddrNotAvailable), true, Verdict::Caution, "no address of this machine yet"),
        (Some(PermissionDenied), true, Verdict::Wrong, "-u USER"),
        (Some(OutOfMemory), false, Verdict::Wrong, "cannot be had"),
    ];
    for (refused, freebind, verdict, words) in rows {
        let door = Door {
            service: "web".to_owned(),
            text: "192.0.2.1:80".to_owned(),
            ip: "192.0.2.1".parse().unwrap(),
            freebind,
            refused,
        };
        let found = last(&Config::default(), &Facts { doors: vec![door], ..facts() });
        assert!(found.0 == verdict && found.1.contains(words), "{found:?}");
    }
}

#[test]
fn ways_to_servers_and_back() {
    use Back::{Elsewhere, Filtered, Here, Marked};
    let rows = [
        ("10.0.0.1", Here, Some(false), Verdict::Good, "come back to Pen"),
        ("10.0.0.1", Marked(1), Some(true), Verdict::Good, "marks them 1"),
        ("10.0.0.1", Marked(7), Some(false), Verdict::Wrong, "meta mark set 7"),
        ("10.0.0.1", Marked(7), None, Verdict::Caution, "nft list ruleset"),
        ("10.0.0.1", Filtered, None, Verdict::Wrong, "net.ipv4.conf.back.rp_filter=2"),
        ("10.0.0.1", Elsewhere, None, Verdict::Wrong, "do: ip rule add iif back lookup 100"),
        ("2001:db8::1", Elsewhere, None, Verdict::Wrong, "do: ip -6 rule add iif back lookup 100"),
    ];
    for (ip, back, filter, verdict, words) in rows {
        let ways = vec![way_to(ip, back)];
        let facts = Facts { ways, filter_sees_sockets: filter, ..facts() };
        let found = last(&transparent(), &facts);
        assert!(found.0 == verdict && found.1.contains(words), "{found:?}");
        // Whoever is not transparent needs no way back.
        assert!(last(&Config::default(), &facts).1.contains("is reached by back"));
    }
    let local = Way { local: true, ..way_to("10.0.0.1", Elsewhere) };
    assert_eq!(last(&transparent(), &Facts { ways: vec![local], ..facts() }).0, Verdict::Caution);
    let lost = Way { interface: None, ..way_to("2001:db8::1", Elsewhere) };
    let (verdict, text) = last(&Config::default(), &Facts { ways: vec![lost], ..facts() });
    assert!(
        verdict == Verdict::Wrong && text.contains("ip -6 route add 2001:db8::1 via"),
        "{text}"
    );
}

#[test]
fn the_right_is_named() {
    let opaque = Some("IP_TRANSPARENT: Operation not permitted".to_owned());
    let (verdict, text) = last(&transparent(), &Facts { opaque, ..facts() });
    assert_eq!(verdict, Verdict::Wrong);
    assert!(text.contains("CAP_NET_RAW") && text.contains("IP_TRANSPARENT"), "{text}");
}
