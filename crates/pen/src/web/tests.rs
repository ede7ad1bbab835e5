//! Who may read and who may steer.

use std::net::IpAddr;

use pen_core::acl::{AccessList, Entry, Verdict, Whom};

use super::*;

fn only(ip: &str) -> AccessList {
    let IpAddr::V4(ip) = ip.parse().unwrap() else { panic!("{ip}") };
    let whom = Whom::v4(ip, [255; 4].into());
    AccessList { entries: vec![Entry { verdict: Verdict::Permit, whom }] }
}

fn at(ip: &str) -> Who {
    Who::Ip(ip.parse().unwrap())
}

#[test]
fn an_empty_list_lets_in_loopback_only() {
    let rules = Rules::default();
    for (ip, expected) in
        [("127.0.0.1", true), ("127.9.9.9", true), ("::1", true), ("192.0.2.1", false)]
    {
        assert_eq!(rules.may_read(at(ip)), expected, "{ip}");
    }
    assert!(rules.may_read(Who::User(0)));
    assert!(rules.may_read(Who::User(rustix::process::geteuid().as_raw())));
    assert!(!rules.may_read(Who::User(u32::MAX - 1)));
}

#[test]
fn steering_is_off_and_has_a_list_of_its_own() {
    let lists = |steering| Rules {
        readers: only("192.0.2.1"),
        steerers: only("192.0.2.2"),
        steering,
        countries: None,
    };
    let (off, on) = (lists(false), lists(true));
    assert!(on.may_read(at("192.0.2.1")) && !on.may_read(at("192.0.2.2")));
    assert!(on.may_steer(at("192.0.2.2")) && !on.may_steer(at("192.0.2.1")));
    assert!(!off.may_steer(at("192.0.2.2")));
}
