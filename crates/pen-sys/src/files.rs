//! Opening files that lines are appended to.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a file to append to, and makes it with the permissions 0640 less the umask if it is not there.
/// It is never waited for: a FIFO needs a reader, a terminal does not become this process's own.
///
/// # Errors
/// What the kernel says.
pub fn open_log(path: &Path) -> io::Result<File> {
    // Not blocking matters for FIFOs and terminals; it changes nothing for files.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
}
