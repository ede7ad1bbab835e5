//! What could not be merged, and why; and how much was.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};

use pen_core::limits;
use pen_core::near::shown;

use super::NAME;
use super::progress::Progress;
use crate::ends::complain;

/// The counts, and the file of rejects.
pub(super) struct Complaints {
    rejects: Option<(String, BufWriter<File>)>,
    merged: u64,
    found: u64,
    zoneless: u64,
    broken: u64,
    crowded: u64,
    broke_off: u64,
}

impl Complaints {
    pub(super) fn open(rejects: Option<&str>) -> Result<Self, String> {
        let opened = rejects.map(|path| {
            let file = OpenOptions::new().append(true).create(true).open(path);
            file.map(|file| (path.to_owned(), BufWriter::new(file)))
                .map_err(|e| format!("{path}: {e}"))
        });
        Ok(Self {
            rejects: opened.transpose()?,
            merged: 0,
            found: 0,
            zoneless: 0,
            broken: 0,
            crowded: 0,
            broke_off: 0,
        })
    }

    /// A line was written.
    pub(super) fn merged(&mut self, found: bool, zoned: bool) {
        self.merged += 1;
        self.found += u64::from(found);
        self.zoneless += u64::from(!zoned);
    }

    /// Lines written so far.
    pub(super) fn lines(&self) -> u64 {
        self.merged
    }

    /// A line that cannot be merged.
    pub(super) fn broken(&mut self, file: &str, number: u64, why: &str, line: &[u8]) {
        self.broken += 1;
        if self.broken <= limits::MERGE_NAMED_MAX {
            let text = shown(&String::from_utf8_lossy(line));
            complain(NAME, &format!("{file}:{number}: {why}: {text}"));
        }
        let Some((_, rejects)) = &mut self.rejects else { return };
        if let Err(e) = rejects.write_all(line).and_then(|()| rejects.write_all(b"\n")) {
            self.give_up_rejects(&e);
        }
    }

    /// A file could not be read to its end.
    pub(super) fn broke_off(&mut self, file: &str, number: u64, why: &io::Error) {
        self.broke_off += 1;
        complain(NAME, &format!("{file}: {why}; what follows line {number} is missing"));
    }

    /// How often the window had no room.
    pub(super) fn crowded(&mut self, times: u64) {
        self.crowded = times;
    }

    pub(super) fn all_read(&self) -> bool {
        self.broke_off == 0
    }

    /// The last words: what is worth knowing, or everything for someone who looks on.
    pub(super) fn report(&mut self, progress: &Progress, debug: bool) {
        if let Some(Err(e)) = self.rejects.as_mut().map(|(_, file)| file.flush()) {
            self.give_up_rejects(&e);
        }
        if self.broken > 0 {
            let kept =
                self.rejects.as_ref().map_or_else(String::new, |(p, _)| format!(", see {p}"));
            complain(NAME, &format!("{} lines could not be merged{kept}", self.broken));
        }
        if self.zoneless > 0 {
            let text = "lines do not say their zone and were taken for universal time";
            complain(NAME, &format!("{} {text}", self.zoneless));
        }
        if self.crowded > 0 {
            let text = "more entries lie within the jitter than are kept; a smaller -j looks at the \
                        right ones";
            complain(NAME, text);
        }
        if debug || progress.is_watched() {
            let (lines, found) = (self.merged, self.found);
            complain(NAME, &format!("{lines} lines, client found for {found}"));
        }
    }

    /// The lines are named or at least counted all the same.
    fn give_up_rejects(&mut self, why: &io::Error) {
        if let Some((path, _)) = self.rejects.take() {
            self.broke_off += 1;
            complain(NAME, &format!("{path}: {why}; lines are missing there"));
        }
    }
}
