//! Where frames go. A million of them that nobody would send are in `pen-fuzz`.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;
use crate::config::{ServerConfig, ServiceConfig};
use crate::explain::{Outcome, Question, Standing as Trial, frames};
use crate::frames::Fragment;
use crate::frames::tests::{Draft, mac};
use crate::servers::ServerRef;
use crate::service::tests::{live, server, service};

const SYN: u8 = 2;
const ACK: u8 = 16;

/// Servers at 02:00:00:00:00:10 and following; who is not named is ready.
#[derive(Debug, Default)]
struct Stage {
    standings: BTreeMap<u32, Standing>,
    denied: Vec<IpAddr>,
    private: Vec<u32>,
}

impl Farm for Stage {
    fn standing(&self, slot: u32) -> Standing {
        let ready = Standing::Ready(mac(u8::try_from(10 + slot).unwrap()));
        self.standings.get(&slot).copied().unwrap_or(ready)
    }

    fn admits(&self, slot: u32, _: IpAddr) -> bool {
        !self.private.contains(&slot)
    }

    fn permits(&self, client: IpAddr) -> bool {
        !self.denied.contains(&client)
    }
}

fn v4(n: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, n).into()
}

fn v6(n: u16) -> IpAddr {
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n).into()
}

const VIP: u8 = 100;

fn scene(transport: Transport, servers: u8) -> Scene {
    let servers: Vec<ServerConfig> = (0..servers).map(server).collect();
    Scene {
        own: mac(1),
        doors: vec![(v4(VIP), 80), (v6(VIP.into()), 80)],
        transport,
        with_port: false,
        table: maglev::Table::build(&servers),
        tarpit: None,
        standby: false,
    }
}

fn judge() -> Judge {
    Judge::new((3, 4))
}

/// Where a draft goes: the server, or why not.
fn sent(judge: &mut Judge, scene: &Scene, stage: &Stage, draft: &Draft) -> Result<u32, DropReason> {
    match judge.judge(scene, stage, &draft.frame(), Moment(1_000)).deed {
        Deed::Forward(slot, to) => {
            assert!(matches!(stage.standing(slot),
                Standing::Ready(mac) | Standing::Shunned(mac) if mac == to));
            Ok(slot)
        }
        Deed::Drop(reason) => Err(reason),
        other => panic!("{other:?}"),
    }
}

fn tcp4(client: u8, flags: u8) -> Draft {
    Draft::tcp(v4(client), v4(VIP), 80, flags)
}

#[test]
fn a_client_keeps_its_server_on_every_machine() {
    let (scene, stage) = (scene(Transport::Tcp, 4), Stage::default());
    let (mut here, mut there) = (judge(), Judge::new((9, 9)));
    let mut seen = std::collections::BTreeSet::new();
    for client in 2..60 {
        let server = sent(&mut here, &scene, &stage, &tcp4(client, SYN)).unwrap();
        let mut other = tcp4(client, ACK);
        other.payload[..2].copy_from_slice(&5_000_u16.to_be_bytes());
        assert_eq!(sent(&mut there, &scene, &stage, &other), Ok(server), "client {client}");
        seen.insert(server);
    }
    assert_eq!(seen.len(), 4);
}

#[test]
fn with_the_port_in_the_key_connections_spread() {
    let scene = Scene { with_port: true, ..scene(Transport::Tcp, 4) };
    let mut judge = judge();
    let servers: std::collections::BTreeSet<_> = (1_000..1_050_u16)
        .map(|port| {
            let mut draft = tcp4(2, SYN);
            draft.payload[..2].copy_from_slice(&port.to_be_bytes());
            sent(&mut judge, &scene, &Stage::default(), &draft).unwrap()
        })
        .collect();
    assert_eq!(servers.len(), 4);
}

/// What is explained is what becomes of the first frame of a connection, and the next ones' turns are
/// theirs while those before are out.
#[test]
fn what_is_explained_is_what_happens() {
    let servers: Vec<ServerConfig> = (0..7).map(server).collect();
    let live = live(&ServiceConfig { servers, ..service(0) });
    let mut seen = std::collections::BTreeSet::new();
    for (n, with_port) in (0..400_u32).map(|n| (n, n % 2 == 0)) {
        let standing = |slot: u32| match (n / (slot + 1)) % 5 {
            0 => Some(Standing::Gone),
            1 => Some(Standing::Shunned(mac(9))),
            2 if n % 7 == 0 => Some(Standing::Unknown),
            _ => None,
        };
        let mut stage = Stage {
            standings: (0..7).filter_map(|slot| Some((slot, standing(slot)?))).collect(),
            denied: if n % 23 == 0 { vec![v4(2)] } else { Vec::new() },
            private: if n % 3 == 0 { vec![4, 5] } else { Vec::new() },
        };
        let scene = Scene { with_port, ..scene(Transport::Tcp, 7) };
        let port = u16::try_from(5_000 + n).unwrap();
        let question =
            Question { client: ClientAddr::from_ip(v4(2)), port: Some(port), hello: None };
        let answer = frames::explain(&question, &scene, &stage, &live, Moment(1)).unwrap();
        assert_eq!(answer.trials.len(), 7);
        let mut draft = tcp4(2, SYN);
        draft.payload[..2].copy_from_slice(&port.to_be_bytes());
        let expected = match sent(&mut judge(), &scene, &stage, &draft) {
            Ok(slot) => Outcome::Server(ServerRef::Regular(slot)),
            Err(reason) => Outcome::Dropped(reason),
        };
        assert_eq!(answer.outcome, expected, "{n}: {answer:?}");
        let turns = answer.trials.iter().filter(|t| matches!(t.standing, Trial::Tried { .. }));
        for trial in turns.clone() {
            let ServerRef::Regular(slot) = trial.server else { panic!("{trial:?}") };
            match sent(&mut judge(), &scene, &stage, &draft) {
                Ok(next) => assert_eq!(next, slot, "{n}: {answer:?}"),
                Err(reason) => assert_eq!(reason, DropReason::ServerUnknown),
            }
            stage.standings.insert(slot, Standing::Gone);
        }
        seen.insert(turns.count());
        let end = sent(&mut judge(), &scene, &stage, &draft).unwrap_err();
        assert!(matches!(end, DropReason::NoServer | DropReason::Denied), "{end:?}");
    }
    assert!(seen.len() > 3, "too dull: {seen:?}");
}

#[test]
fn what_is_not_for_the_service() {
    let stage = Stage { denied: vec![v4(66)], ..Stage::default() };
    let scene = scene(Transport::Tcp, 2);
    let drop = |draft: &Draft| sent(&mut judge(), &scene, &stage, draft).unwrap_err();
    let good = tcp4(2, SYN);
    let icmp = Draft { protocol: 1, payload: vec![8; 8], ..good.clone() };
    let short = Draft { payload: vec![0; 3], ..good.clone() };
    for (draft, reason) in [
        (Draft { to: mac(9), ..good.clone() }, DropReason::Elsewhere),
        (Draft { to: Mac::BROADCAST, ..good.clone() }, DropReason::Elsewhere),
        (Draft { service: v4(99), ..good.clone() }, DropReason::Elsewhere),
        (Draft { from: mac(1), ..good.clone() }, DropReason::Echo),
        (Draft { from: Mac::BROADCAST, ..good.clone() }, DropReason::Malformed),
        (Draft::tcp(v4(2), v4(VIP), 81, SYN), DropReason::OtherPort),
        (Draft::udp(v4(2), v4(VIP), 80), DropReason::OtherProtocol),
        (icmp, DropReason::OtherProtocol),
        (short, DropReason::Malformed),
        (tcp4(66, SYN), DropReason::Denied),
    ] {
        assert_eq!(drop(&draft), reason, "{draft:?}");
    }
}

#[test]
fn a_frame_never_goes_back_to_where_it_came_from() {
    let scene = scene(Transport::Tcp, 1);
    let reflected = Draft { from: mac(10), ..tcp4(2, SYN) };
    let mut judge = judge();
    let answer = sent(&mut judge, &scene, &Stage::default(), &reflected);
    assert_eq!(answer, Err(DropReason::FromServer));
    let ourselves = Stage { standings: [(0, Standing::Ready(mac(1)))].into(), ..Stage::default() };
    let answer = judge.judge(&scene, &ourselves, &tcp4(2, SYN).frame(), Moment(0)).deed;
    assert_eq!(answer, Deed::Drop(DropReason::Echo));
}

#[test]
fn port_0_is_every_port() {
    let mut scene = scene(Transport::Udp, 3);
    scene.doors = vec![(v4(VIP), 0)];
    for port in [1, 53, 65_535] {
        let draft = Draft::udp(v4(2), v4(VIP), port);
        assert!(sent(&mut judge(), &scene, &Stage::default(), &draft).is_ok());
    }
}

#[test]
fn connections_stay_while_their_server_can_be_reached() {
    let scene = scene(Transport::Tcp, 3);
    let mut judge = judge();
    let mut stage = Stage::default();
    let home = sent(&mut judge, &scene, &stage, &tcp4(2, SYN)).unwrap();
    let home_mac = mac(u8::try_from(10 + home).unwrap());
    stage.standings.insert(home, Standing::Shunned(home_mac));
    assert_eq!(sent(&mut judge, &scene, &stage, &tcp4(2, ACK)), Ok(home), "it goes on");
    let away = sent(&mut judge, &scene, &stage, &tcp4(2, SYN)).unwrap();
    assert_ne!(away, home, "a new one is sent elsewhere");
    stage.standings.clear();
    assert_eq!(sent(&mut judge, &scene, &stage, &tcp4(2, ACK)), Ok(away), "and stays there");
    stage.standings.insert(away, Standing::Gone);
    let last = sent(&mut judge, &scene, &stage, &tcp4(2, ACK)).unwrap();
    assert_ne!(last, away, "a server that is down is no use to anybody");
    stage.standings = (0..3).map(|n| (n, Standing::Gone)).collect();
    assert_eq!(sent(&mut judge, &scene, &stage, &tcp4(2, ACK)), Err(DropReason::NoServer));
    stage.standings = (0..3).map(|n| (n, Standing::Unknown)).collect();
    assert_eq!(sent(&mut judge, &scene, &stage, &tcp4(3, SYN)), Err(DropReason::ServerUnknown));
}

#[test]
fn datagrams_leave_a_blacklisted_server_at_once() {
    let scene = scene(Transport::Udp, 3);
    let (mut judge, mut stage) = (judge(), Stage::default());
    let draft = Draft::udp(v6(2), v6(VIP.into()), 80);
    let home = sent(&mut judge, &scene, &stage, &draft).unwrap();
    stage.standings.insert(home, Standing::Shunned(mac(99)));
    assert_ne!(sent(&mut judge, &scene, &stage, &draft), Ok(home));
}

#[test]
fn a_servers_own_list_counts() {
    let (scene, mut judge) = (scene(Transport::Tcp, 2), judge());
    let stage = Stage { private: vec![1], ..Stage::default() };
    for client in 2..40 {
        assert_eq!(sent(&mut judge, &scene, &stage, &tcp4(client, SYN)), Ok(0));
    }
}

#[test]
fn fragments_follow_the_beginning() {
    let scene = Scene { with_port: true, ..scene(Transport::Udp, 5) };
    let (mut judge, stage) = (judge(), Stage::default());
    for (client, service) in [(v4(2), v4(VIP)), (v6(2), v6(VIP.into()))] {
        for id in 0..40 {
            let part = |offset, more| {
                let fragment = Some(Fragment { id, offset, more });
                let mut draft = Draft { fragment, ..Draft::udp(client, service, 80) };
                let port = u16::try_from(2_000 + id).unwrap();
                draft.payload[..2].copy_from_slice(&port.to_be_bytes());
                draft
            };
            let lone = sent(&mut judge, &scene, &stage, &part(1_480, true));
            assert_eq!(lone, Err(DropReason::LoneFragment));
            let server = sent(&mut judge, &scene, &stage, &part(0, true)).unwrap();
            for rest in [part(1_480, true), part(2_960, false)] {
                assert_eq!(sent(&mut judge, &scene, &stage, &rest), Ok(server));
            }
        }
    }
}

#[test]
fn without_the_port_in_the_key_a_lone_fragment_finds_its_way() {
    let (scene, stage) = (scene(Transport::Udp, 5), Stage::default());
    let fragment = Some(Fragment { id: 1, offset: 1_480, more: false });
    for client in 2..30 {
        let whole = Draft::udp(v4(client), v4(VIP), 80);
        let rest = Draft { fragment, ..whole.clone() };
        let server = sent(&mut judge(), &scene, &stage, &whole);
        assert_eq!(sent(&mut judge(), &scene, &stage, &rest), server);
    }
}

#[test]
fn errors_go_where_their_flow_goes() {
    let scene = Scene { with_port: true, ..scene(Transport::Tcp, 5) };
    let (mut judge, stage) = (judge(), Stage::default());
    for client in 2..40_u8 {
        for (client, service, router, protocol, kind) in
            [(v4(client), v4(VIP), v4(1), 1, 3), (v6(client.into()), v6(VIP.into()), v6(1), 58, 2)]
        {
            let home = sent(&mut judge, &scene, &stage, &Draft::tcp(client, service, 80, SYN));
            // What the server sent: from the service's port 80 to the client's 4000.
            let mut answer = Draft::tcp(service, client, 4_000, ACK);
            answer.payload[..2].copy_from_slice(&80_u16.to_be_bytes());
            let quoted = answer.packet();
            let payload = [&[kind, 4, 0, 0, 0, 0, 5, 0], &quoted[..quoted.len().min(48)]].concat();
            let error = Draft { protocol, payload, ..Draft::tcp(router, service, 0, 0) };
            assert_eq!(sent(&mut judge, &scene, &stage, &error), home);
            // The machine that takes over knows no flows.
            assert_eq!(sent(&mut self::judge(), &scene, &stage, &error), home);
        }
    }
}

#[test]
fn questions_for_the_service_are_answered() {
    let (scene, stage) = (scene(Transport::Tcp, 2), Stage::default());
    let ask = |target: u8| {
        let IpAddr::V4(ip) = v4(target) else { panic!() };
        let mut frame = arp::request(mac(200), ip).bytes().to_vec();
        frame[28..32].copy_from_slice(&[10, 0, 0, 7]);
        judge().judge(&scene, &stage, &frame, Moment(0))
    };
    let verdict = ask(VIP);
    assert_eq!(verdict.heard, Some((v4(7), mac(200))));
    let Deed::Answer(answer) = verdict.deed else { panic!("{verdict:?}") };
    let frame = Frame::parse(answer.bytes()).unwrap();
    assert_eq!((frame.to, frame.from), (mac(200), mac(1)));
    assert_eq!(arp::parse(frame.payload).unwrap().sender_mac, mac(1));
    assert_eq!(ask(99).deed, Deed::Drop(DropReason::Elsewhere));
    let IpAddr::V6(ip) = v6(VIP.into()) else { panic!() };
    let asked = ndp::solicitation(mac(200), ip);
    let verdict = judge().judge(&scene, &stage, asked.bytes(), Moment(0));
    assert_eq!(verdict.deed, Deed::Answer(ndp::announcement(mac(1), ip)));
    let told = ndp::announcement(mac(11), ip);
    let verdict = judge().judge(&scene, &stage, told.bytes(), Moment(0));
    assert_eq!(verdict.heard, Some((ip.into(), mac(11))));
    assert_eq!(verdict.deed, Deed::Drop(DropReason::Heard));
}

#[test]
fn a_standby_answers_for_nothing_and_passes_on() {
    let (scene, stage) = (Scene { standby: true, ..scene(Transport::Tcp, 5) }, Stage::default());
    let IpAddr::V4(ip) = v4(VIP) else { panic!() };
    let mut asked = arp::request(mac(200), ip).bytes().to_vec();
    asked[28..32].copy_from_slice(&[10, 0, 0, 7]);
    let IpAddr::V6(ip) = v6(VIP.into()) else { panic!() };
    for frame in [&asked[..], ndp::solicitation(mac(200), ip).bytes()] {
        let verdict = judge().judge(&scene, &stage, frame, Moment(0));
        assert_eq!(verdict.deed, Deed::Drop(DropReason::Elsewhere));
    }
    let active = Scene { standby: false, ..self::scene(Transport::Tcp, 5) };
    for client in 2..20 {
        let draft = Draft::tcp(v4(client), v4(VIP), 80, ACK);
        let here = sent(&mut judge(), &scene, &stage, &draft);
        assert_eq!(here, sent(&mut judge(), &active, &stage, &draft));
    }
}

#[test]
fn flows_are_bounded_and_forgotten() {
    let mut flows = Flows::new();
    for key in 0..2 * crate::limits::DSR_FLOWS as u64 {
        flows.store(key << 16, 1, Moment(key));
    }
    assert_eq!(flows.find(0, Moment(0)), None, "the oldest has made room");
    let last = (2 * crate::limits::DSR_FLOWS as u64 - 1) << 16;
    assert_eq!(flows.find(last, Moment(600_000)), Some(1));
    let later = Moment(600_000).plus_s(crate::limits::DSR_FLOW_S + 2);
    assert_eq!(flows.find(last, later), None);
}

mod contacts {
    use super::super::contact::{Contact, News, Turn};
    use super::*;

    #[test]
    fn a_silent_server_is_lost_and_found() {
        let mut contact = Contact::default();
        let turns: Vec<Turn> = (0..60).map(|n| contact.turn(Moment(n * 100))).collect();
        let asked = |t: &Turn| *t != Turn::Rest;
        let said: Vec<Turn> = turns.into_iter().filter(asked).collect();
        let (ask, still) = (Turn::Ask, Turn::StillLost);
        assert_eq!(said, [ask, ask, ask, Turn::Lost, still, still]);
        assert_eq!((contact.mac(), contact.is_lost()), (None, true));
        assert_eq!(contact.hear(mac(10), Moment(6_000)), News::Back);
        assert_eq!(contact.mac(), Some(mac(10)));
        assert_eq!(contact.turn(Moment(10_000)), Turn::Rest);
        assert_eq!(contact.turn(Moment(11_000)), Turn::Ask, "whether it is still there");
        assert_eq!(contact.hear(mac(10), Moment(11_100)), News::None);
        assert_eq!(contact.hear(mac(12), Moment(11_200)), News::Moved(mac(10)));
    }
}
