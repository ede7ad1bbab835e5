//! Who comes in and goes: sessions from the door to their end.

use std::sync::Arc;

use pen_core::event::{Detail, EventKey, Subject};
use pen_core::limits;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;

use super::contain::{NO_REPLY, contained};
use super::door::Visitor;
use super::session::{Session, Step};
use super::tasks::{Asker, Task};
use super::{DOOR, Desk, SESSIONS};
use crate::clock;
use crate::logs::{Level, Topic};
use crate::names::KnownNames;

impl Desk {
    /// Lets in whoever waits. A full house shows the most silent guest out; when nobody is silent,
    /// the next ones wait in the kernel's queue.
    pub(super) fn admit(&mut self) {
        for _ in 0..limits::CONTROL_SESSIONS_MAX {
            if self.is_full() && self.most_silent().is_none() {
                break;
            }
            let Some(door) = &mut self.door else { break };
            match door.admit(&self.running.config, self.running.countries()) {
                Visitor::Welcome(socket, who) => self.welcome(socket, who),
                Visitor::Refused(who) => {
                    self.running.logs.event(Subject::new(EventKey::ControlRefused), |e| {
                        e.with(Detail::By, &*who).saying(format!("control: {who} may not come in"))
                    });
                    self.running.logs.say_often(Topic::ControlRefused, Level::Always, || {
                        format!("control: {who} may not come in")
                    });
                }
                Visitor::Nobody => break,
                Visitor::Shortage(e) => {
                    let subject = Subject::new(EventKey::LimitReached).because("descriptors");
                    self.running.logs.event(subject, |event| {
                        let text = format!("control: cannot let anybody in: {e}");
                        event.with(Detail::Error, e.to_string()).saying(text)
                    });
                    self.running.logs.say_often(Topic::Shortage, Level::Always, || {
                        format!("control: cannot let anybody in: {e}")
                    });
                    self.door_opens = Some(clock::now().plus_ms(limits::ACCEPT_PAUSE_MS));
                    break;
                }
            }
        }
        self.keep_spare();
        self.arm_door();
    }

    /// A descriptor may have become free.
    fn keep_spare(&mut self) {
        if let Some(door) = &mut self.door {
            door.keep_spare(&self.epoll);
        }
    }

    fn is_full(&self) -> bool {
        self.sessions.len() >= limits::CONTROL_SESSIONS_MAX
    }

    fn most_silent(&self) -> Option<usize> {
        let silent = self.sessions.iter().filter_map(|(key, s)| Some((s.silent_since()?, key)));
        silent.min().map(|(_, key)| key)
    }

    pub(super) fn arm_door(&mut self) {
        let Some(door) = &self.door else { return };
        let full = self.is_full() && self.most_silent().is_none();
        let wanted = self.door_opens.is_none() && !full;
        if wanted != self.door_armed {
            let interest = if wanted { EventFlags::IN } else { EventFlags::empty() };
            if epoll::modify(&self.epoll, door, EventData::new_u64(DOOR), interest).is_ok() {
                self.door_armed = wanted;
            }
        }
    }

    fn welcome(&mut self, socket: OwnedFd, who: String) {
        self.make_room();
        let session = Session::new(socket, who, clock::now());
        let interest = session.interest();
        let entry = self.sessions.vacant_entry();
        let token = EventData::new_u64(SESSIONS + entry.key() as u64);
        // Without a place in the loop it would hang; closing it says so.
        if epoll::add(&self.epoll, &session, token, interest).is_ok() {
            entry.insert(session);
        }
    }

    /// In a full house the most silent guest goes. It may have spoken since it was last listened
    /// to, so that is done first.
    fn make_room(&mut self) {
        for _ in 0..limits::CONTROL_SESSIONS_MAX {
            let Some(key) = self.most_silent().filter(|_| self.is_full()) else { return };
            self.advance(key as u64, false);
            if self.most_silent() == Some(key) {
                break;
            }
        }
        if let Some(key) = self.most_silent().filter(|_| self.is_full()) {
            self.drop_session(key, "somebody else needs its place");
        }
    }

    pub(super) fn advance(&mut self, token: u64, gone: bool) {
        let Ok(key) = usize::try_from(token) else { return };
        let Some(session) = self.sessions.get_mut(key) else { return };
        if session.is_watching() && !gone {
            return self.show_events(key);
        }
        let step = || Ok(session.advance(clock::now(), gone));
        match contained(&self.running.logs, NO_REPLY, step).unwrap_or(Step::Over) {
            Step::Wait => self.listen_to(key),
            Step::Over => self.forget(key),
            Step::Line(text) => {
                self.listen_to(key);
                let names = KnownNames::new(Arc::clone(&self.services));
                self.attempt(Task { asker: Asker::Session(key), text, names, rounds: 0 });
            }
        }
    }

    pub(super) fn answer(&mut self, key: usize, reply: String) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        match session.answer(reply, clock::now()) {
            Step::Over => self.forget(key),
            Step::Wait | Step::Line(_) => self.listen_to(key),
        }
    }

    pub(super) fn listen_to(&mut self, key: usize) {
        let Some(session) = self.sessions.get(key) else { return };
        let token = EventData::new_u64(SESSIONS + key as u64);
        if epoll::modify(&self.epoll, session, token, session.interest()).is_err() {
            self.forget(key);
        }
    }

    pub(super) fn drop_session(&mut self, key: usize, why: &str) {
        if let Some(session) = self.sessions.get(key) {
            self.running.logs.say_often(Topic::ControlRefused, Level::Debug(1), || {
                format!("control: the session of {} is closed: {why}", session.who)
            });
        }
        self.forget(key);
    }

    /// Ends a session, and what it waits for: its number will be somebody else's.
    pub(super) fn forget(&mut self, key: usize) {
        if self.sessions.try_remove(key).is_some() {
            self.keep_spare();
            self.tasks.retain(|_, task| task.asker != Asker::Session(key));
            if let Some(upgrade) = &mut self.upgrade {
                upgrade.forget(key);
            }
            self.waiting.retain(|_, session| *session != key);
        }
    }
}
