//! A process shuts itself in: what it will never need it can never ask of the kernel again.
//!
//! Three things, each for good and inherited by threads that start later: no new privileges by
//! executing something, rules for files (`files`, Landlock), a filter of system calls (`calls`,
//! seccomp). Nothing here needs root. `trial` tries what is forbidden. Deliberately not here: how much
//! is forbidden when, and what is said where the kernel lacks something.

mod calls;
mod files;
mod trial;

use std::fs;
use std::io;

use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::thread::{no_new_privs, set_no_new_privs};

pub use calls::{Calls, forbid_calls};
pub use files::{Files, Rules, forbid_files};
pub use trial::{Attempt, Guard, attempt_forbidden};

/// Nothing that this process executes has more rights than it has itself.
///
/// # Errors
/// What prctl says.
pub fn forbid_new_privileges() -> io::Result<()> {
    Ok(set_no_new_privs(true)?)
}

/// Whether the memory of this process may be written to a core file and read by others of its user.
/// The kernel says no by itself after a change of user.
///
/// # Errors
/// What prctl says.
pub fn dumpable(yes: bool) -> io::Result<()> {
    let behavior = if yes { DumpableBehavior::Dumpable } else { DumpableBehavior::NotDumpable };
    Ok(set_dumpable_behavior(behavior)?)
}

/// What the kernel says of the calling thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Nothing it executes gains rights.
    pub no_new_privileges: bool,
    /// A filter of system calls is in force; `None` if the kernel's account cannot be read.
    pub calls_filtered: Option<bool>,
    /// Supplementary groups; `None` as above.
    pub groups: Option<Vec<u32>>,
}

/// Asks the kernel.
#[must_use]
pub fn account() -> Account {
    let status = fs::read_to_string("/proc/thread-self/status").ok();
    let field = |name: &str| {
        let status = status.as_deref()?;
        status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
    };
    Account {
        no_new_privileges: no_new_privs().unwrap_or(false),
        calls_filtered: field("Seccomp:").map(|mode| mode != "0"),
        groups: field("Groups:")
            .map(|ids| ids.split_ascii_whitespace().filter_map(|id| id.parse().ok()).collect()),
    }
}

#[cfg(test)]
mod tests;
