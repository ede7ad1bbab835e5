//! What repeats is held back and counted: the first of a kind is shown at once, the rest of its time
//! as one line that says for how many it stands.
//!
//! Of events that undo each other (a server that goes and comes) a few are shown at once, and of those
//! held back the last one, so that the last line about a server is always true. Others may wait longer
//! the longer they repeat.

use std::collections::HashMap;

use super::{Event, EventKey, Subject};
use crate::limits::{EVENT_BURST, EVENT_KINDS_MAX, EVENT_REPEAT_MAX_S, EVENT_REPEAT_S};
use crate::moment::{Moment, WallMs};
use crate::servers::ServerRef;

/// What is to become of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is shown.
    Show,
    /// It was counted; [`Limiter::hold`] wants to know what it says.
    Hold,
    /// It was counted, and what one like it says is known.
    Count,
}

/// An event whose time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// What it says.
    pub event: Event,
    /// When it happened.
    pub wall: WallMs,
    /// For how many it stands, 1 = itself.
    pub count: u64,
}

/// What was told lately, by its kind.
#[derive(Debug, Default)]
pub struct Limiter {
    kinds: HashMap<Kind, Slot>,
    /// Nothing is due before; `None` if there is nothing.
    next: Option<Moment>,
    /// Kinds of which something is held back.
    held: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    group: EventKey,
    service: Option<String>,
    server: Option<ServerRef>,
    cause: Option<&'static str>,
}

impl Kind {
    fn of(subject: Subject<'_>) -> Self {
        let Subject { key, service, server, cause } = subject;
        Self {
            group: key.group(),
            service: service.map(str::to_owned),
            server,
            cause: cause.filter(|_| !key.is_state()),
        }
    }
}

#[derive(Debug)]
struct Slot {
    until: Moment,
    window_s: u32,
    shown: u32,
    count: u64,
    last: Option<(Event, WallMs)>,
}

impl Limiter {
    /// What is to become of an event about `subject`. Take what is [`Limiter::due`] first.
    pub fn ask(&mut self, subject: Subject<'_>, now: Moment) -> Verdict {
        if !subject.key.repeats() {
            return Verdict::Show;
        }
        let kind = Kind::of(subject);
        if let Some(slot) = self.kinds.get_mut(&kind) {
            let burst = if subject.key.is_state() { EVENT_BURST } else { 1 };
            if slot.shown < burst {
                slot.shown += 1;
                return Verdict::Show;
            }
            self.held += usize::from(slot.count == 0);
            slot.count += 1;
            let known = slot.last.is_some() && !subject.key.is_state();
            return if known { Verdict::Count } else { Verdict::Hold };
        }
        // The kinds are as many as servers and limits; beyond, lines are better than silence.
        if self.kinds.len() < EVENT_KINDS_MAX {
            let until = now.plus_s(EVENT_REPEAT_S);
            let window_s = EVENT_REPEAT_S;
            self.kinds.insert(kind, Slot { until, window_s, shown: 1, count: 0, last: None });
            self.next = Some(self.next.map_or(until, |next| next.min(until)));
        }
        Verdict::Show
    }

    /// What the event said that was to be held back.
    pub fn hold(&mut self, subject: Subject<'_>, event: Event, wall: WallMs) {
        if let Some(slot) = self.kinds.get_mut(&Kind::of(subject)) {
            slot.last = Some((event, wall));
        }
    }

    /// Whether something is held back.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.held != 0
    }

    /// What was held back long enough, in the order in which it happened.
    pub fn due(&mut self, now: Moment) -> Vec<Due> {
        if self.next.is_none_or(|next| now < next) {
            return Vec::new();
        }
        let mut due = Vec::new();
        self.kinds.retain(|kind, slot| {
            if now < slot.until {
                return true;
            }
            // Nothing repeats any more. Or somebody is about to say what it says.
            let Some((event, wall)) = slot.last.take() else { return slot.count != 0 };
            due.push(Due { event, wall, count: std::mem::take(&mut slot.count) });
            if !kind.group.is_state() {
                slot.window_s = slot.window_s.saturating_mul(2).min(EVENT_REPEAT_MAX_S);
            }
            slot.until = now.plus_s(slot.window_s);
            true
        });
        self.held -= due.len().min(self.held);
        self.next = self.kinds.values().map(|slot| slot.until).min();
        due.sort_by_key(|d| d.wall);
        due
    }
}
