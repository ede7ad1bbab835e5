//! Looks at Pen beside the screen, so that keys are answered while Pen is not.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use pen_core::limits;
use rustix::event::{EventfdFlags, eventfd};

use super::super::ask::{fetch, is_refusal};
use super::super::place::Link;
use super::model::Overview;

/// Why there is no overview.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Miss {
    /// Pen could not be asked.
    Unreachable(String),
    /// Pen has no such command, or its reply cannot be understood.
    Refused(String),
}

/// The thread that looks. It ends with the process.
pub(super) struct Fetcher {
    orders: Sender<()>,
    answers: Receiver<Result<Overview, Miss>>,
    bell: std::sync::Arc<OwnedFd>,
    /// A look is under way.
    pub(super) busy: bool,
}

impl Fetcher {
    pub(super) fn start(place: String, timeout_s: u32) -> io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let bell = std::sync::Arc::new(bell);
        let (orders, wanted) = mpsc::channel();
        let (sender, answers) = mpsc::channel();
        let ring = std::sync::Arc::clone(&bell);
        thread::Builder::new().name("penctl-look".to_owned()).spawn(move || {
            for () in wanted {
                let answer = look(&Link { place: &place, timeout_s });
                if sender.send(answer).is_err() {
                    return;
                }
                // A full counter means that the bell rings already.
                let _ = rustix::io::write(&ring, &1_u64.to_ne_bytes());
            }
        })?;
        Ok(Self { orders, answers, bell, busy: false })
    }

    /// Asks for a look, unless one is under way.
    pub(super) fn order(&mut self) {
        // The thread ends with the process only.
        self.busy = self.busy || self.orders.send(()).is_ok();
    }

    /// What the look brought, if it is over.
    pub(super) fn answer(&mut self) -> Option<Result<Overview, Miss>> {
        let mut count = [0_u8; 8];
        // Nothing to read means that nothing rang.
        let _ = rustix::io::read(&self.bell, &mut count);
        let answer = self.answers.try_recv().ok()?;
        self.busy = false;
        Some(answer)
    }
}

/// Readable when there is an answer.
impl AsFd for Fetcher {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

/// One look.
pub(super) fn look(link: &Link<'_>) -> Result<Overview, Miss> {
    let reply =
        fetch(link, "overview json", limits::PENCTL_TOP_REPLY_MAX).map_err(Miss::Unreachable)?;
    let text = String::from_utf8_lossy(&reply);
    if is_refusal(&text) {
        return Err(Miss::Refused(text.trim_end().to_owned()));
    }
    if text.is_empty() {
        return Err(Miss::Unreachable("the reply is empty".to_owned()));
    }
    serde_json::from_str(&text)
        .map_err(|e| Miss::Refused(format!("the reply to overview json is strange: {e}")))
}
