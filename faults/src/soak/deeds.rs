//! How the faults of a soak are done and undone.

use std::fs::{self, OpenOptions};
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use pen_test::{Place, Sig, Wire};

use super::town::Town;
use crate::dice::Dice;
use crate::exchange::plan::Plan;

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
/// The local ports that may be chosen.
const PORT_RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// Some that nobody has chosen.
const FEW_PORTS: &str = "61000 61063";

pub fn every(time: Duration, pause_ms: u64, mut job: impl FnMut(usize)) {
    let end = Instant::now() + time;
    for n in 0.. {
        if Instant::now() > end {
            return;
        }
        job(n);
        std::thread::sleep(Duration::from_millis(pause_ms));
    }
}

pub fn servers_die(town: &mut Town, numbers: &[usize], time: Duration) {
    for server in numbers {
        if let Some(server) = town.servers.plain.get_mut(*server) {
            server.die();
        }
    }
    std::thread::sleep(time);
    numbers.iter().for_each(|number| town.revive(*number));
}

/// A rule of the packet filter holds for a time.
pub fn filtered(rule: &str, time: Duration) {
    shell(&format!(
        "nft add table inet soak
         nft 'add chain inet soak fault {{ type filter hook input priority 0; }}'
         nft 'add rule inet soak fault {rule}'"
    ));
    std::thread::sleep(time);
    shell("nft delete table inet soak");
}

/// As many as are open now and a few.
pub fn few_descriptors(town: &Town, time: Duration) {
    let pid = town.pid();
    let open = town.vitals().map_or(60, |v| v.descriptors) + 10;
    shell(&format!("prlimit --pid {pid} --nofile={open}:"));
    std::thread::sleep(time);
    shell(&format!("prlimit --pid {pid} --nofile=$(ulimit -Hn):"));
}

pub fn dawdlers(town: &Town, time: Duration) {
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
pub fn deaf_clients(town: &Town, time: Duration) {
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

pub fn control_storm(town: &Town, dice: &mut Dice, time: Duration) {
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
pub fn crowd(town: &Town, time: Duration) {
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

pub fn many_flows(town: &Town, time: Duration) {
    let udp = town.map().udp;
    every(time, 10, |_| {
        (0..20).for_each(|_| datagram_of_a_stranger(udp));
    });
}

pub fn shell(command: &str) {
    pen_test::run_here(command);
}

/// A new certificate every second, read by HUP and by command in turn; now and then something that is
/// none, after which the one before must still be shown.
pub fn certificates(town: &mut Town, time: Duration) {
    let end = Instant::now() + time;
    let mut shown = town.certificate();
    for n in 0.. {
        let last = Instant::now() > end;
        let new = town.write_certificate(last || n % 3 != 2);
        shown = new.or(shown);
        if n % 2 == 0 {
            // A file that is none is answered with an error.
            drop(town.control("ssl_reload"));
        } else {
            town.signal(Sig::Hup);
        }
        let is_shown = || town.certificate() == shown;
        if pen_test::holds(Duration::from_secs(5), || !is_shown()) {
            town.note_wrong("not the certificate that was there last is shown");
        }
        if last {
            return;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// A server is to move to a name for which there is no answer.
pub fn dead_resolver(town: &mut Town, time: Duration) {
    let Some(names) = &town.names else { return };
    let asked = names.asked();
    let answer = town.control("server 1 address soak.example.org");
    let asked = names.asked() > asked;
    // The session waits less long than Pen does for an answer.
    if !asked || answer.is_some_and(|answer| !answer.starts_with("error")) {
        town.note_wrong("a name without an answer was taken");
    }
    std::thread::sleep(time / 4);
}

/// A pipe that is open for reading and never read.
pub fn log_reader_stops(town: &Town, time: Duration) {
    let pipe = town.path("pipe");
    if !pipe.exists() {
        shell(&format!("mkfifo {}", pipe.display()));
    }
    // Opened for both directions it waits for no writer.
    let reader = OpenOptions::new().read(true).write(true).open(&pipe).expect("a pipe of ours");
    drop(town.control(&format!("connection_log text {}", pipe.display())));
    std::thread::sleep(time);
    drop(town.control("no connection_log"));
    drop(reader);
}

/// The kernel chooses among few ports.
pub fn few_ports(time: Duration) {
    let before = fs::read_to_string(PORT_RANGE).expect("this is Linux");
    fs::write(PORT_RANGE, FEW_PORTS).expect("the namespace is ours");
    std::thread::sleep(time);
    fs::write(PORT_RANGE, before).expect("the namespace is ours");
}
