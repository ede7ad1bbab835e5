//! The state file: written now and then and at the end, read at the start and when somebody asks.
//!
//! One thread, `pen-state`, started when there is first something to do, touches files and walks through
//! the client tables, a part at a time: neither the workers nor the control thread wait for a disk. At the
//! start there is nobody to wait, and the caller reads. What fails is told once, until it is well again.
//! Deliberately not here: the form of the file (`pen_core::state`), and how it is replaced (`file`).

mod file;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use pen_core::command::StateDeed;
use pen_core::config::Config;
use pen_core::event::{Detail, EventKey, Subject};
use pen_core::limits;
use pen_core::moment::Moment;
use pen_core::report::state::{ReadRow, StateRow, Written};

use crate::clock;
use crate::gather::Board;
use crate::logs::{Level, Logs};
use crate::sandbox;

/// The door to the thread.
#[derive(Clone, Debug)]
pub struct State {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    board: Arc<Board>,
    logs: Logs,
    inner: Mutex<Inner>,
    /// Rings when there is something to do, or another time to do it.
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    file: Option<String>,
    interval_s: u32,
    /// When the file is written next.
    due: Option<Moment>,
    jobs: VecDeque<Job>,
    /// There is a thread.
    runs: bool,
    written: Option<(Moment, Written)>,
    write_error: Option<String>,
    read: Option<(Moment, ReadRow)>,
    read_error: Option<String>,
}

/// Something to do, and who hears what became of it.
#[derive(Debug)]
struct Job {
    deed: StateDeed,
    reply: Reply,
}

/// Who waits is answered, whatever happens.
struct Reply(Option<Box<dyn FnOnce(String) + Send>>);

impl Reply {
    fn say(mut self, text: String) {
        if let Some(hear) = self.0.take() {
            hear(text);
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(hear) = self.0.take() {
            hear("error: state: it was not done\n".to_owned());
        }
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reply")
    }
}

impl State {
    /// Nothing is kept yet.
    #[must_use]
    pub fn new(board: Arc<Board>, logs: Logs) -> Self {
        let (inner, bell) = (Mutex::default(), Condvar::new());
        Self { shared: Arc::new(Shared { board, logs, inner, bell }) }
    }

    /// The process starts with `config`: what the file remembers is taken in, and from here on it is
    /// written. A file that cannot be used is told, and left to the next writing.
    pub fn begin(&self, config: &Config) {
        let is_there = |file: &&str| {
            let found = Path::new(file).symlink_metadata();
            !found.is_err_and(|e| e.kind() == io::ErrorKind::NotFound)
        };
        if let Some(file) = config.process.state_file.as_deref().filter(is_there) {
            // The reply is for those who ask.
            let _ = self.shared.read(file, "; Pen starts with empty client tables");
        }
        // Every client table is as old as the file: it is not written at once.
        self.shared.inner().file.clone_from(&config.process.state_file);
        self.configure(config);
    }

    /// `config` is true from here on. Another file is written at once.
    pub fn configure(&self, config: &Config) {
        let mut inner = self.shared.inner();
        let (file, interval_s) = (&config.process.state_file, config.process.state_interval_s);
        let now = clock::now();
        if inner.file != *file {
            inner.file.clone_from(file);
            inner.due = Some(now);
        }
        if inner.interval_s != interval_s {
            inner.interval_s = interval_s;
            let next = now.plus_s(interval_s);
            inner.due = Some(inner.due.map_or(next, |due| due.min(next)));
        }
        if inner.file.is_none() {
            inner.due = None;
        }
        self.stir(inner);
    }

    /// Does what was asked; `hear` is told what became of it, from another thread.
    pub fn ask(&self, deed: StateDeed, hear: impl FnOnce(String) + Send + 'static) {
        let mut inner = self.shared.inner();
        inner.jobs.push_back(Job { deed, reply: Reply(Some(Box::new(hear))) });
        self.stir(inner);
    }

    /// The process ends: the file is written a last time, as far as that takes no longer than
    /// [`limits::STATE_LAST_WRITE_S`].
    pub fn finish(&self) {
        {
            let mut inner = self.shared.inner();
            if inner.file.is_none() {
                return;
            }
            // Nothing else from here on.
            inner.due = None;
            inner.interval_s = 0;
            inner.jobs.clear();
        }
        let (done, wait) = mpsc::channel();
        self.ask(StateDeed::Write, move |_| {
            // Nobody waits that long.
            let _ = done.send(());
        });
        if wait.recv_timeout(Duration::from_secs(limits::STATE_LAST_WRITE_S)).is_err() {
            let seconds = limits::STATE_LAST_WRITE_S;
            self.shared.logs.say(Level::Always, || {
                format!("WARNING: state_file: it was not written in {seconds} seconds; Pen ends")
            });
        }
    }

    /// For reports.
    #[must_use]
    pub fn row(&self) -> StateRow {
        let (inner, now) = (self.shared.inner(), clock::now());
        StateRow {
            file: inner.file.clone(),
            interval_s: inner.interval_s,
            written: inner
                .written
                .map(|(at, written)| Written { ago_s: now.since_s(at), ..written }),
            write_error: inner.write_error.clone(),
            read: inner
                .read
                .as_ref()
                .map(|(at, read)| ReadRow { ago_s: now.since_s(*at), ..read.clone() }),
            read_error: inner.read_error.clone(),
        }
    }

    /// Wakes the thread, or starts it.
    fn stir(&self, mut inner: MutexGuard<'_, Inner>) {
        self.shared.bell.notify_one();
        if inner.runs || (inner.jobs.is_empty() && inner.file.is_none()) {
            return;
        }
        match start(&self.shared) {
            Ok(()) => inner.runs = true,
            Err(e) => {
                inner.jobs.clear();
                drop(inner);
                self.shared.failed("write", format!("cannot start the thread for it: {e}"));
            }
        }
    }
}

fn start(shared: &Arc<Shared>) -> io::Result<()> {
    let mine = Arc::clone(shared);
    let thread = thread::Builder::new().name("pen-state".to_owned());
    let work = move || {
        // It never returns.
        let _ = catch_unwind(AssertUnwindSafe(|| mine.work()));
        let mut inner = mine.inner();
        inner.runs = false;
        inner.jobs.clear();
        drop(inner);
        mine.failed("write", "a defect of Pen; it is tried again when settings change".to_owned());
    };
    thread.spawn(work).map(drop)
}

impl Shared {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        loop {
            let Job { deed, reply } = self.next();
            reply.say(match deed {
                StateDeed::Write => self.write(),
                StateDeed::Read(file) => self.read(&file, ""),
            });
        }
    }

    /// What is to be done next; waits for it.
    fn next(&self) -> Job {
        let mut inner = self.inner();
        loop {
            if let Some(job) = inner.jobs.pop_front() {
                return job;
            }
            let now = clock::now();
            match inner.due {
                Some(due) if due <= now => {
                    inner.due = Some(now.plus_s(inner.interval_s));
                    return Job { deed: StateDeed::Write, reply: Reply(None) };
                }
                Some(due) => {
                    let wait = Duration::from_millis(due.since_ms(now));
                    let woken = self.bell.wait_timeout(inner, wait);
                    inner = woken.map_or_else(|e| e.into_inner().0, |(inner, _)| inner);
                }
                None => {
                    inner = self.bell.wait(inner).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// Writes the file. Answers what whoever asked is told.
    fn write(&self) -> String {
        let Some(file) = self.inner().file.clone() else {
            return "error: state: there is no state_file\n".to_owned();
        };
        let begin = clock::now();
        match walk::write(Path::new(&file), &self.board.shown().services) {
            Ok(written) => {
                let now = clock::now();
                let written = Written { took_ms: now.since_ms(begin), ..written };
                let mut inner = self.inner();
                inner.written = Some((now, written));
                let failed = inner.write_error.take();
                drop(inner);
                if failed.is_some() {
                    let text = format!("state_file {file}: it is written again");
                    let subject = Subject::new(EventKey::StateRecovered);
                    self.logs.event(subject, |e| e.with(Detail::File, &*file).saying(&*text));
                    self.logs.say(Level::Always, || text);
                }
                format!("{} clients written\n", written.clients)
            }
            Err(why) => {
                let why = sandbox::explain(why);
                self.failed("write", format!("{file}: {why}"));
                format!("error: state: {file}: {why}\n")
            }
        }
    }

    /// Takes in what a file remembers; if that cannot be, `then` says what follows. Answers what whoever
    /// asked is told.
    fn read(&self, file: &str, then: &str) -> String {
        match walk::read(Path::new(file), &self.board.shown().services) {
            Ok(row) => {
                let row = ReadRow { file: file.to_owned(), ..row };
                let said = row.sentence();
                let text = format!("state file {file}: {said}");
                self.logs.event(Subject::new(EventKey::StateRead), |e| {
                    let event = e.with(Detail::File, file).with(Detail::Clients, row.clients);
                    event.saying(&*text)
                });
                self.logs.say(Level::Always, || text);
                let mut inner = self.inner();
                inner.read = Some((clock::now(), row));
                inner.read_error = None;
                format!("{said}\n")
            }
            Err(why) => {
                let why = sandbox::explain(why);
                self.failed("read", format!("{file}: {why}{then}"));
                format!("error: state: {file}: {why}\n")
            }
        }
    }

    /// Something cannot be done. That the file cannot be written is told once.
    fn failed(&self, cause: &'static str, why: String) {
        let mut inner = self.inner();
        let error = match cause {
            "read" => &mut inner.read_error,
            _ => &mut inner.write_error,
        };
        let known = error.replace(why.clone()).is_some();
        drop(inner);
        if known && cause == "write" {
            return;
        }
        let text = match cause {
            "read" => format!("state file {why}"),
            _ => format!("state_file {why}; it is not written until that is mended"),
        };
        let subject = Subject::new(EventKey::StateFailed).because(cause);
        self.logs.event(subject, |e| e.with(Detail::Error, &*why).saying(&*text));
        self.logs.say(Level::Always, || format!("WARNING: {text}"));
    }
}
