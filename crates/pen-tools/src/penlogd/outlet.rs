//! Where the lines go: a file or standard output, never waited for.
//!
//! Lines wait up to [`limits::PENLOGD_FLUSH_MS`] for company. What cannot be written (a full disk, a
//! reader that stands still) waits up to [`limits::PENLOGD_BACKLOG`] bytes; then further lines are
//! lost and counted. An error is reported when it begins, a loss when lines are written again.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pen_core::limits;
use pen_sys::files;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;

/// The open output.
pub(super) struct Outlet {
    path: Option<PathBuf>,
    fd: OwnedFd,
    /// Writing never waits.
    regular: bool,
    unbuffered: bool,
    pending: Vec<u8>,
    /// Since when the first pending line waits.
    since: Option<Instant>,
    /// The last byte written is inside a line.
    torn: bool,
    /// Until then there is no use in trying.
    rest_until: Option<Instant>,
    /// There were losses since writing last worked.
    losing: bool,
    lost: u64,
    said: Option<Instant>,
}

impl Outlet {
    /// The file `path`, or standard output.
    pub(super) fn open(path: Option<&str>, unbuffered: bool) -> Result<Self, String> {
        let path = path.map(PathBuf::from);
        let fd = match &path {
            Some(path) => open_file(path)?.into(),
            None => {
                let cloned = io::stdout().as_fd().try_clone_to_owned();
                cloned.map_err(|e| format!("standard output: {e}"))?
            }
        };
        let regular = is_regular(&fd);
        Ok(Self {
            path,
            fd,
            regular,
            unbuffered,
            pending: Vec::new(),
            since: None,
            torn: false,
            rest_until: None,
            losing: false,
            lost: 0,
            said: None,
        })
    }

    /// Whole lines.
    pub(super) fn take(&mut self, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        if self.pending.len().saturating_add(lines.len()) > limits::PENLOGD_BACKLOG {
            self.lose(count(lines));
            return;
        }
        self.since.get_or_insert_with(Instant::now);
        self.pending.extend_from_slice(lines);
    }

    /// How long until there is something to write; `None` if nothing waits.
    pub(super) fn due(&self) -> Option<Duration> {
        let since = self.since?;
        let full = self.unbuffered || self.pending.len() >= limits::LOG_BATCH;
        let flush = if full { 0 } else { limits::PENLOGD_FLUSH_MS };
        let until = (since + Duration::from_millis(flush)).max(self.rest_until.unwrap_or(since));
        Some(until.saturating_duration_since(Instant::now()))
    }

    /// Writes what is due, without waiting; answers what the operator should hear.
    ///
    /// # Errors
    /// The reader of standard output has gone, so nothing can ever be written again.
    pub(super) fn work(&mut self) -> Result<Option<String>, String> {
        if self.due().is_none_or(|left| !left.is_zero()) {
            return Ok(None);
        }
        match self.write_some() {
            Ok(()) if self.losing && self.pending.is_empty() => {
                (self.losing, self.said) = (false, None);
                Ok(Some(format!("{}: written again; {} lines were lost", self.name(), self.lost)))
            }
            Ok(()) => Ok(None),
            Err(Errno::PIPE) if self.path.is_none() => {
                Err("standard output: nobody reads it any more".to_owned())
            }
            Err(e) => {
                let pause = Duration::from_millis(limits::PENLOGD_FLUSH_MS);
                self.rest_until = Some(Instant::now() + pause);
                Ok(self.trouble(e))
            }
        }
    }

    /// Writes all there is, but no longer than to the deadline.
    pub(super) fn finish(&mut self, deadline: Instant) {
        while !self.pending.is_empty() && Instant::now() < deadline {
            if self.write_some().is_err() {
                break;
            }
            let tick = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
            let out = self.fd.as_fd();
            let _ = poll(&mut [PollFd::new(&out, PollFlags::OUT)], Some(&tick));
        }
        self.lose(count(&self.pending));
        self.pending.clear();
    }

    /// Opens the file anew by its name. On an error the old one stays. Nothing to do for standard
    /// output.
    pub(super) fn reopen(&mut self) -> Result<(), String> {
        let Some(path) = self.path.clone() else { return Ok(()) };
        // What was there before belongs into the old file, as far as it can be written.
        let _ = self.write_some();
        self.fd = open_file(&path)?.into();
        self.regular = is_regular(&self.fd);
        self.rest_until = None;
        if std::mem::take(&mut self.torn) {
            // The beginning of this line is in the old file.
            let end = self.pending.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1);
            self.pending.drain(..end);
            self.lose(1);
        }
        Ok(())
    }

    /// Lines lost so far.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    fn write_some(&mut self) -> Result<(), Errno> {
        while !self.pending.is_empty() {
            let written = match self.regular {
                true => rustix::io::write(&self.fd, &self.pending),
                false => files::write_piece(&self.fd, &self.pending, 0),
            };
            match written {
                Ok(0) => return Err(Errno::NOSPC),
                Ok(n) => {
                    self.torn = self.pending.get(n - 1) != Some(&b'\n');
                    self.pending.drain(..n);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(e) => return Err(e),
            }
        }
        self.since = None;
        Ok(())
    }

    fn lose(&mut self, lines: u64) {
        self.lost = self.lost.saturating_add(lines);
        self.losing |= lines > 0;
    }

    fn trouble(&mut self, why: Errno) -> Option<String> {
        let pause = Duration::from_secs(limits::LOG_TROUBLE_S);
        if self.said.is_some_and(|said| said.elapsed() < pause) {
            return None;
        }
        self.said = Some(Instant::now());
        let (waiting, lost) = (count(&self.pending), self.lost);
        Some(format!("{}: {why}; {waiting} lines wait, {lost} are lost so far", self.name()))
    }

    fn name(&self) -> String {
        let name = self.path.as_ref().map(|path| path.display().to_string());
        name.unwrap_or_else(|| "standard output".to_owned())
    }
}

impl AsFd for Outlet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn open_file(path: &Path) -> Result<File, String> {
    files::open_log(path).map_err(|e| format!("log {}: {e}", path.display()))
}

fn is_regular(fd: &OwnedFd) -> bool {
    fstat(fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
}

fn count(lines: &[u8]) -> u64 {
    lines.iter().filter(|b| **b == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Read;

    use super::*;

    fn over(fd: OwnedFd, path: Option<PathBuf>) -> Outlet {
        let mut outlet = Outlet::open(None, true).unwrap();
        (outlet.regular, outlet.fd, outlet.path) = (is_regular(&fd), fd, path);
        outlet
    }

    #[test]
    fn a_reader_that_stands_still_costs_lines_and_nothing_else() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut outlet = over(writer.into(), None);
        let line = [b'x'; 999].iter().chain(b"\n").copied().collect::<Vec<u8>>();
        let all = 3_000;
        for _ in 0..all {
            outlet.take(&line);
            outlet.work().unwrap();
        }
        assert!(outlet.lost() > 0 && outlet.pending.len() <= limits::PENLOGD_BACKLOG);
        let kept = (all - outlet.lost()) * 1_000;
        let reading = std::thread::spawn(move || {
            let mut read = Vec::new();
            reader.read_to_end(&mut read).map(|_| read)
        });
        let before = outlet.lost();
        let mut news = None;
        while outlet.due().is_some() {
            news = outlet.work().unwrap().or(news);
        }
        assert_eq!(outlet.lost(), before);
        assert!(news.unwrap().contains(&format!("{before} lines were lost")));
        drop(outlet);
        let read = reading.join().unwrap().unwrap();
        assert_eq!(read.len() as u64, kept);
        assert!(read.split_inclusive(|b| *b == b'\n').all(|l| l == line));
    }

    #[test]
    fn a_reader_that_has_gone_ends_standard_output() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut outlet = over(writer.into(), None);
        outlet.take(b"line\n");
        assert!(outlet.work().unwrap_err().contains("nobody reads"));
    }

    #[test]
    fn a_full_disk_is_reported_once_and_lines_wait() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut outlet = over(full.into(), Some("/dev/full".into()));
        outlet.take(b"line\n");
        let news = outlet.work().unwrap().unwrap();
        assert!(news.contains("/dev/full") && news.contains("1 lines wait"), "{news}");
        outlet.rest_until = None;
        assert_eq!(outlet.work().unwrap(), None);
        outlet.finish(Instant::now() + Duration::from_secs(1));
        assert_eq!(outlet.lost(), 1);
    }
}
