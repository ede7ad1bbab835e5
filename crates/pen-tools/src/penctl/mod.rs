//! `penctl`: sends commands to a running Pen and prints the replies; watches it.
//!
//! A reply goes to standard output as it arrives, whatever it says; what goes wrong on the way goes to
//! standard error. The exit status says which of the two it was (`Status`). A command is never
//! checked before it is sent, because the daemon may be newer: what this program knows of the commands
//! is used for completion, for `--json`, and for a hint when the daemon refuses one.

mod ask;
mod place;
mod script;
mod top;
mod watch;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use pen_core::cli::completion;
use pen_core::cli::tools::penctl::{self, ADDRESS_VARIABLE, Job, Request};

use crate::ends;

const NAME: &str = "penctl";

/// How it ends, as scripts see it. 2, a wrong command line, is said before anything is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// The reply was printed, and it was no refusal.
    Done,
    /// Pen could not be asked, or its reply was lost.
    Unreachable,
    /// Pen refused the command.
    Refused,
    /// It was asked whether it is ready, and did not say yes.
    NotReady,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(match status {
            Status::Done => 0,
            Status::Unreachable | Status::NotReady => 1,
            Status::Refused => 3,
        })
    }
}

/// Why there is nothing more to do.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Trouble {
    /// A sentence for standard error.
    Failed(String),
    /// Nobody reads standard output any more, which is nobody's fault.
    NobodyReads,
    /// A signal ended it, this one.
    Killed(i32),
}

impl From<String> for Trouble {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

/// Runs with these arguments.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let default = std::env::var(ADDRESS_VARIABLE).ok().filter(|place| !place.is_empty());
    let launch = match penctl::parse(arguments, default) {
        Ok(Request::Talk(launch)) => launch,
        Ok(Request::Completion(shell)) => {
            return finish(say(completion::all(shell).as_bytes()).map(|()| Status::Done));
        }
        Err(stop) => return ends::stop(&stop),
    };
    let link = place::Link { place: &launch.place, timeout_s: launch.timeout_s };
    finish(match &launch.job {
        Job::Command(command) => ask::ask(&link, command, launch.json),
        Job::Script => script::run(&link, io::stdin().lock(), launch.json),
        Job::Watch { since } => watch::run(&link, *since, launch.json),
        // For programs there is the overview itself.
        Job::Top { .. } if launch.json => ask::ask(&link, "overview", true),
        Job::Top { once, interval_s, service } => {
            top::run(&link, *once, *interval_s, service.clone())
        }
    })
}

fn finish(result: Result<Status, Trouble>) -> ExitCode {
    match result {
        Ok(status) => status.into(),
        Err(Trouble::NobodyReads) => Status::Done.into(),
        // As a shell would say it.
        Err(Trouble::Killed(number)) => ExitCode::from(u8::try_from(128 + number).unwrap_or(1)),
        Err(Trouble::Failed(message)) => {
            ends::complain(NAME, &message);
            Status::Unreachable.into()
        }
    }
}

/// Writes to standard output at once.
fn say(bytes: &[u8]) -> Result<(), Trouble> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Err(Trouble::NobodyReads),
        Err(e) => Err(Trouble::Failed(format!("cannot write the reply: {e}"))),
    }
}
