//! Pen and its servers during the soak.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pen_test::{Program, Scratch, Sig, TestServer, Vitals, is_root, tls_identity, until};

use super::services::{self, Map, Servers, ask};
use crate::dns::NameServer;
use crate::exchange::plan::Plan;
use crate::exchange::serving;
use crate::secure::{self, Secure};

/// In which a process that was replaced has ended: its clients leave sooner, or are idle for too long.
const DRAIN: Duration = Duration::from_secs(40);
/// The file with the certificate that changes.
const CERTIFICATE: &str = "default.pem";

/// Pen, its servers and its files. All of it ends when this goes.
pub struct Town {
    map: Map,
    /// Those that exchange things, greet and answer requests.
    pub servers: Servers,
    /// Says nothing; `None` where there can be none.
    pub names: Option<NameServer>,
    secure: Secure,
    pen: Program,
    /// Of Pen now; another one than the first process after an upgrade.
    pid: u32,
    scratch: Scratch,
    file: String,
    /// What was found wrong on the way.
    wrong: Vec<String>,
}

impl Town {
    /// Builds everything and starts Pen.
    ///
    /// # Errors
    /// Pen does not start; with what it said.
    pub fn new(pen: &Path) -> Result<Self, String> {
        let (scratch, secure) = (Scratch::new(), Secure::new());
        let map = Map::new(&scratch, &secure.config);
        let servers = Servers::start(&map.book, &scratch);
        let identity = scratch.write("identity.pem", tls_identity());
        let file = services::settings(&map, &servers, [&identity, &secure.file])?;
        let path = scratch.write("pen.cfg", &file);
        let mut command = Command::new(pen);
        command.arg("-f").arg("-C").arg(&map.control).arg("-F").arg(path);
        if is_root() {
            command.args(["-u", "root"]);
        }
        let pen = Program::start(command, &scratch);
        let (pid, names, wrong) = (pen.pid(), NameServer::silent().ok(), Vec::new());
        let mut town = Self { map, servers, names, secure, pen, pid, scratch, file, wrong };
        let ready = until("Pen or its end", || {
            let ended = town.pen.ended().is_some();
            (ended || town.control("pid").is_some()).then_some(!ended)
        });
        if ready { Ok(town) } else { Err(town.said_last()) }
    }

    /// Where everything is.
    pub fn map(&self) -> Map {
        self.map.clone()
    }

    /// Pen's process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether Pen lives.
    pub fn lives(&mut self) -> bool {
        if self.pid == self.pen.pid() { self.pen.ended().is_none() } else { is_alive(self.pid) }
    }

    /// Another process takes over; the old one must end when its connections have.
    pub fn upgrade(&mut self) {
        let old = self.pid;
        let found = self.defects();
        self.wrong.extend(found);
        self.signal(Sig::Usr2);
        let told = || self.control("pid")?.trim().parse().ok();
        self.pid = until("another process", || told().filter(|pid| *pid != old));
        let end = Instant::now() + DRAIN;
        let ended = |town: &mut Self| match old == town.pen.pid() {
            true => town.pen.ended().is_some(),
            false => !is_alive(old),
        };
        while !ended(self) {
            if Instant::now() > end {
                self.wrong.push(format!("process {old} does not end after an upgrade"));
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Writes a new certificate, or something that is none, where `shown` has its; what clients must be
    /// shown once Pen has read it.
    pub fn write_certificate(&self, right: bool) -> Option<Vec<u8>> {
        if !right {
            self.secure.scratch.write(CERTIFICATE, "this is no certificate\n");
            return None;
        }
        let identity = self.secure.authority.sign(&[secure::NAME]);
        let file = identity.write(&self.secure.scratch, CERTIFICATE);
        debug_assert_eq!(file, self.secure.file);
        Some(identity.der)
    }

    /// The certificate that clients of `shown` are shown.
    pub fn certificate(&self) -> Option<Vec<u8>> {
        let patience = Duration::from_secs(5);
        let seen = secure::visit(&self.map.trust, &self.map.shown, secure::NAME, patience);
        let (_, _, stream) = seen.ok()?;
        Some(stream.conn.peer_certificates()?.first()?.to_vec())
    }

    /// Notes something that must not be.
    pub fn note_wrong(&mut self, what: impl Into<String>) {
        self.wrong.push(what.into());
    }

    /// A path for files of faults.
    pub fn path(&self, name: &str) -> PathBuf {
        self.scratch.path(name)
    }

    /// Sends Pen a signal.
    pub fn signal(&self, signal: Sig) {
        signal.send(self.pid());
    }

    /// Changes Pen's file: `broken` or as it was.
    pub fn write_file(&self, broken: bool) {
        let rest = if broken { "\nserver 0 weight very\n" } else { "" };
        self.scratch.write("pen.cfg", &format!("{}{rest}", self.file));
    }

    /// A server of the plain service, dead or alive, becomes alive at its place.
    pub fn revive(&mut self, number: usize) {
        let Some(server) = self.servers.plain.get_mut(number) else { return };
        let (name, place) = (server.name().to_owned(), server.place().clone());
        server.die();
        *server = TestServer::start_at(&name, &place, serving(&self.map.book, Plan::of));
    }

    /// What Pen answers to a control line.
    pub fn control(&self, line: &str) -> Option<String> {
        ask(&self.map.control, line)
    }

    /// Pen's memory and descriptors.
    pub fn vitals(&self) -> Option<Vitals> {
        Vitals::of(self.pid())
    }

    /// Waits until no client is connected.
    pub fn wait_idle(&self) -> bool {
        let idle = || {
            let overview = self.overview()?;
            let services = overview.get("services")?.as_array()?;
            let open = |service: &serde_json::Value| {
                let number = |name| service.get(name).and_then(serde_json::Value::as_u64);
                number("conn_used").unwrap_or(0) + number("flows").unwrap_or(0)
            };
            Some(services.iter().map(open).sum::<u64>())
        };
        let end = Instant::now() + pen_test::deadline();
        while idle() != Some(0) {
            if Instant::now() > end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    fn overview(&self) -> Option<serde_json::Value> {
        serde_json::from_str(&self.control("overview json")?).ok()
    }

    /// The end of what Pen said.
    pub fn said_last(&self) -> String {
        let said = self.pen.stderr();
        let lines: Vec<&str> = said.lines().rev().take(3).collect();
        lines.join(" | ")
    }

    /// What was found wrong on the way, and what Pen found wrong with itself.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = self.wrong.clone();
        wrong.extend(self.defects());
        if self.pen.stderr().contains("panicked") {
            wrong.push(format!("a panic: {}", self.said_last()));
        }
        wrong
    }

    fn defects(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let overview = self.overview();
        if overview.is_none() {
            wrong.push("Pen does not answer".into());
        }
        let services = overview.as_ref().and_then(|o| o.get("services")?.as_array());
        for service in services.into_iter().flatten() {
            let defects = service.pointer("/totals/closed/defect").and_then(|n| n.as_u64());
            if let Some(count @ 1..) = defects {
                wrong.push(format!("{count} defects in service {:?}", service.get("service")));
            }
        }
        wrong
    }
}

impl Drop for Town {
    /// A process that has taken over is no child of this one.
    fn drop(&mut self) {
        if self.pid != self.pen.pid() && is_alive(self.pid) {
            Sig::Kill.send(self.pid);
        }
    }
}

/// Whether a process is there and has not ended.
fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}
