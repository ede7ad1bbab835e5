//! What the tarpit answers, and above all what it does not.

use std::net::Ipv4Addr;

use super::*;
use crate::acl::{Entry, Verdict, Whom};
use crate::frames::tests::{Draft, assert_summed, mac};

const IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 200);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);
const CAREFUL: Manners = Manners { check: true, rate: 100 };
const BOLD: Manners = Manners { check: false, rate: 100 };

fn ground() -> Ground {
    let whom = Whom::v4(Ipv4Addr::new(10, 0, 0, 0), Ipv4Addr::new(255, 255, 255, 0));
    let entries = vec![Entry { verdict: Verdict::Permit, whom }];
    Ground { list: AccessList { entries }, taken: [Ipv4Addr::new(10, 0, 0, 1)].into() }
}

fn question() -> Bait {
    let sender = CLIENT;
    let arp = Arp { is_request: true, sender_mac: mac(200), sender, target: IP };
    Bait { ip: IP, from: mac(200), tags: Tags { bytes: [0; 8], len: 0 }, kind: Kind::Question(arp) }
}

fn bait(draft: &Draft) -> Option<Bait> {
    let bytes = draft.frame();
    let frame = Frame::parse(&bytes).unwrap();
    let packet = Packet::parse(frame.kind, frame.payload).unwrap().unwrap();
    ground().bait(&frame, &packet)
}

fn syn() -> Draft {
    Draft::tcp(CLIENT.into(), IP.into(), 22, 2)
}

#[test]
fn where_it_is() {
    let ground = ground();
    assert!(ground.covers(IP));
    for ip in ["10.0.0.1", "10.0.1.1", "0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"] {
        assert!(!ground.covers(ip.parse().unwrap()), "{ip}");
    }
    let empty = Ground { list: AccessList::default(), taken: BTreeSet::new() };
    assert!(!empty.covers(IP), "an empty list would mean the whole network");
    let whom = Whom::v4(IP, Ipv4Addr::BROADCAST);
    let list = AccessList { entries: vec![Entry { verdict: Verdict::Deny, whom }] };
    let all_but_one = Ground { list, taken: BTreeSet::new() };
    assert!(all_but_one.covers(CLIENT) && !all_but_one.covers(IP));
    assert!(!all_but_one.covers(Ipv4Addr::LOCALHOST));
    assert!(!all_but_one.covers(Ipv4Addr::BROADCAST));
}

#[test]
fn it_asks_before_it_answers() {
    let mut tarpit = Tarpit::new((1, 2));
    let mut ask = |ms| tarpit.take(mac(1), &question(), CAREFUL, Moment(ms));
    assert_eq!(ask(0), Ok(arp::request(mac(1), IP)));
    assert_eq!(ask(100), Err(DropReason::TarpitWaiting));
    let answer = ask(1_000).unwrap();
    let frame = Frame::parse(answer.bytes()).unwrap();
    assert_eq!((frame.to, frame.from), (mac(200), mac(1)));
    assert_eq!(arp::parse(frame.payload).unwrap().sender, IP);
    assert_eq!(ask(2_000), Ok(answer));
    let later = 2_000 + limits::TARPIT_VACANT_MS;
    assert_eq!(ask(later), Ok(arp::request(mac(1), IP)), "it may have come meanwhile");
}

#[test]
fn it_leaves_alone_what_exists() {
    for manners in [CAREFUL, BOLD] {
        let mut tarpit = Tarpit::new((1, 2));
        let _ = tarpit.take(mac(1), &question(), manners, Moment(0));
        tarpit.hear(IP, Moment(50));
        for bait in [question(), bait(&syn()).unwrap()] {
            let answer = tarpit.take(mac(1), &bait, manners, Moment(2_000));
            assert_eq!(answer, Err(DropReason::TarpitExists));
        }
    }
}

#[test]
fn the_answer_to_an_opening() {
    for options in [true, false] {
        let mut draft = syn();
        if !options {
            draft.payload.truncate(20);
            draft.payload[12] = 5 << 4;
        }
        let mut tarpit = Tarpit::new((1, 2));
        let answer = tarpit.take(mac(1), &bait(&draft).unwrap(), BOLD, Moment(0)).unwrap();
        assert!(answer.bytes().len() <= draft.frame().len());
        assert_summed(answer.bytes());
        let frame = Frame::parse(answer.bytes()).unwrap();
        assert_eq!((frame.to, frame.from), (mac(200), mac(1)));
        let packet = Packet::parse(frame.kind, frame.payload).unwrap().unwrap();
        assert_eq!((packet.from, packet.to), (IpAddr::from(IP), IpAddr::from(CLIENT)));
        assert_eq!(packet.ports(Transport::Tcp), Some((22, 4_000)));
        assert_eq!(packet.payload[8..12], 8_u32.to_be_bytes(), "the sequence number and one");
        assert_eq!(packet.payload[13], 0x12);
        let size = tcp::parse(packet.payload).unwrap().segment_size;
        assert_eq!(size, options.then_some(1460));
        let again = tarpit.take(mac(1), &bait(&draft).unwrap(), BOLD, Moment(9));
        assert_eq!(again, Ok(answer), "nothing is remembered");
    }
}

#[test]
fn nothing_else_is_answered() {
    let mut tarpit = Tarpit::new((1, 2));
    let mut take = |draft: &Draft| tarpit.take(mac(1), &bait(draft)?, BOLD, Moment(0)).ok();
    assert!(take(&syn()).is_none_or(|b| !b.bytes().is_empty()));
    let reply: Option<Built> = None;
    for flags in [0, 1, 3, 4, 6, 16, 18, 24, 255] {
        let draft = Draft::tcp(CLIENT.into(), IP.into(), 22, flags);
        assert_eq!(take(&draft), reply, "flags {flags}");
    }
    let ping = Draft { protocol: 1, payload: vec![8, 0, 0, 0, 0, 0, 0, 0], ..syn() };
    let udp = Draft::udp(CLIENT.into(), IP.into(), 22);
    let group = Draft { client: Ipv4Addr::new(224, 0, 0, 1).into(), ..syn() };
    let everybody = Draft { client: Ipv4Addr::BROADCAST.into(), ..syn() };
    for draft in [ping, udp, group, everybody] {
        assert_eq!(take(&draft), None, "{draft:?}");
    }
}

#[test]
fn no_more_than_the_rate() {
    let mut tarpit = Tarpit::new((1, 2));
    let mut burst = |ms| {
        let answered = |_: &i32| tarpit.take(mac(1), &question(), BOLD, Moment(ms)).is_ok();
        (0..1_000).filter(answered).count()
    };
    assert_eq!((burst(0), burst(500), burst(510), burst(60_000)), (100, 50, 1, 100));
}
