//! The loop of the web thread: who comes in, whose turn it is, whose time is over.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use pen_core::limits;
use pen_core::moment::Moment;
use pen_core::report::overview::{History, Overview};
use pen_core::web::{Answer, Status};
use pen_sys::clock::timespec;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use slab::Slab;

use super::Shared;
use super::door::{Door, Visitor, Who};
use super::guest::{Guest, Step};
use crate::clock;
use crate::gather::Much;
use crate::logs::{Level, Topic};

const BELL: u64 = 0;
const DOOR: u64 = 1;
/// Guests come after the fixed tokens.
const GUESTS: u64 = 2;

/// The state of the web thread.
pub(super) struct Host {
    pub(super) shared: Arc<Shared>,
    epoll: OwnedFd,
    /// The control thread has it.
    door: Weak<Door>,
    guests: Slab<Guest>,
    /// The overview that was made last.
    pub(super) fresh: Option<(Moment, Much, Arc<Overview>)>,
    pub(super) history: History,
    /// When the next sample of the history is due, while there is a door.
    sample: Option<Moment>,
    /// Nobody is let in before this, because descriptors ran out.
    door_opens: Option<Moment>,
}

impl Host {
    pub(super) fn new(shared: Arc<Shared>) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &shared.bell, EventData::new_u64(BELL), EventFlags::IN)?;
        // Whatever was rung before: look.
        shared.ring();
        Ok(Self {
            shared,
            epoll,
            door: Weak::new(),
            guests: Slab::new(),
            fresh: None,
            history: History::default(),
            sample: None,
            door_opens: None,
        })
    }

    /// Serves as long as the process lives.
    pub(super) fn run(&mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(limits::WEB_CONNECTIONS_MAX + 2);
        loop {
            events.clear();
            let timeout = self.timeout(clock::now());
            match epoll::wait(&self.epoll, spare_capacity(&mut events), timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
            for event in &events {
                match event.data.u64() {
                    BELL => self.change_door(),
                    DOOR => self.admit(),
                    token => self.advance(token - GUESTS),
                }
            }
            self.keep_time(clock::now());
        }
    }

    fn timeout(&self, now: Moment) -> Option<Timespec> {
        let guests = self.guests.iter().map(|(_, guest)| guest.deadline());
        let due = guests.chain(self.sample).chain(self.door_opens).min()?;
        Some(timespec(due.since_ms(now)))
    }

    fn keep_time(&mut self, now: Moment) {
        let late: Vec<usize> = self
            .guests
            .iter()
            .filter(|(_, guest)| guest.deadline() <= now)
            .map(|(key, _)| key)
            .collect();
        for key in late {
            if self.guests.get(key).is_some_and(Guest::is_asking) {
                self.reply(key, &Answer::plain(Status::RequestTimeout), true);
            }
            self.guests.try_remove(key);
        }
        if self.sample.is_some_and(|at| at <= now) {
            let overview = self.overview(Much::Servers);
            self.history.note(&overview);
            // Steps that were missed are not made up for.
            let next = self.sample.map(|at| at.plus_s(limits::HISTORY_STEP_S));
            let later = now.plus_s(limits::HISTORY_STEP_S);
            self.sample = Some(next.filter(|next| *next > now).unwrap_or(later));
        }
        if self.door_opens.is_some_and(|at| at <= now) {
            self.door_opens = None;
            self.watch_door(EventFlags::IN);
        }
    }

    /// The control thread has opened, changed or closed the door. Who is being answered still is.
    fn change_door(&mut self) {
        let mut count = [0_u8; 8];
        // Nothing to read means that the bell does not ring; the door is what counts.
        let _ = rustix::io::read(&self.shared.bell, &mut count);
        if self.shared.yielded.load(Ordering::Acquire) {
            return self.yield_door();
        }
        let door = self.shared.door().clone();
        if door.as_ref().map_or(std::ptr::null(), Arc::as_ptr) == self.door.as_ptr() {
            return;
        }
        self.guests.retain(|_, guest| guest.silent_since().is_none());
        self.guests.iter_mut().for_each(|(_, guest)| guest.last_answer());
        self.door = door.as_ref().map_or_else(Weak::new, Arc::downgrade);
        self.door_opens = None;
        match door {
            Some(door) => {
                let added =
                    epoll::add(&self.epoll, &*door, EventData::new_u64(DOOR), EventFlags::IN);
                if let Err(e) = added {
                    self.say_shortage(&e.into());
                }
                self.sample = self.sample.or_else(|| Some(clock::now()));
            }
            None => {
                (self.history, self.sample, self.fresh) = (History::default(), None, None);
            }
        }
    }

    /// Who waits is another process's guest. The socket stays open there, so closing it here would not
    /// take it out of this loop.
    fn yield_door(&mut self) {
        if let Some(door) = self.shared.door().take() {
            let _ = epoll::delete(&self.epoll, &*door);
        }
        (self.door, self.door_opens) = (Weak::new(), None);
        self.guests.retain(|_, guest| guest.silent_since().is_none());
        self.guests.iter_mut().for_each(|(_, guest)| guest.last_answer());
    }

    fn watch_door(&self, interest: EventFlags) {
        if let Some(door) = self.door.upgrade() {
            // It is registered; there is nothing else that can go wrong.
            let _ = epoll::modify(&self.epoll, &*door, EventData::new_u64(DOOR), interest);
        }
    }

    /// Lets in whoever waits.
    fn admit(&mut self) {
        for _ in 0..limits::WEB_CONNECTIONS_MAX {
            let Some(visitor) = self.door.upgrade().map(|door| door.admit()) else { return };
            match visitor {
                Visitor::Is(socket, who) => self.welcome(socket, who),
                Visitor::Gone => {}
                Visitor::Nobody => return,
                Visitor::Shortage(e) => {
                    self.say_shortage(&e);
                    self.watch_door(EventFlags::empty());
                    self.door_opens = Some(clock::now().plus_ms(limits::ACCEPT_PAUSE_MS));
                    return;
                }
            }
        }
    }

    fn welcome(&mut self, socket: OwnedFd, who: Who) {
        if !self.shared.rules.load().may_read(who) {
            self.shared.logs.say_often(Topic::ControlRefused, Level::Always, || {
                format!("metrics: {who} may not come in")
            });
            return;
        }
        let now = clock::now();
        let mut guest = Guest::new(socket, who, now);
        if self.guests.len() >= limits::WEB_CONNECTIONS_MAX && !self.make_room() {
            let busy = Answer::text(Status::Unavailable, "too many connections");
            // A fresh socket takes it; if it does not, the close says enough.
            let _ = guest.answer(&busy, true, (now, clock::wall()));
            return;
        }
        let entry = self.guests.vacant_entry();
        let token = EventData::new_u64(GUESTS + entry.key() as u64);
        // Without a place in the loop it would hang; closing it says so.
        if epoll::add(&self.epoll, &guest, token, guest.interest()).is_ok() {
            entry.insert(guest);
        }
    }

    /// Whoever has been silent longest goes.
    fn make_room(&mut self) -> bool {
        let silent = self.guests.iter().filter_map(|(key, g)| Some((g.silent_since()?, key)));
        let longest = silent.min().map(|(_, key)| key);
        longest.is_some_and(|key| self.guests.try_remove(key).is_some())
    }

    fn advance(&mut self, key: u64) {
        let Ok(key) = usize::try_from(key) else { return };
        let Some(guest) = self.guests.get_mut(key) else { return };
        let who = guest.who;
        match guest.advance(clock::now()) {
            Step::Wait => self.listen_to(key),
            Step::Over => drop(self.guests.try_remove(key)),
            Step::Fault(status) => self.reply(key, &Answer::plain(status), true),
            Step::Asked(request, body) => {
                // The rules may have changed since it came in.
                if !self.shared.rules.load().may_read(who) {
                    return drop(self.guests.try_remove(key));
                }
                let answer = self.answer(&request, &body, who);
                self.reply(key, &answer, false);
            }
        }
    }

    fn reply(&mut self, key: usize, answer: &Answer, last: bool) {
        let Some(guest) = self.guests.get_mut(key) else { return };
        match guest.answer(answer, last, (clock::now(), clock::wall())) {
            Step::Over => drop(self.guests.try_remove(key)),
            _ => self.listen_to(key),
        }
    }

    fn listen_to(&mut self, key: usize) {
        let Some(guest) = self.guests.get(key) else { return };
        let token = EventData::new_u64(GUESTS + key as u64);
        if epoll::modify(&self.epoll, guest, token, guest.interest()).is_err() {
            self.guests.try_remove(key);
        }
    }

    fn say_shortage(&self, e: &io::Error) {
        self.shared.logs.say_often(Topic::Shortage, Level::Always, || {
            format!("metrics: cannot let anybody in: {e}")
        });
    }
}
