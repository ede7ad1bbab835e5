//! The server aborts in the middle of its answer.

use std::fs;

use pen_test::{End, Farm, Pattern, Sig, Wire, acts, holds, run_here};

use crate::programs;
use crate::rows::Row;
use crate::running::Running;
use crate::serve::Served;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::verdict::Verdict;

const fn row(form: &'static str, title: &'static str, run: fn(&Stage) -> Verdict) -> Row {
    let row = Row::new(3, title, "what was read, then RST, never FIN: all tries");
    Row { form, starred: true, run, ..row }
}

pub const ABORTS: Row = row("", "server resets in mid-answer", aborts);
pub const KILLED: Row =
    row("b", "server killed (-9) in mid-answer, not all read that it was sent", |stage| {
        breaks(stage, Breakage::Killed)
    });
pub const DESTROYED: Row =
    row("c", "server's connections destroyed by its kernel (ss -K) in mid-answer", |stage| {
        breaks(stage, Breakage::Destroyed)
    });

fn aborts(stage: &Stage) -> Verdict {
    let tries = stage.of(500, 50);
    let farm = Farm::one(&acts::reset_after(10_000));
    let pen = stage.start(&Setup::of(farm.words("")));
    let expected = Pattern::new(7).take(10_000);
    let (mut resets, mut foreign) = (0, 0);
    for _ in 0..tries {
        let Ok(client) = Wire::connect(&pen.place) else { continue };
        if client.send("go\n").is_err() {
            continue;
        }
        let (answer, end) = client.read_to_end();
        resets += usize::from(end == End::Reset);
        foreign += usize::from(!expected.starts_with(&answer));
    }
    let right = resets == tries && foreign == 0;
    Verdict::of(right, format!("RST {resets} of {tries}, wrong bytes {foreign}"))
}

/// What happens to a server's connections.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Breakage {
    Killed,
    Destroyed,
}

/// Clients whose connections break at once.
const TOGETHER: usize = 10;
/// What each of them has been answered by then.
const ANSWER: usize = 10_000;
/// What is sent to a server that reads no more.
const UNREAD: &str = "this stays unread\n";

fn breaks(stage: &Stage, breakage: Breakage) -> Verdict {
    if breakage == Breakage::Destroyed && programs::in_path("ss").is_none() {
        return Verdict::skipped("ss (iproute2) is not here");
    }
    let rounds = stage.of(50, 5);
    let mut server = Served::number(0);
    let balancer = stage.start(&Setup::of([server.word()]));
    let (mut resets, mut foreign) = (0, 0);
    for _ in 0..rounds {
        let clients: Vec<Wire> = (0..TOGETHER).filter_map(|_| spoken(&balancer)).collect();
        server.signal(Sig::Stop);
        let sent = |client: &&Wire| client.send(UNREAD).is_ok();
        let sent = clients.iter().filter(sent).count();
        // Whether or not it comes to that: without it the end would be another one.
        let _all_there = !holds(pen_test::deadline(), || connections(&server, true) < sent);
        if !break_all(&mut server, breakage) {
            return Verdict::skipped("this kernel destroys no sockets (CONFIG_INET_DIAG_DESTROY)");
        }
        for client in &clients {
            let (rest, end) = client.read_to_end();
            resets += usize::from(end == End::Reset);
            foreign += usize::from(!rest.is_empty());
        }
    }
    let tries = rounds * TOGETHER;
    let right = resets == tries && foreign == 0;
    Verdict::of(right, format!("RST {resets} of {tries}, with wrong bytes {foreign}"))
}

/// A client that has its answer: the greeting and an echo.
fn spoken(balancer: &Running) -> Option<Wire> {
    let client = Wire::connect(&balancer.place).ok()?;
    let bytes = Pattern::new(7).take(ANSWER);
    let greeted = !client.read_line().is_empty() && client.send(&bytes).is_ok();
    (greeted && client.read_exact(ANSWER).is_ok_and(|echo| echo == bytes)).then_some(client)
}

/// Connections of a server as the kernel sees it: all, or those on which something waits to be read.
fn connections(server: &Served, unread: bool) -> usize {
    let table = fs::read_to_string("/proc/thread-self/net/tcp").unwrap_or_default();
    let port = format!(":{:04X}", server.at.port());
    let waits = |line: &&str| {
        let mut words = line.split_whitespace().skip(1);
        let here = words.next().is_some_and(|here| here.ends_with(&port));
        let open = words.nth(1) == Some("01");
        here && open && words.next().is_some_and(|q| !unread || !q.ends_with(":00000000"))
    };
    table.lines().filter(waits).count()
}

/// All connections of the server break; then it serves again. Answers whether they broke.
fn break_all(server: &mut Served, breakage: Breakage) -> bool {
    match breakage {
        Breakage::Killed => {
            server.kill();
            server.start();
            true
        }
        Breakage::Destroyed => {
            let port = server.at.port();
            // Its listener stays.
            run_here(&format!("ss -K state established sport = :{port} >/dev/null || true"));
            let broken = connections(server, false) == 0;
            server.signal(Sig::Cont);
            broken
        }
    }
}
