//! The pid file, locked for as long as the process lives.
//!
//! Deliberately not here: who writes one, and as which user.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

/// A written pid file.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    file: File,
}

impl PidFile {
    /// Writes the process id, as digits and a line end. A file left over is overwritten. Symbolic
    /// links and everything else that is no regular file are refused, and so is the file of a
    /// process that still runs.
    ///
    /// # Errors
    /// One line that names the file.
    pub fn write(path: &Path) -> Result<Self, String> {
        Self::try_write(path).map_err(|e| format!("pid file {}: {e}", path.display()))
    }

    fn try_write(path: &Path) -> io::Result<Self> {
        // Two steps, because a kernel that protects sticky directories refuses to create what is
        // there already and belongs to someone else.
        let file = match open(path, false) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => open(path, true),
            other => other,
        };
        let mut file = file.map_err(|e| match Errno::from_io_error(&e) {
            Some(Errno::LOOP) => io::Error::new(e.kind(), "a symbolic link is not followed"),
            _ => e,
        })?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        // Some file systems have no locks; the file is still worth having.
        if flock(&file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
            return Err(io::Error::other("a process that still runs holds it"));
        }
        file.set_len(0)?;
        file.write_all(format!("{}\n", std::process::id()).as_bytes())?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// The file that the process before this one wrote and keeps locked; the lock is shared from here on.
    /// It has this process's number after [`PidFile::claim`].
    #[must_use]
    pub fn inherit(path: &Path, file: OwnedFd) -> Self {
        Self { path: path.to_owned(), file: file.into() }
    }

    /// A descriptor for the process that takes over.
    ///
    /// # Errors
    /// No descriptors left.
    pub fn share(&self) -> io::Result<OwnedFd> {
        Ok(self.file.try_clone()?.into())
    }

    /// Writes the number of this process in place of another's.
    ///
    /// # Errors
    /// One line that names the file.
    pub fn claim(&mut self) -> Result<(), String> {
        // Not emptied first: whoever reads meanwhile finds a number.
        let attempt = || {
            let text = format!("{}\n", std::process::id());
            self.file.write_all_at(text.as_bytes(), 0)?;
            self.file.set_len(text.len() as u64)
        };
        attempt().map_err(|e: io::Error| format!("pid file {}: {e}", self.path.display()))
    }

    /// Removes the file, unless another has taken its place.
    ///
    /// # Errors
    /// What the kernel says, with the file's name; the file is empty then, if possible.
    pub fn remove(self) -> Result<(), String> {
        let attempt = || {
            let (mine, there) = (self.file.metadata()?, std::fs::symlink_metadata(&self.path)?);
            if (mine.dev(), mine.ino()) == (there.dev(), there.ino()) {
                std::fs::remove_file(&self.path)?;
            }
            Ok(())
        };
        attempt().map_err(|e: io::Error| {
            // The directory may belong to root; an empty file at least names no other process.
            let _ = self.file.set_len(0);
            format!("pid file {}: {e}", self.path.display())
        })
    }
}

fn open(path: &Path, create: bool) -> io::Result<File> {
    // Not blocking matters for FIFOs, which are refused after they are opened.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    OpenOptions::new()
        .write(true)
        .create_new(create)
        .mode(0o644)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    /// An empty directory of this test.
    fn stage(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("pen-pidfile-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir(&dir).unwrap();
        dir
    }

    #[test]
    fn it_holds_the_number_and_goes_with_the_process() {
        let dir = stage("pid");
        let path = dir.join("p.pid");
        for before in [None, Some("999999 and something old\n")] {
            if let Some(text) = before {
                std::fs::write(&path, text).unwrap();
            }
            let pid = PidFile::write(&path).unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(text, format!("{}\n", std::process::id()));
            let twice = PidFile::write(&path).unwrap_err();
            assert!(twice.contains("still runs"), "{twice}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
            pid.remove().unwrap();
            assert!(!path.exists());
        }
        let pid = PidFile::write(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "of another").unwrap();
        pid.remove().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "of another");
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn what_is_no_plain_file_is_refused_and_untouched() {
        let dir = stage("odd");
        let precious = dir.join("precious");
        std::fs::write(&precious, "precious").unwrap();
        let (link, socket, fifo) = (dir.join("link"), dir.join("socket"), dir.join("fifo"));
        symlink(&precious, &link).unwrap();
        let _bound = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let (null, absent) = (PathBuf::from("/dev/null"), dir.join("no/x.pid"));
        for path in [&link, &socket, &fifo, &dir, &null, &absent] {
            let why = PidFile::write(path).unwrap_err();
            assert!(why.contains(&path.display().to_string()), "{why}");
        }
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "precious");
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
