//! A running pen: started over servers, asked through its control socket, ended when dropped.

use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;
use std::process::Command;

use crate::farm::Farm;
use crate::place::{CONTROL, Place, Scratch};
use crate::program::{Finished, Program, Sig, is_root, pen_program};
use crate::tls::{identity, over_tls};
use crate::vitals::Vitals;
use crate::waiting::until;
use crate::wire::{Client, Wire};

/// Name of the file with certificate and key in the scratch directory.
const IDENTITY: &str = "identity.pem";

/// A pen that is being described.
#[derive(Debug)]
pub struct PenBuilder {
    scratch: Scratch,
    listen: Option<Place>,
    servers: Vec<String>,
    args: Vec<String>,
    env: Vec<(String, OsString)>,
    file: Option<PathBuf>,
    background: bool,
    control: bool,
    descriptors: Option<u64>,
    stuck_output: bool,
    group: Option<PathBuf>,
    injected: Option<String>,
}

impl PenBuilder {
    /// Command-line words before the listening address.
    #[must_use]
    pub fn args<A: Display>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|a| a.to_string()));
        self
    }

    /// A control command run at start (`-O`).
    #[must_use]
    pub fn command(self, command: &str) -> Self {
        self.args(["-O", command])
    }

    /// A configuration file with this text (`-F`); [`Pen::file`] is its path.
    #[must_use]
    pub fn file(mut self, text: &str) -> Self {
        self.file = Some(self.scratch.write("pen.conf", text));
        self
    }

    /// Listens here instead of on a free port.
    #[must_use]
    pub fn listen(mut self, place: &Place) -> Self {
        self.listen = Some(place.clone());
        self
    }

    /// More servers, as the command line writes them.
    #[must_use]
    pub fn servers<A: Display>(mut self, words: impl IntoIterator<Item = A>) -> Self {
        self.servers.extend(words.into_iter().map(|w| w.to_string()));
        self
    }

    /// Goes to the background, as without `-f`.
    #[must_use]
    pub fn background(mut self) -> Self {
        self.background = true;
        self
    }

    /// No control socket.
    #[must_use]
    pub fn no_control(mut self) -> Self {
        self.control = false;
        self
    }

    /// At most this many descriptors (`ulimit -n`).
    #[must_use]
    pub fn descriptors(mut self, count: u64) -> Self {
        self.descriptors = Some(count);
        self
    }

    /// Standard output is a pipe that nobody reads.
    #[must_use]
    pub fn stuck_output(mut self) -> Self {
        self.stuck_output = true;
        self
    }

    /// An environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Starts it in this control group (a directory with `cgroup.procs`).
    #[must_use]
    pub fn in_group(mut self, directory: &std::path::Path) -> Self {
        self.group = Some(directory.to_owned());
        self
    }

    /// The kernel answers some system calls otherwise: `injection` is what strace's `-e inject=` takes.
    #[must_use]
    pub fn injected(mut self, injection: &str) -> Self {
        self.injected = Some(injection.to_owned());
        self
    }

    /// A path in the scratch directory the pen will live in.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.scratch.path(name)
    }

    /// What a service of a file needs where the scenarios run over TLS (option -E is for the first
    /// service); nothing where they do not.
    #[must_use]
    pub fn tls_line(&self) -> String {
        match over_tls() {
            true => format!("ssl_certificate {}\n", self.path(IDENTITY).display()),
            false => String::new(),
        }
    }

    fn program(&self) -> Command {
        let limit = self.descriptors.map(|count| format!("ulimit -n {count} && "));
        // Opened for both directions it waits for no reader, and nobody reads it.
        let stuck = self.stuck_output.then_some("mkfifo stuck && exec 1<>stuck && ");
        let group =
            self.group.as_ref().map(|g| format!("echo $$ >{}/cgroup.procs && ", g.display()));
        // The process stays Pen: who traces it is its grandchild.
        let traced = self.injected.as_ref().map(|injection| {
            let calls = injection.split(':').next().unwrap_or_default();
            format!("exec strace -D -f -qq -o traced -e trace={calls} -e inject={injection} \"$@\"")
        });
        if limit.is_none() && stuck.is_none() && group.is_none() && traced.is_none() {
            return Command::new(pen_program());
        }
        let run = traced.as_deref().unwrap_or("exec \"$@\"");
        let script = [limit.as_deref(), stuck, group.as_deref(), Some(run)]
            .into_iter()
            .flatten()
            .collect::<String>();
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &script, "sh"]).arg(pen_program());
        shell
    }

    fn spawn(&mut self) -> (Program, Place) {
        let place = self.listen.take().unwrap_or_else(Place::free);
        let mut command = self.program();
        if !self.background {
            command.arg("-f");
        }
        if self.control {
            command.arg("-C").arg(self.path(CONTROL));
            if is_root() {
                command.args(["-u", "root"]);
            }
        }
        command.arg("-p").arg(self.path("pid"));
        if over_tls() {
            command.arg("-E").arg(self.scratch.write(IDENTITY, identity()));
        }
        if let Some(file) = &self.file {
            command.arg("-F").arg(file);
        }
        command.args(&self.args).arg(place.word()).args(&self.servers);
        command.envs(self.env.iter().map(|(k, v)| (k, v)));
        (Program::start(command, &self.scratch), place)
    }

    /// Starts it and waits until it answers (without control socket: until its pid file is there).
    ///
    /// # Panics
    /// When it ends instead; the message holds what it said.
    #[must_use]
    pub fn start(mut self) -> Pen {
        let (mut program, place) = self.spawn();
        let mut pid = program.pid();
        if self.background {
            let code = until("the parent of a background pen to end", || program.ended());
            assert_eq!(code, Some(0), "pen did not start: {}", program.stderr());
            pid = until("the pid file", || pid_in(&self.path("pid")));
        }
        let control = self.control.then(|| Place::Unix(self.path(CONTROL)));
        let mut pen = Pen {
            program,
            pid,
            place,
            control,
            background: self.background,
            scratch: self.scratch,
        };
        pen.wait_ready();
        pen
    }

    /// Starts it where it must not stay: waits for its end.
    pub fn fail(mut self) -> Finished {
        let (program, _) = self.spawn();
        let finished = program.finished();
        if let Some(pid) = pid_in(&self.path("pid")) {
            Sig::Kill.send(pid);
        }
        finished
    }
}

/// One line of the reply to `servers`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Its number.
    pub number: u32,
    /// Its address.
    pub addr: String,
    /// Its port.
    pub port: u16,
    /// Connections now.
    pub conn: u32,
    /// Soft limit.
    pub max: u32,
    /// Hard limit.
    pub hard: u32,
    /// Bytes sent to it.
    pub sent: u64,
    /// Bytes received from it.
    pub received: u64,
}

/// A running pen. Dropping ends it.
#[derive(Debug)]
pub struct Pen {
    program: Program,
    pid: u32,
    place: Place,
    control: Option<Place>,
    background: bool,
    scratch: Scratch,
}

impl Pen {
    /// A pen over the servers of `farm`.
    #[must_use]
    pub fn over(farm: &Farm) -> PenBuilder {
        Self::bare().servers(farm.words(""))
    }

    /// A pen without servers.
    #[must_use]
    pub fn bare() -> PenBuilder {
        // The same scenarios on every engine and in every sandbox: PEN_TEST_ENGINE=copy or splice,
        // PEN_TEST_SANDBOX=off or strict force one.
        let forced = ["engine", "sandbox"].into_iter().filter_map(|word| {
            let value = std::env::var(format!("PEN_TEST_{}", word.to_uppercase())).ok()?;
            Some(["-O".to_owned(), format!("{word} {value}")])
        });
        let args = forced.flatten().collect();
        PenBuilder {
            scratch: Scratch::new(),
            listen: None,
            servers: Vec::new(),
            args,
            env: Vec::new(),
            file: None,
            background: false,
            control: true,
            descriptors: None,
            stuck_output: false,
            group: None,
            injected: None,
        }
    }

    fn wait_ready(&mut self) {
        until("pen to answer", || {
            let early = if self.background { None } else { self.program.ended() };
            assert_eq!(early, None, "pen ended early: {}", self.program.stderr());
            match &self.control {
                Some(control) => ask_control(control, "pid")?.trim().parse::<u32>().ok(),
                None => pid_in(&self.path("pid")),
            }
        });
    }

    /// Where it listens.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Where its control socket is.
    ///
    /// # Panics
    /// When it was started without one.
    #[must_use]
    pub fn control(&self) -> &Place {
        self.control.as_ref().expect("a pen with a control socket")
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The configuration file given by [`PenBuilder::file`].
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.path("pen.conf")
    }

    /// A path in its scratch directory.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.scratch.path(name)
    }

    /// What it said on standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.program.stderr()
    }

    /// The reply to one control command.
    ///
    /// # Panics
    /// When the control socket cannot be reached.
    #[must_use]
    pub fn ctl(&self, line: &str) -> String {
        ask_control(self.control(), line).expect("the control socket answers")
    }

    /// A control command that has no reply.
    ///
    /// # Panics
    /// When there is one: it would be an error.
    pub fn set(&self, line: &str) {
        assert_eq!(self.ctl(line), "", "reply to {line:?}");
    }

    /// The reply to `servers`.
    #[must_use]
    pub fn servers(&self) -> Vec<Row> {
        self.ctl("servers").lines().map(row).collect()
    }

    /// Connections of all servers together.
    #[must_use]
    pub fn conns(&self) -> u32 {
        self.servers().iter().map(|r| r.conn).sum()
    }

    /// Waits until no server has a connection.
    pub fn wait_idle(&self) {
        until("all connections to end", || (self.conns() == 0).then_some(()));
    }

    /// A new connection to it.
    ///
    /// # Panics
    /// When it is refused.
    #[must_use]
    pub fn client(&self) -> Client {
        Wire::connect(&self.place).expect("pen accepts")
    }

    /// A new connection to it from `source`, e.g. `127.0.0.5`.
    ///
    /// # Panics
    /// When it is refused.
    #[must_use]
    pub fn client_from(&self, source: &str) -> Client {
        Wire::dial(&self.place).from(source).connect().expect("pen accepts")
    }

    /// Which server greets a client from `source`? Nothing when the door is shut.
    #[must_use]
    pub fn ask(&self, source: &str) -> Option<String> {
        ask_from(&self.place, source)
    }

    /// The kernel's view of the process.
    ///
    /// # Panics
    /// When it is gone.
    #[must_use]
    pub fn vitals(&self) -> Vitals {
        Vitals::of(self.pid).expect("pen lives")
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        if self.background { lives(self.pid) } else { self.program.ended().is_none() }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Sig) {
        signal.send(self.pid);
    }

    /// Waits for its end; answers its exit status (nothing for a background pen or when a signal
    /// ended it).
    pub fn wait_exit(&mut self) -> Option<i32> {
        if self.background {
            until("pen to end", || (!lives(self.pid)).then_some(()));
            return None;
        }
        until("pen to end", || self.program.ended())
    }

    /// Ends it with TERM; answers its exit status.
    pub fn stop(&mut self) -> Option<i32> {
        self.signal(Sig::Term);
        self.wait_exit()
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        if self.background && lives(self.pid) {
            self.signal(Sig::Kill);
        }
        if std::thread::panicking() {
            eprintln!("pen {} said:\n{}", self.pid, self.stderr());
        }
    }
}

pub(crate) fn ask_from(place: &Place, source: &str) -> Option<String> {
    let client = Wire::dial(place).from(source).connect().ok()?;
    let line = client.read_line();
    client.finish();
    let _ = client.end();
    line.split_whitespace().next().map(str::to_owned)
}

fn ask_control(control: &Place, line: &str) -> Option<String> {
    let session = Wire::connect(control).ok()?;
    session.send(format!("{line}\n")).ok()?;
    let (reply, _) = session.read_to_end();
    Some(String::from_utf8_lossy(&reply).into_owned())
}

fn pid_in(path: &PathBuf) -> Option<u32> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Zombies do not count: in a container nobody may be there to collect them.
fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next());
    state.is_some_and(|s| s != "Z")
}

fn row(line: &str) -> Row {
    let words: Vec<&str> = line.split_whitespace().collect();
    let text = |key: &str| {
        let at = words.iter().position(|w| *w == key);
        at.and_then(|at| words.get(at + 1)).copied().unwrap_or_default()
    };
    let number = |key| text(key).parse::<u32>().unwrap_or_default();
    Row {
        number: words.first().and_then(|w| w.parse().ok()).unwrap_or_default(),
        addr: text("addr").to_owned(),
        port: text("port").parse().unwrap_or_default(),
        conn: number("conn"),
        max: number("max"),
        hard: number("hard"),
        sent: text("sx").parse().unwrap_or_default(),
        received: text("rx").parse().unwrap_or_default(),
    }
}
