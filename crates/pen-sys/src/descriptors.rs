//! Descriptors that a process has when it starts.
//!
//! Whoever starts Pen may have left files open that are none of its business; a process that carries
//! them for months keeps disks busy and gives whoever breaks in more than Pen has itself.

use std::io;
use std::os::fd::RawFd;

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
    let (last, flags) = (libc::c_uint::MAX, 0);
    // SAFETY: the call takes three numbers and touches no memory. What it closes was opened by
    // whoever started the process: the caller promises to call this before it opens anything, so
    // nobody owns a descriptor that goes.
    let answer = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
