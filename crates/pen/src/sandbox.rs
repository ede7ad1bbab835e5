//! Pen shuts itself in: after everything that needs rights is open, before the first thread.
//!
//! What is given up is the process's for good, so it is kept here for the whole process and not with
//! the settings. Deliberately not here: which places the settings need (`pen_core::sandbox`), and the
//! kernel's means (`pen_sys::sandbox`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use pen_core::config::Config;
use pen_core::inspection::{self, Finding, Sandboxed};
use pen_core::report::sandbox::Sealed;
use pen_core::sandbox::{Level, Named, Places};
use pen_sys::capabilities::{self, Capability};
use pen_sys::sandbox::{self, Calls, Files, Guard, Rules};
use pen_sys::{daemon, privileges};

use crate::lifecycle::Failure;
use crate::transparent;

/// What was given up at the start.
static SHUT: OnceLock<Shut> = OnceLock::new();

/// What came of shutting in.
#[derive(Clone, Debug, Default)]
struct Shut {
    level: Level,
    landlock: Option<i32>,
    /// What that is too old to refuse.
    unknown: Vec<&'static str>,
    /// Why system calls are not filtered.
    unfiltered: Option<String>,
    places: Places,
}

/// Shuts the process in as `config` asks; `cores`: core files are wanted. Answers what the kernel
/// lacks, if anything.
///
/// # Errors
/// A thread runs already, which would stay outside; or rights cannot be given up.
pub fn shut_in(config: &Config, named: &Named<'_>, cores: bool) -> Result<Option<String>, Failure> {
    let shut = give_up(config, named, cores)?;
    let lacking = lacking(&shut);
    // Whoever asks first has shut in first: a process does it once.
    let _ = SHUT.set(shut);
    Ok(lacking)
}

fn give_up(config: &Config, named: &Named<'_>, cores: bool) -> Result<Shut, Failure> {
    let level = config.process.sandbox.level;
    let cannot =
        |what: &str, e: std::io::Error| Failure::new(format!("sandbox: cannot {what}: {e}"));
    if cores || level == Level::Strict {
        sandbox::dumpable(cores).map_err(|e| cannot("say who may read this process", e))?;
    }
    if level == Level::Off {
        return Ok(Shut { level, ..Shut::default() });
    }
    // In a jail nobody knows.
    if daemon::threads().is_ok_and(|count| count != 1) {
        return Err(Failure::new("sandbox: a thread runs already".to_owned()));
    }
    capabilities::give_up_all_but(&kept(config)).map_err(|e| cannot("give up capabilities", e))?;
    sandbox::forbid_new_privileges().map_err(|e| cannot("give up new privileges", e))?;
    let places = match level {
        Level::Strict => followed(Places::of(config, named)),
        _ => Places::default(),
    };
    let paths = |set: &'_ BTreeSet<PathBuf>| set.iter().cloned().collect::<Vec<_>>();
    let (read, write) = (paths(&places.read), paths(&places.write));
    let (read, write): (Vec<&Path>, Vec<&Path>) =
        (read.iter().map(PathBuf::as_path).collect(), write.iter().map(PathBuf::as_path).collect());
    let files = match level {
        Level::Strict => Files::Only { read: &read, write: &write },
        _ => Files::Ordinary,
    };
    let rules = sandbox::forbid_files(files).map_err(|e| cannot("shut files", e))?;
    let (landlock, unknown) = match rules {
        Rules::Some { number, unknown } => (Some(number), unknown),
        Rules::None => (None, Vec::new()),
    };
    let packets = config.services.iter().any(|s| s.dsr.interface.is_some());
    let calls = match level {
        Level::Strict => Calls::Unknown { packets },
        _ => Calls::Dangerous,
    };
    let unfiltered = sandbox::forbid_calls(calls).err().map(|e| e.to_string());
    Ok(Shut { level, landlock, unknown, unfiltered, places })
}

/// Of the rights of root, those that Pen may need: where it stays root, or was given some, a later
/// command may ask for any of them.
fn kept(config: &Config) -> Vec<Capability> {
    let mut kept = transparent::keep(config).to_vec();
    match config.process.sandbox.level {
        Level::Strict => kept.push(Capability::NetBindService),
        _ if privileges::is_root() => kept.extend(Capability::ALL),
        _ => kept.extend([Capability::NetAdmin, Capability::NetBindService, Capability::NetRaw]),
    }
    kept
}

/// With the places that links lead to: the kernel's rules are for those.
fn followed(mut places: Places) -> Places {
    for set in [&mut places.read, &mut places.write] {
        let real: Vec<PathBuf> = set.iter().filter_map(|place| place.canonicalize().ok()).collect();
        set.extend(real);
    }
    places
}

/// What the operator is told about this kernel, in one line.
fn lacking(shut: &Shut) -> Option<String> {
    if shut.level == Level::Off {
        return None;
    }
    let files = shut.landlock.is_none().then(|| "rules for files (Landlock)".to_owned());
    let calls = shut.unfiltered.as_ref().map(|why| format!("filters of system calls ({why})"));
    let absent: Vec<String> = files.into_iter().chain(calls).collect();
    let absent =
        (!absent.is_empty()).then(|| format!("this kernel has no {}", absent.join(" and no ")));
    let old = shut.landlock.filter(|_| !shut.unknown.is_empty()).map(|number| {
        format!("Landlock {number} of this kernel does not refuse {}", shut.unknown.join(", "))
    });
    let what: Vec<String> = absent.into_iter().chain(old).collect();
    let level = shut.level.word();
    (!what.is_empty())
        .then(|| format!("sandbox {level}: {}; Pen runs without", what.join(", and ")))
}

/// What is in force, for the reply to `sandbox`.
#[must_use]
pub fn sealed() -> Sealed {
    let shut = SHUT.get().cloned().unwrap_or_default();
    let (capabilities, further) = capabilities::effective().unwrap_or_default();
    let account = sandbox::account();
    Sealed {
        level: shut.level,
        capabilities: capabilities.into_iter().map(Capability::name).collect(),
        further_capabilities: further,
        groups: account.groups,
        no_new_privileges: account.no_new_privileges,
        calls_filtered: account.calls_filtered,
        landlock: shut.landlock,
        places: shut.places,
    }
}

/// `why` something failed, with what the sandbox has to do with it: it is asked for by `text` of a
/// refused access.
#[must_use]
pub fn explain(why: String) -> String {
    let strict =
        SHUT.get().is_some_and(|shut| shut.level == Level::Strict && shut.landlock.is_some());
    match strict && why.contains("Permission denied") {
        true => {
            why + "; 'sandbox strict' leaves the places that the settings of the start name (command \
                   'sandbox' lists them): name further directories behind it and start anew"
        }
        false => why,
    }
}

/// For `pen --check --live`: shuts this process in, which ends anyway, and tries what is forbidden.
#[must_use]
pub fn inspect(config: &Config, named: &Named<'_>) -> Vec<Finding> {
    let shut = match give_up(config, named, false) {
        Ok(shut) => shut,
        Err(failure) => return inspection::not_sandboxed(failure.text),
    };
    let Places { read, write } = &shut.places;
    let places: Vec<&Path> = read.iter().chain(write).map(PathBuf::as_path).collect();
    let strict = shut.level == Level::Strict;
    let mut attempts = match shut.level {
        Level::Off => Vec::new(),
        _ => sandbox::attempt_forbidden(strict.then_some(&places)),
    };
    // What this kernel has no means to refuse is said anyway.
    attempts.retain(|attempt| match attempt.guard {
        Guard::Calls => shut.unfiltered.is_none(),
        Guard::Files(since) => shut.landlock.is_some_and(|number| number >= since),
    });
    let permitted = attempts.iter().filter(|a| !a.refused).map(|a| a.what).collect();
    let missing = shut.places.write.iter().filter(|place| !place.exists()).cloned().collect();
    inspection::sandboxed(&Sandboxed {
        level: shut.level,
        landlock: shut.landlock,
        unknown: shut.unknown,
        unfiltered: shut.unfiltered,
        tried: attempts.len(),
        permitted,
        missing,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kernel_lacks_is_said_in_one_line() {
        let full = Shut { level: Level::On, landlock: Some(7), ..Shut::default() };
        assert_eq!(lacking(&full), None);
        let old = Shut {
            landlock: Some(4),
            unknown: vec!["commands to devices (from 5)", "signals (from 6)"],
            ..full.clone()
        };
        let said = "sandbox on: Landlock 4 of this kernel does not refuse commands to devices (from \
                    5), signals (from 6); Pen runs without";
        assert_eq!(lacking(&old).as_deref(), Some(said));
        let unfiltered = Shut { unfiltered: Some("no such call".to_owned()), ..old };
        let said = "sandbox on: this kernel has no filters of system calls (no such call), and \
                    Landlock 4 of this kernel does not refuse commands to devices (from 5), signals \
                    (from 6); Pen runs without";
        assert_eq!(lacking(&unfiltered).as_deref(), Some(said));
        let bare = Shut { landlock: None, unknown: Vec::new(), ..unfiltered };
        let said = "sandbox on: this kernel has no rules for files (Landlock) and no filters of \
                    system calls (no such call); Pen runs without";
        assert_eq!(lacking(&bare).as_deref(), Some(said));
        assert_eq!(lacking(&Shut { level: Level::Off, ..bare }), None);
    }
}
