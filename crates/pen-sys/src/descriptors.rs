//! Descriptors that a process has when it starts.
//!
//! Whoever starts Pen may have left files open that are none of its business; a process that carries
//! them for months keeps disks busy and gives whoever breaks in more than Pen has itself.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// The first one that is not standard input, output or error.
const FIRST: RawFd = 3;

/// Closes every descriptor but standard input, output, error and the `kept` ones that follow them.
/// For the very start of a process.
///
/// # Errors
/// The kernel has no such call (before Linux 5.9); nothing is closed then.
///
/// # Panics
/// Never; a number of descriptors that cannot be closes nothing.
pub fn close_inherited(kept: u32) -> io::Result<()> {
    let first = u32::try_from(FIRST).unwrap_or_default().saturating_add(kept);
    // What it closes was opened by whoever started the process: the caller promises to call this before
    // it opens anything, so nobody owns a descriptor that goes.
    close_range(first, libc::c_uint::MAX)
}

/// Closes every descriptor but standard input, output, error and `kept`. For the child of a fork that
/// uses nothing else of its parent's and never returns to where others are used.
///
/// # Errors
/// As [`close_inherited`].
pub(crate) fn close_all_but(kept: &OwnedFd) -> io::Result<()> {
    let first = u32::try_from(FIRST).unwrap_or_default();
    let kept = u32::try_from(kept.as_raw_fd()).unwrap_or_default();
    if kept > first {
        close_range(first, kept - 1)?;
    }
    close_range(kept.max(first.saturating_sub(1)).saturating_add(1), libc::c_uint::MAX)
}

fn close_range(first: u32, last: u32) -> io::Result<()> {
    let flags = 0;
    // SAFETY: the call takes three numbers and touches no memory. Both callers see to it that nobody
    // who still runs owns a descriptor that goes.
    let answer = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
