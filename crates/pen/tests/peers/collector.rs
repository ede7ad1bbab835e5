//! A running penlogd, ours or the classic one, and lines sent through a penlog of either kind.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use pen_test::{Program, Scratch, Sig, free_port, until, whole_lines};

/// It runs until it is dropped.
pub struct Collector {
    program: Program,
    scratch: Scratch,
    pub port: u16,
}

impl Collector {
    /// Starts the program in the foreground, unbuffered, and waits until it receives.
    pub fn start(program: &Path) -> Self {
        let (scratch, port) = (Scratch::new(), free_port());
        let mut command = Command::new(program);
        command.args(["-f", "-b", "-l", "log", "-p", "pid", &port.to_string()]);
        let mut collector = Self { program: Program::start(command, &scratch), scratch, port };
        let bound = format!(":{port:04X}");
        until("penlogd to receive", || {
            assert_eq!(collector.program.ended(), None, "{}", collector.program.stderr());
            let pid = collector.program.pid();
            let tables =
                ["udp", "udp6"].map(|t| std::fs::read_to_string(format!("/proc/{pid}/net/{t}")));
            tables.into_iter().flatten().any(|table| table.contains(&bound)).then_some(())
        });
        collector
    }

    /// The lines written so far, when there are this many.
    pub fn lines(&self, count: usize) -> Vec<String> {
        let log = self.scratch.path("log");
        until("the lines of penlogd", || {
            let lines: Vec<String> = whole_lines(&log).lines().map(str::to_owned).collect();
            (lines.len() >= count).then_some(lines)
        })
    }

    /// HUP after the log was renamed.
    pub fn rotate(&self) {
        std::fs::rename(self.scratch.path("log"), self.scratch.path("log.1")).expect("ours");
        Sig::Hup.send(self.program.pid());
        until("the new log", || self.scratch.path("log").exists().then_some(()));
    }

    /// TERM; it must end well.
    pub fn end(self) {
        Sig::Term.send(self.program.pid());
        assert_eq!(self.program.finished().code, Some(0));
    }
}

/// Sends text to a port through penlog, from `own`.
pub fn penlog(program: &Path, port: u16, own: &str, text: &str) {
    let port = port.to_string();
    let mut command = Command::new(program);
    let mut child = command
        .args(["127.0.0.1", &port, own])
        .stdin(Stdio::piped())
        .spawn()
        .expect("penlog starts");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(text.as_bytes()).expect("penlog reads");
    drop(stdin);
    assert!(child.wait().expect("it is ours").success());
}
