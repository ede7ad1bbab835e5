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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// The kernel enforces all that was asked for. The number is its Landlock's.
    All(i32),
    /// It enforces what it knows; it is older than this program.
    Some(i32),
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
    let never = make_bitflags!(AccessFs::{Execute | MakeChar | MakeBlock | MakeFifo | MakeSym})
        | AccessFs::IoctlDev;
    let handled = match files {
        Files::Ordinary => never,
        Files::Only { .. } => AccessFs::from_all(NEWEST),
    };
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(handled)?
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
    let number = kernel_abi.unwrap_or(effective_abi as i32);
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Rules::All(number),
        RulesetStatus::PartiallyEnforced => Rules::Some(number),
        RulesetStatus::NotEnforced => Rules::None,
    })
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
