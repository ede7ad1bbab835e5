//! The file creation mask of the process.
//!
//! It is one value for all threads, so it is set once at start and never changed for the sake of
//! one file.

use rustix::fs::Mode;

/// Sets the mask (permission bits that new files do not get) and returns the old one.
pub fn set(mask: u32) -> u32 {
    rustix::process::umask(Mode::from_raw_mode(mask)).as_raw_mode()
}
