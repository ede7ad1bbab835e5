//! The kernel refuses what it is asked: each call with each error, once and a thousand
//! times in a row.
//!
//! strace makes the calls fail. What becomes of the connections meanwhile is no matter, but the
//! balancer must live and serve again.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pen_test::{Scratch, Sig, TestServer, Wire, acts, until};

use crate::programs::in_path;
use crate::rows::Row;
use crate::running::Running;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;
use crate::visitors::paid;

const EXPECTS: &str = "no crash, serves again after each: all cells";
const LIMIT: Duration = Duration::from_secs(400);

/// Copying.
pub const ROW: Row = Row {
    limit: LIMIT,
    run: copy,
    ..Row::new(33, "errors of system calls: call x errno, once and 1,000 times", EXPECTS)
};

/// Splicing.
pub const SPLICE: Row = Row {
    form: "b",
    limit: LIMIT,
    run: splice,
    ..Row::new(33, "errors of system calls while bytes are spliced", EXPECTS)
};

/// Over TLS.
pub const TLS: Row = Row {
    form: "c",
    limit: LIMIT,
    // Debian's nginx speaks no newer one unless told. A handshake that never ends is waited for no longer than three seconds.
    environment: &[("PEN_TEST_TLS", "1.2"), ("PEN_TEST_SCALE", "0.3")],
    run: tls,
    ..Row::new(33, "errors of system calls under TLS", EXPECTS)
};

/// Calls of one purpose, by whatever name a balancer makes them, and errors that they may have.
const CELLS: [(&str, &[&str]); 9] = [
    (
        "accept,accept4",
        &["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "ECONNABORTED", "EINTR", "EPERM", "EPROTO"],
    ),
    ("socket", &["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EACCES"]),
    (
        "connect",
        &[
            "ENOBUFS",
            "ENOMEM",
            "EINTR",
            "EPERM",
            "EAGAIN",
            "EADDRNOTAVAIL",
            "ENETUNREACH",
            "EACCES",
        ],
    ),
    ("setsockopt", &["ENOBUFS", "ENOMEM", "EPERM", "ENOPROTOOPT", "EINVAL"]),
    ("epoll_ctl", &["ENOMEM", "ENOSPC", "EPERM"]),
    ("epoll_wait,epoll_pwait,epoll_pwait2", &["EINTR"]),
    (
        "read,readv,recvfrom,recvmsg",
        &["EINTR", "ENOMEM", "ENOBUFS", "ECONNRESET", "ETIMEDOUT", "EHOSTUNREACH"],
    ),
    (
        "write,writev,sendto,sendmsg",
        &["EINTR", "ENOMEM", "ENOBUFS", "ECONNRESET", "EPIPE", "EPERM"],
    ),
    ("shutdown", &["ENOTCONN", "ENOBUFS"]),
];
/// Those of splicing.
const SPLICED: [(&str, &[&str]); 3] = [
    ("splice", &["ENOMEM", "EINTR", "EINVAL", "ECONNRESET", "EPIPE"]),
    ("pipe2,pipe", &["EMFILE", "ENFILE", "ENOMEM"]),
    ("fcntl", &["EPERM", "EBUSY"]),
];

/// Those that matter to a session.
const SEALED: [(&str, &[&str]); 4] = [
    ("accept,accept4", &["EMFILE", "ECONNABORTED"]),
    ("epoll_ctl", &["ENOMEM", "ENOSPC"]),
    ("read,readv,recvfrom,recvmsg", &["EINTR", "ENOMEM", "ECONNRESET"]),
    ("write,writev,sendto,sendmsg", &["EINTR", "ENOBUFS", "ECONNRESET", "EPIPE"]),
];

fn copy(stage: &Stage) -> Verdict {
    sweep(stage, |setup| setup.with(Subject::Pen, Scope::Global, "engine copy"), &CELLS)
}

fn splice(stage: &Stage) -> Verdict {
    if matches!(stage.subject, Subject::Nginx | Subject::Classic) {
        return Verdict::without("no splicing");
    }
    let change = |setup: Setup| {
        setup.with(Subject::Pen, Scope::Global, "engine splice").with(
            Subject::Haproxy,
            Scope::Service,
            "option splice-auto",
        )
    };
    let cells: Vec<_> = SPLICED.iter().chain(&CELLS).copied().collect();
    sweep(stage, change, &cells)
}

fn tls(stage: &Stage) -> Verdict {
    let scratch = Scratch::new();
    let file = scratch.write("tls.pem", pen_test::tls_identity());
    sweep(stage, |setup| Setup { tls: Some(file.clone()), ..setup }, &SEALED)
}

/// Calls that are made once for what is kept: pipes stay for the next connection.
const KEPT: [&str; 2] = ["pipe2,pipe", "fcntl"];

/// What became of the cells.
#[derive(Default)]
struct Count {
    cells: usize,
    met: usize,
    /// Calls that were never made to fail.
    never: Vec<&'static str>,
    wrong: Vec<String>,
}

fn sweep(
    stage: &Stage,
    change: impl Fn(Setup) -> Setup,
    cells: &[(&'static str, &'static [&'static str])],
) -> Verdict {
    if in_path("strace").is_none() {
        return Verdict::skipped("Debian package strace is not installed");
    }
    let servers: Vec<_> =
        (0..2).map(|n| TestServer::start(&format!("s{n}"), acts::banner())).collect();
    let setup = Setup { blacklist_s: 1, ..Setup::of(servers.iter().map(TestServer::word)) };
    let setup = change(setup);
    let mut balancer = stage.start(&setup);
    if !serves_again(&balancer.place) {
        return Verdict::of(
            false,
            format!("serves nobody to begin with: {}", balancer.said_last()),
        );
    }
    let mut count = Count::default();
    for (calls, errors) in cells {
        let met_before = count.met;
        // In the short form the first two errors of each.
        for error in errors.iter().take(stage.of(usize::MAX, 2)) {
            for when in ["1", "1..1000"] {
                if KEPT.contains(calls) {
                    drop(balancer);
                    balancer = stage.start(&setup);
                }
                let before = family(&balancer);
                match cell(&balancer, calls, error, when) {
                    Ok(met) => count.met += usize::from(met),
                    Err(why) => return Verdict::skipped(why),
                }
                count.cells += 1;
                let serves = serves_again(&balancer.place);
                let whole = balancer.lives() && family(&balancer) == before;
                if !whole || !serves {
                    let what = if whole { "serves no more" } else { "crash" };
                    eprintln!("{calls} {error} {when}: {what}: {}", balancer.said_last());
                    count.wrong.push(format!("{what} after {calls} {error} {when}"));
                    drop(balancer);
                    balancer = stage.start(&setup);
                }
            }
        }
        if count.met == met_before {
            count.never.push(calls);
        }
    }
    verdict(stage.subject, count)
}

/// A call that never failed was not tried. Pen is known to make them all; of the others nothing is known then.
fn verdict(subject: Subject, mut count: Count) -> Verdict {
    let mut words =
        format!("{} of {} cells met, {} wrong", count.met, count.cells, count.wrong.len());
    if !count.never.is_empty() {
        words += &format!(", never met: {}", count.never.join(" and "));
    }
    if !count.wrong.is_empty() {
        count.wrong.truncate(4);
        words += &format!(": {}", count.wrong.join(", "));
    }
    let right = count.wrong.is_empty() && count.met > 0;
    if right && !count.never.is_empty() && subject != Subject::Pen {
        return Verdict::skipped(words);
    }
    Verdict::of(right && count.never.is_empty(), words)
}

/// The processes that carry traffic.
fn family(balancer: &Running) -> Vec<u32> {
    match balancer.subject {
        Subject::Nginx => balancer.pids(),
        _ => vec![balancer.pid()],
    }
}

/// Clients while these calls fail. Answers whether one failed.
fn cell(balancer: &Running, calls: &str, error: &str, when: &str) -> Result<bool, String> {
    let log = balancer.scratch.path("strace");
    drop(std::fs::remove_file(&log));
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(&log);
    command.args(["-e", &format!("trace={calls}")]);
    command.args(["-e", &format!("inject={calls}:error={error}:when={when}")]);
    let pids = family(balancer);
    for pid in &pids {
        command.args(["-p", &pid.to_string()]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut strace = command.spawn().map_err(|e| format!("strace: {e}"))?;
    if !takes_hold(&pids, &mut strace) {
        return Err("strace may not trace here".into());
    }
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let place = balancer.place.clone();
            std::thread::spawn(move || {
                for _ in 0..2 {
                    chat(&place);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|t| drop(t.join()));
    let size = || std::fs::metadata(&log).map_or(0, |m| m.len());
    quiet(size);
    Sig::Term.send(strace.id());
    let _ = strace.wait();
    Ok(std::fs::read_to_string(&log).unwrap_or_default().contains("(INJECTED)"))
}

/// Waits until strace writes no more: a call from which it is torn away would end with an error that no
/// kernel gives.
fn quiet(size: impl Fn() -> u64) {
    let end = Instant::now() + Duration::from_secs(5);
    let mut before = None;
    while before != Some(size()) && Instant::now() < end {
        before = Some(size());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until strace has all threads.
fn takes_hold(pids: &[u32], strace: &mut Child) -> bool {
    let traced = |pid: &u32| {
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return true };
        tasks.flatten().all(|task| {
            let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
            !status.contains("TracerPid:\t0\n")
        })
    };
    until("strace", || {
        let failed = strace.try_wait().is_ok_and(|ended| ended.is_some());
        (failed || pids.iter().all(traced)).then_some(!failed)
    })
}

/// A client who says something and hears it back, if he can.
fn chat(place: &pen_test::Place) {
    let Ok(wire) = Wire::connect(place) else { return };
    wire.set_patience(Duration::from_millis(60));
    if !wire.read_line().is_empty() && wire.send(b"hello\n").is_ok() {
        let _ = wire.read_line();
        wire.finish();
        let _ = wire.end();
    }
}

/// Whether a client is served soon.
fn serves_again(place: &pen_test::Place) -> bool {
    let end = Instant::now() + Duration::from_secs(6);
    while Instant::now() < end {
        if paid(place, "127.0.0.1", Duration::from_secs(1)).end.is_ok() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}
