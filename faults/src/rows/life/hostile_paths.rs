//! What lies already where the pid file and the control socket are to be.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use pen_test::{Farm, Scratch};

use crate::rows::Row;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        54,
        "a file, a link, a living socket where socket and pid file belong",
        "nobody's file is lost, nobody's socket taken, a dead one is replaced and goes at the end",
    )
};

/// What is in the way.
const WAYS: [&str; 5] = ["file", "link to a file", "living socket", "dead socket", "folder"];

fn run(stage: &Stage) -> Verdict {
    let mut wrong = Vec::new();
    let (mut tried, socket) = (0, stage.subject != Subject::Nginx);
    for way in WAYS {
        if socket {
            tried += 1;
            wrong.extend(harm(stage, way, Kind::Socket).map(|h| format!("socket, {way}: {h}")));
        }
        if way.contains("file") {
            tried += 1;
            wrong.extend(harm(stage, way, Kind::Pid).map(|h| format!("pid file, {way}: {h}")));
        }
    }
    let figures = format!("{} of {tried} harmless {}", tried - wrong.len(), wrong.join("; "));
    Verdict::of(wrong.is_empty(), figures.trim().to_owned())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Socket,
    Pid,
}

/// What was harmed, if anything was.
fn harm(stage: &Stage, way: &str, kind: Kind) -> Option<String> {
    let scratch = Scratch::new();
    let (path, victim) = (scratch.path("place"), scratch.path("victim"));
    let mut living = None;
    match way {
        "file" => fs::write(&path, "precious").expect("a place of ours"),
        "link to a file" => {
            fs::write(&victim, "precious").expect("a place of ours");
            symlink(&victim, &path).expect("a place of ours");
        }
        "folder" => fs::create_dir(&path).expect("a place of ours"),
        _ => living = Some(UnixListener::bind(&path).expect("a place of ours")),
    }
    if way == "dead socket" {
        living = None;
    }
    let farm = Farm::banners(1);
    let setup = told(Setup::of(farm.words("")), &path, kind);
    let outcome = stage.try_start(&setup);
    std::thread::sleep(std::time::Duration::from_millis(200));
    let started = outcome.is_ok();
    if let Ok(mut balancer) = outcome {
        balancer.signal(pen_test::Sig::Term);
        let _ = balancer.wait_end();
    }
    match way {
        // A pid file that is a plain file is one that was left behind: to write it anew is right.
        "file" if kind == Kind::Pid => (!started).then(|| "it does not start".into()),
        "file" => lost(&path),
        "link to a file" => lost(&victim),
        "living socket" => (!living.is_some_and(|l| reaches(&l, &path))).then(|| "taken".into()),
        "dead socket" if !started => Some("it does not start".into()),
        "dead socket" => path.exists().then(|| "stays behind".into()),
        _ => (!path.is_dir()).then(|| "gone".into()),
    }
}

fn lost(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path);
    let gone = text.is_err();
    (!text.is_ok_and(|t| t == "precious"))
        .then(|| if gone { "deleted" } else { "written over" }.into())
}

/// Whether who connects to the path comes to this listener.
fn reaches(listener: &UnixListener, path: &Path) -> bool {
    let client = std::os::unix::net::UnixStream::connect(path);
    listener.set_nonblocking(true).expect("a socket of ours");
    client.is_ok() && listener.accept().is_ok()
}

fn told(setup: Setup, path: &Path, kind: Kind) -> Setup {
    let path = path.display();
    // A second -C replaces the first.
    let word = if kind == Kind::Socket { "-C" } else { "-p" };
    let mut setup = setup;
    setup.words = [word.to_owned(), path.to_string()].into();
    match kind {
        Kind::Socket => setup.with(Subject::Haproxy, Scope::Global, format!("stats socket {path}")),
        Kind::Pid => setup.with(Subject::Haproxy, Scope::Global, format!("pidfile {path}")).with(
            Subject::Nginx,
            Scope::Global,
            format!("pid {path};"),
        ),
    }
}
