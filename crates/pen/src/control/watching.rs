//! Sessions that watch: they are told events as they happen.
//!
//! A session remembers the number of the last event it was told; the events are kept where they are kept
//! anyway. So a reader who takes nothing costs nothing: when he reads again he is told how many he has
//! missed.

use pen_core::event::{Since, lost_json, lost_line};
use pen_core::limits;

use super::contain::{NO_REPLY, contained};
use super::session::{Step, Watch};
use super::{Desk, clock};

impl Desk {
    /// A session asked to watch.
    pub(super) fn begin_watch(&mut self, key: usize, watch: Watch) {
        let watchers = self.sessions.iter().filter(|(_, s)| s.is_watching()).count();
        if watchers >= limits::WATCHERS_MAX {
            let most = limits::WATCHERS_MAX;
            return self.answer(key, format!("error: {most} sessions watch already\n"));
        }
        let Some(session) = self.sessions.get_mut(key) else { return };
        session.watch(watch, clock::now());
        self.running.logs.events().watch(true);
        self.show_events(key);
    }

    /// Something happened: everybody who watches is told.
    pub(super) fn take_events(&mut self) {
        self.inbox.silence_events();
        let watching = self.sessions.iter().filter(|(_, s)| s.is_watching());
        let keys: Vec<usize> = watching.map(|(key, _)| key).collect();
        if keys.is_empty() {
            self.running.logs.events().watch(false);
        }
        for key in keys {
            self.show_events(key);
        }
    }

    /// Tells a session what is new to it, as far as its socket takes it.
    pub(super) fn show_events(&mut self, key: usize) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        let events = self.running.logs.events();
        let next = |watch: &mut Watch| next_lines(watch, &events.since(watch.after, usize::MAX));
        let step = || Ok(session.stream(next));
        match contained(&self.running.logs, NO_REPLY, step).unwrap_or(Step::Over) {
            Step::Over => self.forget(key),
            Step::Wait | Step::Line(_) => self.listen_to(key),
        }
    }
}

/// What a session is told next, and what it has seen then. Empty: nothing is new.
fn next_lines(watch: &mut Watch, since: &Since) -> String {
    let mut text = String::new();
    // Who begins at 0 wants all there are; there were more before, which is no loss.
    if since.lost != 0 && watch.after != 0 {
        text += &if watch.json { lost_json(since.lost) } else { lost_line(since.lost) };
        text.push('\n');
    }
    for event in &since.events {
        text += &if watch.json { event.json() } else { event.line() };
        text.push('\n');
    }
    watch.after = since.last;
    text
}
