//! Our log tools with those of the classic pen 0.34 (Debian's package), in every combination.
//!
//! The classic is a black box at /usr/bin.

use std::path::{Path, PathBuf};
use std::process::Command;

use pen_test::{Pen, Place, Program, Scratch, TestServer, Wire, acts, log_tool, until};

use crate::collector::{Collector, penlog};
use crate::find;

/// A program of the classic.
fn classic(name: &str) -> Option<PathBuf> {
    find(name).map(|_| Path::new("/usr/bin").join(name)).filter(|path| {
        assert!(path.is_file(), "{} is not the classic's", path.display());
        true
    })
}

fn server() -> TestServer {
    let at = Place::Tcp(([127, 0, 0, 9], 0).into());
    TestServer::start_at("s0", &at, acts::http())
}

/// One request from a client's address.
fn ask(place: &Place, from: &str, target: &str) {
    let client = until("pen to listen", || Wire::dial(place).from(from).connect().ok());
    client.send(format!("GET {target} HTTP/1.0\r\n\r\n")).expect("it takes requests");
    // No further: who keeps the connection is not the question here.
    assert_eq!(client.read_exact(5).as_deref().ok(), Some(&b"HTTP/"[..]));
}

fn web(client: &str, target: &str) -> String {
    format!("{client} - - [09/Jan/2002:00:28:50 +0100] \"GET {target} HTTP/1.0\" 200 42")
}

/// The classic pen in front of a server, with this log.
fn classic_pen(program: &Path, server: &TestServer, log: &str) -> (Program, Place, Scratch) {
    let (scratch, place) = (Scratch::new(), Place::free());
    let mut command = Command::new(program);
    command.args(["-f", "-l", log, &place.word(), &server.word()]);
    (Program::start(command, &scratch), place, scratch)
}

#[test]
fn every_pen_penlog_and_penlogd_together() {
    let Some(their_pen) = classic("pen") else { return };
    let (Some(their_penlog), Some(their_penlogd)) = (classic("penlog"), classic("penlogd")) else {
        return;
    };
    let server = server();
    for penlogd in [&their_penlogd, &log_tool("penlogd")] {
        let collector = Collector::start(penlogd);
        let log = format!("127.0.0.1:{}", collector.port);
        let ours = Pen::bare().args(["-l", &log]).servers([server.word()]).start();
        let (_theirs, their_place, _scratch) = classic_pen(&their_pen, &server, &log);
        let mut expected = Vec::new();
        for (n, place) in [ours.place(), &their_place].into_iter().enumerate() {
            for (m, penlog_program) in [&their_penlog, &log_tool("penlog")].into_iter().enumerate()
            {
                let (client, target) = (format!("127.0.0.{}", 50 + 2 * n + m), format!("/{n}{m}"));
                ask(place, &client, &target);
                expected.push(web(&client, &target));
                // An entry may arrive after its line: only one that got its client is done.
                until("the client's line", || {
                    let line = web("127.0.0.1", &target) + "\n";
                    penlog(penlog_program, collector.port, "127.0.0.9", &line);
                    let lines = collector.lines(1);
                    lines.contains(expected.last().expect("just pushed")).then_some(())
                });
            }
        }
        let line = web("x", "/nobody asked for this");
        penlog(&their_penlog, collector.port, "127.0.0.9", &format!("{line}\n"));
        until("an unknown line", || collector.lines(1).contains(&line).then_some(()));
        collector.rotate();
        penlog(&log_tool("penlog"), collector.port, "127.0.0.9", &format!("{line}\n"));
        assert_eq!(collector.lines(1), [line]);
        collector.end();
    }
}

#[test]
fn mergelogs_of_both_kinds_agree_on_logs_of_both_kinds() {
    let Some(their_pen) = classic("pen") else { return };
    let Some(their_mergelogs) = classic("mergelogs") else { return };
    let server = server();
    let scratch = Scratch::new();
    let logs = ["ours.log", "theirs.log"].map(|name| scratch.path(name).display().to_string());
    let mut ours = Pen::bare().args(["-l", &logs[0]]).servers([server.word()]).start();
    let (theirs, their_place, _scratch) = classic_pen(&their_pen, &server, &logs[1]);
    let mut web_log = String::new();
    for (n, place) in [ours.place(), &their_place].into_iter().enumerate() {
        for m in 0..3 {
            ask(place, &format!("127.0.0.{}", 60 + m), &format!("/{n}/{m}"));
        }
    }
    ours.stop();
    pen_test::Sig::Term.send(theirs.pid());
    assert_eq!(theirs.finished().code, Some(0));
    for (n, log) in logs.iter().enumerate() {
        let text = std::fs::read_to_string(log).expect("pen wrote it");
        assert_eq!(text.lines().count(), 3, "{text}");
        let mut expected = String::new();
        web_log.clear();
        for (m, line) in text.lines().enumerate() {
            let epoch: i64 = line.split(' ').nth(1).and_then(|w| w.parse().ok()).expect("a time");
            let day = pen_test::run(
                &"/bin/date".into(),
                ["-u", "-d", &format!("@{epoch}"), "+%d/%b/%Y:%T"],
            );
            let rest =
                format!("- - [{} +0000] \"GET /{n}/{m} HTTP/1.0\" 200 5\n", day.stdout.trim());
            web_log += &format!("127.0.0.1 {rest}");
            expected += &format!("127.0.0.{} {rest}", 60 + m);
        }
        let web_file = scratch.write("web.log", &web_log).display().to_string();
        let input = format!("127.0.0.9:{web_file}");
        for program in [&log_tool("mergelogs"), &their_mergelogs] {
            let merged = pen_test::run(program, ["-p", log, &input]);
            // The classic's uninitialised flag may shift times by an hour: only clients are compared.
            let clients = |text: &str| -> Vec<String> {
                text.lines().map(|l| l.split(' ').next().unwrap_or("").to_owned()).collect()
            };
            assert_eq!(clients(&merged.stdout), clients(&expected), "{}", program.display());
            if *program != their_mergelogs {
                assert_eq!(merged.stdout, expected);
            }
        }
    }
}
