//! Rules for files: Landlock.
//!
//! What this kernel's Landlock cannot forbid is left out; the answer says so.

use std::io;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, make_bitflags,
};

/// The newest rules that are asked for. Later ones would forbid connecting to Unix sockets, which
/// servers, name services and logs need.
const NEWEST: ABI = ABI::V7;

/// What of the file system stays open.
#[derive(Clone, Copy, Debug)]
pub enum Files<'a> {
    /// Everything may be read, written and made that is a file, a directory or a socket. Nothing is
    /// executed; no device, pipe or link is made; devices are only read and written.
    Ordinary,
    /// As above, and only here: below these places, or these files.
    Only {
        /// May be read.
        read: &'a [&'a Path],
        /// May be read, written, made and removed.
        write: &'a [&'a Path],
    },
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rules {
    /// The kernel enforces what it knows.
    Some {
        /// Of its Landlock, 1 or more.
        number: i32,
        /// What an older one does not know: what stays permitted, and since when it would not. Nothing
        /// from 6 on.
        unknown: Vec<&'static str>,
    },
    /// It has no Landlock, or it is switched off.
    None,
}

/// Forbids this thread, and those it starts later, what `files` does not leave; and to signal
/// processes that it has not started. Places that do not exist are passed over. For good.
///
/// # Errors
/// The kernel has Landlock and refused.
pub fn forbid_files(files: Files<'_>) -> io::Result<Rules> {
    restrict(files).map_err(io::Error::other)
}

fn restrict(files: Files<'_>) -> Result<Rules, RulesetError> {
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(handled(files))?
        .scope(Scope::Signal)?
        .create()?;
    if let Files::Only { read, write } = files {
        let reading = make_bitflags!(AccessFs::{ReadFile | ReadDir});
        let writing = reading
            | make_bitflags!(AccessFs::{WriteFile | Truncate | MakeReg | MakeSock | RemoveFile});
        for (places, access) in [(read, reading), (write, writing)] {
            for place in places {
                if let Some(rule) = rule(place, access) {
                    rules = rules.add_rule(rule)?;
                }
            }
        }
    }
    let status = rules.restrict_self()?;
    let LandlockStatus::Available { effective_abi, kernel_abi } = status.landlock else {
        return Ok(Rules::None);
    };
    if status.ruleset == RulesetStatus::NotEnforced {
        return Ok(Rules::None);
    }
    let number = kernel_abi.unwrap_or(effective_abi as i32);
    Ok(Rules::Some { number, unknown: unknown_to(number, files) })
}

/// What of the rules for `files` a Landlock of this `number` does not know. The first one has none for
/// renaming between directories either, but refuses it always.
fn unknown_to(number: i32, files: Files<'_>) -> Vec<&'static str> {
    let places = matches!(files, Files::Only { .. });
    let rules = [
        (places, ABI::V3, "emptying files elsewhere (from 3, Linux 6.2)"),
        (true, ABI::V5, "commands to devices (from 5, Linux 6.10)"),
        (true, ABI::V6, "signals to other processes (from 6, Linux 6.12)"),
    ];
    let lacks = |(asked, since, _): &(bool, ABI, _)| *asked && number < *since as i32;
    rules.into_iter().filter(lacks).map(|(_, _, what)| what).collect()
}

/// What is refused where no rule permits it.
fn handled(files: Files<'_>) -> BitFlags<AccessFs> {
    let never = make_bitflags!(AccessFs::{Execute | MakeChar | MakeBlock | MakeFifo | MakeSym});
    match files {
        Files::Ordinary => never | AccessFs::IoctlDev,
        Files::Only { .. } => AccessFs::from_all(NEWEST),
    }
}

fn rule(place: &Path, access: BitFlags<AccessFs>) -> Option<PathBeneath<PathFd>> {
    let opened = PathFd::new(place).ok()?;
    // What only a directory can be asked for is no rule for a file.
    let access = match place.is_dir() {
        true => access,
        false => access & AccessFs::from_file(NEWEST),
    };
    Some(PathBeneath::new(opened, access))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_landlock_does_not_know_is_what_its_rules_lack() {
        let (read, write): ([&Path; 0], [&Path; 0]) = ([], []);
        let only = Files::Only { read: &read, write: &write };
        for number in 1..=ABI::V9 as i32 {
            let abi = ABI::from(number);
            for files in [Files::Ordinary, only] {
                // A rename between directories needs no rule to be refused.
                let unruled = handled(files) & !AccessFs::from_all(abi) & !AccessFs::Refer;
                let unscoped = !Scope::from_all(abi).contains(Scope::Signal);
                let expected = unruled.iter().count() + usize::from(unscoped);
                assert_eq!(unknown_to(number, files).len(), expected, "{abi} {files:?}");
            }
        }
        assert_eq!(unknown_to(3, only), unknown_to(3, Files::Ordinary));
        assert_eq!(unknown_to(5, only), ["signals to other processes (from 6, Linux 6.12)"]);
    }
}
