//! Journeys as scripts: a small service, who asks, what fails, which way it goes.

use std::net::{IpAddr, Ipv4Addr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Journey, Step, rest_of_the_round};
use crate::acl::{AccessList, Countries, CountryCode, Entry, Verdict, Whom};
use crate::addr::Host;
use crate::config::ServiceConfig;
use crate::moment::Moment;
use crate::reasons::{CloseReason, ConnectFailure, Refusal};
use crate::select::{Cursor, Visitor};
use crate::servers::ServerRef::{Abuse, Emergency, Regular};
use crate::service::Live;
use crate::service::tests::{live, server, service, visitor};

const NOW: Moment = Moment(5_000);

fn with_emergency(n: u8) -> ServiceConfig {
    ServiceConfig { emergency: Some(server(99)), ..service(n) }
}

fn deny_everybody() -> AccessList {
    let all = Whom::v4(Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED);
    AccessList { entries: vec![Entry { verdict: Verdict::Deny, whom: all }] }
}

/// The whole journey of a visitor when every connect fails so, and who was passed over.
fn all_fail(
    live: &Live,
    remembered: Option<u32>,
    failure: ConnectFailure,
) -> (Vec<Step>, Vec<(crate::servers::ServerRef, Refusal)>) {
    let who = visitor(1, remembered);
    let mut refused = Vec::new();
    let (mut journey, mut step) =
        Journey::start(live, &Cursor::default(), &who, NOW, |s, r| refused.push((s, r)));
    let mut steps = vec![step];
    while let Step::Connect(server) = step {
        assert_eq!(journey.server(), Some(server));
        step = journey.failed(live, &who, failure, NOW, |s, r| refused.push((s, r)));
        steps.push(step);
    }
    assert_eq!(journey.server(), None);
    journey.end(0, 0);
    let all = live.servers.iter().chain(&live.emergency).chain(&live.abuse);
    assert!(all.into_iter().all(|s| s.load.reserved() == 0), "a place was not given back");
    (steps, refused)
}

fn check(config: &ServiceConfig, remembered: Option<u32>, expected: &[Step]) {
    let (steps, _) = all_fail(&live(config), remembered, ConnectFailure::Refused);
    assert_eq!(steps, expected);
}

fn to(slot: u32) -> Step {
    Step::Connect(Regular(slot))
}

const EMERGENCY: Step = Step::Connect(Emergency);
const NO_SERVER: Step = Step::Close(CloseReason::NoServer);

#[test]
fn once_round_the_table_then_the_emergency_server_then_the_end() {
    check(&service(1), None, &[to(0), NO_SERVER]);
    check(&service(4), None, &[to(1), to(2), to(3), to(0), NO_SERVER]);
    check(&service(4), Some(3), &[to(3), to(0), to(1), to(2), NO_SERVER]);
    check(&with_emergency(2), None, &[to(1), to(0), EMERGENCY, NO_SERVER]);
    check(&with_emergency(0), None, &[EMERGENCY, NO_SERVER]);
    check(&service(0), None, &[NO_SERVER]);
    let never = ServiceConfig { blacklist_s: 0, ..with_emergency(3) };
    check(&never, None, &[to(1), to(2), to(0), EMERGENCY, NO_SERVER]);
}

#[test]
fn stubborn_services_do_not_fail_over() {
    let mut config = with_emergency(3);
    config.mode.stubborn = true;
    check(&config, None, &[to(1), Step::Close(CloseReason::Stubborn)]);
    // Unless there is no candidate at all, or the emergency server itself fails.
    config.servers.clear();
    check(&config, None, &[EMERGENCY, NO_SERVER]);
}

#[test]
fn only_servers_to_blame_are_blacklisted() {
    use ConnectFailure::{LocalResources, NotTransparent, Refused, Reset, TimedOut, Unreachable};
    for (failure, end) in [
        (Refused, CloseReason::NoServer),
        (TimedOut, CloseReason::NoServer),
        (Unreachable, CloseReason::NoServer),
        (Reset, CloseReason::ServerReset),
        (LocalResources, CloseReason::OutOfResources),
        (NotTransparent, CloseReason::NotTransparent),
    ] {
        let live = live(&service(2));
        let (steps, _) = all_fail(&live, None, failure);
        let last = Step::Close(end);
        assert_eq!(steps, [to(1), to(0), last]);
        let out = live.servers.iter().all(|s| s.load.blacklisted(NOW, 30));
        assert_eq!(out, failure.blames_server(), "{failure:?}");
    }
}

#[test]
fn reasons_to_pass_over_a_server() {
    let mut config = with_emergency(6);
    config.acls[1] = deny_everybody();
    config.servers[1].acl = 1;
    config.servers[2].port = 0;
    config.servers[3].host = Host::Unset;
    config.servers[4].max = 1;
    config.pending_max = 3;
    let live = live(&config);
    live.servers[4].load.reserve(0, 0).unwrap();
    live.servers[4].load.establish();
    live.servers[5].load.fail(NOW);
    live.servers[0].load.reserve(0, 0).unwrap();
    let who = visitor(1, None);
    let mut refused = Vec::new();
    let (mut journey, step) =
        Journey::start(&live, &Cursor::default(), &who, NOW, |s, r| refused.push((s, r)));
    assert_eq!(step, to(0), "pending connects alone turn nobody away");
    let expected = [
        (Regular(1), Refusal::DeniedByAcl),
        (Regular(2), Refusal::Unset),
        (Regular(3), Refusal::Unset),
        (Regular(4), Refusal::Full),
        (Regular(5), Refusal::Blacklisted),
        (Regular(0), Refusal::PendingShare),
    ];
    assert_eq!(refused, expected);
    journey.end(0, 0);
}

#[test]
fn a_server_that_cannot_be_shown_the_client_is_passed_over() {
    let mut config = with_emergency(2);
    config.transparent = true;
    config.servers[0].host = Host::Unix("/run/web".into());
    config.servers[1].host = Host::Ip("2001:db8::1".parse().unwrap());
    let mut refused = Vec::new();
    let mut first = |config: &ServiceConfig| {
        let (mut journey, step) =
            Journey::start(&live(config), &Cursor::default(), &visitor(1, None), NOW, |s, r| {
                refused.push((s, r))
            });
        journey.end(0, 0);
        step
    };
    // A Unix server is shown no address, so no wrong one.
    assert_eq!(first(&config), to(0));
    config.servers[0].port = 0;
    config.servers[0].host = Host::Unset;
    assert_eq!(first(&config), EMERGENCY);
    config.emergency = None;
    assert_eq!(first(&config), Step::Close(CloseReason::NotTransparent));
    config.transparent_fallback = true;
    assert_eq!(first(&config), to(1));
    let no = Refusal::NotTransparent;
    assert!(refused.contains(&(Regular(1), no)) && !refused.contains(&(Regular(0), no)));
}

#[test]
fn what_is_pending_beyond_a_server_s_part_does_not_count() {
    let live = live(&ServiceConfig { pending_max: 4, ..service(2) });
    let only = || Journey::only(&live, &visitor(1, None), 0, NOW, |_, _| ()).0;
    let mut journeys = [only(), only(), only()];
    assert!(!journeys[2].counts_as_pending(&live), "the third of two");
    journeys.iter_mut().for_each(|journey| journey.end(0, 0));
    let mut first = only();
    assert!(first.counts_as_pending(&live));
    first.connected();
    assert!(!first.counts_as_pending(&live), "it is not pending any more");
    first.end(0, 0);

    // Both have their two, so the next one goes to either and might as well have waited.
    let any = |n: u32| {
        let (journey, step) =
            Journey::start(&live, &Cursor::default(), &visitor(1, None), NOW, |_, _| ());
        assert!(matches!(step, Step::Connect(_)), "connect {n}: {step:?}");
        assert!(journey.counts_as_pending(&live), "connect {n}");
        journey
    };
    let mut journeys: Vec<_> = (0..5).map(any).collect();
    journeys.iter_mut().for_each(|journey| journey.end(0, 0));
}

#[test]
fn pending_connects_turn_nobody_away() {
    let crowd = |live: &Live, slots: &[usize]| {
        for &slot in slots {
            live.servers[slot].load.reserve(0, 0).unwrap();
        }
    };
    // Servers, crowded ones, stubborn, the journey when everything fails.
    let rows: [(u8, &[usize], bool, &[Step]); 6] = [
        (1, &[0], false, &[to(0), EMERGENCY, NO_SERVER]),
        (3, &[1], false, &[to(2), to(0), to(1), EMERGENCY, NO_SERVER]),
        (3, &[1, 2], false, &[to(0), to(1), EMERGENCY, NO_SERVER]),
        (3, &[0, 1, 2], false, &[to(1), EMERGENCY, NO_SERVER]),
        (3, &[0], false, &[to(1), to(2), to(0), EMERGENCY, NO_SERVER]),
        (3, &[1], true, &[to(1), Step::Close(CloseReason::Stubborn)]),
    ];
    for (servers, crowded, stubborn, expected) in rows {
        let mut config = ServiceConfig { pending_max: 2, ..with_emergency(servers) };
        config.mode.stubborn = stubborn;
        let live = live(&config);
        crowd(&live, crowded);
        let who = visitor(1, None);
        let (mut journey, mut step) =
            Journey::start(&live, &Cursor::default(), &who, NOW, |_, _| ());
        let mut steps = vec![step];
        while let Step::Connect(_) = step {
            step = journey.failed(&live, &who, ConnectFailure::Refused, NOW, |_, _| ());
            steps.push(step);
        }
        assert_eq!(steps, expected, "{crowded:?} of {servers} crowded");
        journey.end(0, 0);
    }
    // The abuse server is nobody's last hope.
    let config = ServiceConfig { abuse: Some(server(98)), pending_max: 2, ..service(1) };
    let live = live(&config);
    live.abuse.as_ref().unwrap().load.reserve(0, 0).unwrap();
    let (mut journey, step) = Journey::denied(&live, &visitor(1, None), NOW, |_, _| ());
    assert_eq!(step, Step::Close(CloseReason::ClientDenied));
    journey.end(0, 0);
}

#[test]
fn the_hard_limit_is_for_those_who_were_here_before() {
    // max, hard, taken, remembered, let in
    let rows = [
        (0, 0, 900, false, true),
        (2, 0, 1, false, true),
        (2, 0, 2, false, false),
        (2, 0, 2, true, false),
        (2, 1, 2, true, false),
        (2, 4, 2, false, false),
        (2, 4, 3, true, true),
        (2, 4, 4, true, false),
    ];
    for (max, hard, taken, remembered, let_in) in rows {
        let mut config = service(1);
        (config.servers[0].max, config.servers[0].hard) = (max, hard);
        let live = live(&config);
        for _ in 0..taken {
            live.servers[0].load.reserve(0, 0).unwrap();
            live.servers[0].load.establish();
        }
        let who = visitor(1, remembered.then_some(0));
        let (mut journey, step) = Journey::start(&live, &Cursor::default(), &who, NOW, |_, _| ());
        let expected = if let_in { to(0) } else { NO_SERVER };
        assert_eq!(step, expected, "max {max} hard {hard} taken {taken} known {remembered}");
        journey.end(0, 0);
        assert_eq!(live.servers[0].load.reserved(), taken);
    }
}

#[test]
fn a_denied_client_gets_the_abuse_server_or_nothing() {
    let denied = Step::Close(CloseReason::ClientDenied);
    let start = |config: &ServiceConfig, fail: bool| {
        let live = live(config);
        let who = visitor(1, Some(0));
        let (mut journey, mut step) = Journey::denied(&live, &who, NOW, |_, _| ());
        if fail {
            step = journey.failed(&live, &who, ConnectFailure::Refused, NOW, |_, _| ());
        }
        journey.end(0, 0);
        step
    };
    let mut config = with_emergency(2);
    assert_eq!(start(&config, false), denied);
    config.abuse = Some(server(98));
    assert_eq!(start(&config, false), Step::Connect(Abuse));
    assert_eq!(start(&config, true), denied);
    // The list that denied the client does not keep it from the abuse server, another one does.
    config.acls[0] = deny_everybody();
    assert_eq!(start(&config, false), Step::Connect(Abuse));
    config.client_acl = 1;
    assert_eq!(start(&config, false), denied);
}

#[test]
fn idlers_take_turns_of_their_own() {
    let mut config = with_emergency(3);
    config.servers[2].max = 1;
    let live = live(&config);
    let cursor = Cursor::default();
    let mut journeys: Vec<_> = (0..5).map(|_| Journey::idler(&live, &cursor, NOW)).collect();
    let steps: Vec<_> = journeys.iter().map(|(_, step)| *step).collect();
    assert_eq!(steps, [to(1), to(2), to(0), to(1), to(0)]);
    let who = visitor(1, None);
    let (mut last, _) = journeys.pop().unwrap();
    assert_eq!(last.failed(&live, &who, ConnectFailure::Refused, NOW, |_, _| ()), NO_SERVER);
    last.end(0, 0);
    for (journey, _) in &mut journeys {
        journey.connected();
        journey.end(1, 2);
    }
    assert!(live.servers.iter().all(|s| s.load.reserved() == 0));
    assert_eq!((live.servers[1].load.sent(), live.servers[1].load.received()), (2, 4));
}

#[test]
fn a_former_place_that_fails_does_not_blacklist_the_new_one() {
    let mut config = service(2);
    let before = live(&config);
    let who = visitor(1, None);
    let (mut journey, step) = Journey::start(&before, &Cursor::default(), &who, NOW, |_, _| ());
    assert_eq!(step, to(1));
    config.servers[1].port = 81;
    let after = before.rebuilt(Arc::new(config));
    let step = journey.failed(&after, &who, ConnectFailure::TimedOut, NOW, |_, _| ());
    assert_eq!(step, to(0));
    assert!(!after.servers[1].load.blacklisted(NOW, 30));
    journey.end(0, 0);
}

#[test]
fn the_rest_of_the_round() {
    let rows: [(u32, u32, usize, &[u32]); 8] = [
        (1, 1, 4, &[2, 3, 0]),
        (1, 3, 4, &[0]),
        (1, 0, 4, &[]),
        (0, 0, 1, &[]),
        (2, 0, 4, &[1]),
        // The table grew or shrank since the start.
        (1, 1, 6, &[2, 3, 4, 5, 0]),
        (5, 5, 2, &[0, 1]),
        (5, 0, 2, &[1]),
    ];
    for (initial, slot, count, expected) in rows {
        let rest: Vec<u32> = rest_of_the_round(initial, slot, count).collect();
        assert_eq!(rest, expected, "from {slot}, started at {initial}, of {count}");
    }
}

/// Everybody is in Sweden; counts the questions.
#[derive(Debug, Default)]
struct Sweden(AtomicU32);

impl Countries for Sweden {
    fn country(&self, _: IpAddr) -> Option<CountryCode> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Some(*b"SE")
    }
}

#[test]
fn a_visitors_country_is_asked_for_once_and_only_if_a_list_names_one() {
    let of = |code| AccessList {
        entries: vec![Entry { verdict: Verdict::Permit, whom: Whom::country(code).unwrap() }],
    };
    let mut config = service(4);
    config.acls[1] = of("SE");
    config.acls[2] = of("NO");
    config.acls[3] = deny_everybody();
    for (n, list) in [1, 2, 1, 3].into_iter().enumerate() {
        config.servers[n].acl = list;
    }
    let rows = [
        (1, true, vec![to(2), to(0), NO_SERVER], 1),
        (3, false, vec![to(2), to(0), NO_SERVER], 1),
        (4, true, vec![NO_SERVER], 0),
    ];
    for (client_acl, admitted, expected, questions) in rows {
        let countries = Arc::new(Sweden::default());
        let mut config = config.clone();
        if client_acl == 4 {
            config.servers.iter_mut().for_each(|s| s.acl = 3);
        }
        let live = live(&config).with_countries(Some(Arc::clone(&countries) as Arc<dyn Countries>));
        let who = visitor(1, None);
        assert_eq!(live.admits(client_acl, &who), admitted);
        let (mut journey, mut step) =
            Journey::start(&live, &Cursor::default(), &who, NOW, |_, _| ());
        let mut steps = vec![step];
        while let Step::Connect(_) = step {
            step = journey.failed(&live, &who, ConnectFailure::TimedOut, NOW, |_, _| ());
            steps.push(step);
        }
        journey.end(0, 0);
        assert_eq!(steps, expected);
        assert_eq!(countries.0.load(Ordering::Relaxed), questions, "list {client_acl}");
    }
    let unknown = live(&config);
    assert!(!unknown.admits(1, &visitor(1, None)) && unknown.admits(0, &visitor(1, None)));
}

#[test]
fn a_route_to_one_server_goes_there_or_nowhere() {
    let config = with_emergency(3);
    let live = live(&config);
    let who = visitor(1, Some(2));
    let only = |slot| Journey::only(&live, &who, slot, NOW, |_, _| ());
    let (mut journey, step) = only(1);
    assert_eq!(step, to(1));
    let step = journey.failed(&live, &who, ConnectFailure::Refused, NOW, |_, _| ());
    assert_eq!(step, Step::Close(CloseReason::NoServer), "neither the others nor emergency");
    journey.end(0, 0);
    let mut refused = Vec::new();
    let (mut journey, step) = Journey::only(&live, &who, 1, NOW, |s, r| refused.push((s, r)));
    assert_eq!(step, Step::Close(CloseReason::NoServer));
    assert_eq!(refused, [(Regular(1), Refusal::Blacklisted)]);
    journey.end(0, 0);
    let (mut journey, step) = only(3);
    assert_eq!(step, Step::Close(CloseReason::NoServer), "the table has no such server");
    journey.end(0, 0);
    // There is nowhere else to go, so a burst is not turned away.
    let many: Vec<_> = (0..config.pending_max + 5).map(|_| only(0)).collect();
    assert!(many.iter().all(|(_, step)| *step == to(0)));
    for (mut journey, _) in many {
        journey.end(0, 0);
    }
}

#[test]
fn what_happens_at_servers_is_counted_there() {
    let mut config = with_emergency(3);
    config.servers[1].port = 0;
    let live = live(&config);
    let who = visitor(1, Some(0));
    let (mut journey, step) = Journey::start(&live, &Cursor::default(), &who, NOW, |_, _| ());
    assert_eq!(step, to(0));
    assert_eq!(journey.failed(&live, &who, ConnectFailure::TimedOut, NOW, |_, _| ()), to(2));
    journey.connected();
    journey.end(0, 0);
    let refusals = |n: usize, r: Refusal| live.servers[n].load.refusals()[r as usize];
    assert_eq!(refusals(1, Refusal::Unset), 1);
    let totals: Vec<u64> = live.servers.iter().map(|s| s.load.total()).collect();
    assert_eq!(totals, [0, 0, 1]);
    assert_eq!(live.servers[0].load.failures()[ConnectFailure::TimedOut as usize], 1);
    assert_eq!(live.servers[0].load.failures().iter().sum::<u64>(), 1);
    // A server in use that fails is counted as well; an idler has nobody who is passed on.
    let (mut journey, step) = Journey::start(&live, &Cursor::default(), &who, NOW, |_, _| ());
    assert_eq!(step, to(2));
    journey.connected();
    assert!(journey.lost(&live, &who, ConnectFailure::Refused, NOW, |_, _| ()).is_some());
    journey.end(0, 0);
    assert_eq!(live.servers[2].load.failures()[ConnectFailure::Refused as usize], 1);
    let before = refusals(0, Refusal::Blacklisted);
    let (mut idler, _) = Journey::idler(&live, &Cursor::default(), NOW);
    idler.end(0, 0);
    assert_eq!(refusals(0, Refusal::Blacklisted), before);
    for (n, refusal) in Refusal::ALL.into_iter().enumerate() {
        assert_eq!(refusal as usize, n);
    }
    for (n, failure) in ConnectFailure::ALL.into_iter().enumerate() {
        assert_eq!(failure as usize, n);
    }
}

#[test]
fn a_place_is_given_back_once_whoever_meets_a_defect() {
    let mut config = service(2);
    config.acls[1] = deny_everybody();
    config.servers[0].acl = 1;
    let live = live(&config);
    let who = visitor(1, Some(1));
    let places = || live.servers.iter().map(|s| s.load.reserved()).sum::<u32>();
    let start = || Journey::start(&live, &Cursor::default(), &who, NOW, |_, _| ()).0;
    let met = |journey: &mut Journey, deed: fn(&mut Journey, &Live, &Visitor)| {
        let work = AssertUnwindSafe(|| deed(journey, &live, &who));
        assert!(catch_unwind(work).is_err(), "the defect is met");
    };
    // Between the choice and whoever keeps the journey.
    let journey = start();
    assert_eq!(places(), 1);
    drop(journey);
    assert_eq!(places(), 0);
    // While the next server is looked for, before the connect succeeds and after that.
    let mut journey = start();
    met(&mut journey, |journey, live, who| {
        journey.failed(live, who, ConnectFailure::Refused, NOW, |_, _| panic!("a defect"));
    });
    assert_eq!(places(), 0);
    journey.end(0, 0);
    live.servers[1].load.pardon();
    let mut journey = start();
    journey.connected();
    met(&mut journey, |journey, live, who| {
        journey.lost(live, who, ConnectFailure::Refused, NOW, |_, _| panic!("a defect"));
    });
    assert_eq!(places(), 0);
    journey.end(0, 0);
    drop(journey);
    assert_eq!(places(), 0, "not a second time");
}
