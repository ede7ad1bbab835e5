//! Host names, off the data path.
//!
//! [`now`] blocks and is for the start, before there is traffic. [`Resolver`] answers on threads
//! of its own, each question within [`limits::RESOLVE_S`]: a resolver that says nothing counts as
//! one that knows nothing, and holds at most [`limits::RESOLVE_THREADS`] threads. What commands are
//! applied with is in `names`.
//!
//! After a chroot the C library finds its files (`/etc/resolv.conf`, `/etc/hosts`,
//! `/etc/nsswitch.conf` and loadable modules) in the jail or not at all. Without them it knows no
//! `/etc/hosts` and asks a name server on this machine, so most names become unresolvable: a
//! reload then keeps the addresses that were known before. Who wants names
//! resolved anew in a jail puts those files there.
//!
//! Deliberately not here: which names there are (`pen_core::command::hosts_named`), and names that
//! are resolved again on their own as time goes by.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use pen_core::limits;

/// One name's answer: its first address, or the reason for the operator.
pub type Answer = Result<IpAddr, String>;
/// Answers by name.
pub type Answers = HashMap<String, Answer>;

type Lookup = dyn Fn(&str) -> Answer + Send + Sync;
type Done = Box<dyn FnOnce(Answers) + Send>;

/// Asks the system's resolver and waits for it, for as long as the system's settings say.
///
/// # Errors
/// The reason; the name is for the caller to say.
pub fn now(name: &str) -> Answer {
    // The C library would cut the name at a NUL, and take an empty one for this machine.
    if name.is_empty() || name.contains('\0') {
        return Err("that is no name".to_owned());
    }
    match (name, 0).to_socket_addrs().map(|mut found| found.next()) {
        Ok(Some(address)) => Ok(address.ip().to_canonical()),
        Ok(None) => Err("it has no address".to_owned()),
        Err(e) => Err(reason(&e.to_string())),
    }
}

/// What the C library says, without the standard library's words before it.
fn reason(text: &str) -> String {
    text.strip_prefix("failed to lookup address information: ").unwrap_or(text).to_owned()
}

/// Resolves names on threads of its own.
pub struct Resolver {
    shared: Arc<Shared>,
}

struct Shared {
    lookup: Box<Lookup>,
    patience: Duration,
    state: Mutex<State>,
    /// A name waits, or the end.
    work: Condvar,
    /// The earliest deadline may have changed, or the end.
    deadlines: Condvar,
}

#[derive(Default)]
struct State {
    /// Names that wait for a thread, with the question they belong to.
    waiting: VecDeque<(u64, String)>,
    questions: HashMap<u64, Question>,
    next_question: u64,
    threads: usize,
    idle: usize,
    ended: bool,
}

struct Question {
    deadline: Instant,
    missing: HashSet<String>,
    answers: Answers,
    done: Done,
}

impl Resolver {
    /// A resolver that asks the system. Threads for look-ups start when there is something to do.
    ///
    /// # Errors
    /// The thread that watches the deadlines cannot be started.
    pub fn start() -> io::Result<Self> {
        let patience = Duration::from_secs(u64::from(limits::RESOLVE_S));
        Self::start_with(Box::new(now), patience)
    }

    fn start_with(lookup: Box<Lookup>, patience: Duration) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            lookup,
            patience,
            state: Mutex::default(),
            work: Condvar::new(),
            deadlines: Condvar::new(),
        });
        let watched = Arc::clone(&shared);
        let name = "pen-names".to_owned();
        thread::Builder::new().name(name).spawn(move || watched.watch_deadlines())?;
        Ok(Self { shared })
    }

    /// Resolves `names` and calls `done` once, on another thread, with an answer for each of them:
    /// when all are there, or at the deadline. Without names it is called at once, here.
    ///
    /// # Errors
    /// Too many names wait already, or no thread could be started; `done` is not called then.
    pub fn ask(
        &self,
        names: impl IntoIterator<Item = String>,
        done: impl FnOnce(Answers) + Send + 'static,
    ) -> Result<(), String> {
        let missing: HashSet<String> = names.into_iter().collect();
        if missing.is_empty() {
            done(Answers::new());
            return Ok(());
        }
        let mut state = self.shared.state();
        if state.waiting.len() + missing.len() > limits::RESOLVE_QUEUE {
            return Err("too many host names wait to be resolved".to_owned());
        }
        self.shared.provide_threads(&mut state, missing.len())?;
        let number = state.next_question;
        state.next_question += 1;
        state.waiting.extend(missing.iter().map(|name| (number, name.clone())));
        let deadline = Instant::now() + self.shared.patience;
        let answers = Answers::new();
        let done = Box::new(done);
        state.questions.insert(number, Question { deadline, missing, answers, done });
        self.shared.work.notify_all();
        self.shared.deadlines.notify_one();
        Ok(())
    }
}

impl Drop for Resolver {
    /// Questions that are open are never answered; threads end after their present look-up.
    fn drop(&mut self) {
        self.shared.state().ended = true;
        self.shared.work.notify_all();
        self.shared.deadlines.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the state is half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts threads for `names` more names, within the bound. One thread is enough to go on.
    fn provide_threads(self: &Arc<Self>, state: &mut State, names: usize) -> Result<(), String> {
        let wanted = (state.waiting.len() + names).saturating_sub(state.idle);
        for _ in 0..wanted.min(limits::RESOLVE_THREADS.saturating_sub(state.threads)) {
            let shared = Arc::clone(self);
            let name = "pen-name".to_owned();
            match thread::Builder::new().name(name).spawn(move || shared.look_up()) {
                Ok(_) => state.threads += 1,
                Err(_) if state.threads > 0 => break,
                Err(e) => return Err(format!("host names cannot be resolved: {e}")),
            }
        }
        Ok(())
    }

    /// The life of a look-up thread.
    fn look_up(&self) {
        let mut state = self.state();
        while !state.ended {
            let Some((number, name)) = state.waiting.pop_front() else {
                state.idle += 1;
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
                continue;
            };
            drop(state);
            let answer = (self.lookup)(&name);
            state = self.state();
            // After the deadline nobody wants to know any more.
            let Some(question) = state.questions.get_mut(&number) else { continue };
            question.missing.remove(&name);
            question.answers.insert(name, answer);
            if question.missing.is_empty()
                && let Some(question) = state.questions.remove(&number)
            {
                drop(state);
                (question.done)(question.answers);
                state = self.state();
            }
        }
    }

    /// The life of the thread that ends questions at their deadline.
    fn watch_deadlines(&self) {
        let mut state = self.state();
        while !state.ended {
            let now = Instant::now();
            let first = state.questions.iter().min_by_key(|(_, q)| q.deadline);
            let Some((number, deadline)) = first.map(|(n, q)| (*n, q.deadline)) else {
                state = self.deadlines.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            if deadline > now {
                let left = deadline - now;
                let woken = self.deadlines.wait_timeout(state, left);
                state = woken.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            state.waiting.retain(|(n, _)| *n != number);
            let Some(mut question) = state.questions.remove(&number) else { continue };
            drop(state);
            for name in question.missing {
                let seconds = self.patience.as_secs();
                let text = format!("the resolver said nothing for {seconds} seconds");
                question.answers.insert(name, Err(text));
            }
            (question.done)(question.answers);
            state = self.state();
        }
    }
}

#[cfg(test)]
mod tests;
