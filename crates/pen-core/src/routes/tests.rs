//! Precedence, counters that go on, and settings that do not fit together.

use super::*;
use crate::config::{Config, Protocol, ServiceConfig};
use crate::hello::Hello;
use crate::reasons::{CloseReason, HelloFault};

fn route(when: When, n: u32) -> Route {
    Route { when, to: To::Server(n) }
}

fn sni(name: &str) -> When {
    When::sni(name).unwrap()
}

fn alpn(name: &str) -> When {
    When::alpn(name).unwrap()
}

fn hello(sni: &str, alpn: &[&str]) -> Hello {
    Hello {
        sni: (!sni.is_empty()).then(|| sni.to_owned()),
        alpn: alpn.iter().map(|p| p.as_bytes().to_vec()).collect(),
        versions: Vec::new(),
    }
}

#[test]
fn the_narrowest_route_is_taken() {
    let routes = [
        route(When::Default, 0),
        route(alpn("http/1.1"), 1),
        route(alpn("h2"), 2),
        route(sni("*.Example.org"), 3),
        route(sni("*.b.example.org."), 4),
        route(sni("www.example.org"), 5),
        route(sni("*.b.b.example.org"), 6),
        route(sni("*.com"), 7),
    ];
    let table = Table::build(&routes, None);
    for (name, protocols, expected) in [
        ("www.example.org", &["h2"][..], 5),
        ("a.example.org", &["h2"], 3),
        ("x.a.example.org", &[], 3),
        ("b.example.org", &[], 3),
        ("a.b.example.org", &[], 4),
        ("c.a.b.example.org", &[], 4),
        ("a.b.b.example.org", &[], 6),
        ("example.org", &[], 0),
        ("wwwexample.org", &[], 0),
        ("example.com", &[], 7),
        ("com", &[], 0),
        ("other.net", &["h2", "http/1.1"], 1),
        ("other.net", &["h2", "h3"], 2),
        ("", &["h2"], 2),
        ("", &["h"], 0),
        ("", &[], 0),
    ] {
        let to = table.choose(Ok(&hello(name, protocols)));
        assert_eq!(to, &To::Server(expected), "{name:?} {protocols:?}");
    }
    assert_eq!(table.choose(Err(HelloFault::NotTls)), &To::Server(0));
    assert_eq!((table.not_tls(), table.unrouted()), (1, 0));
}

#[test]
fn counters_outlive_settings() {
    let routes = [route(sni("a.example"), 0), route(alpn("h2"), 1)];
    let first = Table::build(&routes, None);
    assert_eq!(first.choose(Ok(&hello("a.example", &[]))), &To::Server(0));
    assert_eq!(first.choose(Ok(&hello("b.example", &[]))), &To::Close);
    assert_eq!(first.choose(Err(HelloFault::SslV2)), &To::Close);
    first.count_end(CloseReason::HelloTimeout);
    first.count_end(CloseReason::ServiceFull);
    first.count_end(CloseReason::ClientGone);
    let moved = [route(alpn("h2"), 7), route(sni("a.example"), 9), route(When::Default, 0)];
    let second = Table::build(&moved, Some(&first));
    assert_eq!(second.choose(Ok(&hello("a.example", &[]))), &To::Server(9));
    let taken: Vec<u64> = second.rows.iter().map(Row::taken).collect();
    assert_eq!(taken, [0, 2, 0]);
    assert_eq!((second.not_tls(), second.unrouted()), (1, 2));
    assert_eq!((second.timed_out(), second.turned_away()), (1, 1));
}

#[test]
fn names_that_are_none() {
    for name in
        ["", ".", "*", "*.", "a..b", "a.*.b", "*a.b", "*.*.a", "a b", "\u{e9}.example", "-/"]
    {
        assert!(When::sni(name).is_err(), "{name:?}");
    }
    assert!(When::sni(&format!("{}a", "a.".repeat(127))).is_err());
    assert_eq!(When::sni("WWW.A.").unwrap().to_string(), "sni www.a");
    assert_eq!(When::alpn("acme-tls/1").unwrap().to_string(), "alpn acme-tls/1");
    assert!(When::alpn(&"x".repeat(256)).is_err());
    assert!(When::alpn("\u{e9}").is_err());
}

/// Services named by one letter, each with routes to the services named after the colon.
fn config(services: &[&str]) -> Config {
    let mut config = Config::default();
    config.services.clear();
    for text in services {
        let (name, targets) = text.split_once(':').unwrap();
        let mut service = ServiceConfig::new(name);
        for (n, target) in targets.split_whitespace().enumerate() {
            let to = match target.parse() {
                Ok(server) => To::Server(server),
                Err(_) => To::Service(target.to_owned()),
            };
            service.routes.push(Route { when: sni(&format!("n{n}.example")), to });
        }
        config.services.push(service);
    }
    config
}

#[test]
fn routes_must_lead_somewhere() {
    for (services, part) in [
        (&["a:b c", "b:c", "c:"][..], None),
        (&["a:b"], Some("service a: route sni n0.example service b: there is no service")),
        (&["a:0"], Some("there is no server 0: the service has none")),
        (&["a:a"], Some("in a circle: a -> a")),
        (&["a:", "b:c", "c:d", "d:b"], Some("in a circle: b -> c -> d -> b")),
        (&["a:b", "b:c", "c:d", "d:e", "e:f", "f:g", "g:h", "h:i", "i:"], None),
        (
            &["a:b", "b:c", "c:d", "d:e", "e:f", "f:g", "g:h", "h:i", "i:j", "j:"],
            Some("service a: routes lead too far: a -> b"),
        ),
        // The far end is known when the beginning is walked.
        (
            &["d:e", "e:f", "f:g", "g:h", "h:i", "i:j", "j:", "c:d", "b:c", "a:b"],
            Some("service a: routes lead too far: a"),
        ),
    ] {
        let fault = fault(&config(services));
        match part {
            None => assert_eq!(fault, None, "{services:?}"),
            Some(part) => {
                let fault = fault.unwrap_or_default();
                assert!(fault.contains(part), "{services:?}: {fault:?}");
            }
        }
    }
    let mut config = config(&["a:1"]);
    config.services[0].servers.resize(1, Default::default());
    assert!(fault(&config).unwrap().contains("there is no server 1; there are 0 to 0"));
    config.services[0].servers.resize(2, Default::default());
    assert_eq!(fault(&config), None);
    config.services[0].protocol = Protocol::Udp;
    assert!(fault(&config).unwrap().contains("the service speaks UDP"));
    let mut config = self::config(&["a:b", "b:"]);
    config.services[1].protocol = Protocol::Udp;
    assert!(fault(&config).unwrap().contains("service 'b' speaks UDP"));
}

#[test]
fn many_services_are_looked_at_once() {
    // Every service of a level leads to every one of the next: walking each way would take for ever.
    let mut config = config(&[]);
    for level in 0..ROUTE_LEVELS {
        for n in 0..20 {
            let mut service = ServiceConfig::new(&format!("s{level}-{n}"));
            for next in 0..20 {
                let to = To::Service(format!("s{}-{next}", level + 1));
                let when = sni(&format!("n{next}.example"));
                if level + 1 < ROUTE_LEVELS {
                    service.routes.push(Route { when, to });
                }
            }
            config.services.push(service);
        }
    }
    assert_eq!(fault(&config), None);
}

const ROUTE_LEVELS: usize = limits::ROUTE_HOPS_MAX + 1;
