//! Wishes of the web page: lines that the web thread hands over, carried out as those of a session.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pen_core::limits;
use rustix::event::{EventfdFlags, eventfd};

use super::Desk;
use super::tasks::{Asker, Task};
use crate::names::KnownNames;

/// The way from the web thread to the control thread. The web thread waits for each reply, so at most one
/// wish is on its way.
#[derive(Clone, Debug)]
pub struct Wishes {
    waiting: Arc<Mutex<Option<Wish>>>,
    bell: Arc<OwnedFd>,
}

/// A line to be carried out.
#[derive(Debug)]
pub(super) struct Wish {
    line: String,
    /// Who wishes it, for the log.
    pub(super) who: String,
    /// Hears what became of it.
    pub(super) reply: Sender<String>,
}

impl Wishes {
    /// Nothing is wished yet.
    ///
    /// # Errors
    /// No descriptors left.
    pub fn new() -> io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { waiting: Arc::default(), bell: Arc::new(bell) })
    }

    /// Has the control thread carry out a line and waits for its reply, for
    /// [`limits::WEB_STEER_S`] at most.
    #[cfg_attr(not(feature = "web"), expect(dead_code, reason = "only the web thread asks"))]
    #[must_use]
    pub fn ask(&self, line: String, who: String) -> String {
        let (reply, answer) = mpsc::channel();
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Wish { line, who, reply });
        // A full counter means that the bell rings already.
        let _ = rustix::io::write(&*self.bell, &1_u64.to_ne_bytes());
        let patience = Duration::from_secs(limits::WEB_STEER_S.into());
        answer
            .recv_timeout(patience)
            .unwrap_or_else(|_| "error: the control thread is busy; it may still do it".to_owned())
    }

    /// What rings when there is a wish.
    pub(super) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    fn take(&self) -> Option<Wish> {
        let mut count = [0_u8; 8];
        // Nothing to read means that the bell does not ring; the wish is what counts.
        let _ = rustix::io::read(self.bell.as_fd(), &mut count);
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Desk {
    pub(super) fn hear_page(&mut self) {
        let Some(wish) = self.wishes.take() else { return };
        let names = KnownNames::new(Arc::clone(&self.services));
        let text = wish.line.clone();
        let key = self.wished.insert(wish);
        self.attempt(Task { asker: Asker::Page(key), text, names, rounds: 0 });
    }
}
