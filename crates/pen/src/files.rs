//! Files of commands, and files that Pen writes.
//!
//! Only regular files of bounded size are read, so that no device, pipe or directory can stop the
//! control thread. Deliberately not here: what their lines come to (`pen_core::command_file`).

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use pen_core::addr::Names;
use pen_core::command::Context;
use pen_core::command_file::{self, Files, Unread};
pub use pen_core::command_file::{FileFault, Outcome, Said};
use pen_core::config::Config;
use pen_core::limits;
use rustix::fs::OFlags;

/// Opening a pipe would wait for the other end; for files this changes nothing.
const NOT_WAITING: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY);

/// Permissions of files that Pen makes, less the umask: nobody else writes them, even if the program
/// that started Pen has no umask.
const MODE: u32 = 0o644;

/// What changes when a file is written or replaced: device and number, length, time of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(u64, u64, u64, i64, i64);

impl Stamp {
    /// Of an open file.
    #[must_use]
    pub fn of(file: &Metadata) -> Self {
        Self(file.dev(), file.ino(), file.len(), file.ctime(), file.ctime_nsec())
    }

    /// Of the file at `path`; `None` if there is none that can be seen.
    #[must_use]
    pub fn at(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|file| Self::of(&file))
    }
}

/// Applies the file at `path` and what it includes to `config`: wholly or not at all. `context` is
/// where the reading starts.
///
/// # Errors
/// The first fault; `config` is as before.
pub fn read_file(
    config: &mut Config,
    context: &Context,
    path: &str,
    names: &dyn Names,
) -> Result<Outcome, FileFault> {
    command_file::read(config, context, path, names, &Disk)
}

/// The files of this machine.
struct Disk;

impl Files for Disk {
    fn read(&self, path: &str) -> Result<Vec<u8>, Unread> {
        let read = read_bounded(Path::new(path), limits::FILE_MAX);
        read.map(|(text, _)| text).map_err(|e| Unread {
            missing: e.kind() == io::ErrorKind::NotFound,
            message: e.to_string(),
        })
    }
}

/// The contents of a regular file of at most `max` bytes, and what it was when it was opened.
///
/// # Errors
/// What the kernel says, or that it is something else or too large.
pub fn read_bounded(path: &Path, max: u64) -> io::Result<(Vec<u8>, Metadata)> {
    let other = |text: String| Err(io::Error::other(text));
    let file =
        OpenOptions::new().read(true).custom_flags(NOT_WAITING.bits().cast_signed()).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return other("it is a directory, not a file".to_owned());
    }
    if !metadata.is_file() {
        return other("it is no regular file".to_owned());
    }
    let mut bytes = Vec::new();
    if metadata.len() <= max {
        file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    }
    if metadata.len() > max || u64::try_from(bytes.len()).unwrap_or(u64::MAX) > max {
        return other(format!("it is larger than {max} bytes"));
    }
    Ok((bytes, metadata))
}

/// Replaces the contents of the file at `path`. Readers see the old or the new contents where the
/// directory lets Pen make a file; else the file is written in place.
///
/// # Errors
/// What the kernel says.
pub fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let old = path.symlink_metadata();
    // What is a link, has other names or belongs to someone else must stay the file it is.
    let ours = rustix::process::geteuid().as_raw();
    let replaceable =
        old.as_ref().map_or(true, |m| m.is_file() && m.nlink() == 1 && m.uid() == ours);
    if replaceable {
        let mode = old.ok().map(|m| m.permissions().mode() & 0o7777);
        if replace_whole(path, contents, mode).is_ok() {
            return Ok(());
        }
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .mode(MODE)
        .truncate(true)
        .custom_flags(NOT_WAITING.bits().cast_signed())
        .open(path)?;
    file.write_all(contents)
}

fn replace_whole(path: &Path, contents: &[u8], mode: Option<u32>) -> io::Result<()> {
    let aside = aside(path)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&aside)?;
    let result = fill(&mut file, contents, mode).and_then(|()| fs::rename(&aside, path));
    if result.is_err() {
        // It is ours: it was made a moment ago under a name that did not exist.
        let _ = fs::remove_file(&aside);
    }
    result
}

fn fill(file: &mut File, contents: &[u8], mode: Option<u32>) -> io::Result<()> {
    if let Some(mode) = mode {
        file.set_permissions(fs::Permissions::from_mode(mode))?;
    }
    file.write_all(contents)
}

fn aside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", std::process::id()));
    Ok(path.with_file_name(hidden))
}

#[cfg(test)]
mod tests;
