//! The file itself: a new one is written beside it and takes its place when it is whole and on the disk.
//!
//! Only regular files of bounded size are read, and what is no state file is never replaced: a wrong path
//! must not cost anybody his file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use pen_core::limits;
use pen_core::state::MAGIC;
use rustix::fs::OFlags;

/// Less the umask: who may read it is up to the group, nobody else writes it.
const MODE: u32 = 0o640;

/// A file that is being written beside the one whose place it will take. Dropped before that, it is
/// removed.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    aside: PathBuf,
    file: File,
    bytes: u64,
    done: bool,
}

impl Draft {
    /// Nothing is written yet.
    ///
    /// # Errors
    /// There is something else at `path`; what the kernel says.
    pub(super) fn begin(path: &Path) -> Result<Self, String> {
        if !is_replaceable(path).map_err(said)? {
            return Err("there is a file that is no state file of Pen; it stays".to_owned());
        }
        let name = path.file_name().ok_or("it is no path of a file")?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(".new");
        let aside = path.with_file_name(hidden);
        // One that was left behind by a crash.
        match fs::remove_file(&aside) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(said(e)),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(MODE);
        let file = options.custom_flags(flags(OFlags::NOFOLLOW)).open(&aside).map_err(said)?;
        Ok(Self { path: path.to_owned(), aside, file, bytes: 0, done: false })
    }

    /// Writes more.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn write(&mut self, piece: &[u8]) -> Result<(), String> {
        self.bytes += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        self.file.write_all(piece).map_err(said)
    }

    /// It takes the other one's place. Answers how large it is.
    ///
    /// # Errors
    /// What the kernel says; or somebody else writes there.
    pub(super) fn finish(mut self) -> Result<u64, String> {
        self.file.sync_data().map_err(said)?;
        let mine = self.file.metadata().map_err(said)?;
        let there = fs::symlink_metadata(&self.aside).map_err(said)?;
        if (mine.dev(), mine.ino()) != (there.dev(), there.ino()) {
            // It is not ours to remove.
            self.done = true;
            return Err("somebody else writes it too".to_owned());
        }
        fs::rename(&self.aside, &self.path).map_err(said)?;
        self.done = true;
        Ok(self.bytes)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.done {
            // What failed is told already.
            let _ = fs::remove_file(&self.aside);
        }
    }
}

/// Whether there is nothing at `path`, nothing in it, or a state file of whatever version.
fn is_replaceable(path: &Path) -> io::Result<bool> {
    let mut file = match open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(true),
        file => file?,
    };
    if !file.metadata()?.is_file() {
        return Ok(false);
    }
    let mut head = Vec::new();
    let known = u64::try_from(MAGIC.len()).unwrap_or(0);
    Read::by_ref(&mut file).take(known).read_to_end(&mut head)?;
    Ok(MAGIC.as_bytes().starts_with(&head))
}

/// Hands the contents of the file at `path` over, piece by piece.
///
/// # Errors
/// What the kernel or the taker says; or that it is no regular file, or too large.
pub(super) fn read(
    path: &Path,
    mut take: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<(), String> {
    let mut file = open(path).map_err(said)?;
    if !file.metadata().map_err(said)?.is_file() {
        return Err("it is no regular file".to_owned());
    }
    let mut piece = vec![0_u8; limits::STATE_PIECE];
    let mut bytes = 0;
    loop {
        let count = match file.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(said(e)),
        };
        bytes += u64::try_from(count).unwrap_or(u64::MAX);
        if bytes > limits::STATE_FILE_MAX {
            return Err(format!("it is larger than {} bytes", limits::STATE_FILE_MAX));
        }
        take(piece.get(..count).unwrap_or_default())?;
    }
}

/// To read; a pipe is not waited for.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(flags(OFlags::NONBLOCK | OFlags::NOCTTY)).open(path)
}

fn flags(flags: OFlags) -> i32 {
    flags.bits().cast_signed()
}

fn said(e: io::Error) -> String {
    e.to_string()
}
