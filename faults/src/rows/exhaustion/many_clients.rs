//! More client addresses than anybody can remember, and addresses that are chosen to collide.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pen_test::{Farm, Pattern, Place, run_here};

use crate::rows::Row;
use crate::running::Running;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const MANY: Row = Row {
    run: many,
    ..Row::new(
        39,
        "100,000 client addresses, a table for 20,000",
        "processor time per client stays (< 1.5 times), memory bounded, none fails",
    )
};

pub const COLLIDING: Row = Row {
    run: colliding,
    ..Row::new(
        40,
        "client addresses that collide in known hash functions",
        "processor time per client as with random ones (< 1.5 times)",
    )
};

/// Clients that the tables remember.
fn table(stage: &Stage) -> u32 {
    stage.of(20_000, 4_000)
}

fn balancer(stage: &Stage, farm: &Farm) -> Result<Running, Verdict> {
    if stage.subject == Subject::Nginx {
        return Err(Verdict::without("it remembers no clients"));
    }
    run_here("ip route add local 10.0.0.0/8 dev lo");
    let size = table(stage);
    let table = format!("stick-table type ip size {size} store conn_cnt");
    let setup = Setup { sticky: true, ..Setup::of(farm.words("")) }
        .with(Subject::Pen, Scope::Global, format!("clients_max {size}"))
        .with(Subject::Pen, Scope::Global, "limit_conn 100")
        .with(Subject::Haproxy, Scope::Service, table)
        .with(Subject::Haproxy, Scope::Service, "tcp-request connection track-sc0 src")
        .with(Subject::Haproxy, Scope::Service, "stick on src")
        .with(Subject::Classic, Scope::Global, "-c")
        .with(Subject::Classic, Scope::Global, size.to_string());
    Ok(stage.start(&setup))
}

/// What a visit of each of these addresses took.
struct Cost {
    asked: usize,
    failed: usize,
    /// Processor time of the balancer.
    ticks: u64,
}

impl Cost {
    /// Ticks for a thousand clients.
    fn rate(&self) -> f64 {
        self.ticks as f64 * 1e3 / self.asked.max(1) as f64
    }
}

fn visits(balancer: &Running, clients: &[Ipv4Addr], end: Instant) -> Cost {
    let before = balancer.vitals().ticks;
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while Instant::now() < end {
                    let Some(client) = clients.get(next.fetch_add(1, Ordering::SeqCst)) else {
                        return;
                    };
                    failed
                        .fetch_add(usize::from(!visit(&balancer.place, *client)), Ordering::SeqCst);
                }
            });
        }
    });
    let asked = next.load(Ordering::SeqCst).min(clients.len());
    let ticks = balancer.vitals().ticks.saturating_sub(before);
    Cost { asked, failed: failed.load(Ordering::SeqCst), ticks }
}

fn visit(place: &Place, client: Ipv4Addr) -> bool {
    let Place::Tcp(to) = place else { return false };
    let from = (IpAddr::from(client), 0).into();
    let Ok(socket) = pen_test::dial_from(from, *to, Duration::from_secs(5)) else { return false };
    let mut byte = [0];
    let patient = socket.set_read_timeout(Some(Duration::from_secs(5)));
    let said = std::io::Read::read(&mut { &socket }, &mut byte);
    patient.is_ok() && matches!(said, Ok(1))
}

fn many(stage: &Stage) -> Verdict {
    let farm = Farm::banners(2);
    let balancer = match balancer(stage, &farm) {
        Ok(balancer) => balancer,
        Err(verdict) => return verdict,
    };
    let count: u32 = stage.of(100_000, 12_000);
    // Every one is another: the multiplier is odd.
    let address = |n: u32| Ipv4Addr::from(0x0a00_0000 | (n.wrapping_mul(0x9e37_79b1) & 0xff_ffff));
    let all: Vec<Ipv4Addr> = (1..=count).map(address).collect();
    let part = all.len() / 8;
    let end = Instant::now() + Duration::from_secs(stage.of(50, 20));
    let (first, rest) = all.split_at(part);
    let (middle, last) = rest.split_at(rest.len() - part);
    let early = visits(&balancer, first, end);
    let between = visits(&balancer, middle, end);
    let late = visits(&balancer, last, end + Duration::from_secs(10));
    let rss = balancer.vitals().rss_kib / 1024;
    let failed = early.failed + between.failed + late.failed;
    let asked = early.asked + between.asked + late.asked;
    let ratio = late.rate() / early.rate().max(0.1);
    let text = format!(
        "{asked} addresses, {failed} failed; {:.1} ticks per 1000 clients, at the end {:.1}; {rss} MiB",
        early.rate(),
        late.rate()
    );
    // A slow machine may not come to all of them.
    let enough = asked > 2 * table(stage) as usize;
    Verdict::of(failed == 0 && ratio < 1.5 && rss < 500 && enough, text)
}

fn colliding(stage: &Stage) -> Verdict {
    let farm = Farm::banners(2);
    let balancer = match balancer(stage, &farm) {
        Ok(balancer) => balancer,
        Err(verdict) => return verdict,
    };
    let count = stage.of(4_096, 1_500);
    let end = Instant::now() + Duration::from_secs(stage.of(80, 30));
    let dice = Pattern::new(stage.seed).take(count * 3);
    let random: Vec<_> = dice.chunks(3).map(|d| Ipv4Addr::new(10, d[0], d[1], d[2])).collect();
    // What a first connection needs is there when it is measured.
    let _ = visits(&balancer, random.get(..200).unwrap_or_default(), end);
    let plain = visits(&balancer, &random, end);
    let (mut worst, mut name, mut failed) = (0.0, "none", plain.failed);
    for (hash, function) in HASHES {
        let chosen = colliding_in(function, count);
        let cost = visits(&balancer, &chosen, end);
        failed += cost.failed;
        let ratio = cost.rate() / plain.rate().max(0.1);
        if ratio > worst {
            (worst, name) = (ratio, hash);
        }
    }
    let text = format!(
        "worst {worst:.2} times ({name}), {:.1} ticks per 1000 random clients, {failed} failed",
        plain.rate()
    );
    Verdict::of(failed == 0 && worst < 1.5, text)
}

type Function = fn(Ipv4Addr) -> u64;

/// What programs use for tables of addresses.
const HASHES: [(&str, Function); 5] = [
    ("the low bits", |ip| u64::from(u32::from(ip))),
    ("the low bits in the machine's order", |ip| u64::from(u32::from(ip).swap_bytes())),
    ("FNV-1a", |ip| {
        ip.octets()
            .iter()
            .fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(*b)).wrapping_mul(0x0100_0193))
            .into()
    }),
    ("Jenkins one at a time", |ip| {
        let mixed = ip.octets().iter().fold(0_u32, |h, b| {
            let h = h.wrapping_add(u32::from(*b));
            let h = h.wrapping_add(h << 10);
            h ^ (h >> 6)
        });
        let h = mixed.wrapping_add(mixed << 3);
        let h = h ^ (h >> 11);
        h.wrapping_add(h << 15).into()
    }),
    ("SipHash without a secret", |ip| {
        let mut hasher = DefaultHasher::new();
        ip.hash(&mut hasher);
        hasher.finish()
    }),
];

/// So many addresses of 10.0.0.0/8 whose hashes have the most common low 12 bits.
fn colliding_in(function: Function, count: usize) -> Vec<Ipv4Addr> {
    let all = || (0..1_u32 << 24).map(|n| Ipv4Addr::from(0x0a00_0000 | n));
    let wanted = function(Ipv4Addr::new(10, 1, 2, 3)) & 0xfff;
    all().filter(|ip| function(*ip) & 0xfff == wanted).take(count).collect()
}
