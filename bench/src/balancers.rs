//! The balancers: which are there, how each is told to do the same, how it starts and stops.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::protocol::{ANSWER, Request, Wish, answer};
use crate::{settings, tls};

/// Long enough for a program under valgrind.
const READY: Duration = Duration::from_secs(30);
const STOPPED: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(10);

/// A way from client to server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// No balancer.
    Direct,
    /// This project's.
    Pen,
    /// Another binary of it, to compare with.
    OtherPen,
    /// HAProxy in tcp mode as it comes.
    Haproxy,
    /// HAProxy with the options for the workload.
    HaproxyTuned,
    /// nginx with its stream module.
    Nginx,
    /// Hitch, which does nothing but TLS.
    Hitch,
    /// The classic pen of Debian.
    Classic,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 8] = [
        Kind::Direct,
        Kind::Pen,
        Kind::OtherPen,
        Kind::Haproxy,
        Kind::HaproxyTuned,
        Kind::Nginx,
        Kind::Hitch,
        Kind::Classic,
    ];

    /// As it is called in tables.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Direct => "direct",
            Kind::Pen => "Pen",
            Kind::OtherPen => "Pen, other",
            Kind::Haproxy => "HAProxy",
            Kind::HaproxyTuned => "HAProxy tuned",
            Kind::Nginx => "nginx stream",
            Kind::Hitch => "hitch",
            Kind::Classic => "classic pen",
        }
    }
}

/// What a balancer is to do.
#[derive(Clone, Debug)]
pub struct Task {
    /// Which one.
    pub kind: Kind,
    /// Worker threads or processes.
    pub threads: usize,
    /// Its servers.
    pub servers: Vec<SocketAddr>,
    /// The workload is bulk transfer.
    pub bulk: bool,
    /// Size of Pen's client table, and clients go back to their servers.
    pub clients_max: Option<u32>,
    /// The format of its connection log.
    pub log: Option<&'static str>,
    /// It ends TLS.
    pub tls: Option<Secured>,
}

/// How TLS is ended, and who can look whether it is.
#[derive(Clone, Debug)]
pub struct Secured {
    /// Certificate and key.
    pub file: PathBuf,
    /// Clients that speak to it.
    pub clients: tls::Clients,
}

/// Programs that were found.
#[derive(Clone, Debug, Default)]
pub struct Programs {
    paths: Vec<(Kind, PathBuf)>,
    /// Versions, and why something is missing.
    pub notes: Vec<(String, String)>,
    setpriv: Option<PathBuf>,
    taskset: Option<PathBuf>,
    /// Processors of the balancer, if it is pinned.
    pub pin: Option<String>,
}

impl Programs {
    /// Looks for everything; Pen, and perhaps another one, are the given binaries.
    pub fn find(pen: &Path, other: Option<&Path>) -> Self {
        let mut found =
            Self { setpriv: in_path("setpriv"), taskset: in_path("taskset"), ..Self::default() };
        found.paths.push((Kind::Direct, PathBuf::new()));
        found.note("Pen", Some(pen.to_owned()), &["--version"], "");
        if pen.exists() {
            found.paths.push((Kind::Pen, pen.to_owned()));
        }
        if let Some(other) = other.filter(|o| o.exists()) {
            found.note("Pen, other", Some(other.to_owned()), &["--version"], "");
            found.paths.push((Kind::OtherPen, other.to_owned()));
        }
        let haproxy = in_path("haproxy");
        found.note("HAProxy", haproxy.clone(), &["-v"], "Debian package haproxy");
        if let Some(haproxy) = haproxy {
            found.paths.push((Kind::Haproxy, haproxy.clone()));
            found.paths.push((Kind::HaproxyTuned, haproxy));
        }
        let module = Path::new(settings::NGINX_MODULE).exists();
        let nginx = in_path("nginx").filter(|_| module);
        let wanted = "Debian packages nginx and libnginx-mod-stream";
        found.note("nginx stream", nginx.clone(), &["-v"], wanted);
        found.paths.extend(nginx.map(|p| (Kind::Nginx, p)));
        let hitch = in_path("hitch");
        found.note("hitch", hitch.clone(), &["--version"], "Debian package hitch");
        found.paths.extend(hitch.map(|p| (Kind::Hitch, p)));
        found.find_classic();
        if found.setpriv.is_none() {
            let note =
                "setpriv (util-linux) is missing: balancers outlive a benchmark that is killed";
            found.notes.push(("setpriv".into(), note.into()));
        }
        found
    }

    fn find_classic(&mut self) {
        let path = PathBuf::from("/usr/bin/pen");
        let ours = first_line(&path, &["--version"]).contains("(Rust)");
        let package = first_line(Path::new("/usr/bin/dpkg-query"), &["-S", "/usr/bin/pen"]);
        if !path.exists() || ours || !package.starts_with("pen:") {
            let why = "skipped: /usr/bin/pen is not that of Debian's package pen";
            return self.notes.push(("classic pen".into(), why.into()));
        }
        let wanted = ["-W", "-f", "${Version}", "pen"];
        let version = first_line(Path::new("/usr/bin/dpkg-query"), &wanted);
        self.notes.push(("classic pen".into(), version));
        self.paths.push((Kind::Classic, path));
    }

    fn note(&mut self, name: &str, path: Option<PathBuf>, version: &[&str], wanted: &str) {
        let text = match path.filter(|p| p.exists()) {
            Some(path) => first_line(&path, version),
            None => format!("skipped: not found; {wanted}"),
        };
        self.notes.push((name.into(), text));
    }

    /// Whether it can be started.
    pub fn has(&self, kind: Kind) -> bool {
        self.paths.iter().any(|(k, _)| *k == kind)
    }

    /// Starts a balancer and waits until it answers.
    ///
    /// # Errors
    /// It did not start or does not answer; with what it said.
    pub fn start(&self, task: &Task, folder: &Path) -> Result<Running, String> {
        if task.kind == Kind::Direct {
            return Ok(Running { child: None, targets: task.servers.clone() });
        }
        let listen = free_port().map_err(|e| format!("no free port: {e}"))?;
        let said = folder.join("balancer.out");
        let words = settings::words(task, listen, folder).map_err(|e| format!("settings: {e}"))?;
        let out = fs::File::create(&said).map_err(|e| e.to_string())?;
        let again = out.try_clone().map_err(|e| e.to_string())?;
        let mut command = self.command(task.kind);
        command.args(words).stdin(Stdio::null()).stdout(out).stderr(again);
        let child = command.spawn().map_err(|e| format!("{}: {e}", task.kind.name()))?;
        let clients = task.tls.as_ref().map(|t| &t.clients);
        Running::new(child, listen.into(), clients).map_err(|why| {
            let text = fs::read_to_string(&said).unwrap_or_default();
            let tail: Vec<&str> = text.lines().rev().take(3).collect();
            format!("{}: {why}; it said: {}", task.kind.name(), tail.join(" | "))
        })
    }

    /// The program behind wrappers that end it with this process and pin it.
    fn command(&self, kind: Kind) -> Command {
        let program = self.paths.iter().find(|(k, _)| *k == kind).map(|(_, p)| p.clone());
        let mut words: Vec<std::ffi::OsString> = Vec::new();
        if let Some(setpriv) = &self.setpriv {
            words.extend([setpriv.into(), "--pdeathsig".into(), "TERM".into(), "--".into()]);
        }
        if let (Some(taskset), Some(list)) = (&self.taskset, &self.pin) {
            words.extend([taskset.into(), "-c".into(), list.into()]);
        }
        words.push(program.unwrap_or_default().into());
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        command
    }
}

/// A balancer that runs; it is stopped when this goes.
pub struct Running {
    child: Option<Child>,
    /// Where clients connect to.
    pub targets: Vec<SocketAddr>,
}

impl Running {
    /// A process that was started to serve at an address; waits until it answers there.
    ///
    /// # Errors
    /// It does not.
    pub fn new(
        child: Child,
        listen: SocketAddr,
        clients: Option<&tls::Clients>,
    ) -> Result<Self, String> {
        let mut running = Self { child: Some(child), targets: vec![listen] };
        running.wait_until_ready(listen, clients)?;
        Ok(running)
    }

    /// Its process; `None` for the direct way.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    fn wait_until_ready(
        &mut self,
        listen: SocketAddr,
        clients: Option<&tls::Clients>,
    ) -> Result<(), String> {
        let begin = Instant::now();
        loop {
            let ended = self.child.as_mut().is_some_and(|c| matches!(c.try_wait(), Ok(Some(_))));
            match clients.map_or_else(|| ask(listen), |c| tls::ask(listen, c)) {
                Ok(()) => return Ok(()),
                Err(error) if ended || begin.elapsed() > READY => {
                    return Err(format!("not ready: {error}"));
                }
                Err(_) => std::thread::sleep(LOOK),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            stop(child);
        }
    }
}

/// Ends a process we started: asks, waits, insists.
fn stop(child: &mut Child) {
    let _ = kill_process(Pid::from_child(child), Signal::TERM);
    let begin = Instant::now();
    while begin.elapsed() < STOPPED {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(LOOK),
            Ok(Some(_)) | Err(_) => return,
        }
    }
    let _ = child.kill();
    let _ = child.wait();
}

fn ask(listen: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(listen)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let id = u64::MAX;
    stream.write_all(&Request { wish: Wish::Answer, id, length: 0 }.bytes())?;
    let mut got = [0; ANSWER];
    stream.read_exact(&mut got)?;
    if got == answer(id) { Ok(()) } else { Err(std::io::Error::other("a wrong answer")) }
}

/// An address of this machine with a port that is free at the moment.
///
/// # Errors
/// There is none.
pub fn free_port() -> std::io::Result<SocketAddrV4> {
    let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(SocketAddrV4::new(Ipv4Addr::LOCALHOST, probe.local_addr()?.port()))
}

/// Where a program is.
pub fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|f| f.join(name)).find(|p| p.is_file())
}

/// The first line a program says; programs that wait for something are not asked.
fn first_line(path: &Path, words: &[&str]) -> String {
    let output = Command::new(path).args(words).stdin(Stdio::null()).output();
    let Ok(output) = output else { return "cannot be run".into() };
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).lines().next().unwrap_or_default().trim().to_owned()
}
