//! What is explained is what happens, and asking changes nothing: random services, loads, lists and
//! clients; and the answers of a few services by hand.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::path::{End, follow};
use super::*;
use crate::acl::{AccessList, Countries, CountryCode, Entry, Verdict, Whom};
use crate::addr::Host;
use crate::config::{ServerConfig, ServiceConfig};
use crate::routes::{Route, To, When};
use crate::service::tests::{live, server, service};

const NOW: Moment = Moment(100_000);

/// Clients whose address ends in an even number are in SE.
#[derive(Debug)]
struct Atlas;

impl Countries for Atlas {
    fn country(&self, ip: IpAddr) -> Option<CountryCode> {
        let last = match ip {
            IpAddr::V4(ip) => ip.octets()[3],
            IpAddr::V6(ip) => ip.octets()[15],
        };
        (last % 2 == 0).then_some(*b"SE")
    }
}

/// A service, its loads, and who comes.
#[derive(Clone, Debug)]
struct Case {
    config: ServiceConfig,
    loads: Vec<Wear>,
    turns: usize,
    remembered: Option<u32>,
    client: ClientAddr,
    port: u16,
}

/// What has happened to a server.
#[derive(Clone, Copy, Debug)]
struct Wear {
    established: u32,
    pending: u32,
    failed_s_ago: Option<u64>,
    sentence_s: u32,
}

fn host() -> impl Strategy<Value = Host> {
    prop_oneof![
        1 => Just(Host::Unset),
        1 => Just(Host::Unix("/run/a".into())),
        2 => (1..9_u16).prop_map(|n| Host::Ip(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n).into())),
        8 => (1..9_u8).prop_map(|n| Host::Ip(Ipv4Addr::new(10, 0, 0, n).into())),
    ]
}

fn servers() -> impl Strategy<Value = ServerConfig> {
    (host(), 0..3_u16, 0..4_u32, 0..6_u32, 0..3_u32, 0..3_u32, 0..3_u8).prop_map(
        |(host, port, max, hard, weight, prio, acl)| ServerConfig {
            host,
            port: port * 80,
            max,
            hard,
            weight,
            prio,
            acl,
            ..ServerConfig::default()
        },
    )
}

fn list() -> impl Strategy<Value = AccessList> {
    let whom = prop_oneof![
        Just(Whom::v4(Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(255, 255, 255, 1))),
        Just(Whom::v6(Ipv6Addr::UNSPECIFIED, 0).unwrap()),
        Just(Whom::country("SE").unwrap()),
    ];
    let entry = (any::<bool>(), whom).prop_map(|(permit, whom)| Entry {
        verdict: if permit { Verdict::Permit } else { Verdict::Deny },
        whom,
    });
    vec(entry, 0..3).prop_map(|entries| AccessList { entries })
}

fn config() -> impl Strategy<Value = ServiceConfig> {
    let outside = || prop::option::of(servers());
    let lists = vec(list(), 2);
    (vec(servers(), 0..6), outside(), outside(), lists, any::<u16>(), 1..9_u32, 0..3_u8).prop_map(
        |(servers, emergency, abuse, lists, bits, pending_max, client_acl)| {
            let mut config = ServiceConfig { servers, emergency, abuse, ..service(0) };
            for (n, list) in lists.into_iter().enumerate() {
                config.acls[n + 1] = list;
            }
            let bit = |n: u32| bits & (1 << n) != 0;
            config.mode.hash = bit(0);
            config.mode.roundrobin = bit(1);
            config.mode.stubborn = bit(2) && bit(9);
            config.mode.weight = bit(3) && bit(10);
            config.mode.prio = bit(4) && bit(11);
            config.mode.forgetful = bit(5);
            config.protocol = if bit(6) { Protocol::Udp } else { Protocol::Tcp };
            config.udp_spread = if bit(7) { Spread::Datagram } else { Spread::Flow };
            config.transparent = bit(8) && bit(12);
            (config.pending_max, config.client_acl) = (pending_max, client_acl);
            config
        },
    )
}

fn wear() -> impl Strategy<Value = Wear> {
    let failed = prop_oneof![3 => Just(None), 1 => (0..60_u64).prop_map(Some)];
    let sentence = prop_oneof![4 => Just(0), 1 => Just(50_u32)];
    (0..4_u32, 0..4_u32, failed, sentence).prop_map(
        |(established, pending, failed_s_ago, sentence_s)| Wear {
            established,
            pending,
            failed_s_ago,
            sentence_s,
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    let client = prop_oneof![
        6 => (1..9_u8).prop_map(|n| ClientAddr::Ip(Ipv4Addr::new(192, 0, 2, n).into())),
        3 => (1..9_u16)
            .prop_map(|n| ClientAddr::Ip(Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, n).into())),
        1 => Just(ClientAddr::Unix),
    ];
    let remembered = prop::option::of(0..7_u32);
    (config(), vec(wear(), 8), 0..9_usize, remembered, client, 1..u16::MAX).prop_map(
        |(config, loads, turns, remembered, client, port)| Case {
            config,
            loads,
            turns,
            remembered,
            client,
            port,
        },
    )
}

impl Case {
    fn live(&self) -> (Live, Cursor) {
        let live = live(&self.config).with_countries(Some(Arc::new(Atlas)));
        let all = live.servers.iter().chain(&live.emergency).chain(&live.abuse);
        for (server, wear) in all.zip(&self.loads) {
            let load = &server.load;
            for n in 0..wear.established + wear.pending {
                load.reserve(0, 0).unwrap();
                if n < wear.established {
                    load.establish();
                }
            }
            if let Some(ago) = wear.failed_s_ago {
                load.fail(Moment(NOW.0 - ago * 1000));
            } else if wear.sentence_s > 0 {
                load.sentence(NOW, wear.sentence_s);
            }
        }
        let cursor = Cursor::default();
        for _ in 0..self.turns {
            cursor.advance(live.servers.len(), |_| true);
        }
        (live, cursor)
    }
}

/// All that traffic sees of a service.
fn state(live: &Live, cursor: &Cursor) -> Vec<(u32, u32, bool, Option<u64>)> {
    let all = live.servers.iter().chain(&live.emergency).chain(&live.abuse);
    let load = |s: &Server| {
        let load = &s.load;
        let out = load.blacklisted(NOW, live.config.blacklist_s);
        (load.established(), load.reserved(), out, load.sentence_s(NOW, live.config.blacklist_s))
    };
    let turn = cursor.copy().advance(live.servers.len(), |_| true);
    all.map(load).chain([(turn.unwrap_or(u32::MAX), 0, false, None)]).collect()
}

/// What a worker does with the client, every connect failing: the servers it connects to in their
/// order, those it passes over, and the end.
fn happens(
    live: &Live,
    cursor: &Cursor,
    case: &Case,
) -> (Vec<ServerRef>, Vec<(ServerRef, Refusal)>, CloseReason) {
    let peer = Peer { addr: case.client, port: case.port };
    let visitor = Visitor::new(peer, case.remembered);
    let mut passed = Vec::new();
    let datagrams = live.config.protocol == Protocol::Udp;
    let chosen = if datagrams && live.config.udp_spread == Spread::Datagram {
        select::first(live, cursor, &Visitor::new(peer, None), NOW)
    } else {
        None
    };
    let mut hear = |server, refusal| passed.push((server, refusal));
    let (mut journey, mut step) = if !live.admits(live.config.client_acl, &visitor) {
        Journey::denied(live, &visitor, NOW, &mut hear)
    } else if chosen.is_some() {
        Journey::start_with(live, chosen, &visitor, NOW, &mut hear)
    } else {
        Journey::start(live, cursor, &visitor, NOW, &mut hear)
    };
    let mut tried = Vec::new();
    let end = loop {
        match step {
            Step::Connect(server) => tried.push(server),
            Step::Close(reason) => break reason,
        }
        step = journey.failed(live, &visitor, ConnectFailure::Refused, NOW, &mut hear);
    };
    journey.end(0, 0);
    (tried, passed, end)
}

/// The servers in the order of their turns.
fn turns(answer: &Answer) -> Vec<ServerRef> {
    let turn = |t: &Trial| match t.standing {
        Standing::Tried { turn, .. } => Some((turn, t.server)),
        _ => None,
    };
    let all: Vec<(u32, ServerRef)> = answer.trials.iter().filter_map(turn).collect();
    assert!(all.iter().map(|(turn, _)| *turn).eq(1..=all.len() as u32), "{answer:?}");
    all.into_iter().map(|(_, server)| server).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn what_is_explained_is_what_happens(case in case()) {
        let (live, cursor) = case.live();
        let question = Question { client: case.client, port: Some(case.port), hello: None };
        let before = state(&live, &cursor);
        let shared = Arc::new(case.live().0);
        let (passages, end) = follow(&question, "test", |_| Some(Arc::clone(&shared)));
        prop_assert!(passages.is_empty());
        let End::At(_, way) = end else { panic!("nobody is led away") };
        let scene =
            Scene { live: &live, cursor: &cursor, remembered: case.remembered, excess: None, now: NOW };
        let answer = explain(&question, way, &scene);
        prop_assert_eq!(state(&live, &cursor), before, "asking changed something");

        let (tried, passed, end) = happens(&live, &cursor, &case);
        prop_assert_eq!(turns(&answer), tried.clone());
        let outcome = tried.first().map_or(Outcome::Closed(end), |s| Outcome::Server(*s));
        prop_assert_eq!(answer.outcome, outcome);
        prop_assert_eq!(answer.at_last, (!tried.is_empty()).then_some(end));
        for (server, refusal) in passed {
            let trial = answer.trials.iter().find(|t| t.server == server).unwrap();
            let later = Standing::Tried { turn: 0, crowded: true };
            let told = match trial.standing {
                Standing::Tried { crowded, .. } => Standing::Tried { turn: 0, crowded },
                other => other,
            };
            let expected =
                if tried.contains(&server) { later } else { Standing::Refused(refusal) };
            prop_assert_eq!(told, expected);
        }
        // Every server that there is has one line, and none that has no reason.
        let outside = live.emergency.iter().count() + live.abuse.iter().count();
        prop_assert_eq!(answer.trials.len(), live.servers.len() + outside);
        let seen: BTreeSet<i64> = answer.trials.iter().map(|t| t.server.number()).collect();
        prop_assert_eq!(seen.len(), answer.trials.len());
        prop_assert!(answer.trials.iter().all(|t| t.standing != Standing::Possible));
    }

    /// Without the port a service that looks at it names all servers that the client could get.
    #[test]
    fn without_the_port_all_that_could_be_are_named(case in case(), ports in vec(1..u16::MAX, 9)) {
        let mut case = case;
        case.config.mode.hash = true;
        case.config.mode.roundrobin = true;
        case.config.mode.prio = false;
        case.config.mode.weight = false;
        let (live, cursor) = case.live();
        let scene =
            Scene { live: &live, cursor: &cursor, remembered: case.remembered, excess: None, now: NOW };
        let question = Question { client: case.client, port: None, hello: None };
        let answer = explain(&question, Way::Free, &scene);
        for port in ports {
            let one = explain(&Question { port: Some(port), ..question.clone() }, Way::Free, &scene);
            match (answer.outcome, one.outcome) {
                (Outcome::ByPort, Outcome::Server(which @ ServerRef::Regular(_))) => {
                    let trial = answer.trials.iter().find(|t| t.server == which).unwrap();
                    prop_assert_eq!(trial.standing, Standing::Possible);
                }
                (Outcome::ByPort, _) => {}
                (first, other) => prop_assert_eq!(first, other),
            }
        }
    }
}

fn ask(config: &ServiceConfig, remembered: Option<u32>, way: Way) -> Answer {
    let live = live(config);
    let client = ClientAddr::Ip(Ipv4Addr::new(192, 0, 2, 1).into());
    let scene =
        Scene { live: &live, cursor: &Cursor::default(), remembered, excess: None, now: NOW };
    explain(&Question { client, port: None, hello: None }, way, &scene)
}

#[test]
fn the_rule_is_named() {
    let with = |change: fn(&mut ServiceConfig)| {
        let mut config = ServiceConfig { emergency: Some(server(99)), ..service(3) };
        change(&mut config);
        config
    };
    let rows: [(ServiceConfig, Option<u32>, Way, By, Outcome); 9] = [
        (with(|_| ()), None, Way::Free, By::Rule(Rule::Roundrobin), to(1)),
        (with(|_| ()), Some(2), Way::Free, By::Rule(Rule::Remembered), to(2)),
        (with(|c| c.servers[2].prio = 0), None, Way::Free, By::Rule(Rule::Roundrobin), to(1)),
        (
            with(|c| {
                c.mode.prio = true;
                c.servers[0].prio = 5;
                c.servers[1].prio = 4;
                c.servers[2].prio = 3;
            }),
            None,
            Way::Free,
            By::Rule(Rule::Prio),
            to(2),
        ),
        (
            with(|c| {
                c.mode.weight = true;
                c.servers[2].weight = 1;
            }),
            None,
            Way::Free,
            By::Rule(Rule::Weight),
            to(2),
        ),
        (
            with(|c| c.mode.weight = true),
            None,
            Way::Free,
            By::Nothing,
            Outcome::Server(ServerRef::Emergency),
        ),
        (with(|_| ()), Some(2), Way::Server(0), By::Route, to(0)),
        (with(|_| ()), None, Way::Denied, By::Denied, Outcome::Closed(CloseReason::ClientDenied)),
        (with(|c| c.dummy = true), None, Way::Free, By::Dummy, Outcome::Dummy),
    ];
    for (config, remembered, way, by, outcome) in rows {
        let answer = ask(&config, remembered, way);
        assert_eq!((answer.by, answer.outcome), (by, outcome), "{answer:?}");
    }
}

fn to(slot: u32) -> Outcome {
    Outcome::Server(ServerRef::Regular(slot))
}

#[test]
fn servers_that_are_not_asked_say_why() {
    let why = |answer: &Answer, which: ServerRef| {
        answer.trials.iter().find(|t| t.server == which).map(|t| t.standing)
    };
    let abuse = Some(server(98));
    let mut config = ServiceConfig { emergency: Some(server(99)), abuse, ..service(3) };
    let skipped = |skip| Some(Standing::Skipped(skip));
    let answer = ask(&config, None, Way::Free);
    assert_eq!(why(&answer, ServerRef::Abuse), skipped(Skip::NotDenied));
    assert_eq!(
        why(&answer, ServerRef::Emergency),
        Some(Standing::Tried { turn: 4, crowded: false })
    );
    let answer = ask(&config, None, Way::Denied);
    assert_eq!(answer.outcome, Outcome::Server(ServerRef::Abuse));
    assert_eq!(why(&answer, ServerRef::Regular(0)), skipped(Skip::ClientDenied));
    let answer = ask(&config, None, Way::Server(1));
    assert_eq!(why(&answer, ServerRef::Regular(0)), skipped(Skip::Route));
    config.mode.stubborn = true;
    let answer = ask(&config, None, Way::Free);
    assert_eq!(why(&answer, ServerRef::Regular(2)), skipped(Skip::Stubborn));
    assert_eq!(why(&answer, ServerRef::Emergency), skipped(Skip::Stubborn));
    config.mode.weight = true;
    let answer = ask(&config, None, Way::Free);
    assert_eq!(why(&answer, ServerRef::Regular(2)), skipped(Skip::Weightless));
}

#[test]
fn routes_are_followed_from_service_to_service() {
    let route = |when: When, to: To| Route { when, to };
    let outer = ServiceConfig {
        routes: vec![
            route(When::sni("a.example").unwrap(), To::Service("web".to_owned())),
            route(When::alpn("h2").unwrap(), To::Server(1)),
            route(When::sni("*.b.example").unwrap(), To::Here),
            route(When::sni("shut.example").unwrap(), To::Close),
        ],
        ..service(2)
    };
    let mut web = ServiceConfig { name: "web".to_owned(), client_acl: 1, ..service(1) };
    web.acls[1].entries.push(Entry {
        verdict: Verdict::Deny,
        whom: Whom::v4(Ipv4Addr::new(192, 0, 2, 9), Ipv4Addr::BROADCAST),
    });
    let (outer, web) = (Arc::new(live(&outer)), Arc::new(live(&web)));
    let known = |name: &str| match name {
        "test" => Some(Arc::clone(&outer)),
        "web" => Some(Arc::clone(&web)),
        _ => None,
    };
    let at = |name: &str, way| End::At(name.to_owned(), way);
    let rows: [(u8, Option<&str>, &[&str], End); 7] = [
        (1, Some("a.example"), &[], at("web", Way::Free)),
        (9, Some("a.example"), &["h2"], at("web", Way::Denied)),
        (1, Some("x.b.example"), &[], at("test", Way::Free)),
        (1, Some("c.example"), &["h3", "h2"], at("test", Way::Server(1))),
        (1, Some("shut.example"), &[], End::Nowhere),
        (1, Some("c.example"), &["h3"], End::Nowhere),
        (1, None, &[], End::Nowhere),
    ];
    for (n, sni, alpn, expected) in rows {
        let client = ClientAddr::Ip(Ipv4Addr::new(192, 0, 2, n).into());
        let alpn: Vec<Vec<u8>> = alpn.iter().map(|p| p.as_bytes().to_vec()).collect();
        let hello = Hello { sni: sni.map(str::to_owned), alpn, versions: Vec::new() };
        let question = Question { client, port: None, hello: Some(hello) };
        let (passages, end) = follow(&question, "test", known);
        assert_eq!(end, expected, "{sni:?}");
        assert_eq!(passages[0].service, "test");
    }
    let table = outer.routes.as_ref().unwrap();
    assert!(table.rows.iter().all(|row| row.taken() == 0) && table.unrouted() == 0, "counted");
}
