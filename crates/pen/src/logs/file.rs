//! A file, a pipe or standard output that whole lines are appended to, and that is never waited for.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use pen_core::limits;
use pen_sys::files;

/// Lines on their way into a file.
#[derive(Debug)]
pub(super) struct FileLog {
    /// `None`: standard output, whose descriptor is shared with others, so that it cannot be told not
    /// to wait.
    path: Option<PathBuf>,
    file: File,
    /// Whole lines that are not yet written.
    buffer: Vec<u8>,
    /// The last byte in the file is inside a line, because a write was cut short.
    torn: bool,
}

impl FileLog {
    /// Opens a file, or makes it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = files::open_log(path)?;
        Ok(Self { path: Some(path.to_owned()), file, buffer: Vec::new(), torn: false })
    }

    /// Standard output.
    pub(super) fn stdout() -> io::Result<Self> {
        let file: OwnedFd = io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Self { path: None, file: file.into(), buffer: Vec::new(), torn: false })
    }

    /// As the operator knows it.
    pub(super) fn name(&self) -> String {
        self.path.as_ref().map_or_else(|| "stdout".to_owned(), |path| path.display().to_string())
    }

    /// Takes whole lines. Answers whether it is time to write them.
    pub(super) fn take(&mut self, lines: &[u8]) -> bool {
        self.buffer.extend_from_slice(lines);
        self.buffer.len() >= limits::LOG_BATCH
    }

    /// Whether lines wait to be written.
    pub(super) fn has_some(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Opens the file anew by its name. On an error the old file stays.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        if let Some(path) = &self.path {
            self.file = files::open_log(path)?;
            self.torn = false;
        }
        Ok(())
    }

    /// Lines lost, and how it went.
    pub(super) fn flush(&mut self) -> (u64, io::Result<()>) {
        if self.buffer.is_empty() {
            return (0, Ok(()));
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        if self.torn {
            buffer.insert(0, b'\n');
        }
        let mut rest = buffer.as_slice();
        let result = loop {
            if rest.is_empty() {
                break Ok(());
            }
            match self.write(rest) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    let (written, unwritten) = rest.split_at(n);
                    self.torn = written.last() != Some(&b'\n');
                    rest = unwritten;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => break Err(e),
            }
        };
        let ends = rest.iter().filter(|b| **b == b'\n').count() as u64;
        // The end that was put in front to close a torn line is no line of its own.
        let own = u64::from(self.torn && rest.len() == buffer.len());
        buffer.clear();
        // Keep the space, but not more than one batch of it.
        buffer.shrink_to(limits::LOG_BATCH);
        self.buffer = buffer;
        (ends.saturating_sub(own), result)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.path {
            Some(_) => self.file.write(bytes),
            None => Ok(files::write_piece(&self.file, bytes, 0)?),
        }
    }
}
