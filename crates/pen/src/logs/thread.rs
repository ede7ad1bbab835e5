//! The log thread: takes entries off the queue, writes them, and flushes when the queue is empty.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError};
use std::thread::JoinHandle;
use std::time::Duration;

use pen_core::connlog::{self, Record};
use pen_core::event::{Detail, EventKey, Occurrence, Severity, Subject};
use pen_core::limits;
use pen_sys::clock;
use pen_sys::syslog::Priority;

use super::sinks::Sinks;
use super::target::Line;
use super::{Batch, LogId, Shape, Shared, Target};

/// What comes through the queue.
#[derive(Debug)]
pub(super) enum Entry {
    /// Something for the operator.
    Message { wall: i64, important: bool, lines: bool, text: String },
    /// Something for standard output.
    Output(String),
    /// Lines of a service's log.
    Lines(LogId, Batch),
    /// Connections of a service's connection log.
    Records(LogId, Vec<Record>),
    /// Something for the log of events.
    Event(Arc<Occurrence>),
    /// Orders up to this number are due.
    Order(u64),
}

/// What must not be lost for want of room in the queue.
#[derive(Debug)]
pub(super) enum Order {
    Install(LogId, Target, Shape),
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
    let writer = Writer {
        shared,
        sinks,
        logs: HashMap::new(),
        text: String::new(),
        stop: None,
        next_report_ms: 0,
    };
    std::thread::Builder::new().name("pen-log".to_owned()).spawn(move || writer.run(&entries))
}

struct Writer {
    shared: Arc<Shared>,
    sinks: Sinks,
    logs: HashMap<LogId, Log>,
    /// A line that is being made.
    text: String,
    /// The end was ordered: what is in the queue is written first.
    stop: Option<SyncSender<()>>,
    /// When left-out messages may be reported again.
    next_report_ms: u64,
}

/// A target and what was said about it.
struct Log {
    target: Target,
    shape: Shape,
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
                Entry::Output(text) => self.sinks.show(&text),
                Entry::Lines(log, batch) => self.lines(log, &batch),
                Entry::Records(log, records) => self.records(log, &records),
                Entry::Event(event) => self.event(&event),
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
                    self.shared.sweep();
                }
            }
        }
        entries.recv().ok()
    }

    fn lines(&mut self, id: LogId, batch: &Batch) {
        let Some(log) = self.logs.get_mut(&id) else { return };
        log.dirty = true;
        let taken = log.target.take(batch);
        log.note(&mut self.sinks, &self.shared, taken);
    }

    fn records(&mut self, id: LogId, records: &[Record]) {
        let Some(log) = self.logs.get_mut(&id) else { return };
        let Shape::Connections { format, service } = &log.shape else { return };
        let (mut result, mut text) = (Ok(false), std::mem::take(&mut self.text));
        for record in records {
            text.clear();
            format.write(&mut text, record, service);
            text.push('\n');
            let taken = log.target.line(Line {
                wall: record.wall,
                priority: Priority::Info,
                text: &text,
                fields: &mut |take| {
                    connlog::each(record, service, |field, value| take(field.word(), value));
                },
            });
            result = result.and_then(|some| taken.map(|more| some || more));
        }
        self.text = text;
        log.dirty = true;
        log.note(&mut self.sinks, &self.shared, result);
    }

    fn event(&mut self, event: &Occurrence) {
        let Some(log) = self.logs.get_mut(&LogId::EVENTS) else { return };
        let Shape::Events { json } = log.shape else { return };
        let mut text = if json { event.json() } else { event.line() };
        text.push('\n');
        let result = log.target.line(Line {
            wall: event.wall,
            priority: match event.event.key.severity() {
                Severity::Info => Priority::Info,
                Severity::Warning => Priority::Warning,
                Severity::Error => Priority::Error,
            },
            text: &text,
            fields: &mut |take| event.each(take),
        });
        log.dirty = true;
        log.note(&mut self.sinks, &self.shared, result);
    }

    /// Carries out the orders up to `number`.
    fn obey(&mut self, number: u64) {
        while let Some(order) = self.shared.next_order(number) {
            match order {
                Order::Install(id, target, shape) => {
                    self.close(id);
                    self.logs.insert(id, Log::new(target, shape));
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
            log.flush(&mut self.sinks, &self.shared);
        }
    }

    fn reopen(&mut self) {
        for log in self.logs.values_mut() {
            log.flush(&mut self.sinks, &self.shared);
            if let Err(e) = log.target.reopen() {
                let name = log.target.name();
                let text = format!("log {name}: {e}; the old file stays in use");
                self.shared.event(Subject::new(EventKey::LogFailed), |event| {
                    event
                        .with(Detail::Target, name)
                        .with(Detail::Error, e.to_string())
                        .saying(text.clone())
                });
                self.sinks.own(&text);
            }
        }
    }

    /// Writes what is buffered and reports what was lost.
    fn settle(&mut self) {
        for log in self.logs.values_mut().filter(|log| log.dirty) {
            log.flush(&mut self.sinks, &self.shared);
        }
        let messages = self.shared.lost_messages.swap(0, Ordering::Relaxed);
        let lines = self.shared.lost_lines.swap(0, Ordering::Relaxed);
        self.shared.reported_messages.fetch_add(messages, Ordering::Relaxed);
        if messages != 0 || lines != 0 {
            self.shared.event(Subject::new(EventKey::LogLosses), |e| {
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
    fn new(target: Target, shape: Shape) -> Self {
        Self { target, shape, dirty: false, troubled: false, reported_ms: None }
    }

    fn flush(&mut self, sinks: &mut Sinks, shared: &Shared) {
        self.dirty = false;
        let flushed = self.target.flush();
        self.note(sinks, shared, flushed);
    }

    /// Reports how writing went; with nothing written there is nothing new.
    fn note(&mut self, sinks: &mut Sinks, shared: &Shared, written: io::Result<bool>) {
        shared.lost_ever.fetch_add(self.target.settle_lost(), Ordering::Relaxed);
        match written {
            Err(e) => self.trouble(sinks, shared, &e),
            Ok(true) if self.troubled => {
                self.troubled = false;
                let (name, lost) = (self.target.name(), self.target.take_lost());
                let text = format!("log {name} works again; {lost} lines were lost");
                let event = Subject::new(EventKey::LogRecovered);
                shared.event(event, |e| {
                    e.with(Detail::Target, name).with(Detail::LostLines, lost).saying(text.clone())
                });
                sinks.own(&text);
            }
            Ok(_) => {}
        }
    }

    /// Reports a failure, unless one was reported just before.
    fn trouble(&mut self, sinks: &mut Sinks, shared: &Shared, error: &io::Error) {
        let now = clock::monotonic_ms();
        let again = self.reported_ms.map(|ms| ms + limits::LOG_TROUBLE_S * 1_000);
        if again.is_none_or(|ms| now >= ms) {
            self.reported_ms = Some(now);
            self.troubled = true;
            let (name, lost) = (self.target.name(), self.target.lost());
            let text = format!("log {name}: {error}; {lost} lines lost so far");
            shared.event(Subject::new(EventKey::LogFailed), |e| {
                e.with(Detail::Target, name)
                    .with(Detail::Error, error.to_string())
                    .with(Detail::LostLines, lost)
                    .saying(text.clone())
            });
            sinks.own(&text);
        }
    }
}
