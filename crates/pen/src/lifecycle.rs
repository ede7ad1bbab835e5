//! The start and the end of the process: background, rights, readiness, exit statuses.
//!
//! The order that boot keeps, and why:
//! 1. command line and file are read, and [`Rights::look_up`] asks the user database: nothing is
//!    opened or changed until all of it is good;
//! 2. [`begin`] goes to the background, before the first thread;
//! 3. signals, logs and the service manager's socket are opened, the time zone is read;
//! 4. listening and control sockets are opened: as root, outside the jail;
//! 5. [`Rights::give_up`] enters the jail and becomes the user;
//! 6. classic logs and the [`pen_sys::pidfile::PidFile`] are opened: as the user, inside the jail;
//! 7. workers start, and [`Start::succeed`] tells parent and service manager.
//!
//! Deliberately not here: signals and what they do, draining, and the sockets themselves.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use pen_core::limits;
use pen_sys::capabilities::Capability;
use pen_sys::daemon::{self, Ready, Role};
use pen_sys::notify::Notify;
use pen_sys::privileges::{self, User};

use crate::logs::Logs;
use crate::upgrade::Predecessor;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// As asked.
    Clean = 0,
    /// The start failed, or the service cannot go on.
    Failed = 1,
    /// A word of the command line or the configuration is wrong.
    Usage = 2,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why the start failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the process ends with.
    pub exit: Exit,
    /// One line for the operator.
    pub text: String,
}

impl Failure {
    /// A failure with status 1.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self { exit: Exit::Failed, text }
    }
}

/// Who one is after [`begin`].
pub enum Begun {
    /// The service has started, or failed to, in another process; end with this.
    Parent(ExitCode),
    /// This process is the service.
    Service(Start),
}

/// A start under way; ends in [`Start::succeed`] or [`Start::fail`].
pub struct Start {
    ready: Ready,
    background: bool,
    /// The process that this one is to take the place of.
    predecessor: Option<Predecessor>,
}

/// Goes to the background if asked to; one that takes over is there already. The parent waits until the service runs or fails, says on
/// standard error what went wrong, and ends with the service's status.
///
/// # Errors
/// Going to the background failed; nothing has happened.
pub fn begin(background: bool, predecessor: Option<Predecessor>) -> Result<Begun, Failure> {
    if !background || predecessor.is_some() {
        let ready = Ready::foreground();
        return Ok(Begun::Service(Start { ready, background, predecessor }));
    }
    let cannot = |e| Failure::new(format!("cannot go to the background: {e}"));
    match daemon::detach().map_err(cannot)? {
        Role::Child(ready) => Ok(Begun::Service(Start { ready, background, predecessor: None })),
        Role::Parent(awaited) => {
            let verdict = awaited.wait();
            if !verdict.text.is_empty() {
                complain(&verdict.text);
            }
            Ok(Begun::Parent(ExitCode::from(verdict.status)))
        }
    }
}

impl Start {
    /// This process is in the background.
    #[must_use]
    pub fn is_background(&self) -> bool {
        self.background
    }

    /// The service runs: what was said so far reaches the terminal, the parent ends with status 0,
    /// the service manager hears `status`.
    ///
    /// # Errors
    /// The standard descriptors cannot be let go of; the parent has heard of it.
    pub fn succeed(self, logs: &Logs, notify: &Notify, status: &str) -> Result<(), Failure> {
        // A terminal that takes nothing must not keep the service from running.
        let _ = logs.started(Duration::from_secs(limits::LAST_LINES_S));
        self.ready
            .ready()
            .map_err(|e| Failure::new(format!("cannot let go of the terminal: {e}")))?;
        if let Some(predecessor) = self.predecessor {
            predecessor.ready();
        }
        notify.ready(status);
        Ok(())
    }

    /// The start failed: says so on standard error (in the background the parent does) and gives
    /// what to end with.
    pub fn fail(self, failure: &Failure) -> ExitCode {
        if let Some(predecessor) = &self.predecessor {
            predecessor.fail(&failure.text);
        }
        if self.ready.is_background() {
            self.ready.failed(failure.exit as u8, &failure.text);
        } else {
            complain(&failure.text);
        }
        failure.exit.into()
    }
}

/// Says why the process ends, on standard error.
pub fn complain(text: &str) {
    // Nobody may be reading; there is nobody else to tell.
    let _ = writeln!(io::stderr(), "pen: {text}");
}

/// The rights to give up: found out before, given up when everything that needs them is open.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    user: Option<User>,
    jail: Option<PathBuf>,
}

impl Rights {
    /// Looks up the user (`-u`) and remembers the jail (`-j`).
    ///
    /// # Errors
    /// The text names the unknown user.
    pub fn look_up(user: Option<&str>, jail: Option<&Path>) -> Result<Self, Failure> {
        let found = user.map(|word| {
            privileges::user(word).map_err(|e| Failure::new(format!("user {word}: {e}")))
        });
        Ok(Self { user: found.transpose()?, jail: jail.map(Path::to_owned) })
    }

    /// Whether the control port may be opened: not as root, unless `-u` says who to be.
    #[must_use]
    pub fn permit_control(&self) -> bool {
        self.user.is_some() || !privileges::is_root()
    }

    /// The user that Pen becomes, if it does.
    #[must_use]
    pub fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    /// Whether the rights of the start stay.
    #[must_use]
    pub fn stay(&self) -> bool {
        self.jail.is_none() && self.user.as_ref().is_none_or(|user| user.uid == privileges::uid())
    }

    /// For messages about files that are opened with what is left: `; it is opened as user U`.
    #[must_use]
    pub fn hint(&self) -> String {
        let user = self.user.as_ref().map(|u| format!(" as user {}", u.word));
        let jail = self.jail.as_ref().map(|j| format!(" inside {}", j.display()));
        match user.into_iter().chain(jail).collect::<String>() {
            none if none.is_empty() => none,
            how => format!("; it is opened{how}"),
        }
    }

    /// Enters the jail and becomes the user, for good; both are verified. Of the rights of root `keep`
    /// stays with this thread and those it will start.
    ///
    /// # Errors
    /// The process must end: it may have given up some rights and not others.
    pub fn give_up(&self, keep: &[Capability]) -> Result<(), Failure> {
        if let Some(jail) = &self.jail {
            privileges::enter_jail(jail)
                .map_err(|e| Failure::new(format!("cannot enter {}: {e}", jail.display())))?;
        }
        if let Some(user) = &self.user {
            privileges::become_user(user, keep)
                .map_err(|e| Failure::new(format!("cannot become user {}: {e}", user.word)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
