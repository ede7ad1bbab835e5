//! A balancer that runs.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pen_test::{Place, Program, Scratch, Sig, Vitals, deadline, until};

use crate::settings::{self, CONTROL};
use crate::setup::Setup;
use crate::subject::Subject;

/// A balancer and its scratch directory. It is killed when this goes.
pub struct Running {
    /// Who.
    pub subject: Subject,
    /// Where clients come to.
    pub place: Place,
    /// Its files.
    pub scratch: Scratch,
    program: Program,
}

impl Running {
    /// Starts it and waits until its listener is there.
    ///
    /// # Errors
    /// It ends or does not listen; with what it said.
    pub fn start(subject: Subject, path: &Path, setup: &Setup) -> Result<Self, String> {
        let scratch = Scratch::new();
        let words = settings::words(subject, setup, &scratch);
        let mut command = command(path, setup, &scratch);
        command.args(words).envs(setup.environment.iter().map(|(name, value)| (name, value)));
        let program = Program::start(command, &scratch);
        let mut running = Self { subject, place: setup.listen.clone(), scratch, program };
        let end = std::time::Instant::now() + deadline();
        while !listens(&setup.listen, setup.udp) {
            if running.program.ended().is_some() {
                return Err(format!("it ended: {}", running.said_last()));
            }
            if std::time::Instant::now() > end {
                return Err(format!("it does not listen: {}", running.said_last()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(running)
    }

    /// Its first process.
    pub fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// Its processes: nginx has several.
    pub fn pids(&self) -> Vec<u32> {
        let mut all = vec![self.pid()];
        let mut next = 0;
        while let Some(pid) = all.get(next).copied() {
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
            let children = children.unwrap_or_default();
            all.extend(children.split_whitespace().filter_map(|p| p.parse::<u32>().ok()));
            next += 1;
        }
        all
    }

    /// Memory, descriptors and processor time of all its processes together.
    pub fn vitals(&self) -> Vitals {
        let mut sum = Vitals {
            descriptors: 0,
            threads: 0,
            rss_kib: 0,
            anonymous_kib: 0,
            sleeps: 0,
            ticks: 0,
        };
        for one in self.pids().into_iter().filter_map(Vitals::of) {
            sum.descriptors += one.descriptors;
            sum.threads += one.threads;
            sum.rss_kib += one.rss_kib;
            sum.anonymous_kib += one.anonymous_kib;
            sum.sleeps += one.sleeps;
            sum.ticks += one.ticks;
        }
        sum
    }

    /// Processor time (1/100 s) that it takes while `time` passes.
    pub fn ticks_in(&self, time: Duration) -> u64 {
        let before = self.vitals().ticks;
        std::thread::sleep(time);
        self.vitals().ticks.saturating_sub(before)
    }

    /// Whether it runs: nginx with all its workers.
    pub fn lives(&mut self) -> bool {
        self.program.ended().is_none()
    }

    /// How it ended: `Some(None)` by a signal.
    pub fn ended(&mut self) -> Option<Option<i32>> {
        self.program.ended()
    }

    /// Waits for its end.
    pub fn wait_end(&mut self) -> Option<i32> {
        until("the end of the balancer", || self.program.ended())
    }

    /// Sends a signal to its first process.
    pub fn signal(&self, signal: Sig) {
        signal.send(self.pid());
    }

    /// All it said.
    pub fn said(&self) -> String {
        let error_log = fs::read_to_string(self.scratch.path("nginx.err")).unwrap_or_default();
        format!("{}{}{error_log}", self.program.stdout(), self.program.stderr())
    }

    /// The end of what it said.
    pub fn said_last(&self) -> String {
        let said = self.said();
        let mut lines: Vec<&str> = said.lines().rev().take(3).collect();
        lines.reverse();
        lines.join(" | ")
    }

    /// One line to the control socket of Pen or the classic, or HAProxy's; the answer, or nothing if none came.
    pub fn control(&self, line: &str) -> Option<String> {
        let name = match self.subject {
            Subject::Pen | Subject::Classic => CONTROL,
            Subject::Haproxy => settings::HAPROXY_CONTROL,
            Subject::Nginx => return None,
        };
        let mut session = UnixStream::connect(self.scratch.path(name)).ok()?;
        session.set_read_timeout(Some(deadline())).ok()?;
        writeln!(session, "{line}").ok()?;
        let mut answer = String::new();
        session.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// Connections with servers by its own count, if it keeps one.
    pub fn gauge(&self) -> Option<usize> {
        let sum = |numbers: Vec<Option<usize>>| numbers.into_iter().sum::<Option<usize>>();
        match self.subject {
            Subject::Pen | Subject::Classic => {
                let servers = self.control("servers")?;
                let number = |line: &str| {
                    line.split_once(" conn ")?.1.split_whitespace().next()?.parse().ok()
                };
                sum(servers.lines().map(number).collect())
            }
            Subject::Haproxy => {
                let stat = self.control("show stat")?;
                let servers = stat.lines().filter(|line| line.starts_with("service,s"));
                sum(servers.map(|line| line.split(',').nth(4)?.parse().ok()).collect())
            }
            Subject::Nginx => None,
        }
    }

    /// Connections that it has open with clients, as the kernel sees it.
    pub fn connections(&self) -> Option<usize> {
        let Place::Tcp(address) = &self.place else { return None };
        let table = sockets(&["tcp", "tcp6"]);
        let port = format!(":{:04X}", address.port());
        let open = |line: &&str| {
            let mut words = line.split_whitespace().skip(1);
            words.next().is_some_and(|w| w.ends_with(&port)) && words.nth(1) == Some("01")
        };
        Some(table.lines().filter(open).count())
    }
}

/// A /dev with what programs want, and a log daemon's socket, before the program: `sh -c` has the directory,
/// the socket and the program's words behind it.
const OWN_DEVICES: &str =
    "mount --make-rprivate / && mkdir \"$0\" && mount -t tmpfs tmpfs \"$0\" || exit 2
for node in null zero full random urandom; do
    : > \"$0/$node\" && mount --bind /dev/$node \"$0/$node\" || exit 2
done
ln -s \"$1\" \"$0/log\" && mount --rbind \"$0\" /dev && shift && exec \"$@\"";

/// What starts the program at `path`, without its own words.
fn command(path: &Path, setup: &Setup, scratch: &Scratch) -> Command {
    if let Some(socket) = &setup.log_socket {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", OWN_DEVICES]);
        command.arg(scratch.path("dev")).arg(socket).arg(path);
        return command;
    }
    match setup.descriptors {
        None => Command::new(path),
        Some(limit) => {
            let mut command = Command::new("prlimit");
            command.arg(format!("--nofile={limit}:{limit}")).arg(path);
            command
        }
    }
}

/// Whether somebody listens there (for datagrams: has bound it), without bothering him.
fn listens(place: &Place, udp: bool) -> bool {
    let Place::Tcp(address) = place else {
        return matches!(place, Place::Unix(path) if path.exists());
    };
    let (tables, state) = match udp {
        false => (["tcp", "tcp6"], "0A"),
        true => (["udp", "udp6"], "07"),
    };
    let port = format!(":{:04X}", address.port());
    sockets(&tables).lines().any(|line| {
        let mut words = line.split_whitespace().skip(1);
        words.next().is_some_and(|w| w.ends_with(&port)) && words.nth(1) == Some(state)
    })
}

fn sockets(tables: &[&str]) -> String {
    let read = |table| fs::read_to_string(format!("/proc/thread-self/net/{table}"));
    tables.iter().filter_map(|table| read(table).ok()).collect()
}
