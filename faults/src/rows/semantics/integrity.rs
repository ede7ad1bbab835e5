//! The integrity matrix: random sizes, pieces, pauses, half-closes and resets in both directions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pen_test::{Host, Place, Scratch, TestServer, Wire, tls_identity};

use crate::exchange::plan::Plan;
use crate::exchange::{Book, Fault, Sum, exchange, serving};
use crate::rows::Row;
use crate::running::Running;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;
use crate::wire::{BadWire, Plug, Troubles};

/// Clients at once.
const CLIENTS: usize = 24;
/// The same where most of them wait for lost frames.
const PATIENT_CLIENTS: usize = 150;

const fn row(form: &'static str, title: &'static str, run: fn(&Stage) -> Verdict) -> Row {
    let expects = "no wrong byte, no cut that looks complete, nothing lost";
    let row = Row::new(5, title, expects);
    Row { form, starred: true, limit: Duration::from_secs(900), run, ..row }
}

pub const PLAIN: Row = row("", "20,000 random connections", |stage| run(stage, Way::Plain));
pub const TLS: Row = row("b", "the same, clients in TLS", |stage| run(stage, Way::Tls));
pub const UNIX: Row =
    row("c", "the same without resets, servers on Unix sockets (which know none)", |stage| {
        run(stage, Way::Unix)
    });
pub const SIX_TO_FOUR: Row =
    row("d", "the same, clients by IPv6, servers by IPv4", |stage| run(stage, Way::SixToFour));
pub const SPLICE: Row =
    row("e", "the same, bytes moved within the kernel", |stage| run(stage, Way::Splice));
pub const BAD_WIRE: Row = Row {
    // Lost round trips make waits of many seconds.
    environment: &[("PEN_TEST_SCALE", "6")],
    expects: "no wrong byte, no cut that looks complete, nothing lost but resets, which are sent once",
    ..row("f", "the same over wires with 2 % loss, duplicates, reordering, bit errors", over_wires)
};
pub const COUNTERS: Row = Row {
    form: "g",
    run: counted,
    ..Row::new(5, "byte counters after 2,000 clean connections", "equal to the bytes moved")
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    Tls,
    Unix,
    SixToFour,
    Splice,
}

fn run(stage: &Stage, way: Way) -> Verdict {
    if way == Way::Splice && stage.subject != Subject::Pen && stage.subject != Subject::Haproxy {
        return Verdict::without("no splice");
    }
    let scratch = Scratch::new();
    let book = Arc::default();
    let servers = [server(way, &scratch, "a", &book), server(way, &scratch, "b", &book)];
    let setup = setup(way, &scratch, &servers);
    let balancer = match stage.try_start(&setup) {
        Ok(balancer) => balancer,
        Err(why) if way == Way::Unix && stage.subject == Subject::Classic => {
            return Verdict::without(format!("no servers on Unix sockets: {why}"));
        }
        Err(why) => return Verdict::of(false, why),
    };
    let count = match stage.subject {
        Subject::Pen => stage.of(20_000, 600),
        // What they do shows in fewer.
        _ => stage.of(2_000, 200),
    };
    let plan = if way == Way::Unix { Plan::clean } else { Plan::of };
    let sum = play(&balancer.place, CLIENTS, stage.seed, count, &book, way == Way::Tls, plan);
    verdict(&sum, count)
}

/// Clients and servers are other machines.
fn over_wires(stage: &Stage) -> Verdict {
    let weather = Troubles {
        delay_ms: 1,
        jitter_ms: 1,
        loss: 0.02,
        duplicate: 0.01,
        reorder: 0.01,
        corrupt: 0.002,
    };
    let (clients, servers) = (Host::new("clients"), Host::new("servers"));
    let ends = [
        (Plug::here("near", "10.1.0.1/24"), Plug::at(&clients, "far", "10.1.0.2/24")),
        (Plug::here("back", "10.2.0.1/24"), Plug::at(&servers, "far", "10.2.0.2/24")),
    ];
    let wires = ends.map(|(near, far)| BadWire::between(near, far, weather, stage.seed));
    let [Ok(front), Ok(back)] = &wires else {
        return Verdict::skipped(wires.into_iter().find_map(Result::err).unwrap_or_default());
    };
    let book = Arc::default();
    let there = Place::Tcp(([10, 2, 0, 2], 1_000).into());
    let _server = servers.inside(|| TestServer::start_at("a", &there, serving(&book, Plan::of)));
    let mut setup = Setup::of([there.word()]);
    setup.listen = Place::Tcp(([10, 1, 0, 1], 1_000).into());
    setup.connect_timeout_s = 50;
    let balancer = stage.start(&setup);
    let count = match stage.subject {
        Subject::Pen => stage.of(20_000, 150),
        _ => stage.of(1_000, 100),
    };
    let place = &balancer.place;
    let sum =
        clients.inside(|| play(place, PATIENT_CLIENTS, stage.seed, count, &book, false, Plan::of));
    let lost = front.deeds().lost + back.deeds().lost;
    weathered(&sum, count, lost)
}

/// The verdict where packets get lost: a reset is sent once, so that some aborts are not heard of.
fn weathered(sum: &Sum, count: usize, lost: u64) -> Verdict {
    let mut faults = sum.faults();
    let unheard = faults.remove(&Fault::AbortUnheard).unwrap_or_default();
    // A fifth of all are aborts; each goes over two wires, and either loses 2.2 % of its frames.
    let bound = 1 + count / 5 / 20;
    let mib = sum.bytes.load(Ordering::SeqCst) >> 20;
    let right = count.saturating_sub(unheard + faults.values().sum::<usize>());
    let figures = format!(
        "{right} right, {mib} MiB, {lost} frames lost; resets lost {unheard} (at most {bound}); {faults:?}"
    );
    Verdict::of(faults.is_empty() && unheard <= bound && lost > 0, figures)
}

fn server(way: Way, scratch: &Scratch, name: &str, book: &Arc<Book>) -> TestServer {
    let act = serving(book, if way == Way::Unix { Plan::clean } else { Plan::of });
    match way {
        Way::Unix => TestServer::start_unix(name, &scratch.path(name), act),
        _ => TestServer::start(name, act),
    }
}

fn setup(way: Way, scratch: &Scratch, servers: &[TestServer]) -> Setup {
    let mut setup = Setup::of(servers.iter().map(TestServer::word));
    match way {
        Way::Plain | Way::Unix => setup,
        Way::Tls => {
            setup.tls = Some(scratch.write("identity.pem", tls_identity()));
            setup
        }
        Way::SixToFour => {
            let port = setup.listen.port();
            setup.listen = Place::Tcp(([0_u16, 0, 0, 0, 0, 0, 0, 1], port).into());
            setup
        }
        Way::Splice => setup.with(Subject::Pen, Scope::Global, "engine splice").with(
            Subject::Haproxy,
            Scope::Service,
            "option splice-auto",
        ),
    }
}

/// Plays `count` exchanges, numbered from the seed on.
fn play(
    place: &Place,
    clients: usize,
    seed: u64,
    count: usize,
    book: &Arc<Book>,
    tls: bool,
    plan: fn(u64) -> Plan,
) -> Sum {
    let first = seed << 32;
    let (next, sum) = (AtomicU64::new(0), Sum::default());
    let client = || {
        loop {
            let n = next.fetch_add(1, Ordering::SeqCst);
            if n >= count as u64 {
                return;
            }
            let dial = Wire::dial(place);
            let wire = if tls { dial.tls().connect() } else { dial.connect() };
            sum.add(exchange(wire, &plan(first + n), book));
        }
    };
    std::thread::scope(|scope| {
        (0..clients).for_each(|_| drop(scope.spawn(client)));
    });
    sum.add_late(book.late());
    sum
}

fn verdict(sum: &Sum, count: usize) -> Verdict {
    let faults = sum.faults();
    let mib = sum.bytes.load(Ordering::SeqCst) >> 20;
    match faults.is_empty() {
        true => Verdict::of(true, format!("{count} right, {mib} MiB")),
        false => Verdict::of(false, format!("of {count}: {faults:?}")),
    }
}

/// Whether the balancer's own counters say what went through it.
fn counted(stage: &Stage) -> Verdict {
    if matches!(stage.subject, Subject::Nginx | Subject::Classic) {
        return Verdict::without("no counters of bytes that can be asked for");
    }
    let book = Arc::default();
    let server = TestServer::start("a", serving(&book, Plan::clean));
    let balancer = stage.start(&Setup::of([server.word()]));
    let count = stage.of(2_000, 200);
    let sum = play(&balancer.place, CLIENTS, stage.seed, count, &book, false, Plan::clean);
    let moved = sum.bytes.load(Ordering::SeqCst);
    // The last connection is counted a moment after its client has seen the end.
    let end = std::time::Instant::now() + pen_test::deadline();
    let mut counted = None;
    while counted != Some(moved) && std::time::Instant::now() < end {
        std::thread::sleep(Duration::from_millis(50));
        counted = counters(&balancer);
    }
    let right = counted == Some(moved) && sum.faults().is_empty();
    Verdict::of(right, format!("moved {moved}, counted {counted:?}, faults {:?}", sum.faults()))
}

/// Bytes in and out together.
fn counters(balancer: &Running) -> Option<u64> {
    match balancer.subject {
        Subject::Pen => {
            let answer = balancer.control("overview json")?;
            let overview: serde_json::Value = serde_json::from_str(&answer).ok()?;
            let totals = overview.pointer("/services/0/totals")?;
            Some(totals.get("received")?.as_u64()? + totals.get("sent")?.as_u64()?)
        }
        Subject::Haproxy => {
            let answer = balancer.control("show stat")?;
            let line = answer.lines().find(|line| line.starts_with("service,FRONTEND"))?;
            let field = |n| line.split(',').nth(n).and_then(|w| w.parse::<u64>().ok());
            Some(field(8)? + field(9)?)
        }
        Subject::Nginx | Subject::Classic => None,
    }
}
