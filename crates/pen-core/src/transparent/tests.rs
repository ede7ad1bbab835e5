//! Addresses as tables: who meets whom, and with which address.

use std::net::Ipv4Addr;

use super::*;
use crate::addr::Listen;

fn transparent() -> ServiceConfig {
    ServiceConfig { transparent: true, ..ServiceConfig::new("web") }
}

fn client(word: &str) -> ClientAddr {
    word.parse().map_or(ClientAddr::Unix, ClientAddr::from_ip)
}

#[test]
fn the_address_is_the_clients_or_there_is_none() {
    use Departure::{AsClient, Own};
    use Obstacle::{NoAddress, OtherFamily, Server};
    let rows = [
        ("192.0.2.9", "10.0.0.1:80", Ok(AsClient("192.0.2.9".parse().unwrap()))),
        ("::ffff:192.0.2.9", "10.0.0.1:80", Ok(AsClient("192.0.2.9".parse().unwrap()))),
        ("2001:db8::9", "[2001:db8::1]:80", Ok(AsClient("2001:db8::9".parse().unwrap()))),
        ("127.0.0.1", "127.0.0.1:80", Ok(AsClient(Ipv4Addr::LOCALHOST.into()))),
        ("192.0.2.9", "[2001:db8::1]:80", Err(OtherFamily)),
        ("2001:db8::9", "10.0.0.1:80", Err(OtherFamily)),
        ("10.0.0.1", "10.0.0.1:80", Err(Server)),
        ("unix", "10.0.0.1:80", Err(NoAddress)),
    ];
    for (from, to, expected) in rows {
        let to = to.parse().unwrap();
        let mut service = transparent();
        assert_eq!(departure(&service, client(from), to), expected, "{from} {to}");
        service.transparent_fallback = true;
        let expected = expected.or(Ok(Own));
        assert_eq!(departure(&service, client(from), to), expected, "{from} {to}, fallback");
        service.transparent = false;
        assert_eq!(departure(&service, client(from), to), Ok(Own), "{from} {to}, off");
    }
}

#[test]
fn source_wins_where_it_can() {
    let source: IpAddr = "192.0.2.77".parse().unwrap();
    let service = ServiceConfig { source: Some(source), ..transparent() };
    let to = "10.0.0.1:80".parse().unwrap();
    assert_eq!(departure(&service, client("unix"), to), Ok(Departure::From(source)));
    assert_eq!(without_source(&service, client("unix"), to), Err(Obstacle::NoAddress));
    let six = client("2001:db8::9");
    let to = "[2001:db8::1]:80".parse().unwrap();
    assert!(matches!(departure(&service, six, to), Ok(Departure::AsClient(_))));
}

#[test]
fn spare_connections_contradict() {
    let mut service = transparent();
    assert_eq!(conflict(&service), None);
    service.idlers = 3;
    assert!(conflict(&service).unwrap().contains("'idlers 3'"));
    assert!(conflict(&ServiceConfig { transparent: false, ..service.clone() }).is_none());
    service.source = Some(Ipv4Addr::LOCALHOST.into());
    assert_eq!(conflict(&service), None);
}

#[test]
fn who_never_meets_is_named() {
    let server = |host: Host| ServerConfig { host, port: 80, ..ServerConfig::default() };
    let listen = |text: &str, place: Place| Listen { text: text.to_owned(), place };
    let tcp = |text: &str| listen(text, Place::Tcp(text.parse().unwrap()));
    let mut service = transparent();
    service.servers = vec![
        server(Host::Ip("10.0.0.1".parse().unwrap())),
        server(Host::Ip("2001:db8::1".parse().unwrap())),
        ServerConfig::default(),
    ];
    service.abuse = Some(server(Host::Unix("/run/abuse".into())));
    let rows: [(Vec<Listen>, &[&str]); 4] = [
        (vec![tcp("[::]:80")], &["abuse"]),
        (vec![tcp("192.0.2.1:80")], &["server 1 (2001:db8::1) is IPv6", "abuse"]),
        (vec![tcp("[2001:db8::5]:80")], &["server 0 (10.0.0.1) is IPv4", "abuse"]),
        (
            vec![tcp("[::]:80"), listen("/run/web", Place::Unix("/run/web".into()))],
            &["clients at /run/web", "abuse"],
        ),
    ];
    for (listens, expected) in rows {
        service.listen = listens;
        let said = cautions(&service);
        assert_eq!(said.len(), expected.len(), "{said:?}");
        assert!(said.iter().zip(expected).all(|(s, e)| s.contains(e)), "{said:?}");
        assert!(said.iter().all(|s| !s.contains("fallback")), "{said:?}");
    }
    service.transparent_fallback = true;
    assert!(cautions(&service)[0].contains("transparent_fallback"));
    service.source = Some(Ipv4Addr::LOCALHOST.into());
    assert!(cautions(&service).is_empty());
}
