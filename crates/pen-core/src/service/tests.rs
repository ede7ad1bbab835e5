//! Publications keep loads; and the small services other tests of the crate play with.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::Live;
use crate::addr::{ClientAddr, Host, Peer};
use crate::config::{ServerConfig, ServiceConfig};
use crate::moment::Moment;
use crate::select::Visitor;
use crate::servers::ServerRef;

/// A server at 10.0.0.`n`, port 80.
pub fn server(n: u8) -> ServerConfig {
    let host = Host::Ip(IpAddr::V4(Ipv4Addr::new(10, 0, 0, n)));
    ServerConfig { host, port: 80, ..ServerConfig::default() }
}

/// A service with servers 10.0.0.0 (which is a fine address) to 10.0.0.`n` - 1.
pub fn service(n: u8) -> ServiceConfig {
    ServiceConfig { servers: (0..n).map(server).collect(), ..ServiceConfig::new("test") }
}

/// The service as traffic sees it.
pub fn live(config: &ServiceConfig) -> Live {
    Live::new(Arc::new(config.clone()))
}

/// The client at 192.0.2.`n`.
pub fn visitor(n: u8, remembered: Option<u32>) -> Visitor {
    let addr = ClientAddr::Ip(IpAddr::V4(Ipv4Addr::new(192, 0, 2, n)));
    Visitor::new(Peer { addr, port: 4000 }, remembered)
}

#[test]
fn servers_have_equal_parts_of_the_pending_connects() {
    let mut config = ServiceConfig { pending_max: 10, ..service(3) };
    assert_eq!(live(&config).pending_part, 4);
    config.servers[1] = ServerConfig::default();
    assert_eq!(live(&config).pending_part, 5, "an empty slot has no part");
    assert_eq!(live(&ServiceConfig { pending_max: 10, ..service(0) }).pending_part, 10);
    assert_eq!(live(&ServiceConfig { pending_max: 1, ..service(3) }).pending_part, 1);
}

#[test]
fn loads_outlive_settings_and_a_new_place_is_pardoned() {
    let mut config = service(3);
    config.emergency = Some(server(99));
    let first = live(&config);
    let now = Moment(1_000);
    for which in [ServerRef::Regular(0), ServerRef::Regular(1), ServerRef::Emergency] {
        let load = &first.server(which).unwrap().load;
        load.reserve(0, 0).unwrap();
        load.fail(now);
        load.sentence(now, 0);
        load.fail(now);
    }
    config.servers[0].port = 81;
    config.servers[1].max = 7;
    config.servers.push(server(3));
    let second = first.rebuilt(Arc::new(config));
    let state = |which| {
        let server = second.server(which).unwrap();
        (server.load.reserved(), server.load.blacklisted(now, 30), server.moves)
    };
    assert_eq!(state(ServerRef::Regular(0)), (1, false, 1));
    assert_eq!(state(ServerRef::Regular(1)), (1, true, 0));
    assert_eq!(state(ServerRef::Regular(2)), (0, false, 0));
    assert_eq!(state(ServerRef::Regular(3)), (0, false, 0));
    assert_eq!(state(ServerRef::Emergency), (1, true, 0));
    assert!(second.server(ServerRef::Abuse).is_none());
    assert!(second.server(ServerRef::Regular(4)).is_none());
}
