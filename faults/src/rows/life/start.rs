//! Starts that cannot succeed.

use std::process::Command;

use pen_test::{Authority, Farm, Program, Scratch, TestServer, acts, is_root};

use crate::rows::Row;
use crate::settings;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        64,
        "starts that cannot succeed: port taken, no such user, jail, key, certificate",
        "ends with an error that names the cause, nothing stays",
    )
};

/// What is wrong, and a word that a useful message has.
const CASES: [(&str, &str); 6] = [
    ("port taken", "in use"),
    ("address not of this machine", "203.0.113.1"),
    ("no such user", "nosuchuser"),
    ("no such jail", "/nonexistent"),
    ("key of another certificate", ".pem"),
    ("no certificate", "missing.pem"),
];

fn run(stage: &Stage) -> Verdict {
    if !is_root() {
        return Verdict::skipped("this is not root");
    }
    let mut wrong = Vec::new();
    for (case, word) in CASES {
        wrong.extend(flaw(stage, case, word).map(|flaw| format!("{case}: {flaw}")));
    }
    let right = CASES.len() - wrong.len();
    let figures = format!("{right} of {} {}", CASES.len(), wrong.join("; "));
    Verdict::of(wrong.is_empty(), figures.trim().to_owned())
}

/// What is not as expected of this start.
fn flaw(stage: &Stage, case: &str, word: &str) -> Option<String> {
    let (scratch, certificates) = (Scratch::new(), Scratch::new());
    let farm = Farm::banners(1);
    let mut setup = Setup::of(farm.words(""));
    let mut _taker = None;
    match case {
        "port taken" => {
            _taker = Some(TestServer::start_at("taker", &setup.listen, acts::banner()));
        }
        "address not of this machine" => {
            setup.listen = pen_test::Place::Tcp(([203, 0, 113, 1], 1_000).into());
        }
        "no such user" => {
            setup.user = "nosuchuser";
            setup = setup.with(Subject::Haproxy, Scope::Global, "user nosuchuser");
        }
        "no such jail" => {
            if stage.subject == Subject::Nginx {
                return None;
            }
            setup.words = ["-j".to_owned(), "/nonexistent".to_owned()].into();
            setup = setup.with(Subject::Haproxy, Scope::Global, "chroot /nonexistent");
        }
        "key of another certificate" => {
            let (one, other) = (Authority::new("one"), Authority::new("other"));
            let text = format!("{}{}", one.key_pem(), other.pem());
            setup.tls = Some(certificates.write("mixed.pem", &text));
        }
        _ => setup.tls = Some(certificates.path("missing.pem")),
    }
    let mut command = Command::new(&stage.program);
    command.args(settings::words(stage.subject, &setup, &scratch));
    let mut program = Program::start(command, &scratch);
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(8);
    let status = loop {
        match program.ended() {
            None if std::time::Instant::now() < patience => {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            None => return Some("it runs".into()),
            Some(status) => break status,
        }
    };
    let log = std::fs::read_to_string(scratch.path("nginx.err")).unwrap_or_default();
    let said = format!("{}{}{log}", program.stdout(), program.stderr());
    match status {
        Some(0) => Some("status 0".into()),
        None => Some("killed by a signal".into()),
        Some(_) if !said.contains(word) => Some("not said why".into()),
        Some(_) if scratch.path(settings::CONTROL).exists() => Some("its socket stays".into()),
        Some(_) => None,
    }
}
