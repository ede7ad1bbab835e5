//! A service with direct server return and a tarpit, which looks at frames and is looked at.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::OnceLock;

use pen_core::acl::{AccessList, Entry, Verdict, Whom};
use pen_core::addr::Host;
use pen_core::config::ServerConfig;
use pen_core::dsr::{Deed, DropReason, Farm, Judge, Scene, Standing};
use pen_core::frames::ethernet::{self, Frame};
use pen_core::frames::{Built, Mac, Packet, Transport, icmp, ndp};
use pen_core::limits;
use pen_core::maglev;
use pen_core::moment::Moment;
use pen_core::tarpit::{Ground, Manners, Tarpit};

use crate::draft::{OWN, pseudo, sum, v4, v6};

/// The last byte of the service's addresses; its port is [`PORT`].
pub const SERVICE: u8 = 100;
/// The service's port.
pub const PORT: u16 = 80;
/// The tarpit is 10.0.0.192 to 10.0.0.255; this one of them belongs to somebody.
pub const TAKEN: u8 = 222;
/// Servers of the service.
pub const SERVERS: u8 = 3;

/// The hardware address of a server.
#[must_use]
pub fn server_mac(slot: u32) -> Mac {
    Mac([2, 0, 0, 0, 1, u8::try_from(slot).unwrap_or(u8::MAX)])
}

/// How a segment is set up.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// TCP, else UDP.
    pub tcp: bool,
    /// The client's port is part of the key.
    pub with_port: bool,
    /// The tarpit asks before it answers.
    pub check: bool,
    /// Answers of the tarpit per second.
    pub rate: u32,
}

impl Setup {
    /// As the bits of a byte say.
    #[must_use]
    pub fn of(bits: u8) -> Self {
        let bit = |n: u8| bits & (1 << n) != 0;
        let rate = if bit(3) { 3 } else { 1_000_000 };
        Self { tcp: bit(0), with_port: bit(1), check: bit(2), rate }
    }
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It went to a server.
    Forwarded,
    /// It was answered.
    Answered,
    /// Nothing.
    Dropped,
}

/// Servers, all of them ready unless told otherwise, and clients, one of them denied.
#[derive(Debug, Default)]
struct Servers {
    standings: BTreeMap<u32, Standing>,
}

impl Farm for Servers {
    fn standing(&self, slot: u32) -> Standing {
        let ready = Standing::Ready(server_mac(slot));
        self.standings.get(&slot).copied().unwrap_or(ready)
    }

    fn admits(&self, slot: u32, client: IpAddr) -> bool {
        slot != 0 || client != v4(9)
    }

    fn permits(&self, client: IpAddr) -> bool {
        client != v4(66)
    }
}

/// The segment.
#[derive(Debug)]
pub struct Segment {
    scene: &'static Scene,
    servers: Servers,
    judge: Judge,
    /// Another machine with the same configuration, which sees what is forwarded.
    other: Judge,
    tarpit: Tarpit,
    manners: Manners,
    began: Moment,
    /// Answers of the tarpit so far.
    tarpitted: u64,
}

impl Segment {
    /// One on which nothing has happened.
    #[must_use]
    pub fn new(setup: Setup, now: Moment) -> Self {
        Self {
            scene: scene(setup),
            servers: Servers::default(),
            judge: Judge::new((3, 4)),
            other: Judge::new((8, 9)),
            tarpit: Tarpit::new((5, 6)),
            manners: Manners { check: setup.check, rate: setup.rate },
            began: now,
            tarpitted: 0,
        }
    }

    /// The same in another setup, so much later that everything is forgotten: cheaper than a new one.
    pub fn begin_again(&mut self, setup: Setup, now: Moment) {
        assert!(now.since_s(self.began) > 2 * u64::from(limits::DSR_FLOW_S), "too early");
        self.scene = scene(setup);
        self.servers = Servers::default();
        self.manners = Manners { check: setup.check, rate: setup.rate };
        (self.began, self.tarpitted) = (now, 0);
    }

    /// A server stands otherwise from here on.
    pub fn set_standing(&mut self, slot: u32, bits: u8) {
        let standing = match bits % 4 {
            0 => Standing::Ready(server_mac(slot)),
            1 => Standing::Shunned(server_mac(slot)),
            2 => Standing::Unknown,
            _ => Standing::Gone,
        };
        self.servers.standings.insert(slot, standing);
    }

    /// Takes a frame.
    ///
    /// # Panics
    /// Something is not as it must be.
    pub fn take(&mut self, bytes: &[u8], now: Moment) -> Fate {
        let verdict = self.judge.judge(self.scene, &self.servers, bytes, now);
        if let Some((ip, mac)) = verdict.heard {
            assert!(mac.is_station(), "a group speaks: {bytes:02x?}");
            if let IpAddr::V4(ip) = ip {
                self.tarpit.hear(ip, now);
            }
        }
        match verdict.deed {
            Deed::Forward(slot, to) => {
                self.check_forward(bytes, slot, to, now);
                Fate::Forwarded
            }
            Deed::Answer(built) => {
                self.check_answer(bytes, &built);
                Fate::Answered
            }
            Deed::Tarpit(bait) => {
                let vacant = !bytes.is_empty() && bait.ip != Ipv4Addr::new(10, 0, 0, TAKEN);
                assert!(vacant && bait.ip.octets()[3] >= 192, "the tarpit is elsewhere");
                match self.tarpit.take(self.scene.own, &bait, self.manners, now) {
                    Ok(built) => {
                        self.check_tarpit(bytes, bait.ip, &built, now);
                        Fate::Answered
                    }
                    Err(_) => Fate::Dropped,
                }
            }
            Deed::Drop(_) => Fate::Dropped,
        }
    }

    /// To a server that can take it, not back, not to ourselves; the same again, and the same on
    /// another machine if the frame says all that the table needs.
    fn check_forward(&mut self, bytes: &[u8], slot: u32, to: Mac, now: Moment) {
        let frame = parsed(bytes);
        let (Standing::Ready(mac) | Standing::Shunned(mac)) = self.servers.standing(slot) else {
            panic!("forwarded to a server that cannot be reached: {bytes:02x?}");
        };
        assert!(mac == to && slot < u32::from(SERVERS), "another server's address");
        assert_eq!(frame.to, self.scene.own, "it was not for us: {bytes:02x?}");
        assert!(to != self.scene.own && to != frame.from, "it goes round: {bytes:02x?}");
        let packet = packet(&frame);
        assert!([v4(SERVICE), v6(SERVICE)].contains(&packet.to), "not for the service");
        let transport = self.scene.transport;
        let is_error = icmp::quoted(&packet).is_some();
        assert!(is_error || packet.protocol == transport.number(), "another protocol: {packet:?}");
        if let Some((_, port)) = packet.ports(transport) {
            assert_eq!(port, PORT, "another port");
        }
        let again = self.judge.judge(self.scene, &self.servers, bytes, now).deed;
        assert_eq!(again, Deed::Forward(slot, to), "the second of two equal frames");
        let fresh = self.servers.standings.is_empty();
        if fresh && (packet.is_beginning() || !self.scene.with_port) {
            let there = self.other.judge(self.scene, &self.servers, bytes, now).deed;
            assert_eq!(there, Deed::Forward(slot, to), "two machines disagree: {bytes:02x?}");
        }
    }

    /// Only who asks for the service's address is answered, to where the question came from.
    fn check_answer(&self, bytes: &[u8], built: &Built) {
        let (asked, told) = (parsed(bytes), parsed(built.bytes()));
        assert_eq!((told.from, told.tags, told.kind), (self.scene.own, asked.tags, asked.kind));
        let mut most = bytes.len();
        match asked.kind {
            ethernet::ARP => {
                assert_eq!(told.to, asked.from, "somebody else is answered");
                let about = asked.payload.get(24..28);
                assert_eq!(about, Some(&[10, 0, 0, SERVICE][..]), "another address");
                assert_eq!(told.payload.get(14..18), about, "the address that was asked for");
                assert_eq!(told.payload.get(6..8), Some(&[0, 2][..]), "an answer");
            }
            _ => {
                let (question, answer) = (packet(&asked), packet(&told));
                assert_summed(&answer);
                let neighbour = ndp::parse(&answer, told.payload).map(|n| n.ok());
                let neighbour = neighbour.flatten().unwrap_or_else(|| panic!("unreadable answer"));
                assert!(!neighbour.is_question && neighbour.mac == Some(self.scene.own));
                assert_eq!(IpAddr::from(neighbour.target), v6(SERVICE));
                let nobody = question.from.is_unspecified();
                assert!(told.to == asked.from || nobody, "somebody else is answered");
                assert!(answer.to == question.from || nobody, "somebody else is answered");
                // A question without its hardware address is 8 bytes shorter than the answer.
                most += 8;
            }
        }
        assert!(built.bytes().len() <= most, "more bytes out than in: {bytes:02x?}");
    }

    /// No more than was heard, with right checksums, to who asked, within the rate.
    fn check_tarpit(&mut self, bytes: &[u8], ip: Ipv4Addr, built: &Built, now: Moment) {
        let (asked, told) = (parsed(bytes), parsed(built.bytes()));
        assert!(built.bytes().len() <= bytes.len(), "more bytes out than in: {bytes:02x?}");
        assert_eq!((told.from, told.to == asked.from), (self.scene.own, told.to.is_station()));
        self.tarpitted += 1;
        let rate = u64::from(self.manners.rate);
        let earned = rate + rate * now.since_ms(self.began) / 1000;
        assert!(self.tarpitted <= earned, "{} answers of {earned}", self.tarpitted);
        if told.kind == ethernet::ARP {
            let is_question = told.payload.get(6..8) == Some(&[0, 1]);
            assert!(!is_question || self.manners.check && told.to == Mac::BROADCAST);
            let at = if is_question { 24 } else { 14 };
            assert_eq!(told.payload.get(at..at + 4), Some(&ip.octets()[..]));
            return;
        }
        let (question, answer) = (packet(&asked), packet(&told));
        assert_eq!((answer.from, answer.to), (question.to, question.from));
        assert_summed(&answer);
        assert_eq!(sum(&[told.payload.get(..20).unwrap_or_default()]), 0xffff, "IPv4 header");
        let ports = question.ports(Transport::Tcp).map(|(from, to)| (to, from));
        assert_eq!(answer.ports(Transport::Tcp), ports);
        let number = |p: &Packet<'_>, at: usize| {
            let four = p.payload.get(at..).and_then(|b| b.first_chunk::<4>().copied());
            u32::from_be_bytes(four.unwrap_or_default())
        };
        assert_eq!(number(&answer, 8), number(&question, 4).wrapping_add(1), "acknowledgement");
        assert_eq!(question.payload.get(13).map(|f| f & 0x17), Some(2), "it opens nothing");
        assert_eq!(answer.payload.get(13), Some(&0x12));
    }
}

/// The service in a setup, as all its threads see it; filled once.
fn scene(setup: Setup) -> &'static Scene {
    static SCENES: OnceLock<[Scene; 4]> = OnceLock::new();
    let scenes = SCENES.get_or_init(|| [0, 1, 2, 3].map(|bits| build(Setup::of(bits))));
    let [udp, tcp, udp_port, tcp_port] = scenes;
    match (setup.tcp, setup.with_port) {
        (false, false) => udp,
        (true, false) => tcp,
        (false, true) => udp_port,
        (true, true) => tcp_port,
    }
}

fn build(setup: Setup) -> Scene {
    let mask = Ipv4Addr::new(255, 255, 255, 192);
    let whom = Whom::v4(Ipv4Addr::new(10, 0, 0, 192), mask);
    let list = AccessList { entries: vec![Entry { verdict: Verdict::Permit, whom }] };
    let taken = BTreeSet::from([Ipv4Addr::new(10, 0, 0, TAKEN)]);
    let server =
        |n| ServerConfig { host: Host::Ip(v4(11 + n)), port: PORT, ..ServerConfig::default() };
    let servers: Vec<ServerConfig> = (0..SERVERS).map(server).collect();
    Scene {
        own: Mac(OWN),
        doors: vec![(v4(SERVICE), PORT), (v6(SERVICE), PORT)],
        transport: if setup.tcp { Transport::Tcp } else { Transport::Udp },
        with_port: setup.with_port,
        table: maglev::Table::build(&servers),
        tarpit: Some(Ground { list, taken }),
        standby: false,
    }
}

/// Why a frame of which nothing can be read is dropped.
///
/// # Panics
/// It is not dropped, or for another reason.
pub fn malformed_is_dropped(bytes: &[u8]) {
    thread_local! {
        static JUDGE: RefCell<Judge> = RefCell::new(Judge::new((3, 4)));
    }
    let scene = scene(Setup::of(0));
    let deed = JUDGE
        .with_borrow_mut(|judge| judge.judge(scene, &Servers::default(), bytes, Moment(0)).deed);
    assert_eq!(deed, Deed::Drop(DropReason::Malformed), "{bytes:02x?}");
}

fn parsed(bytes: &[u8]) -> Frame<'_> {
    Frame::parse(bytes).unwrap_or_else(|e| panic!("{e:?}: {bytes:02x?}"))
}

fn packet<'a>(frame: &Frame<'a>) -> Packet<'a> {
    let packet = Packet::parse(frame.kind, frame.payload).and_then(Result::ok);
    packet.unwrap_or_else(|| panic!("no packet: {frame:02x?}"))
}

/// The checksum of what a packet carries, worked out here.
fn assert_summed(packet: &Packet<'_>) {
    let header = pseudo(packet.from, packet.to, packet.protocol, packet.payload.len());
    assert_eq!(sum(&[&header, packet.payload]), 0xffff, "checksum of {packet:02x?}");
}
