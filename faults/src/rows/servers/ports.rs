//! There are more clients than local ports to reach the servers from.

use std::fs;
use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use pen_test::{Place, dial_from};

use crate::rows::Row;
use crate::running::Running;
use crate::serve::Served;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        30,
        "source ports exhausted",
        "as many served as there are ports, the others closed at once; no server held to blame",
    )
};

const RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// Ports in that range: so many connections to each server.
const PORTS: usize = 20;
const SERVERS: u8 = 2;

fn run(stage: &Stage) -> Verdict {
    let servers: Vec<Served> = (0..SERVERS).map(Served::number).collect();
    let setup = Setup { blacklist_s: 30, ..Setup::of(servers.iter().map(Served::word)) };
    let balancer = stage.start(&setup);
    if fs::write(RANGE, "40000 40019").is_err() {
        return Verdict::skipped(format!("{RANGE} cannot be written"));
    }
    let room = PORTS * usize::from(SERVERS);
    let clients = come(&balancer, room + PORTS, 0);
    let (served, closed) = count(&clients);
    drop(clients);
    // What has just been closed rests for a second.
    let (begun, mut again) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(10) && again < room / 2 {
        let clients = come(&balancer, room / 2, 100);
        again = count(&clients).0;
        std::thread::sleep(Duration::from_millis(200));
    }
    let words = format!(
        "{served} served of {} with room for {room}, {closed} closed; later {again} of {} after {:.1} s",
        room + PORTS,
        room / 2,
        begun.elapsed().as_secs_f64()
    );
    Verdict::of(served == room && closed == PORTS && again == room / 2, words)
}

/// Clients from addresses of their own and a port outside the range, so that they take nothing of it.
fn come(balancer: &Running, count: usize, first: usize) -> Vec<TcpStream> {
    let Place::Tcp(to) = balancer.place else { return Vec::new() };
    let from = |n: usize| {
        let [high, low] = u16::try_from(n).unwrap_or_default().to_be_bytes();
        SocketAddr::from((Ipv4Addr::new(127, 3, high, low), 20_000))
    };
    let patience = Duration::from_secs(5);
    (first + 1..=first + count).filter_map(|n| dial_from(from(n), to, patience).ok()).collect()
}

/// Those who are served and those who are closed, while all of them stay.
fn count(clients: &[TcpStream]) -> (usize, usize) {
    let end = Instant::now() + Duration::from_secs(5);
    let (mut served, mut closed) = (0, 0);
    for mut client in clients {
        let left = end.saturating_duration_since(Instant::now());
        let patience = client.set_read_timeout(Some(left.max(Duration::from_millis(10))));
        match patience.and_then(|()| client.read(&mut [0; 64])) {
            Ok(n) if n > 0 => served += 1,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Ok(_) | Err(_) => closed += 1,
        }
    }
    (served, closed)
}
