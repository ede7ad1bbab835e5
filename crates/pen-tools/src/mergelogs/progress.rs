//! How far the merge is, for someone who watches: only when standard error is a terminal and standard
//! output is not.

use std::cell::{Cell, RefCell};
use std::io::{self, IsTerminal, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

use pen_core::limits;

/// The display.
pub(super) struct Progress {
    watched: bool,
    /// Bytes taken from each file.
    read: RefCell<Vec<Rc<Cell<u64>>>>,
    /// Bytes of all plain files.
    total: Cell<u64>,
    shown: Option<Instant>,
    drawn: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        let watched = io::stderr().is_terminal() && !io::stdout().is_terminal();
        Self { watched, read: RefCell::default(), total: Cell::new(0), shown: None, drawn: false }
    }

    /// This file will be read; the bytes are to be counted in what is returned.
    pub(super) fn expect(&self, path: &str) -> Rc<Cell<u64>> {
        let size = std::fs::metadata(path).map_or(0, |m| if m.is_file() { m.len() } else { 0 });
        self.total.set(self.total.get().saturating_add(size));
        let count = Rc::new(Cell::new(0));
        self.read.borrow_mut().push(Rc::clone(&count));
        count
    }

    pub(super) fn start(&mut self) {
        self.shown = Some(Instant::now());
    }

    pub(super) fn is_watched(&self) -> bool {
        self.watched
    }

    /// `lines` were written so far.
    pub(super) fn tick(&mut self, lines: u64) {
        if !self.watched || !lines.is_multiple_of(limits::MERGE_PROGRESS_LINES) {
            return;
        }
        let pause = Duration::from_millis(limits::MERGE_PROGRESS_MS);
        if self.shown.is_some_and(|shown| shown.elapsed() < pause) {
            return;
        }
        self.shown = Some(Instant::now());
        self.drawn = true;
        let read: u64 = self.read.borrow().iter().map(|count| count.get()).sum();
        // A terminal that takes nothing is no reason to stop.
        let _ = write!(io::stderr(), "\r\x1b[K{}", text(lines, read, self.total.get()));
    }

    /// Wipes the display.
    pub(super) fn end(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn text(lines: u64, read: u64, total: u64) -> String {
    const MEGA: u64 = 1_000_000;
    let megabytes = read / MEGA;
    match read.saturating_mul(100).checked_div(total) {
        Some(percent) if percent <= 100 => {
            format!("{lines} lines, {megabytes} of {} MB, {percent} %", total / MEGA)
        }
        _ => format!("{lines} lines, {megabytes} MB"),
    }
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn texts() {
        assert_eq!(text(5, 30_000_000, 120_000_000), "5 lines, 30 of 120 MB, 25 %");
        assert_eq!(text(5, 30_000_000, 0), "5 lines, 30 MB");
        assert_eq!(text(5, 30_000_000, 10), "5 lines, 30 MB");
    }
}
