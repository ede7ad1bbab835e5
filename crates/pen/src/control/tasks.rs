//! Changes of settings, some of which wait for host names.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};

use pen_core::command::StateDeed;
use pen_core::difference::Difference;
use pen_core::event::{Detail, EventKey, Subject};
use pen_core::limits;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;

use super::contain::{NOTHING_CHANGED, contained};
use super::perform::{self, Performed, Prepared};
use super::{Desk, Ending, ExitReason};
use crate::logs::Level;
use crate::names::KnownNames;
use crate::resolve::Answers;
use crate::sandbox;

/// Who wants settings changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    Session(usize),
    /// The web page, by the key of its wish.
    Page(usize),
    Reload,
}

/// A change of settings that may wait for names.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) asker: Asker,
    /// A line, or the path of a file.
    pub(super) text: String,
    pub(super) names: KnownNames,
    pub(super) rounds: u32,
}

/// Answers of other threads, with the bell that tells of them: of the resolver, by task, and of those that
/// do what takes long.
#[derive(Clone, Debug)]
pub(super) struct Inbox {
    answers: Arc<Mutex<Vec<(u64, Answers)>>>,
    /// Replies to sessions that wait for something else to be done, by the number of the wait.
    replies: Arc<Mutex<Vec<(u64, String)>>>,
    bell: Arc<OwnedFd>,
    /// What rings when there are events that somebody watches for.
    events: Arc<OwnedFd>,
}

impl Desk {
    /// Tries a change. If it turns out to need names that are not known yet, it is set aside until
    /// they are, and tried again from the start.
    pub(super) fn attempt(&mut self, mut task: Task) {
        let prepared = contained(&self.running.logs, NOTHING_CHANGED, || {
            #[cfg(debug_assertions)]
            crate::worker::faults::at_order(&task.text);
            let prepared = self.prepare(&task)?;
            if let Some(prepared) = &prepared {
                self.running.survey(&prepared.config, &task.names);
            }
            Ok(prepared)
        });
        let missing = task.names.take_missing();
        if missing.is_empty() {
            return self.finish(&task, prepared);
        }
        if task.rounds >= limits::NAME_ROUNDS_MAX {
            let why = "it asks for other host names each time it is read".to_owned();
            return self.finish(&task, Err(why));
        }
        task.rounds += 1;
        let number = self.next_task;
        self.next_task += 1;
        let inbox = self.inbox.clone();
        match self.resolver.ask(missing, move |answers| inbox.put(number, answers)) {
            Ok(()) => {
                self.tasks.insert(number, task);
            }
            Err(why) => self.finish(&task, Err(why)),
        }
    }

    fn prepare(&self, task: &Task) -> Result<Option<Prepared>, String> {
        let config = &self.running.config;
        match task.asker {
            Asker::Session(_) | Asker::Page(_) => {
                perform::prepare_line(config, &task.text, &task.names)
            }
            Asker::Reload => perform::prepare_file(config, &task.text, &task.names)
                .map(Some)
                .map_err(|f| f.to_string()),
        }
    }

    /// The session is answered when it is done.
    fn wait_for(&mut self, key: usize, deed: StateDeed) {
        let number = self.next_task;
        self.next_task += 1;
        self.waiting.insert(number, key);
        let inbox = self.inbox.clone();
        self.running.state.ask(deed, move |reply| inbox.reply(number, reply));
    }

    pub(super) fn take_answers(&mut self) {
        // The bell is silenced first: what rings later is seen later.
        let answers = self.inbox.take();
        for (number, reply) in self.inbox.take_replies() {
            if let Some(key) = self.waiting.remove(&number) {
                self.answer(key, reply);
            }
        }
        for (number, answers) in answers {
            let Some(mut task) = self.tasks.remove(&number) else { continue };
            for (name, answer) in answers {
                task.names.learn(name, answer);
            }
            if task.asker == Asker::Reload {
                for warning in task.names.fall_back(&self.running.config) {
                    self.running.warn(warning);
                }
            }
            self.attempt(task);
        }
    }

    fn finish(&mut self, task: &Task, prepared: Result<Option<Prepared>, String>) {
        let before = self.running.config.clone();
        let result = match prepared {
            Ok(Some(prepared)) => self
                .or_last_words(task.asker, |desk| desk.make_true(task, prepared))
                .map_err(|why| match task.asker {
                    Asker::Session(_) | Asker::Page(_) => why,
                    Asker::Reload => format!("{}: {why}", task.text),
                }),
            Ok(None) => Ok(Performed::default()),
            Err(why) => Err(why),
        };
        let result = result.map_err(sandbox::explain);
        let exit = result.as_ref().is_ok_and(|p| p.exit);
        match task.asker {
            Asker::Session(key) => match result {
                Ok(Performed { watch: Some(watch), .. }) => self.begin_watch(key, watch),
                Ok(Performed { state: Some(deed), .. }) => self.wait_for(key, deed),
                Ok(Performed { upgrade: true, .. }) => self.upgrade(Some(key)),
                result => self.answer(key, said(result)),
            },
            Asker::Page(key) => {
                if let Some(wish) = self.wished.try_remove(key) {
                    // The web thread may have stopped waiting.
                    let _ = wish.reply.send(said(result));
                }
            }
            Asker::Reload => self.reloaded(&task.text, &before, result.map(|_| ())),
        }
        if exit {
            self.ending = Ending::Now(ExitReason::Command);
        }
    }

    fn make_true(&mut self, task: &Task, prepared: Prepared) -> Result<Performed, String> {
        if self.ending != Ending::No && prepared.config != self.running.config {
            return Err("Pen is about to end; settings are not changed any more".to_owned());
        }
        let before = self.running.config.clone();
        let performed = perform::make_true(&mut self.running, &self.origin, prepared, &task.names)?;
        if before != self.running.config {
            self.store_listeners();
        }
        let who = match task.asker {
            Asker::Session(key) => self.sessions.get(key).map(|session| session.who.clone()),
            Asker::Page(key) => {
                self.wished.get(key).map(|wish| format!("{} by the page", wish.who))
            }
            Asker::Reload => None,
        };
        if let Some(who) = who {
            // A page in a browser is easier to come by than a control socket: all that it does is told.
            let told = matches!(task.asker, Asker::Page(_))
                || perform::moves_traffic(&before, &self.running.config);
            let level = if told { Level::Always } else { Level::Debug(1) };
            let line = task.text.trim();
            self.running.logs.say(level, || format!("control: {who}: {line}"));
            if before != self.running.config {
                let found = Difference::between(&before, &self.running.config);
                self.running.logs.event(Subject::new(EventKey::SettingsChanged), |e| {
                    let text = format!("control: {who}: {line}; {}", found.words());
                    found.add_to(e.with(Detail::By, &*who)).saying(text)
                });
            }
        }
        Ok(performed)
    }

    /// Starts reading the file again, for `reload`.
    pub(super) fn read_again(&mut self, file: String) {
        let names = KnownNames::new(Arc::clone(&self.services));
        self.attempt(Task { asker: Asker::Reload, text: file, names, rounds: 0 });
    }
}

/// What whoever asked is told.
fn said(result: Result<Performed, String>) -> String {
    result.map_or_else(|why| format!("error: {why}\n"), |performed| performed.reply)
}

impl Inbox {
    /// Empty.
    ///
    /// # Errors
    /// No descriptors left.
    pub(super) fn new() -> io::Result<Self> {
        let bell = || eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map(Arc::new);
        Ok(Self {
            answers: Arc::default(),
            replies: Arc::default(),
            bell: bell()?,
            events: bell()?,
        })
    }

    /// What rings when answers arrive.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// What rings when there are events.
    pub(super) fn events(&self) -> &Arc<OwnedFd> {
        &self.events
    }

    /// The events that rang are looked at.
    pub(super) fn silence_events(&self) {
        let mut count = [0_u8; 8];
        let _ = rustix::io::read(&*self.events, &mut count);
    }

    fn put(&self, task: u64, answers: Answers) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).push((task, answers));
        self.ring();
    }

    fn reply(&self, wait: u64, reply: String) {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner).push((wait, reply));
        self.ring();
    }

    fn ring(&self) {
        // A full counter means that the bell rings already.
        let _ = rustix::io::write(&*self.bell, &1_u64.to_ne_bytes());
    }

    fn take_replies(&self) -> Vec<(u64, String)> {
        std::mem::take(&mut *self.replies.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn take(&self) -> Vec<(u64, Answers)> {
        let mut count = [0_u8; 8];
        // Nothing to read means that the bell does not ring; the answers are what counts.
        let _ = rustix::io::read(self.bell.as_fd(), &mut count);
        std::mem::take(&mut *self.answers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
