//! Making configurations true: wholly, or not at all.

use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;
use std::time::Duration;

use pen_core::addr::{Host, Listen, Place};
use pen_core::config::ServerConfig;
use pen_core::limits;

use super::swap::places;
use super::*;
use crate::names::KnownNames;
use pen_test::free_port;

struct Stage {
    running: Running,
    thread: Option<JoinHandle<()>>,
    names: KnownNames,
}

impl Stage {
    fn new(config: Config, descriptors: u64) -> (Self, Changes) {
        let (logs, thread) = Logs::start(false, 0).unwrap();
        let names = KnownNames::new(Arc::default());
        let pool = Arc::new(Pool::new(2).unwrap());
        let gates = open(&config, 2, Handed::default()).unwrap();
        let (running, changes) =
            Running::start(config, gates, pool, logs, descriptors, Arc::default(), &names).unwrap();
        (Self { running, thread: Some(thread), names }, changes)
    }

    fn publish(&mut self, config: Config) -> Result<Changes, String> {
        self.running.publish(config, &self.names)
    }

    /// What a worker was told, in short.
    fn told(&self, worker: usize) -> Vec<String> {
        let short = |order: Order| match order {
            Order::Serve { service, doors } => {
                format!("serve {} at {}", service.name, doors.len())
            }
            Order::Refresh { service } => format!("refresh {service}"),
            Order::Retire { service } => format!("retire {service}"),
            other => format!("{other:?}"),
        };
        self.running.pool.mailboxes[worker].collect().into_iter().map(short).collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.running.logs.flush_and_stop(Duration::from_secs(5));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn listening() -> Config {
    let mut config = Config::default();
    config.services[0].listen = vec![somewhere()];
    config
}

fn somewhere() -> Listen {
    let address: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    Listen { text: address.to_string(), place: Place::Tcp(address) }
}

fn server(port: u16) -> ServerConfig {
    ServerConfig { host: Host::Ip([127, 0, 0, 1].into()), port, ..ServerConfig::default() }
}

#[test]
fn workers_hear_of_what_changed_and_of_nothing_else() {
    let (mut stage, changes) = Stage::new(listening(), 1_000);
    assert_eq!(changes.news.len(), 1, "{changes:?}");
    assert_eq!(stage.told(0), ["serve default at 1"]);
    assert_eq!(stage.told(1), ["serve default at 1"]);
    let same = stage.running.config.clone();
    assert_eq!(stage.publish(same), Ok(Changes::default()));
    assert!(stage.told(0).is_empty());

    let mut config = stage.running.config.clone();
    config.services[0].servers.push(server(80));
    stage.publish(config.clone()).unwrap();
    assert_eq!(stage.told(0), ["refresh 1"]);
    assert_eq!(stage.running.services[0].live.load().servers.len(), 1);

    let other = ServiceConfig { listen: vec![somewhere()], ..ServiceConfig::new("other") };
    config.services.push(other);
    stage.publish(config.clone()).unwrap();
    assert_eq!(stage.told(1), ["refresh 1", "serve other at 1"]);

    config.services.pop();
    stage.publish(config).unwrap();
    assert_eq!(stage.told(0), ["serve other at 1", "retire 2"]);
    assert_eq!(stage.told(1), ["retire 2"]);
    assert!(stage.running.service("other").is_none());
}

#[test]
fn a_shortage_is_said_once() {
    let mut config = listening();
    config.services[0].conn_max = Some(1_000);
    let (mut stage, changes) = Stage::new(config.clone(), 500);
    assert_eq!(changes.warnings.len(), 1, "{changes:?}");
    config.services[0].blacklist_s = 3;
    assert!(stage.publish(config.clone()).unwrap().warnings.is_empty());
    config.services[0].conn_max = Some(1_001);
    assert_eq!(stage.publish(config).unwrap().warnings.len(), 1);
}

#[test]
fn a_failure_leaves_everything_as_it_was() {
    let (mut stage, _) = Stage::new(listening(), 1_000);
    let _ = stage.told(0);
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let before = stage.running.config.clone();
    let taken = busy.local_addr().unwrap();
    let attempts: [fn(&mut ServiceConfig, Listen); 2] = [
        |service, listen| service.listen = vec![listen],
        |service, _| service.log = Some("/no/such/dir/log".to_owned()),
    ];
    for change in attempts {
        let mut config = before.clone();
        config.services[0].blacklist_s = 77;
        let listen = Listen { text: taken.to_string(), place: Place::Tcp(taken) };
        change(&mut config.services[0], listen);
        assert!(stage.publish(config).is_err());
        assert_eq!(stage.running.config, before);
        assert!(stage.told(0).is_empty());
        assert_ne!(stage.running.services[0].live.load().config.blacklist_s, 77);
    }
}

#[test]
fn loads_survive_and_tables_only_grow() {
    let mut config = listening();
    config.services[0].servers.push(server(80));
    config.services[0].conn_max = Some(10);
    let (mut stage, _) = Stage::new(config.clone(), 1_000);
    let service = Arc::clone(&stage.running.services[0]);
    service.live.load().servers[0].load.count_bytes(5, 6);
    for (wanted, expected) in [(20, 20), (5, 20)] {
        config.services[0].conn_max = Some(wanted);
        config.services[0].clients_max = wanted * 1_000;
        stage.publish(config.clone()).unwrap();
        let tables = service.tables();
        assert_eq!((tables.slots.max(), tables.clients.max()), (expected, expected * 1_000));
    }
    assert_eq!(service.live.load().servers[0].load.sent(), 5);
}

#[test]
fn connections_are_as_many_as_descriptors_allow() {
    let rows = [
        (None, 1_000, 468, false),
        (Some(468), 1_000, 468, false),
        (Some(469), 1_000, 468, true),
        (None, 10, 1, false),
        (None, u64::MAX, limits::CONNECTIONS_MAX, false),
    ];
    for (wanted, descriptors, expected, warned) in rows {
        let config = ServiceConfig { conn_max: wanted, ..ServiceConfig::new("s") };
        let (places, warning) = places(&config, descriptors, 0);
        assert_eq!((places, warning.is_some()), (expected, warned));
    }
}
