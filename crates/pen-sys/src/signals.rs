//! Signals as something that is read, not something that interrupts.
//!
//! The handled set is blocked in the calling thread before any other thread exists, so that every
//! later thread inherits the mask and the kernel keeps the signals for the descriptor.
//! Deliberately not here: what a signal means.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigHandler, SigSet, Signal as Number, signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// The signals that are read; all others keep what the process started with, except PIPE, which
/// is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP.
    Hup,
    /// SIGINT.
    Int,
    /// SIGQUIT.
    Quit,
    /// SIGTERM.
    Term,
    /// SIGUSR1.
    Usr1,
    /// SIGUSR2.
    Usr2,
}

const HANDLED: [(Number, Signal); 6] = [
    (Number::SIGHUP, Signal::Hup),
    (Number::SIGINT, Signal::Int),
    (Number::SIGQUIT, Signal::Quit),
    (Number::SIGTERM, Signal::Term),
    (Number::SIGUSR1, Signal::Usr1),
    (Number::SIGUSR2, Signal::Usr2),
];

/// The descriptor that the handled signals arrive on; readable when one waits.
#[derive(Debug)]
pub struct Signals {
    fd: SignalFd,
}

/// Blocks the handled signals in this thread and every thread it starts later, ignores PIPE, and
/// opens the descriptor (non-blocking, close-on-exec). Call before the first thread.
///
/// # Errors
/// What signalfd says: no descriptor or no memory left.
pub fn open() -> io::Result<Signals> {
    // SAFETY: SIG_IGN runs no code of ours, so there is nothing that could be unsafe in a handler.
    unsafe { signal(Number::SIGPIPE, SigHandler::SigIgn) }?;
    let set: SigSet = HANDLED.iter().map(|(number, _)| *number).collect();
    set.thread_block()?;
    let fd = SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
    Ok(Signals { fd })
}

impl Signals {
    /// The next waiting signal, or `None`. Equal signals that arrive before one is read are one.
    ///
    /// # Errors
    /// What read says; the descriptor is of no use then.
    pub fn take(&mut self) -> io::Result<Option<Signal>> {
        while let Some(info) = self.fd.read_signal()? {
            let known = HANDLED.iter().find(|(number, _)| *number as u32 == info.ssi_signo);
            if let Some((_, signal)) = known {
                return Ok(Some(*signal));
            }
        }
        Ok(None)
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
