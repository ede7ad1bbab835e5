//! A process beside Pen that can start the program anew when Pen itself, shut in, cannot any more.
//!
//! It is forked before the first thread, has the rights of that moment, holds no descriptor but standard
//! input, output and error and its socket to Pen, and knows two words: `start` (with a descriptor, which the
//! program finds as its standard input) and `end` (the process that it started last). It starts one program
//! with one list of arguments, whatever it is told, and ends with Pen.
//! Deliberately not here: what old and new process say to each other.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::unistd::{ForkResult, fork};

use crate::{daemon, descriptors, parcels, sandbox, signals};

/// Set for the program that is started: it has a predecessor at its standard input.
pub const MARK: &str = "PEN_UPGRADE";
/// What concerns one process only.
const NOT_INHERITED: [&str; 4] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"];
/// Its name where processes are listed: at most 15 bytes.
const NAME: &std::ffi::CStr = c"pen-launcher";

/// What is started.
#[derive(Clone, Debug)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// Without its name.
    pub arguments: Vec<OsString>,
}

impl Program {
    /// This program by the path that it was started by (a link stays a link), with these arguments.
    ///
    /// # Errors
    /// It is not known where that is.
    pub fn own(arguments: Vec<OsString>) -> io::Result<Self> {
        let word = std::env::args_os().next().unwrap_or_default();
        let word = Path::new(&word);
        let path = if word.components().count() > 1 {
            std::path::absolute(word)?
        } else {
            let places = std::env::var_os("PATH").unwrap_or_default();
            let found = std::env::split_paths(&places).map(|place| place.join(word));
            let found = found.filter(|path| !word.as_os_str().is_empty() && path.is_file());
            match found.map(std::path::absolute).next() {
                Some(path) => path?,
                None => std::env::current_exe()?,
            }
        };
        Ok(Self { path, arguments })
    }
}

/// Pen's end of the way to the launcher. Dropping it ends the launcher.
#[derive(Debug)]
pub struct Launcher {
    socket: OwnedFd,
}

impl Launcher {
    /// Forks. Only for a process with one thread. `quiet`: what is started has no terminal.
    ///
    /// # Errors
    /// More than one thread, no descriptors, no processes.
    pub fn fork(program: Program, quiet: bool) -> io::Result<Self> {
        if daemon::threads()? != 1 {
            return Err(io::Error::other("a thread runs already"));
        }
        let (ours, theirs) = parcels::pair()?;
        // SAFETY: checked above: this process has one thread, so no other can hold a lock (of the
        // allocator or of standard output) that the child would wait for in vain.
        match unsafe { fork() }? {
            ForkResult::Parent { .. } => Ok(Self { socket: ours }),
            ForkResult::Child => {
                let _ = catch_unwind(AssertUnwindSafe(|| serve(&theirs, &program, quiet)));
                // SAFETY: the call ends the process at once; nothing of the parent's (buffers, exit
                // handlers) is to happen twice.
                unsafe { libc::_exit(0) }
            }
        }
    }

    /// Asks for the program to be started with `input` as its standard input. If it cannot be, `failed`
    /// and the reason are sent through `input`.
    ///
    /// # Errors
    /// The launcher is gone.
    pub fn start(&self, input: &OwnedFd) -> io::Result<()> {
        parcels::send(&self.socket, b"start", &[input.as_fd()])
    }

    /// Ends what was started last, if it still runs.
    ///
    /// # Errors
    /// The launcher is gone.
    pub fn end(&self) -> io::Result<()> {
        parcels::send(&self.socket, b"end", &[])
    }
}

fn serve(socket: &OwnedFd, program: &Program, quiet: bool) {
    // Before anything is opened here: what is open is the parent's.
    let _ = descriptors::close_all_but(socket);
    // What is meant for Pen, from a terminal or a service manager, is not meant for it.
    let _signals = signals::open();
    // Nobody with the same user looks inside, Pen itself included.
    let _ = sandbox::dumpable(false);
    let _ = rustix::thread::set_name(NAME);
    if quiet && daemon::leave_terminal().is_err() {
        return;
    }
    let mut child: Option<Child> = None;
    while let Ok(Some(mut parcel)) = parcels::receive(socket, true) {
        match (parcel.text.as_slice(), parcel.descriptors.pop()) {
            (b"start", Some(input)) => {
                collect(&mut child);
                child = launch(program, input);
            }
            (b"end", _) => {
                if let Some(mut child) = child.take() {
                    let _ = child.kill();
                    let _ = child.wait();
                }
            }
            _ => {}
        }
    }
}

/// One that has ended already leaves nothing behind.
fn collect(child: &mut Option<Child>) {
    if let Some(child) = child {
        let _ = child.try_wait();
    }
}

fn launch(program: &Program, input: OwnedFd) -> Option<Child> {
    let told = input.try_clone().ok()?;
    let mut command = Command::new(&program.path);
    command.args(&program.arguments).env(MARK, "1").stdin(Stdio::from(input));
    for name in NOT_INHERITED {
        command.env_remove(name);
    }
    match command.spawn() {
        Ok(child) => Some(child),
        Err(e) => {
            let text = format!("failed cannot start {}: {e}", program.path.display());
            let _ = parcels::send(&told, text.as_bytes(), &[]);
            None
        }
    }
}

/// The way to the process before this one, if it was started by a launcher. Standard input is empty
/// then. Called once, at the start.
#[must_use]
pub fn predecessor() -> Option<OwnedFd> {
    std::env::var_os(MARK)?;
    let input = rustix::stdio::stdin();
    if !parcels::is_end(input) {
        return None;
    }
    let socket = rustix::io::fcntl_dupfd_cloexec(input, 3).ok()?;
    daemon::leave_input().ok()?;
    Some(socket)
}
