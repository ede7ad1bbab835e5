//! Resource limits: descriptors and core files.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of descriptors to the hard one and returns how many descriptors this
/// process may have (`u64::MAX` when unlimited). If the kernel refuses, the old value stays and is
/// returned.
#[must_use]
pub fn raise_descriptors() -> u64 {
    let now = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: now.maximum, maximum: now.maximum };
    let current =
        if setrlimit(Resource::Nofile, wanted).is_ok() { now.maximum } else { now.current };
    current.unwrap_or(u64::MAX)
}

/// Allows no core file (or, with `wanted`, one as large as the hard limit lets it be).
///
/// # Errors
/// What setrlimit says.
pub fn core_files(wanted: bool) -> io::Result<()> {
    let maximum = getrlimit(Resource::Core).maximum;
    let current = if wanted { maximum } else { Some(0) };
    setrlimit(Resource::Core, Rlimit { current, maximum })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_of_descriptors_reaches_the_hard_one() {
        let hard = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        assert_eq!(raise_descriptors(), hard);
        assert_eq!(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX), hard);
    }

    #[test]
    fn core_files_are_off_and_on() {
        core_files(false).unwrap();
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
        core_files(true).unwrap();
        let now = getrlimit(Resource::Core);
        assert_eq!(now.current, now.maximum);
        core_files(false).unwrap();
    }
}
