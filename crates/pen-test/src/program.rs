//! Programs under test: where they are, running them to their end, signals.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::place::Scratch;
use crate::waiting::until;

/// Signals pen listens to, and the one it cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sig {
    /// Reload.
    Hup,
    /// End now.
    Term,
    /// End when the connections have ended.
    Quit,
    /// Write the status page.
    Usr1,
    /// Reserved.
    Usr2,
    /// Ends any process at once.
    Kill,
    /// The process stands still.
    Stop,
    /// It goes on.
    Cont,
}

impl Sig {
    /// Sends it to process `pid`; a process that is gone is no error.
    pub fn send(self, pid: u32) {
        let signal = match self {
            Self::Hup => Signal::HUP,
            Self::Term => Signal::TERM,
            Self::Quit => Signal::QUIT,
            Self::Usr1 => Signal::USR1,
            Self::Usr2 => Signal::USR2,
            Self::Kill => Signal::KILL,
            Self::Stop => Signal::STOP,
            Self::Cont => Signal::CONT,
        };
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            let _gone = kill_process(pid, signal);
        }
    }
}

/// Whether the tests run as root; pen then opens its control socket only with `-u`.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The daemon: `$PEN`, else `pen` next to the test.
#[must_use]
pub fn pen_program() -> PathBuf {
    program("PEN", "pen")
}

/// The control program: `$PENCTL`, else `penctl` next to the test.
#[must_use]
pub fn penctl_program() -> PathBuf {
    program("PENCTL", "penctl")
}

/// A log tool (`penlog`, `penlogd`, `mergelogs`): `$PENLOG` and so on, else the one next to the test.
#[must_use]
pub fn log_tool(name: &str) -> PathBuf {
    program(&name.to_uppercase(), name)
}

fn program(variable: &str, name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return std::path::absolute(path).expect("the working directory exists");
    }
    let test = std::env::current_exe().expect("the path of the test program");
    // target/debug/deps/it-1234 or target/debug/examples/idle -> target/debug/pen
    let built = test.ancestors().skip(2).map(|dir| dir.join(name)).next();
    let path = built.expect("a test program lies two directories deep");
    assert!(path.exists(), "{} is not built: run `cargo build`", path.display());
    path
}

/// How a program ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit status; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to its standard output.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
}

/// Runs a program to its end, which must come before the deadline.
pub fn run<A: AsRef<OsStr>>(program: &PathBuf, args: impl IntoIterator<Item = A>) -> Finished {
    let scratch = Scratch::new();
    let mut command = Command::new(program);
    command.args(args);
    Program::start(command, &scratch).finished()
}

/// A running program whose output goes to files of a scratch directory. Dropping kills it.
#[derive(Debug)]
pub struct Program {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Program {
    /// Starts it with UTC times and plain messages.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(mut command: Command, scratch: &Scratch) -> Self {
        let (stdout, stderr) = (scratch.path("stdout"), scratch.path("stderr"));
        let file = |path| std::fs::File::create(path).expect("the scratch directory is ours");
        command.stdin(Stdio::null()).stdout(file(&stdout)).stderr(file(&stderr));
        // Whatever it drops where it stands (a core file, say) goes away with the rest.
        command.current_dir(scratch.dir());
        command.env("TZ", "UTC").env("LC_ALL", "C");
        let child = match command.spawn() {
            Ok(child) => child,
            Err(e) => panic!("cannot start {command:?}: {e}"),
        };
        Self { child, stdout, stderr }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status if it has ended: `Some(None)` when a signal ended it.
    pub fn ended(&mut self) -> Option<Option<i32>> {
        self.child.try_wait().ok().flatten().map(|status| status.code())
    }

    /// Waits for its end.
    pub fn finished(mut self) -> Finished {
        let code = until("a program to end", || self.ended());
        Finished { code, stdout: self.stdout(), stderr: self.stderr() }
    }

    /// What it wrote to its standard output so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        text(&self.stdout)
    }

    /// What it wrote to its standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        text(&self.stderr)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn text(path: &PathBuf) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}
