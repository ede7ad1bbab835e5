//! Circles and what only looks like one.

use super::*;
use crate::addr::Listen;
use crate::routes::{Route, To, When};

const MACHINE: &str = "192.0.2.1";

/// Services from lines like `u a 0.0.0.0:53 -> 127.0.0.1:53, 10.0.0.1:53`.
fn config(lines: &[&str]) -> Config {
    let mut config = Config { services: Vec::new(), ..Config::default() };
    for line in lines {
        let (head, servers) = line.split_once(" -> ").unwrap();
        let mut words = head.split(' ');
        let protocol = if words.next() == Some("u") { Protocol::Udp } else { Protocol::Tcp };
        let mut service = ServiceConfig::new(words.next().unwrap());
        service.protocol = protocol;
        service.listen = words
            .map(|text| {
                let place = text.parse().map_or_else(|_| Place::Unix(text.into()), Place::Tcp);
                Listen { text: text.to_owned(), place }
            })
            .collect();
        service.servers = servers.split(", ").map(server).collect();
        config.services.push(service);
    }
    config
}

fn server(text: &str) -> ServerConfig {
    let (host, port) = match text.parse::<SocketAddr>() {
        Ok(at) => (Host::Ip(at.ip()), at.port()),
        Err(_) => (Host::Unix(text.into()), 0),
    };
    ServerConfig { host, port, ..ServerConfig::default() }
}

fn found(config: &Config) -> Option<String> {
    fault(config, |ip| ip.to_string() == MACHINE)
}

#[test]
fn circles_are_told_from_what_only_looks_like_one() {
    let own = "what goes there comes back";
    let round = "this is a circle";
    for (lines, says) in [
        (&["u a 127.0.0.1:53 -> 10.0.0.1:53, 127.0.0.1:53"][..], Some(own)),
        (&["t a 127.0.0.1:53 -> 127.0.0.1:53"], Some(own)),
        (&["u a 127.0.0.1:53 -> 127.0.0.1:54"], None),
        (&["u a 127.0.0.1:53 -> 127.0.0.2:53"], None),
        (&["u a 0.0.0.0:53 -> 127.0.0.2:53"], Some(own)),
        (&["u a 0.0.0.0:53 -> 192.0.2.1:53"], Some(own)),
        (&["u a 0.0.0.0:53 -> 192.0.2.2:53"], None),
        (&["u a 0.0.0.0:53 -> 0.0.0.0:53"], Some(own)),
        (&["u a 0.0.0.0:53 -> [::1]:53"], None),
        (&["u a [::]:53 -> 192.0.2.1:53"], Some(own)),
        (&["u a [::1]:53 -> [::]:53"], Some(own)),
        (&["u a 127.0.0.1:53 -> [::ffff:127.0.0.1]:53"], Some(own)),
        (&["t a /a -> /b", "t b /b -> /a"], Some(round)),
        (&["t a /a -> /b", "t b /b -> /c"], None),
        (&["u a 127.0.0.1:1 -> 127.0.0.1:2", "u b 127.0.0.1:2 -> 127.0.0.1:1"], Some(round)),
        // One way, or two beside each other, is no circle.
        (&["u a 127.0.0.1:1 -> 127.0.0.1:2", "u b 127.0.0.1:2 -> 127.0.0.1:3"], None),
        (&["u a 127.0.0.1:1 -> 127.0.0.1:2", "t b 127.0.0.1:2 -> 127.0.0.1:1"], None),
        (
            &[
                "u a 127.0.0.1:1 -> 127.0.0.1:2, 127.0.0.1:3",
                "u b 127.0.0.1:2 -> 127.0.0.1:3",
                "u c 127.0.0.1:3 -> 10.0.0.1:1",
            ],
            None,
        ),
        (
            &[
                "u x 127.0.0.1:9 -> 127.0.0.1:1",
                "u a 127.0.0.1:1 -> 127.0.0.1:2",
                "u b 127.0.0.1:2 -> 10.0.0.1:1, 127.0.0.1:3",
                "u c 127.0.0.1:3 -> 127.0.0.1:1",
            ],
            Some(round),
        ),
        // The listener at the very address gets it, and IPv4's before the one for both.
        (&["u a 0.0.0.0:1 -> 127.0.0.1:1", "u b 127.0.0.1:1 -> 10.0.0.1:1"], None),
        (&["u a [::]:1 -> 127.0.0.1:1", "u b 0.0.0.0:1 -> 10.0.0.1:1"], None),
    ] {
        match (found(&config(lines)), says) {
            (None, None) => {}
            (Some(why), Some(says)) => assert!(why.contains(says), "{lines:?}: {why}"),
            (why, _) => panic!("{lines:?}: {why:?}"),
        }
    }
}

#[test]
fn the_sentence_names_each_step() {
    let lines = [
        "u x :9 -> 127.0.0.1:1",
        "u a 127.0.0.1:1 -> 127.0.0.1:2",
        "u b 127.0.0.1:2 -> 127.0.0.1:1",
    ];
    assert_eq!(
        found(&config(&lines)).unwrap(),
        "service a: server 127.0.0.1:2 is service b's listening address 127.0.0.1:2; \
         service b: server 127.0.0.1:1 is service a's listening address 127.0.0.1:1: this is a circle"
    );
}

#[test]
fn emergency_and_abuse_servers_and_routes_lead_on_as_well() {
    let plain = config(&["t a 127.0.0.1:1 -> 10.0.0.1:1", "t b 127.0.0.1:2 -> 127.0.0.1:1"]);
    assert_eq!(found(&plain), None);
    let mut with = plain.clone();
    with.services[0].emergency = Some(server("127.0.0.1:2"));
    assert!(found(&with).is_some());
    let mut with = plain.clone();
    with.services[0].abuse = Some(server("127.0.0.1:1"));
    assert!(found(&with).is_some());
    let mut with = plain.clone();
    with.services[0].routes = vec![Route { when: When::Default, to: To::Service("b".to_owned()) }];
    assert!(found(&with).unwrap().contains("a route leads to service b"));
    with.services[1].dummy = true;
    assert_eq!(found(&with), None, "it answers itself");
    let mut with = plain;
    with.services[1].servers = vec![server("127.0.0.1:2")];
    with.services[1].dsr.interface = Some("eth0".to_owned());
    assert_eq!(found(&with), None, "nothing listens there");
}

#[test]
fn many_services_in_a_row_are_looked_at_once_each() {
    let line = |n: u16| format!("u s{n} 127.0.0.1:{n} -> 127.0.0.1:{}", n + 1);
    let lines: Vec<String> = (1..20_000).map(line).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let mut config = config(&lines);
    assert_eq!(found(&config), None);
    config.services.last_mut().unwrap().servers.push(server("127.0.0.1:1"));
    assert!(found(&config).is_some());
}
