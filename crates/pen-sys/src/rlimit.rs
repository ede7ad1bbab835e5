//! Resource limits: descriptors and core files.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

/// By the call that only reads: filters of service managers refuse the one that also sets. `u64::MAX`
/// is unlimited.
fn getrlimit(resource: i64) -> Rlimit {
    let mut now = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes two numbers of 64 bits to the place that is handed over, which lives
    // until the call returns; both architectures that Pen is built for have the call in this form.
    let answer = unsafe { libc::syscall(libc::SYS_getrlimit, resource, &raw mut now) };
    debug_assert_eq!(answer, 0, "limits can always be read");
    let number = |value| (value != libc::RLIM_INFINITY).then_some(value);
    Rlimit { current: number(now.rlim_cur), maximum: number(now.rlim_max) }
}

/// Raises the soft limit of descriptors to the hard one and returns how many descriptors this
/// process may have (`u64::MAX` when unlimited). If the kernel refuses, the old value stays and is
/// returned.
#[must_use]
pub fn raise_descriptors() -> u64 {
    let now = getrlimit(libc::RLIMIT_NOFILE.into());
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
    let now = getrlimit(libc::RLIMIT_CORE.into());
    let maximum = now.maximum;
    let current = if wanted { maximum } else { Some(0) };
    if now.current == current {
        // A service manager has seen to it, and may forbid to ask.
        return Ok(());
    }
    setrlimit(Resource::Core, Rlimit { current, maximum })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_of_descriptors_reaches_the_hard_one() {
        let hard = getrlimit(libc::RLIMIT_NOFILE.into()).maximum.unwrap_or(u64::MAX);
        assert_eq!(raise_descriptors(), hard);
        assert_eq!(getrlimit(libc::RLIMIT_NOFILE.into()).current.unwrap_or(u64::MAX), hard);
    }

    #[test]
    fn core_files_are_off_and_on() {
        core_files(false).unwrap();
        assert_eq!(getrlimit(libc::RLIMIT_CORE.into()).current, Some(0));
        core_files(true).unwrap();
        let now = getrlimit(libc::RLIMIT_CORE.into());
        assert_eq!(now.current, now.maximum);
        core_files(false).unwrap();
    }
}
