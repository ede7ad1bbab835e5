//! The overview in its forms, readiness, and the history.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;

use super::*;
use crate::addr::{ClientAddr, Host};
use crate::config::ServerConfig;
use crate::event::{EventKey, Subject};
use crate::limits;
use crate::moment::{Moment, WallMs};
use crate::reasons::{CloseReason, ConnectFailure, Refusal, TlsFault};
use crate::report::dsr::DsrRow;
use crate::report::readiness::{Look, not_ready};
use crate::report::{ClientRow, ServerRow};
use crate::routes::{Route, To, When};
use crate::servers::{Server, ServerRef};

const NOW: Moment = Moment(50_000);

fn server(slot: u32, port: u16) -> (Server, ServerRef) {
    let host = Host::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    (Server::new(ServerConfig { host, port, ..ServerConfig::default() }), ServerRef::Regular(slot))
}

fn row((server, which): &(Server, ServerRef)) -> ServerRow {
    ServerRow::of(*which, server, NOW, WallSeconds(1000), 30)
}

fn tcp() -> ServiceRow {
    let (good, bad) = (server(0, 8001), server(1, 8002));
    for _ in 0..3 {
        good.0.load.reserve(0, 0).unwrap();
        good.0.load.establish();
    }
    good.0.load.release_established();
    good.0.load.count_bytes(1_500, 2_500_000);
    bad.0.load.fail(Moment(40_500));
    bad.0.load.count_failure(ConnectFailure::Refused);
    bad.0.load.count_refusal(Refusal::Blacklisted);
    bad.0.load.count_refusal(Refusal::Blacklisted);
    let client = ClientRow {
        slot: 0,
        addr: ClientAddr::Ip(Ipv4Addr::new(192, 0, 2, 7).into()),
        age_s: 3,
        server: Some(0),
        connects: 5,
        sent: 6,
        received: 7,
    };
    let mut sums = Sums { accepted: 4, came: 1, received: 999, sent: 1_000_000, ..Sums::default() };
    (sums.full, sums.resumed) = (2, 1);
    sums.closed[CloseReason::ServerFinished as usize] = 3;
    sums.failed[TlsFault::NotTls as usize] = 1;
    ServiceRow {
        shot: Snapshot {
            service: "web".to_owned(),
            listen: vec!["127.0.0.1:80".to_owned()],
            servers: vec![row(&good), row(&bad)],
            clients_max: 10,
            clients_used: 1,
            clients: vec![client],
            conn_max: 100,
            conn_used: 2,
            ..Snapshot::default()
        },
        sums,
        ..ServiceRow::default()
    }
}

fn udp() -> ServiceRow {
    let mut datagrams = flow::Counts { opened: 9, to_servers_bytes: 10, ..Default::default() };
    datagrams.end(flow::FlowEnd::IdleTimeout);
    datagrams.drop(flow::DropReason::NoServer, 2);
    let shot = Snapshot {
        service: "dns".to_owned(),
        listen: vec!["53".to_owned()],
        conn_used: 8,
        conn_max: 64,
        ..Snapshot::default()
    };
    let not_ready = vec![NotReady::Draining, NotReady::NoServer];
    ServiceRow { shot, kind: Kind::Udp, datagrams, not_ready, ..ServiceRow::default() }
}

pub(in crate::report) fn overview() -> Overview {
    let process = ProcessRow {
        pid: 7,
        time: WallSeconds(90_061),
        started: WallSeconds(1),
        now: Moment(90_062_500),
        began: Moment(2_000),
        workers: vec![2, 0],
        reloads: 1,
        draining: true,
        log_lines_lost: 4,
    };
    let down = Subject::new(EventKey::ServerDown).at("web").server(ServerRef::Regular(0)).event();
    let event = Arc::new(Occurrence { seq: 3, wall: WallMs(5), count: 1, event: down });
    Overview { process, services: vec![tcp(), udp()], events: vec![event] }
}

/// Every field there is.
pub(in crate::report) fn everything() -> String {
    // The history's further fields are names of services; its curves are looked at below.
    json(&overview(), Some(&History::default()), Some("secret"))
}

fn parsed(text: &str) -> Value {
    assert!(text.ends_with('\n') && text.lines().count() == 1);
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_wall_clock_does_not_change_how_long_it_runs() {
    for jump in [-90_000, 0, 315_360_000] {
        let mut jumped = overview();
        jumped.process.time.0 += jump;
        let reply = parsed(&json(&jumped, None, None));
        assert_eq!(reply["pen"]["time_s"], 90_061 + jump);
        assert_eq!(reply["pen"]["uptime_s"], 90_060, "the clock jumped by {jump} s");
        let head = |overview| text(overview).lines().next().map(str::to_owned);
        assert_eq!(head(&jumped), head(&overview()));
    }
}

#[test]
fn the_twin_says_what_is_there() {
    let reply = parsed(&json(&overview(), None, None));
    assert_eq!(reply["pen"]["uptime_s"], 90_060);
    assert_eq!(
        (&reply["pen"]["connections"], &reply["pen"]["control"]),
        (&2.into(), &false.into())
    );
    assert!(reply.get("history").is_none() && reply.get("token").is_none());
    let [web, dns] = [&reply["services"][0], &reply["services"][1]];
    assert_eq!((&web["mode"], &web["ready"]), (&"tcp".into(), &true.into()));
    assert_eq!(
        (&web["conn_used"], &web["flows"], &web["conn_max"]),
        (&2.into(), &0.into(), &100.into())
    );
    let totals = &web["totals"];
    assert_eq!(totals["accepted"], 5, "those that were routed here as well");
    assert_eq!(totals["closed"].to_string(), r#"{"server_finished":3}"#);
    assert_eq!(
        totals["handshakes"].to_string(),
        r#"{"failed":{"not_tls":1},"full":2,"resumed":1}"#
    );
    let [good, bad] = [&web["servers"][0], &web["servers"][1]];
    assert_eq!((&good["total"], &good["connections"]), (&3.into(), &2.into()));
    assert_eq!((&good["sentence_s"], &bad["sentence_s"]), (&Value::Null, &21.into()));
    assert_eq!(bad["failures"].to_string(), r#"{"refused":1}"#);
    assert_eq!(bad["refusals"].to_string(), r#"{"blacklisted":2}"#);
    assert_eq!(web["top_clients"][0]["address"], "192.0.2.7");
    assert_eq!(
        (&dns["flows"], &dns["flows_max"], &dns["conn_used"]),
        (&8.into(), &64.into(), &0.into())
    );
    assert_eq!(dns["totals"]["accepted"], 9);
    assert_eq!(dns["totals"]["dropped"].to_string(), r#"{"no_server":2}"#);
    assert_eq!(dns["not_ready"].to_string(), r#"["draining","no_server"]"#);
    assert_eq!(reply["events"][0]["key"], "server_down");
    let steered = parsed(&json(&overview(), None, Some("secret")));
    assert_eq!((&steered["pen"]["control"], &steered["token"]), (&true.into(), &"secret".into()));
}

#[test]
fn people_read_lines() {
    let expected = format!(
        "pen {}, process 7, up 1 d 1 h, 2 workers, 2 connections, 1 reloads, draining\n\
         service web (tcp) at 127.0.0.1:80: ready\n  \
           2 connections of 100 (0 idlers), 5 in all, 999 B from clients, 1.0 MB to them\n  \
           closed: server_finished 3\n  \
           handshakes: 2 full, 1 resumed\n  \
           handshakes failed: not_tls 1\n  \
           clients: 1 remembered of 10\n  \
           server 0 127.0.0.1:8001: usable, 2 now, 3 in all, 1.5 kB to it, 2.5 MB from it\n  \
           server 1 127.0.0.1:8002: blacklisted for 21 s, 0 now, 0 in all, 0 B to it, 0 B from it\n    \
             failed: refused 1\n    \
             passed over: blacklisted 2\n\
         service dns (udp) at 53: not ready: draining, no_server\n  \
           8 flows of 64, 9 in all, 0 datagrams (10 B) from clients, 0 (0 B) to them\n  \
           ended: idle_timeout 1\n  \
           dropped: no_server 2\n  \
           clients: 0 remembered of 0\n",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(text(&overview()), expected);
    let mut frames = ServiceRow { kind: Kind::Dsr, ..tcp() };
    frames.frames = Some(DsrRow::default());
    let dsr = Overview { services: vec![frames], ..Overview::default() };
    assert!(
        text(&dsr).contains("  0 frames (0 B) forwarded, 0 answered, 0 of the tarpit, 0 lost\n")
    );
}

#[test]
fn readiness_has_reasons() {
    let mut default = ServiceConfig::new("default");
    let of = |config: &ServiceConfig, servers: Vec<ServerRow>, draining| {
        let router = ServiceConfig {
            routes: vec![Route { when: When::Default, to: To::Service("led".to_owned()) }],
            ..ServiceConfig::new("router")
        };
        let shot = Snapshot { servers, ..Snapshot::default() };
        let all = [Arc::new(config.clone()), Arc::new(router)];
        not_ready(&Look { all: &all, service: config, shot: &shot, draining, link: None })
    };
    let (good, bad) = (row(&server(0, 80)), ServerRow { blacklisted: true, ..row(&server(0, 81)) });
    let (good, bad) = (|| vec![good.clone()], || vec![bad.clone()]);
    assert_eq!(of(&default, vec![], true), [], "it is not in use");
    assert_eq!(of(&default, good(), false), [NotReady::NoListener]);
    assert_eq!(of(&ServiceConfig::new("led"), good(), false), [], "a route leads to it");
    default.listen = vec![crate::addr::Listen {
        text: "80".to_owned(),
        place: crate::addr::Place::Tcp(([0, 0, 0, 0], 80).into()),
    }];
    assert_eq!(of(&default, [bad(), good()].concat(), false), []);
    assert_eq!(of(&default, good(), true), [NotReady::Draining]);
    default.mode.weight = true;
    let heavy = |weight| vec![ServerRow { weight, ..good().remove(0) }];
    assert_eq!(of(&default, heavy(0), false), [NotReady::NoServer], "no new client gets there");
    assert_eq!(of(&default, heavy(1), false), []);
    default.mode.prio = true;
    assert_eq!(of(&default, heavy(0), false), [], "priorities choose first");
    (default.mode.weight, default.mode.prio) = (false, false);
    assert_eq!(of(&default, bad(), true), [NotReady::Draining, NotReady::NoServer]);
    assert_eq!(of(&default, vec![], false), [NotReady::NoServer]);
    let emergency = good().pop();
    let saved = Snapshot { emergency, servers: bad(), ..Snapshot::default() };
    let mut look =
        Look { all: &[], service: &default, shot: &saved, draining: false, link: Some(true) };
    assert_eq!(not_ready(&look), [], "the emergency server takes them");
    look.link = Some(false);
    assert_eq!(not_ready(&look), [NotReady::NoLink]);
    default.routes = vec![Route { when: When::Default, to: To::Service("led".to_owned()) }];
    assert_eq!(of(&default, vec![], false), [], "it routes and needs none");
    assert_eq!(of(&default, bad(), false), [NotReady::NoServer]);
    default.dummy = true;
    assert_eq!(of(&default, bad(), false), [], "it answers itself");
}

#[test]
fn the_history_holds_differences_of_the_last_steps() {
    let mut history = History::default();
    let mut now = overview();
    let rounds = limits::HISTORY_STEPS as u64 + 5;
    for n in 0..=rounds {
        now.services[0].sums.accepted = n * n;
        now.services[0].shot.servers[0].total = n * 2;
        now.services[0].shot.conn_used = u32::try_from(n).unwrap();
        history.note(&now);
    }
    let shown: Value = serde_json::to_value(&history).unwrap();
    assert_eq!(shown["step_s"], limits::HISTORY_STEP_S);
    let web = &shown["services"]["web"];
    for curve in ["accepted", "connections", "received", "sent"] {
        assert_eq!(web[curve].as_array().unwrap().len(), limits::HISTORY_STEPS, "{curve}");
    }
    assert_eq!(web["accepted"][limits::HISTORY_STEPS - 1], 2 * rounds - 1);
    assert_eq!(web["connections"][limits::HISTORY_STEPS - 1], rounds);
    assert_eq!(web["servers"]["0"]["total"][0], 2);
    // A service that began anew, one that went, and more than there is room for.
    now.services[0].sums.accepted = 2;
    now.services.remove(1);
    for n in 0..limits::HISTORY_SERVICES_MAX {
        let mut more = udp();
        more.shot.service = format!("more{n}");
        now.services.push(more);
    }
    let wide = (0..limits::HISTORY_SERVERS_MAX as u32 + 5).map(|n| row(&server(n, 80)));
    now.services[0].shot.servers = wide.collect();
    history.note(&now);
    let shown: Value = serde_json::to_value(&history).unwrap();
    let services = shown["services"].as_object().unwrap();
    assert_eq!(services.len(), limits::HISTORY_SERVICES_MAX);
    assert!(!services.contains_key("dns"));
    assert_eq!(services["web"]["accepted"][limits::HISTORY_STEPS - 1], 3, "2 and one routed here");
    let servers = services["web"]["servers"].as_object().unwrap();
    assert_eq!(servers.len(), limits::HISTORY_SERVERS_MAX);
}
