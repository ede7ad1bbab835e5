//! Listeners: what is kept, what is refused, what both families share.

use std::net::TcpStream;

use pen_core::addr::{Host, Listen};
use pen_core::config::ServerConfig;
use pen_test::free_port;

use super::*;

fn config(addresses: &[&str]) -> Config {
    let mut config = Config::default();
    config.services[0].listen = addresses.iter().map(|a| listen(a)).collect();
    config
}

fn listen(address: &str) -> Listen {
    let place = match address.parse() {
        Ok(tcp) => Place::Tcp(tcp),
        Err(_) => Place::Unix(address.into()),
    };
    Listen { text: address.to_owned(), place }
}

fn ids(gates: &Gates) -> Vec<u64> {
    gates.values().flatten().flat_map(|g| &g.doors).map(|d| d.id).collect()
}

#[test]
fn unchanged_addresses_keep_their_sockets() {
    let (a, b) = (format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{}", free_port()));
    let mut keeper = Keeper::new(2);
    let first = keeper.plan(&Gates::new(), &config(&[&a])).unwrap();
    assert_eq!(ids(&first), [1, 2]);
    assert_eq!(descriptors(&first), 2);
    let second = keeper.plan(&first, &config(&[&b, &a])).unwrap();
    assert_eq!(ids(&second), [3, 4, 1, 2]);
    keeper.let_go(&first, &second);
    assert!(keeper.leaving.is_empty());
    let third = keeper.plan(&second, &config(&[&b])).unwrap();
    keeper.let_go(&second, &third);
    assert_eq!(keeper.leaving.len(), 2);
    drop((first, second));
    keeper.wait_until_closed();
    assert!(keeper.leaving.is_empty());
    assert!(TcpStream::connect(&a).is_err());
    assert!(TcpStream::connect(&b).is_ok());
}

#[test]
fn an_address_in_use_is_an_error_and_ours_is_not() {
    let port = free_port();
    let (one, all) = (format!("127.0.0.1:{port}"), format!("0.0.0.0:{port}"));
    let mut keeper = Keeper::new(2);
    let gates = keeper.plan(&Gates::new(), &config(&[&one])).unwrap();
    for address in [&one, &all] {
        let mut stranger = Keeper::new(2);
        let error = stranger.plan(&Gates::new(), &config(&[address])).unwrap_err();
        assert!(error.contains(address) && error.to_lowercase().contains("in use"), "{error}");
    }
    let both = keeper.plan(&gates, &config(&[&one, &all])).unwrap();
    assert_eq!(both.values().flatten().count(), 2);
    let error = keeper.plan(&gates, &config(&[&one, &one])).unwrap_err();
    assert!(error.contains("twice"), "{error}");
}

#[test]
fn whoever_comes_first_inherits_the_options_too() {
    let mut config = config(&[&format!("127.0.0.1:{}", free_port())]);
    config.services[0].sockets.user_timeout_s = 4;
    let gates = Keeper::new(2).plan(&Gates::new(), &config).unwrap();
    // Clients can come from here on.
    for door in gates.values().flatten().flat_map(|g| &g.doors) {
        assert_eq!(rustix::net::sockopt::tcp_user_timeout(&door.socket), Ok(4_000));
    }
}

#[test]
fn leaving_and_coming_back_is_no_conflict() {
    let address = format!("127.0.0.1:{}", free_port());
    let mut keeper = Keeper::new(1);
    let gates = keeper.plan(&Gates::new(), &config(&[&address])).unwrap();
    keeper.let_go(&gates, &Gates::new());
    // A worker still holds the old socket.
    let again = keeper.plan(&Gates::new(), &config(&[&address])).unwrap();
    assert_ne!(ids(&gates), ids(&again));
}

#[test]
fn a_service_can_take_over_an_address() {
    let dir = std::env::temp_dir().join(format!("pen-listeners-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("s").to_str().unwrap().to_owned();
    let tcp = format!("127.0.0.1:{}", free_port());
    let mut keeper = Keeper::new(2);
    let before = config(&[&path, &tcp]);
    let gates = keeper.plan(&Gates::new(), &before).unwrap();
    assert_eq!(descriptors(&gates), 3);
    let mut after = before.clone();
    let moved = std::mem::take(&mut after.services[0].listen);
    after.services.push(ServiceConfig { listen: moved, ..ServiceConfig::new("other") });
    // Whoever waits in the queue is not lost on the way.
    let _waiting = TcpStream::connect(&tcp).unwrap();
    let old = ids(&gates);
    let gates = keeper.plan(&gates, &after).unwrap();
    assert!(ids(&gates).iter().all(|id| !old.contains(id)));
    let doors = gates.values().flatten().flat_map(|g| &g.doors);
    let taken = doors.map(|d| sockets::accept(&*d.socket));
    assert_eq!(taken.filter(|a| matches!(a, sockets::Accepted::Client(..))).count(), 1);
    assert_eq!(gates.get("other").map(Vec::len), Some(2));
    assert!(std::os::unix::net::UnixStream::connect(&path).is_ok());
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn what_was_handed_over_and_is_not_wanted_is_in_nobodys_way() {
    use pen_sys::activation::recognise;
    let port = free_port();
    let words = [
        format!("127.0.0.1:{port}"),
        format!("0.0.0.0:{port}"),
        format!("[::1]:{port}"),
        format!("[::]:{port}"),
    ];
    let lists: [&[usize]; 8] = [&[0], &[1], &[2], &[3], &[1, 3], &[0, 2], &[3, 0], &[0, 1, 2, 3]];
    let all = lists.map(|list| list.iter().map(|n| words[*n].as_str()).collect::<Vec<_>>());
    for before in &all {
        for after in &all {
            let old = Keeper::new(2).plan(&Gates::new(), &config(before)).unwrap();
            let copies = stock::of(&old).into_iter().map(|k| k.socket.try_clone().unwrap());
            let pool =
                handed::Pool::new(copies.filter_map(recognise).collect(), Default::default());
            let mut keeper = Keeper::with(2, pool);
            let new = keeper.plan(&Gates::new(), &config(after)).unwrap();
            // What is the same is the same socket, and the rest is let go.
            let unwanted = keeper.close_unwanted().names.len();
            if before == after {
                assert_eq!(unwanted, 0, "{before:?}");
            }
            drop(old);
            for gate in new.values().flatten() {
                let Place::Tcp(mut address) = gate.place else { panic!("no address") };
                if address.ip().is_unspecified() {
                    let ip: IpAddr = if address.is_ipv4() {
                        [127, 0, 0, 1].into()
                    } else {
                        [0, 0, 0, 0, 0, 0, 0, 1].into()
                    };
                    address.set_ip(ip);
                }
                assert!(TcpStream::connect(address).is_ok(), "{before:?} {after:?} {address}");
            }
            // [::] alone takes IPv4 clients, whatever was there.
            if after.as_slice() == [words[3].as_str()] {
                assert!(TcpStream::connect(("127.0.0.1", port)).is_ok(), "{before:?}");
            }
        }
    }
}

#[test]
fn all_ipv6_addresses_leave_ipv4_to_its_own_listener() {
    let port = free_port();
    let (v4, v6) = (format!("0.0.0.0:{port}"), format!("[::]:{port}"));
    let both = config(&[&v4, &v6]);
    let alone = config(&[&v6]);
    let place = &alone.services[0].listen[0].place;
    assert!(leaves_ipv4(Protocol::Tcp, place, &ports_for_ipv4(&both)));
    assert!(!leaves_ipv4(Protocol::Tcp, place, &ports_for_ipv4(&alone)));
    assert!(!leaves_ipv4(Protocol::Tcp, &both.services[0].listen[0].place, &ports_for_ipv4(&both)));
    let other_port = config(&["0.0.0.0:1", &v6]);
    assert!(!leaves_ipv4(Protocol::Tcp, place, &ports_for_ipv4(&other_port)));
    let mut keeper = Keeper::new(1);
    assert_eq!(keeper.plan(&Gates::new(), &both).unwrap().values().flatten().count(), 2);
}

#[test]
fn tcp_and_udp_do_not_get_in_each_others_way() {
    let port = free_port();
    let (one, all) = (format!("127.0.0.1:{port}"), format!("0.0.0.0:{port}"));
    let mut both = config(&[&one]);
    let udp = |name: &str, listens: &[&str]| ServiceConfig {
        protocol: Protocol::Udp,
        listen: listens.iter().map(|l| listen(l)).collect(),
        ..ServiceConfig::new(name)
    };
    both.services.push(udp("u", &[&one]));
    let mut keeper = Keeper::new(2);
    let gates = keeper.plan(&Gates::new(), &both).unwrap();
    let datagram = |g: &Gates, name: &str| g.get(name).map(|g| g[0].doors[1].datagram);
    assert_eq!((datagram(&gates, "default"), datagram(&gates, "u")), (Some(false), Some(true)));
    for address in [&one, &all] {
        let mut alone = Config::default();
        alone.services.push(udp("u", &[address]));
        let error = Keeper::new(1).plan(&Gates::new(), &alone).unwrap_err();
        assert!(error.contains(address) && error.to_lowercase().contains("in use"), "{error}");
    }
    both.services.push(udp("v", &[&one]));
    let error = keeper.plan(&gates, &both).unwrap_err();
    assert!(error.contains("twice, by services u and v"), "{error}");
    // A service that changes its protocol gets other sockets.
    both.services.truncate(1);
    both.services[0].protocol = Protocol::Udp;
    let changed = keeper.plan(&gates, &both).unwrap();
    assert_eq!(datagram(&changed, "default"), Some(true));
}

#[test]
fn udp_over_unix_sockets_is_refused_with_the_path() {
    let mut config = config(&["/run/x"]);
    config.services[0].protocol = Protocol::Udp;
    let why = impossible(&config).unwrap();
    assert!(why.contains("/run/x") && why.contains("service default"), "{why}");
    config.services[0].listen.clear();
    assert_eq!(impossible(&config), None);
    let host = Host::Unix("/run/y".into());
    config.services[0].emergency = Some(ServerConfig { host, ..ServerConfig::default() });
    let why = impossible(&config).unwrap();
    assert!(why.contains("/run/y") && why.contains("service default"), "{why}");
}
