//! Going to the background, with a parent that returns only when the service really runs.
//!
//! The parent waits on a pipe for the child's verdict. The child keeps standard error until it is
//! ready, so that everything that goes wrong before then reaches the terminal, and keeps its
//! working directory for good, so that relative file names keep their meaning.
//! Deliberately not here: what the messages say, and when the child is ready.

use std::fs::OpenOptions;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, dup2_stderr, dup2_stdin, dup2_stdout, fork, setsid};

/// Bytes of the child's message that the parent takes.
const MESSAGE_MAX: u64 = 64 * 1024;
/// How long the parent waits for the kernel to say how a silent child ended.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Who one is after [`detach`].
#[derive(Debug)]
pub enum Role {
    /// The process that was started; it waits for the child's verdict and ends with it.
    Parent(Awaited),
    /// The process that becomes the service.
    Child(Ready),
}

/// The parent's end.
#[derive(Debug)]
pub struct Awaited {
    pipe: PipeReader,
    child: Pid,
}

/// How the start went: what the parent ends with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The exit status; 0 = the service runs.
    pub status: u8,
    /// For standard error; empty if there is nothing to say.
    pub text: String,
}

/// The child's end; in the foreground (see [`Ready::foreground`]) there is nobody to tell.
#[derive(Debug)]
pub struct Ready {
    background: Option<(PipeWriter, OwnedFd)>,
}

/// Forks. The child leads a new session. Only for a process with one thread, which the kernel is
/// asked about (`/proc` must be there).
///
/// # Errors
/// More than one thread, or what pipe, open of `/dev/null`, fork or setsid says. Nothing has
/// happened then.
pub fn detach() -> io::Result<Role> {
    if threads()? != 1 {
        return Err(io::Error::other("cannot go to the background once threads run"));
    }
    let (reader, writer) = io::pipe()?;
    // Opened now: after a chroot there may be none.
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    // SAFETY: checked above: this process has one thread, so no other can hold a lock (of the
    // allocator or of standard output) that the child would wait for in vain.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => {
            drop(writer);
            Ok(Role::Parent(Awaited { pipe: reader, child }))
        }
        ForkResult::Child => {
            drop(reader);
            let ready = Ready { background: Some((writer, null.into())) };
            match setsid() {
                Ok(_) => Ok(Role::Child(ready)),
                Err(e) => {
                    ready.failed(1, &format!("setsid: {e}"));
                    Err(e.into())
                }
            }
        }
    }
}

/// Standard input becomes `/dev/null`.
///
/// # Errors
/// What open or dup2 says.
pub fn leave_input() -> io::Result<()> {
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    Ok(dup2_stdin(null.as_fd())?)
}

/// Standard input, output and error become `/dev/null`.
///
/// # Errors
/// What open or dup2 says.
pub fn leave_terminal() -> io::Result<()> {
    leave_input()?;
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    dup2_stdout(null.as_fd())?;
    dup2_stderr(null.as_fd())?;
    Ok(())
}

/// The number of threads of this process.
///
/// # Errors
/// There is no `/proc`.
pub fn threads() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

impl Awaited {
    /// Waits until the child says how its start went, or ends.
    #[must_use]
    pub fn wait(mut self) -> Verdict {
        let mut said = Vec::new();
        // A read error leaves what was read, which then decides.
        let _ = self.pipe.by_ref().take(MESSAGE_MAX).read_to_end(&mut said);
        match said.split_first() {
            Some((status, text)) => {
                Verdict { status: *status, text: String::from_utf8_lossy(text).into_owned() }
            }
            None => Verdict { status: 1, text: self.how_it_ended() },
        }
    }

    fn how_it_ended(&self) -> String {
        let pause = Duration::from_millis(10);
        let mut left = LAST_WORD;
        loop {
            match waitpid(self.child, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) if !left.is_zero() => {
                    std::thread::sleep(pause);
                    left = left.saturating_sub(pause);
                }
                Ok(WaitStatus::Signaled(_, signal, _)) => {
                    return format!("the service was ended by {signal} before it was ready");
                }
                Ok(WaitStatus::Exited(_, status)) => {
                    return format!("the service ended with status {status} before it was ready");
                }
                _ => return "the service ended before it was ready".to_owned(),
            }
        }
    }
}

impl Ready {
    /// For a process that stays in the foreground: nobody waits, the standard descriptors stay.
    #[must_use]
    pub fn foreground() -> Self {
        Self { background: None }
    }

    /// Somebody waits for the verdict.
    #[must_use]
    pub fn is_background(&self) -> bool {
        self.background.is_some()
    }

    /// The service runs: standard input, output and error become `/dev/null`, then the parent is
    /// told and ends with status 0.
    ///
    /// # Errors
    /// What dup2 says; the parent then hears that the start failed.
    pub fn ready(self) -> io::Result<()> {
        let Some((mut pipe, null)) = self.background else { return Ok(()) };
        io::stdout().flush().unwrap_or_default();
        dup2_stdin(null.as_fd())?;
        dup2_stdout(null.as_fd())?;
        dup2_stderr(null.as_fd())?;
        // The parent may have been ended meanwhile; the service runs all the same.
        let _ = pipe.write_all(&[0]);
        Ok(())
    }

    /// The start failed: the parent prints `text` and ends with `status`. In the foreground
    /// nothing happens; the caller prints and ends itself.
    pub fn failed(self, status: u8, text: &str) {
        if let Some((mut pipe, _)) = self.background {
            // Nobody may be waiting any more.
            let _ = pipe.write_all(&[&[status], text.as_bytes()].concat());
        }
    }
}
