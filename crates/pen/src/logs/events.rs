//! The events of the process: told by any thread, kept, limited, and read by any thread.
//!
//! Telling takes one short lock and waits for nobody. Who wants to hear of events as they happen leaves
//! a bell ([`Events::ring_at`]) and asks for what is newer than the last number he has seen.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pen_core::event::{Event, Limiter, Occurrence, Ring, Since, Subject, Verdict};
use pen_core::limits;
use pen_core::moment::Moment;

use crate::clock;

/// What happened lately.
#[derive(Debug, Default)]
pub struct Events {
    inner: Mutex<Inner>,
    /// Something is held back: somebody has to look at it in time.
    holds: AtomicBool,
    /// Somebody listens to the bell.
    watched: AtomicBool,
}

#[derive(Debug, Default)]
struct Inner {
    ring: Ring,
    limiter: Limiter,
    bell: Option<Arc<OwnedFd>>,
}

impl Events {
    /// Something happened. `make` adds what is to be known of it, and is not asked if that was told a
    /// moment ago. Answers what is news by this.
    pub(super) fn tell(
        &self,
        subject: Subject<'_>,
        make: impl FnOnce(Event) -> Event,
    ) -> Vec<Arc<Occurrence>> {
        let (now, wall) = (clock::now(), clock::wall_ms());
        let mut inner = self.lock();
        let mut news = inner.take_due(now);
        let verdict = inner.limiter.ask(subject, now);
        if verdict != Verdict::Count {
            // Nobody waits for sentences.
            drop(inner);
            let event = bounded(make(subject.event()));
            inner = self.lock();
            match verdict {
                Verdict::Show => news.push(inner.ring.push(event, wall, 1)),
                Verdict::Hold | Verdict::Count => inner.limiter.hold(subject, event, wall),
            }
        }
        self.leave(inner, !news.is_empty());
        news
    }

    /// Tells what was held back long enough. Answers what is news by this.
    pub(super) fn sweep(&self) -> Vec<Arc<Occurrence>> {
        let mut inner = self.lock();
        let news = inner.take_due(clock::now());
        self.leave(inner, !news.is_empty());
        news
    }

    /// Whether [`Events::sweep`] will have something to tell.
    pub(super) fn holds(&self) -> bool {
        self.holds.load(Ordering::Relaxed)
    }

    /// The events after number `after`, `max` of the newest at most.
    #[must_use]
    pub fn since(&self, after: u64, max: usize) -> Since {
        self.lock().ring.since(after, max)
    }

    /// The bell (an eventfd) that rings with news while somebody [watches](Events::watch).
    pub fn ring_at(&self, bell: Arc<OwnedFd>) {
        self.lock().bell = Some(bell);
    }

    /// Whether somebody watches.
    pub fn watch(&self, watched: bool) {
        self.watched.store(watched, Ordering::Release);
    }

    fn leave(&self, inner: MutexGuard<'_, Inner>, news: bool) {
        self.holds.store(inner.limiter.holds(), Ordering::Relaxed);
        if news
            && self.watched.load(Ordering::Acquire)
            && let Some(bell) = inner.bell.clone()
        {
            drop(inner);
            // A full counter means that the bell rings already.
            let _ = rustix::io::write(&*bell, &1_u64.to_ne_bytes());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Whole at every moment, so a panic elsewhere does not spoil it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn take_due(&mut self, now: Moment) -> Vec<Arc<Occurrence>> {
        let due = self.limiter.due(now).into_iter();
        due.map(|d| self.ring.push(d.event, d.wall, d.count)).collect()
    }
}

/// Texts come from messages of any length.
fn bounded(mut event: Event) -> Event {
    let end = event.text.floor_char_boundary(limits::MESSAGE_MAX);
    if end < event.text.len() {
        event.text.truncate(end);
        event.text.push_str("...");
    }
    event
}

#[cfg(test)]
mod tests {
    use pen_core::event::EventKey;

    use super::*;

    #[test]
    fn told_by_many_threads_every_event_has_its_number() {
        let events = Events::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        let told = events.tell(Subject::new(EventKey::Warning), |e| e.saying("x"));
                        assert_eq!(told.len(), 1);
                    }
                });
            }
        });
        let since = events.since(0, usize::MAX);
        assert_eq!((since.last, since.events.len()), (4_000, limits::EVENTS_KEPT));
        let numbers: Vec<u64> = since.events.iter().map(|e| e.seq).collect();
        assert!(numbers.is_sorted() && numbers.last() == Some(&4_000));
    }

    #[test]
    fn what_repeats_costs_no_sentence() {
        let events = Events::default();
        let full = Subject::new(EventKey::LimitReached).because("connections");
        let mut made = 0;
        for _ in 0..100 {
            events.tell(full, |e| {
                made += 1;
                e.saying("é".repeat(limits::MESSAGE_MAX))
            });
        }
        assert_eq!(made, 2);
        assert!(events.holds());
        let since = events.since(0, usize::MAX);
        assert_eq!(since.events.len(), 1);
        assert!(since.events[0].event.text.len() <= limits::MESSAGE_MAX + 3);
    }
}
