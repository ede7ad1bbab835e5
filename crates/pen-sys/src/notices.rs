//! What a terminal and its user tell a program on the whole screen, as something that is read.
//!
//! Like `signals`, for a program that is seen: the window's size, stop and continue, and the signals that
//! end it, after it has given the terminal back. Deliberately not here: what is done about them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal as Number};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// What was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The window has another size (SIGWINCH).
    Resize,
    /// The user stops the program for a time (SIGTSTP); whoever hears it has to stop itself.
    Stop,
    /// It goes on (SIGCONT).
    Continue,
    /// The user ends it (SIGINT).
    Interrupt,
    /// Somebody ends it: SIGHUP, SIGTERM or SIGQUIT, by number.
    End(i32),
}

const HANDLED: [(Number, Notice); 7] = [
    (Number::SIGWINCH, Notice::Resize),
    (Number::SIGTSTP, Notice::Stop),
    (Number::SIGCONT, Notice::Continue),
    (Number::SIGINT, Notice::Interrupt),
    (Number::SIGHUP, Notice::End(Number::SIGHUP as i32)),
    (Number::SIGTERM, Notice::End(Number::SIGTERM as i32)),
    (Number::SIGQUIT, Notice::End(Number::SIGQUIT as i32)),
];

/// The descriptor that notices arrive on; readable when one waits.
#[derive(Debug)]
pub struct Notices {
    fd: SignalFd,
}

/// Blocks the signals in this thread and every thread it starts later, and opens the descriptor
/// (non-blocking, close-on-exec). Call before the first thread.
///
/// # Errors
/// What signalfd says: no descriptor or no memory left.
pub fn open() -> io::Result<Notices> {
    let set: SigSet = HANDLED.iter().map(|(number, _)| *number).collect();
    set.thread_block()?;
    let fd = SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
    Ok(Notices { fd })
}

impl Notices {
    /// The next waiting notice, or `None`. Equal ones that arrive before one is read are one.
    ///
    /// # Errors
    /// What read says; the descriptor is of no use then.
    pub fn take(&mut self) -> io::Result<Option<Notice>> {
        while let Some(info) = self.fd.read_signal()? {
            let known = HANDLED.iter().find(|(number, _)| *number as u32 == info.ssi_signo);
            if let Some((_, notice)) = known {
                return Ok(Some(*notice));
            }
        }
        Ok(None)
    }
}

impl AsFd for Notices {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
