//! Who may control: another user, another address.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pen_test::{Farm, Place, Program, Scratch, is_root, run_here, until};
use rustix::process::{Gid, Uid};

use crate::rows::Row;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        58,
        "control by another user or from another address",
        "denied where nothing was permitted, the owner served: all cases",
    )
};

/// An address of this machine that is not of the loopback's net.
const OTHER: &str = "10.77.0.1";

fn run(stage: &Stage) -> Verdict {
    if stage.subject == Subject::Nginx {
        return Verdict::without("no control socket");
    }
    if !is_root() {
        return Verdict::skipped("only root can become another user");
    }
    run_here(&format!("ip addr add {OTHER}/32 dev lo"));
    let question = if stage.subject == Subject::Haproxy { "show info" } else { "mode" };
    let mut wrong = Vec::new();
    let mut cases = 0;
    let mut case = |what: &str, right: bool| {
        cases += 1;
        if !right {
            wrong.push(what.to_owned());
        }
    };
    let farm = Farm::banners(1);
    let balancer = stage.start(&Setup::of(farm.words("")));
    let name = match stage.subject {
        Subject::Haproxy => crate::settings::HAPROXY_CONTROL,
        _ => crate::settings::CONTROL,
    };
    let path = balancer.scratch.path(name);
    case("the owner on the Unix socket", by_path(&path, question));
    case("another user on the Unix socket", !as_nobody(&path, question));
    drop(balancer);
    let place = Place::Tcp(([0, 0, 0, 0], pen_test::free_port()).into());
    let Some((_running, _scratch)) = with_address(stage, &farm, &place) else {
        return Verdict::of(wrong.is_empty(), format!("no TCP control; {}", text(cases, &wrong)));
    };
    let asks = |from: &str, to: &str| by_address(from, to, place.port(), question);
    case("the loopback, nothing permitted", asks("127.0.0.1", "127.0.0.1"));
    case("another address, nothing permitted", !asks(OTHER, OTHER));
    Verdict::of(wrong.is_empty(), text(cases, &wrong))
}

fn text(cases: usize, wrong: &[String]) -> String {
    let list = if wrong.is_empty() { String::new() } else { format!(": {}", wrong.join(", ")) };
    format!("{} of {cases} cases wrong{list}", wrong.len())
}

/// The balancer with a control address of TCP, for which nothing else is said.
fn with_address(stage: &Stage, farm: &Farm, place: &Place) -> Option<(Program, Scratch)> {
    let (scratch, listen) = (Scratch::new(), Place::free().word());
    let mut command = Command::new(&stage.program);
    let server = farm.words("").concat();
    match stage.subject {
        Subject::Pen => {
            command.args(["-f", "-u", "root", "-C", &place.word(), &listen, &server]);
        }
        Subject::Classic => {
            command.args(["-f", "-u", "root", "-C", &place.word(), &listen, &server]);
        }
        Subject::Haproxy => {
            let line = format!("stats socket ipv4@{} level admin", place.word());
            let setup = Setup::of([server]).with(Subject::Haproxy, Scope::Global, line);
            command.args(crate::settings::words(Subject::Haproxy, &setup, &scratch));
        }
        Subject::Nginx => return None,
    }
    let mut program = Program::start(command, &scratch);
    let to = SocketAddr::from(([127, 0, 0, 1], place.port()));
    until("the control address", || {
        (program.ended().is_some() || TcpStream::connect(to).is_ok()).then_some(())
    });
    program.ended().is_none().then_some((program, scratch))
}

/// Whether a question is answered, and not by a refusal.
fn answered(mut session: impl Read + Write, question: &str) -> bool {
    let mut answer = Vec::new();
    let sent = session.write_all(format!("{question}\n").as_bytes());
    let _ = session.read_to_end(&mut answer);
    sent.is_ok() && !answer.is_empty() && !answer.starts_with(b"error")
}

fn by_path(path: &Path, question: &str) -> bool {
    UnixStream::connect(path).is_ok_and(|session| {
        let patient = session.set_read_timeout(Some(Duration::from_secs(2)));
        patient.is_ok() && answered(session, question)
    })
}

/// The same on a thread that is nobody.
fn as_nobody(path: &Path, question: &str) -> bool {
    let (path, question) = (path.to_owned(), question.to_owned());
    let nobody = std::thread::spawn(move || {
        let (user, group) = (Uid::from_raw(65_534), Gid::from_raw(65_534));
        rustix::thread::set_thread_groups(&[]).expect("root may");
        rustix::thread::set_thread_res_gid(group, group, group).expect("root may");
        rustix::thread::set_thread_res_uid(user, user, user).expect("root may");
        by_path(&path, &question)
    });
    nobody.join().expect("nobody may try")
}

fn by_address(from: &str, to: &str, port: u16, question: &str) -> bool {
    let address = |text: &str, port| SocketAddr::new(text.parse().expect("an address"), port);
    let patience = Duration::from_secs(2);
    let session = pen_test::dial_from(address(from, 0), address(to, port), patience);
    session.is_ok_and(|session| {
        session.set_read_timeout(Some(patience)).is_ok() && answered(session, question)
    })
}
