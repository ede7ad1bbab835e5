//! The log thread: takes entries off the queue, writes them, and flushes when the queue is empty.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError};
use std::thread::JoinHandle;
use std::time::Duration;

use pen_core::event::{Detail, EventKey, Subject};
use pen_core::limits;
use pen_sys::clock;

use super::sinks::{self, Sinks};
use super::{Batch, Events, LogId, Shared, Target};

/// What comes through the queue.
#[derive(Debug)]
pub(super) enum Entry {
    /// Something for the operator.
    Message { wall: i64, important: bool, lines: bool, text: String },
    /// Something for standard output.
    Output(String),
    /// Lines of a service's log.
    Lines(LogId, Batch),
    /// Orders up to this number are due.
    Order(u64),
}

/// What must not be lost for want of room in the queue.
#[derive(Debug)]
pub(super) enum Order {
    Install(LogId, Target),
    Close(LogId),
    Reopen,
    Flush(SyncSender<()>),
    Started(SyncSender<()>),
    Stop(SyncSender<()>),
}

pub(super) fn spawn(
    shared: Arc<Shared>,
    entries: Receiver<Entry>,
    sinks: Sinks,
) -> io::Result<JoinHandle<()>> {
    let writer = Writer { shared, sinks, logs: HashMap::new(), stop: None, next_report_ms: 0 };
    std::thread::Builder::new().name("pen-log".to_owned()).spawn(move || writer.run(&entries))
}

struct Writer {
    shared: Arc<Shared>,
    sinks: Sinks,
    logs: HashMap<LogId, Log>,
    /// The end was ordered: what is in the queue is written first.
    stop: Option<SyncSender<()>>,
    /// When left-out messages may be reported again.
    next_report_ms: u64,
}

/// A target and what was said about it.
struct Log {
    target: Target,
    /// Lines may be waiting in it.
    dirty: bool,
    /// Trouble was reported and its end was not.
    troubled: bool,
    /// When trouble was last reported.
    reported_ms: Option<u64>,
}

impl Writer {
    fn run(mut self, entries: &Receiver<Entry>) {
        let mut after_stop = 0;
        while let Some(entry) = self.next(entries) {
            match entry {
                Entry::Message { wall, important, lines, text } => {
                    self.sinks.message(wall, important, lines, &text);
                }
                Entry::Output(text) => sinks::show(&text),
                Entry::Lines(log, batch) => self.lines(log, &batch),
                Entry::Order(number) => self.obey(number),
            }
            if self.shared.late.swap(false, Ordering::AcqRel) {
                self.obey(u64::MAX);
            }
            self.report_left_out(false);
            // Who keeps talking must not hold up the end.
            after_stop += usize::from(self.stop.is_some());
            if after_stop > limits::LOG_QUEUE {
                break;
            }
        }
        self.settle();
        self.report_left_out(true);
        if let Some(done) = self.stop.take() {
            // The one who ordered it may have lost patience.
            let _ = done.try_send(());
        }
    }

    /// The next entry; before waiting for one, everything is flushed. `None`: the end.
    fn next(&mut self, entries: &Receiver<Entry>) -> Option<Entry> {
        match entries.try_recv() {
            Ok(entry) => return Some(entry),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) if self.stop.is_some() => return None,
            Err(TryRecvError::Empty) => self.settle(),
        }
        while self.shared.topics.any_left_out() || self.shared.events.holds() {
            match entries.recv_timeout(Duration::from_secs(1)) {
                Ok(entry) => return Some(entry),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    self.report_left_out(true);
                    self.shared.events.sweep();
                }
            }
        }
        entries.recv().ok()
    }

    fn lines(&mut self, id: LogId, batch: &Batch) {
        let Some(log) = self.logs.get_mut(&id) else { return };
        log.dirty = true;
        let taken = log.target.take(batch);
        log.note(&mut self.sinks, &self.shared.events, taken);
    }

    /// Carries out the orders up to `number`.
    fn obey(&mut self, number: u64) {
        while let Some(order) = self.shared.next_order(number) {
            match order {
                Order::Install(id, target) => {
                    self.close(id);
                    self.logs.insert(id, Log::new(target));
                }
                Order::Close(id) => self.close(id),
                Order::Reopen => self.reopen(),
                Order::Flush(done) => {
                    self.settle();
                    let _ = done.try_send(());
                }
                Order::Started(done) => {
                    self.settle();
                    self.sinks.started();
                    let _ = done.try_send(());
                }
                Order::Stop(done) => self.stop = Some(done),
            }
        }
    }

    fn close(&mut self, id: LogId) {
        if let Some(mut log) = self.logs.remove(&id) {
            log.flush(&mut self.sinks, &self.shared.events);
        }
    }

    fn reopen(&mut self) {
        for log in self.logs.values_mut() {
            log.flush(&mut self.sinks, &self.shared.events);
            if let Err(e) = log.target.reopen() {
                let name = log.target.name();
                self.sinks.own(&format!("log {name}: {e}; the old file stays in use"));
            }
        }
    }

    /// Writes what is buffered and reports what was lost.
    fn settle(&mut self) {
        for log in self.logs.values_mut().filter(|log| log.dirty) {
            log.flush(&mut self.sinks, &self.shared.events);
        }
        let messages = self.shared.lost_messages.swap(0, Ordering::Relaxed);
        let lines = self.shared.lost_lines.swap(0, Ordering::Relaxed);
        for (sum, new) in self.shared.reported_lost.iter().zip([messages, lines]) {
            sum.fetch_add(new, Ordering::Relaxed);
        }
        if messages != 0 || lines != 0 {
            self.shared.events.tell(Subject::new(EventKey::LogLosses), |e| {
                e.with(Detail::LostMessages, messages)
                    .with(Detail::LostLines, lines)
                    .saying("writing logs could not keep up")
            });
        }
        for (count, what) in [(messages, "messages"), (lines, "log lines")] {
            if count != 0 {
                self.sinks.own(&format!("{count} {what} were lost: writing could not keep up"));
            }
        }
    }

    fn report_left_out(&mut self, now: bool) {
        if !self.shared.topics.any_left_out() {
            return;
        }
        let ms = clock::monotonic_ms();
        if now || ms >= self.next_report_ms {
            self.next_report_ms = ms + 1_000;
            for text in self.shared.topics.report() {
                self.sinks.own(&text);
            }
        }
    }
}

impl Log {
    fn new(target: Target) -> Self {
        Self { target, dirty: false, troubled: false, reported_ms: None }
    }

    fn flush(&mut self, sinks: &mut Sinks, events: &Events) {
        self.dirty = false;
        let flushed = self.target.flush();
        self.note(sinks, events, flushed);
    }

    /// Reports how writing went; with nothing written there is nothing new.
    fn note(&mut self, sinks: &mut Sinks, events: &Events, written: io::Result<bool>) {
        match written {
            Err(e) => self.trouble(sinks, events, &e),
            Ok(true) if self.troubled => {
                self.troubled = false;
                let (name, lost) = (self.target.name(), self.target.take_lost());
                let text = format!("log {name} works again; {lost} lines were lost");
                sinks.own(&text);
                let event = Subject::new(EventKey::LogRecovered);
                events.tell(event, |e| {
                    e.with(Detail::Target, name).with(Detail::LostLines, lost).saying(text)
                });
            }
            Ok(_) => {}
        }
    }

    /// Reports a failure, unless one was reported just before.
    fn trouble(&mut self, sinks: &mut Sinks, events: &Events, error: &io::Error) {
        let now = clock::monotonic_ms();
        let again = self.reported_ms.map(|ms| ms + limits::LOG_TROUBLE_S * 1_000);
        if again.is_none_or(|ms| now >= ms) {
            self.reported_ms = Some(now);
            self.troubled = true;
            let (name, lost) = (self.target.name(), self.target.lost());
            let text = format!("log {name}: {error}; {lost} lines lost so far");
            sinks.own(&text);
            events.tell(Subject::new(EventKey::LogFailed), |e| {
                e.with(Detail::Target, name)
                    .with(Detail::Error, error.to_string())
                    .with(Detail::LostLines, lost)
                    .saying(text)
            });
        }
    }
}
