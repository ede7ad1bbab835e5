//! The faults of a soak. Each is over, and undone, when [`Trouble::happen`] returns.

use std::fmt;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use pen_test::{Place, Sig, Wire};

use super::town::Town;
use crate::dice::Dice;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// One server dies and comes back.
    ServerDies,
    /// All but one do.
    MostServersDie,
    /// A server is there for half a second and gone for half a second.
    ServerFlaps,
    /// Nothing that is sent to a server arrives.
    BlackHole,
    /// One packet in fifty is lost.
    Loss,
    /// Every connection with clients is killed by the kernel.
    ConnectionsKilled,
    /// Many HUPs.
    HupStorm,
    /// HUP with a file that is wrong.
    BrokenFile,
    /// Pen stands still for some seconds.
    Stopped,
    /// Hardly any descriptors are left.
    FewDescriptors,
    /// Many clients who begin TLS and HTTP and never go on.
    Dawdlers,
    /// Clients who ask for much and read nothing.
    DeafClients,
    /// Clients who connect and abort.
    Aborters,
    /// Many control sessions that change everything, or talk nonsense.
    ControlStorm,
    /// The disk of the connection log is full.
    DiskFull,
    /// Datagrams from very many ports.
    ManyFlows,
    /// More clients and flows at once than at any other time, and nothing from them.
    Crowd,
}

const ALL: [Trouble; 17] = [
    Trouble::ServerDies,
    Trouble::MostServersDie,
    Trouble::ServerFlaps,
    Trouble::BlackHole,
    Trouble::Loss,
    Trouble::ConnectionsKilled,
    Trouble::HupStorm,
    Trouble::BrokenFile,
    Trouble::Stopped,
    Trouble::FewDescriptors,
    Trouble::Dawdlers,
    Trouble::DeafClients,
    Trouble::Aborters,
    Trouble::ControlStorm,
    Trouble::DiskFull,
    Trouble::ManyFlows,
    Trouble::Crowd,
];

/// Those after which Pen keeps something for the next time: tables stay as large as they had to be.
pub const FILLING: [Trouble; 6] = [
    Trouble::Crowd,
    Trouble::HupStorm,
    Trouble::DeafClients,
    Trouble::Dawdlers,
    Trouble::Aborters,
    Trouble::ControlStorm,
];

/// Silent clients of a crowd, below what the services hold together.
const CROWD: usize = 1_600;
/// Flows of a crowd, above what the service holds.
const CROWD_FLOWS: usize = 4_000;
/// Control lines of a storm: right ones whose effect is undone at the end, and wrong ones.
const LINES: [&str; 14] = [
    "server 0 weight 7",
    "server 1 max 5 hard 6",
    "server 2 blacklist 1",
    "server 9999999 max 1",
    "acl 3 deny 192.0.2.0/24",
    "acl 3 permit ::1/200",
    "client_acl 3",
    "client_acl 0",
    "weight",
    "no weight",
    "roundrobin",
    "server 0 weight -1",
    "nonsense \u{1} \u{7f}",
    "explain 192.0.2.1",
];

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{self:?}"))
    }
}

impl Trouble {
    /// One by chance.
    pub fn any(dice: &mut Dice) -> Self {
        ALL.get(dice.length(ALL.len())).copied().unwrap_or(Self::ServerDies)
    }

    /// Lets it happen for `time`, and undoes it.
    pub fn happen(self, town: &mut Town, dice: &mut Dice, time: Duration) {
        let one = dice.length(town.servers.len());
        let plain = town.map().plain;
        match self {
            Self::ServerDies => servers_die(town, &[one], time),
            Self::MostServersDie => servers_die(town, &[1, 2, 3], time),
            Self::ServerFlaps => {
                let end = Instant::now() + time;
                while Instant::now() < end {
                    servers_die(town, &[one], Duration::from_millis(500));
                    std::thread::sleep(Duration::from_millis(500));
                }
            }
            Self::BlackHole => {
                let port = town.servers.get(one).map_or(0, |s| s.place().port());
                filtered(&format!("tcp dport {port} drop"), time);
            }
            Self::Loss => filtered("numgen random mod 50 == 0 drop", time),
            Self::ConnectionsKilled => {
                let port = plain.port();
                shell(&format!("ss -K sport = :{port} >/dev/null || true"));
                std::thread::sleep(time);
            }
            Self::HupStorm => every(time, 100, |_| town.signal(Sig::Hup)),
            Self::BrokenFile => {
                town.write_file(true);
                every(time, 1_000, |_| town.signal(Sig::Hup));
                town.write_file(false);
                town.signal(Sig::Hup);
            }
            Self::Stopped => {
                town.signal(Sig::Stop);
                std::thread::sleep(time / 2);
                town.signal(Sig::Cont);
            }
            Self::FewDescriptors => few_descriptors(town, time),
            Self::Dawdlers => dawdlers(town, time),
            Self::DeafClients => deaf_clients(town, time),
            Self::Aborters => {
                every(time, 2, |_| drop(Wire::connect(&plain).map(Wire::abort)));
            }
            Self::ControlStorm => control_storm(town, dice, time),
            Self::DiskFull => {
                drop(town.control("connection_log text /dev/full"));
                std::thread::sleep(time);
                drop(town.control("no connection_log"));
            }
            Self::ManyFlows => many_flows(town, time),
            Self::Crowd => crowd(town, time),
        }
    }
}

fn every(time: Duration, pause_ms: u64, mut job: impl FnMut(usize)) {
    let end = Instant::now() + time;
    for n in 0.. {
        if Instant::now() > end {
            return;
        }
        job(n);
        std::thread::sleep(Duration::from_millis(pause_ms));
    }
}

fn servers_die(town: &mut Town, numbers: &[usize], time: Duration) {
    for server in numbers {
        if let Some(server) = town.servers.get_mut(*server) {
            server.die();
        }
    }
    std::thread::sleep(time);
    numbers.iter().for_each(|number| town.revive(*number));
}

/// A rule of the packet filter holds for a time.
fn filtered(rule: &str, time: Duration) {
    shell(&format!(
        "nft add table inet soak
         nft 'add chain inet soak fault {{ type filter hook input priority 0; }}'
         nft 'add rule inet soak fault {rule}'"
    ));
    std::thread::sleep(time);
    shell("nft delete table inet soak");
}

/// As many as are open now and a few.
fn few_descriptors(town: &Town, time: Duration) {
    let pid = town.pid();
    let open = town.vitals().map_or(60, |v| v.descriptors) + 10;
    shell(&format!("prlimit --pid {pid} --nofile={open}:"));
    std::thread::sleep(time);
    shell(&format!("prlimit --pid {pid} --nofile=$(ulimit -Hn):"));
}

fn dawdlers(town: &Town, time: Duration) {
    let map = town.map();
    let begun = |(place, bytes): (&Place, &[u8])| {
        let wire = Wire::dial(place).connect().ok()?;
        wire.send(bytes).ok()?;
        Some(wire)
    };
    // The beginning of a ClientHello, and of a request.
    let hello: &[u8] = &[22, 3, 1, 2, 0, 1];
    let request: &[u8] = b"GET / HTTP/1.1\r\nHost: ";
    let both = [(&map.tls, hello), (&map.http, request)];
    let all: Vec<Wire> = (0..200).flat_map(|_| both).filter_map(begun).collect();
    every(time, 500, |_| {
        for wire in &all {
            // Those that Pen has closed.
            let _ = wire.send_some(b"x");
        }
    });
}

/// Exchanges whose number promises an answer of some megabytes, of which nothing is read.
fn deaf_clients(town: &Town, time: Duration) {
    use crate::exchange::plan::Plan;
    let plain = town.map().plain;
    let large = (0..).filter(|n| Plan::of(*n).down > 1_000_000);
    let deaf: Vec<Wire> = large
        .take(40)
        .filter_map(|number| {
            let wire = Wire::dial(&plain).receive_buffer(4_096).connect().ok()?;
            wire.send(number.to_be_bytes()).ok()?;
            Some(wire)
        })
        .collect();
    std::thread::sleep(time);
    deaf.into_iter().for_each(Wire::abort);
}

fn control_storm(town: &Town, dice: &mut Dice, time: Duration) {
    let end = Instant::now() + time;
    std::thread::scope(|scope| {
        for _ in 0..12 {
            let mut dice = Dice::new(dice.roll());
            scope.spawn(move || {
                while Instant::now() < end {
                    let line = LINES.get(dice.length(LINES.len())).copied().unwrap_or_default();
                    // Some are turned away when there are too many at once.
                    let _ = town.control(line);
                }
            });
        }
    });
    // What the file says holds again.
    town.signal(Sig::Hup);
    // A list grows by each entry that is added to it.
    let undo = [
        "client_acl 0",
        "no acl 3",
        "no weight",
        "roundrobin",
        "server 0 weight 0",
        "server 1 max 0 hard 0",
    ];
    for line in undo {
        // The last of the storm may still be there.
        pen_test::until("a control session", || town.control(line));
    }
}

/// Clients of every service that say nothing, and flows as fast as they can be made.
fn crowd(town: &Town, time: Duration) {
    let map = town.map();
    let places = [&map.plain, &map.tls, &map.http, &map.unix];
    let dial = |n: usize| Wire::dial(places.get(n % places.len())?).connect().ok();
    let silent: Vec<Wire> = (0..CROWD).filter_map(dial).collect();
    (0..CROWD_FLOWS).for_each(|_| datagram_of_a_stranger(map.udp));
    std::thread::sleep(time / 2);
    drop(silent);
}

/// From a port of its own. Nobody waits for the answer: the next one there is a stranger to it.
fn datagram_of_a_stranger(to: SocketAddr) {
    if let Ok(socket) = UdpSocket::bind("127.0.0.1:0") {
        let _ = socket.send_to(b"flood of many ports", to);
    }
}

fn many_flows(town: &Town, time: Duration) {
    let udp = town.map().udp;
    every(time, 10, |_| {
        (0..20).for_each(|_| datagram_of_a_stranger(udp));
    });
}

fn shell(command: &str) {
    pen_test::run_here(command);
}
