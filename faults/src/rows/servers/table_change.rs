//! A server is taken out of a hashed table and put back: whose clients move?

use std::collections::BTreeMap;
use std::time::Duration;

use pen_test::Sig;

use crate::rows::Row;
use crate::running::Running;
use crate::serve::Served;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;
use crate::visitors::paid;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        28,
        "server removed from a hashed table, and back",
        "only its clients move + at most 1%; all come back; no server has twice the clients of another",
    )
};

const SERVERS: u8 = 10;
/// The one that goes.
const GONE: usize = 4;

fn run(stage: &Stage) -> Verdict {
    let servers: Vec<Served> = (0..SERVERS).map(Served::number).collect();
    let setup = Setup { sticky: true, ..Setup::of(servers.iter().map(Served::word)) }
        .with(Subject::Pen, Scope::Global, "hash")
        .with(Subject::Pen, Scope::Global, "forgetful")
        .with(Subject::Classic, Scope::Global, "-h")
        .with(Subject::Haproxy, Scope::Service, "hash-type consistent");
    let balancer = stage.start(&setup);
    let clients = stage.of(10_000, 2_000);
    let before = homes(&balancer, clients);
    change(&balancer, &servers[GONE], false);
    let without = homes(&balancer, clients);
    change(&balancer, &servers[GONE], true);
    let again = homes(&balancer, clients);

    let gone = format!("s{GONE}");
    let differ = |a: &[Home], b: &[Home], all: bool| {
        a.iter().zip(b).filter(|(x, y)| (all || x.as_ref() != Some(&gone)) && x != y).count()
    };
    let failed: usize =
        [&before, &without, &again].map(|h| h.iter().filter(|h| h.is_none()).count()).iter().sum();
    let others = before.iter().filter(|h| h.as_ref() != Some(&gone)).count().max(1);
    let moved = differ(&before, &without, false) as f64 * 100.0 / others as f64;
    let lost = differ(&before, &again, true);
    let spread = spread(&before);
    let to_it = without.iter().filter(|h| h.as_ref() == Some(&gone)).count();
    let right = moved <= 1.0 && lost == 0 && failed == 0 && to_it == 0 && spread <= 2.0;
    let spread = if spread < 100.0 { format!("{spread:.2}") } else { "all for none".into() };
    let words = format!(
        "{moved:.1}% of the others' clients moved, {lost} of {clients} are elsewhere afterwards, \
         most for least {spread}, {failed} failed"
    );
    Verdict::of(right, words)
}

/// The server of a client; `None` if it was not served.
type Home = Option<String>;

/// Where each client address is sent.
fn homes(balancer: &Running, clients: usize) -> Vec<Home> {
    let each = clients.div_ceil(4);
    let addresses: Vec<String> = (0..clients)
        .map(|n| format!("127.{}.{}.{}", 10 + n / 62_500, n / 250 % 250, n % 250 + 1))
        .collect();
    let threads: Vec<_> = addresses
        .chunks(each)
        .map(|part| {
            let (place, part) = (balancer.place.clone(), part.to_vec());
            std::thread::spawn(move || -> Vec<Home> {
                let home = |s: &String| paid(&place, s, Duration::from_secs(5)).end.ok();
                part.iter().map(home).collect()
            })
        })
        .collect();
    threads.into_iter().flat_map(|t| t.join().unwrap_or_default()).collect()
}

/// Clients of the fullest server for one of the emptiest.
fn spread(homes: &[Home]) -> f64 {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for name in homes.iter().flatten() {
        *count.entry(name).or_default() += 1;
    }
    let most = count.values().max().copied().unwrap_or_default();
    let least = if count.len() < SERVERS.into() {
        0
    } else {
        count.values().min().copied().unwrap_or_default()
    };
    most as f64 / (least as f64).max(1e-3)
}

/// Takes the server out of the table, or puts it back, as the balancer's operator would.
fn change(balancer: &Running, server: &Served, back: bool) {
    let (ip, port) = (server.at.ip(), server.at.port());
    match balancer.subject {
        Subject::Pen | Subject::Classic => {
            let ip = if back { ip.to_string() } else { "0.0.0.0".into() };
            balancer.control(&format!("server {GONE} address {ip} port {port}"));
        }
        Subject::Haproxy => {
            let state = if back { "ready" } else { "maint" };
            balancer.control(&format!("set server service/s{GONE} state {state}"));
        }
        Subject::Nginx => {
            let file = balancer.scratch.path("nginx.conf");
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            let (from, to) = ("server ", "#server ");
            let line = format!("server {};", server.word());
            let (from, to) = match back {
                false => (line.clone(), line.replace(from, to)),
                true => (line.replace(from, to), line.clone()),
            };
            let changed = text.replace(&from, &to).replace(
                &format!("{} fail", from.trim_end_matches(';')),
                &format!("{} fail", to.trim_end_matches(';')),
            );
            drop(std::fs::write(&file, changed));
            balancer.signal(Sig::Hup);
            // Its old processes serve whom they have accepted.
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}
