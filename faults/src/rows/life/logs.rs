//! Logs that nobody reads, for which there is no room, and which clients want to forge.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use pen_test::{Farm, Scratch, Wire, acts};

use crate::load::Load;
use crate::rows::Row;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const DISK_FULL: Row = Row {
    run: |stage| run(stage, Way::DiskFull),
    ..Row::new(60, "the disk of the log is full", "traffic goes on, no visit fails")
};
pub const STALLED: Row = Row {
    form: "b",
    run: |stage| run(stage, Way::Stalled),
    ..Row::new(60, "who reads the log (a pipe) stands still", "traffic goes on, no visit fails")
};
pub const SYSLOG_DEAF: Row = Row {
    form: "c",
    run: |stage| run(stage, Way::Syslog),
    ..Row::new(
        60,
        "the log daemon reads nothing: its queue is full",
        "traffic goes on, no visit fails; its queue has lines",
    )
};
pub const FORGED: Row = Row {
    run: forged,
    ..Row::new(
        61,
        "requests with line ends, escapes, NUL and a megabyte in the path",
        "one record per connection, no control character",
    )
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    DiskFull,
    Stalled,
    Syslog,
}

fn run(stage: &Stage, way: Way) -> Verdict {
    let scratch = Scratch::new();
    let farm = Farm::banners(1);
    let path = scratch.path("log");
    let text = path.display().to_string();
    // Held open, and never read.
    let mut held = None;
    match way {
        Way::DiskFull => {}
        Way::Stalled => {
            let made = Command::new("mkfifo").arg(&path).status();
            assert!(made.is_ok_and(|s| s.success()), "mkfifo makes a pipe");
            let mut reader = std::fs::OpenOptions::new();
            let reader = reader.read(true).write(true).open(&path).expect("a pipe of ours");
            held = Some(Held::Pipe(reader));
        }
        Way::Syslog => {
            let socket = UnixDatagram::bind(&path).expect("a place of ours");
            socket.set_nonblocking(true).expect("a socket of ours");
            held = Some(Held::Socket(socket));
        }
    }
    let setup = match told(Setup::of(farm.words("")), stage.subject, way, &text) {
        Ok(setup) => setup,
        Err(verdict) => return verdict,
    };
    let mut balancer = stage.start(&setup);
    let load = Load::on(&balancer.place, 4, 400, Duration::from_secs(5));
    let outcome = load.during(Duration::from_secs(stage.of(10, 3)));
    drop(load);
    let mut right = outcome.failed() == 0 && outcome.asked() > 100 && balancer.lives();
    let mut figures = outcome.line();
    if let Some(Held::Socket(socket)) = held {
        let queued = queued(&socket);
        // As many as it takes, and fewer than there were to tell.
        right &= (1..outcome.asked()).contains(&queued);
        figures += &format!(", {queued} lines in the queue");
    }
    Verdict::of(right, figures)
}

enum Held {
    #[expect(dead_code, reason = "only to be held")]
    Pipe(std::fs::File),
    Socket(UnixDatagram),
}

/// What waits to be read.
fn queued(socket: &UnixDatagram) -> usize {
    std::iter::repeat_with(|| socket.recv(&mut [0; 64])).take_while(Result::is_ok).count()
}

/// A line per connection to that place, in each one's way.
fn told(setup: Setup, subject: Subject, way: Way, path: &str) -> Result<Setup, Verdict> {
    let (pen, nginx) = match way {
        Way::DiskFull => ("text /dev/full".to_owned(), "/dev/full".to_owned()),
        Way::Stalled => (format!("text {path}"), path.to_owned()),
        Way::Syslog => ("text syslog".to_owned(), format!("syslog:server=unix:{path}")),
    };
    match (subject, way) {
        (Subject::Pen, _) => {
            // The place of its log daemon is fixed: /dev/log.
            let log_socket = (way == Way::Syslog).then(|| path.into());
            let setup = setup.with(subject, Scope::Global, format!("connection_log {pen}"));
            Ok(Setup { log_socket, ..setup })
        }
        (Subject::Haproxy, Way::Syslog) => Ok(setup
            .with(subject, Scope::Global, format!("log {path} local0"))
            .with(subject, Scope::Shared, "log global")
            .with(subject, Scope::Shared, "option tcplog")),
        (Subject::Haproxy, _) => Err(Verdict::without("it writes no files")),
        (Subject::Nginx, _) => Ok(setup
            .with(subject, Scope::Shared, "log_format visits '$remote_addr $bytes_sent';")
            .with(subject, Scope::Shared, format!("access_log {nginx} visits;"))),
        (Subject::Classic, Way::Syslog) => {
            Err(Verdict::without("syslog for its own messages only"))
        }
        (Subject::Classic, _) => {
            let place = if way == Way::DiskFull { "/dev/full" } else { path };
            let mut setup = setup;
            setup.words.extend(["-l".into(), place.into()]);
            Ok(setup)
        }
    }
}

/// Paths of requests that are to look like more than one record.
const PATHS: [&[u8]; 5] = [
    b"/a\r\n127.0.0.1 1 1 GET /forged HTTP/1.0",
    b"/b\n\n127.0.0.1 forged",
    b"/c\x1b[2J\x1b]0;forged\x07",
    b"/d\x00forged",
    b"/e\xff\xfe\x80\x9b",
];

fn forged(stage: &Stage) -> Verdict {
    let scratch = Scratch::new();
    let log = scratch.path("log");
    let farm = Farm::one(&acts::http());
    let mut setup = Setup::of(farm.words(""));
    match stage.subject {
        Subject::Haproxy | Subject::Nginx => {
            return Verdict::without("nothing of what clients say is logged in this mode");
        }
        Subject::Pen | Subject::Classic => {
            setup.words.extend(["-l".into(), log.display().to_string()]);
        }
    }
    let mut balancer = stage.start(&setup);
    let long = [b"/".as_slice(), &vec![b'x'; 1_000_000]].concat();
    let mut count = 0;
    for path in PATHS.into_iter().chain([long.as_slice()]) {
        let Ok(wire) = Wire::connect(&balancer.place) else { continue };
        count += 1;
        wire.set_patience(Duration::from_millis(300));
        let request = [b"GET ", path, b" HTTP/1.0\r\n\r\n"].concat();
        // Whoever is cut off has been logged as well.
        let _ = wire.send(request);
        let _ = wire.read_to_end();
    }
    std::thread::sleep(Duration::from_secs(1));
    // The classic writes what is buffered when it ends.
    balancer.signal(pen_test::Sig::Term);
    let _ = balancer.wait_end();
    let text = std::fs::read(&log).unwrap_or_default();
    let lines = text.split(|b| *b == b'\n').filter(|l| !l.is_empty()).count();
    let foreign = text.iter().filter(|b| **b != b'\n' && !(b' '..=b'~').contains(*b)).count();
    let right = lines == count && foreign == 0;
    let figures = format!("{lines} records of {count} connections, {foreign} control characters");
    Verdict::of(right, figures)
}
