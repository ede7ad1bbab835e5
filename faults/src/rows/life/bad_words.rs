//! Every command with every bad argument.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use pen_test::Farm;

use crate::rows::Row;
use crate::running::Running;
use crate::settings;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    starred: true,
    run,
    ..Row::new(
        56,
        "every control command with every bad argument",
        "no crash, every line answered, a refused line changes nothing",
    )
};

/// What is put behind a command; the last two are made when they are needed.
const ARGUMENTS: [&str; 9] =
    ["", "a b c d", "-1", "2147483648", "9223372036854775808", "x\0y", "größe", "LONG", "UNENDED"];

/// The classic's commands, as penctl(1) lists them, and lines that have ended it before.
const CLASSIC: &str = "abort_on_error acl ascii blacklist block client_acl clients_max close connection \
    conn_max control control_acl debug delayed_forward dsr_if dummy epoll hash http idle_timeout idlers \
    include kqueue listen log mode no pending_max pid poll prio recent roundrobin select server servers \
    socket source ssl_ciphers ssl_client_renegotiation_interval ssl_ocsp_response ssl_option \
    ssl_sni_path status stubborn tarpit_acl tcp_fastclose tcp_nodelay timeout tracking transparent \
    web_stats weight write";
const KNOWN: [&str; 10] = [
    "no acl",
    "acl 0 permit ::1/200",
    "server 2000000000 max 1",
    "server 0 acl 99",
    "server 0 port",
    "listen notaport",
    "listen 127.0.0.1:1x",
    "log /nonexistent/x",
    "connection -1",
    "close 99999999",
];

/// What came of the lines.
#[derive(Default)]
struct Count {
    lines: usize,
    deaths: usize,
    silent: usize,
    changed: usize,
}

fn run(stage: &Stage) -> Verdict {
    if stage.subject == Subject::Nginx {
        return Verdict::without("no control socket");
    }
    let farm = Farm::banners(2);
    let setup = Setup::of(farm.words(""));
    let mut balancer = stage.start(&setup);
    let mut count = Count::default();
    let long = stage.of(1_000_000, 100_000);
    let end = Instant::now() + Duration::from_secs(stage.of(50, 8));
    // Who leaves a client waiting is not asked everything.
    for verb in verbs(&balancer).into_iter().take_while(|_| Instant::now() < end) {
        // A watcher is told events until it leaves.
        let endless = verb == "watch";
        for argument in ARGUMENTS {
            let line = match argument {
                "LONG" => format!("{verb} {}\n", "x".repeat(long)),
                "UNENDED" => format!("{verb} 1"),
                _ => format!("{verb} {argument}\n"),
            };
            one(stage, &setup, &mut balancer, &line, endless, &mut count);
        }
    }
    for line in KNOWN {
        one(stage, &setup, &mut balancer, &format!("{line}\n"), false, &mut count);
    }
    let pipelined = "pid\n".repeat(stage.of(100_000, 20_000));
    one(stage, &setup, &mut balancer, &pipelined, false, &mut count);
    let right = count.deaths + count.silent + count.changed == 0 && count.lines > 100;
    let Count { lines, deaths, silent, changed } = count;
    Verdict::of(
        right,
        format!("{deaths} deaths, {silent} unanswered, {changed} changed, of {lines}"),
    )
}

/// The commands, as the balancer lists them where it does.
fn verbs(balancer: &Running) -> Vec<String> {
    match balancer.subject {
        Subject::Pen => {
            let list = balancer.control("commands").unwrap_or_default();
            let verb = |line: &str| match line.strip_prefix("no ") {
                Some(rest) => Some(format!("no {}", rest.split_whitespace().next()?)),
                None => Some(line.split_whitespace().next()?.to_owned()),
            };
            let mut verbs: Vec<String> = list.lines().filter_map(verb).collect();
            verbs.dedup();
            verbs
        }
        Subject::Haproxy => {
            let help = balancer.control("help").unwrap_or_default();
            let words = |line: &str| {
                let plain = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
                line.split_whitespace().take_while(plain).collect::<Vec<_>>().join(" ")
            };
            help.lines().skip(1).map(words).filter(|verb| !verb.is_empty()).collect()
        }
        Subject::Classic | Subject::Nginx => {
            CLASSIC.split_whitespace().map(str::to_owned).collect()
        }
    }
}

/// One line; a balancer that dies of it is started anew.
fn one(
    stage: &Stage,
    setup: &Setup,
    balancer: &mut Running,
    line: &str,
    endless: bool,
    count: &mut Count,
) {
    let before = settings_of(balancer);
    let answer = say(balancer, line);
    count.lines += 1;
    // A death may come a moment after the answer.
    if balancer.subject != Subject::Pen {
        std::thread::sleep(Duration::from_millis(2));
    }
    if !balancer.lives() {
        count.deaths += 1;
        *balancer = stage.start(setup);
        return;
    }
    match answer {
        Some(answer) if answer.starts_with(b"error: ") => {
            count.changed += usize::from(settings_of(balancer) != before);
        }
        Some(_) => {}
        None => count.silent += usize::from(!endless),
    }
}

/// Sends a line and reads until the balancer ends the session; nothing when it does not.
fn say(balancer: &Running, line: &str) -> Option<Vec<u8>> {
    let name = match balancer.subject {
        Subject::Haproxy => settings::HAPROXY_CONTROL,
        _ => settings::CONTROL,
    };
    let mut session = UnixStream::connect(balancer.scratch.path(name)).ok()?;
    session.set_read_timeout(Some(Duration::from_millis(1_500))).ok()?;
    session.set_write_timeout(Some(Duration::from_millis(1_500))).ok()?;
    // A line that is too long may be refused before all of it is taken.
    let _ = session.write_all(line.as_bytes());
    let _ = session.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    match session.read_to_end(&mut answer) {
        // Unread bytes turn its end into a reset.
        Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => None,
        Ok(_) | Err(_) => Some(answer),
    }
}

/// All settings, where the balancer can write them.
fn settings_of(balancer: &Running) -> Option<String> {
    if balancer.subject != Subject::Pen {
        return None;
    }
    let file = balancer.scratch.path("written");
    balancer.control(&format!("write {}", file.display()))?;
    let text = std::fs::read_to_string(file).ok()?;
    Some(text.lines().filter(|line| !line.starts_with('#')).collect())
}
