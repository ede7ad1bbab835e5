//! Answers to those who ask over a socket of their own: what it takes is sent, and the end is one that
//! destroys nothing. Nothing here waits.

use std::os::fd::BorrowedFd;

use pen_core::limits;
use pen_sys::sockets;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

/// What became of an attempt to send.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    /// All of it has gone.
    All,
    /// The socket takes nothing more at the moment.
    Part,
    /// Nobody is there any more.
    Gone,
}

/// Sends what the socket takes of `bytes`, of which `sent` have gone already.
pub fn send_rest(socket: BorrowedFd<'_>, bytes: &[u8], sent: &mut usize) -> Sent {
    while let Some(rest) = bytes.get(*sent..).filter(|rest| !rest.is_empty()) {
        match send(socket, rest, SendFlags::NOSIGNAL) {
            Ok(n) => *sent += n,
            Err(Errno::AGAIN) => return Sent::Part,
            Err(Errno::INTR) => {}
            Err(_) => return Sent::Gone,
        }
    }
    Sent::All
}

/// Ends our direction and takes what has arrived unread: closing a TCP socket over unread bytes would
/// send a reset that can destroy the answer on its way.
pub fn leave(socket: BorrowedFd<'_>) {
    // Who has gone already has nothing to hear.
    let _ = sockets::shutdown_write(socket);
    let mut waste = [0_u8; limits::CONTROL_PIECE];
    for _ in 0..limits::CONTROL_WASTE / limits::CONTROL_PIECE {
        match recv(socket, &mut waste[..], RecvFlags::empty()) {
            Ok((_, n)) if n > 0 => {}
            _ => return,
        }
    }
}
