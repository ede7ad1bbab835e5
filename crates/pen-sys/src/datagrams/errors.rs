//! What became of datagrams that were sent: ICMP messages, and refusals on this machine.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;

use super::address::{self, Raw};
use crate::headers;

/// A datagram that did not arrive.
#[derive(Debug)]
pub struct Bounce {
    /// Where it should have gone.
    pub to: Option<SocketAddr>,
    /// Why it did not.
    pub error: Errno,
}

#[repr(C, align(8))]
struct Notes([u8; 512]);

/// Takes the oldest report off a socket of [`super::local_port`]; `None` if there is none (any more).
/// While reports wait, sending and receiving may fail with their errors.
pub fn next_bounce(socket: impl AsFd) -> Option<Bounce> {
    let mut name = address::blank();
    let mut notes = Notes([0; 512]);
    let mut piece = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
    let mut header = headers::message(
        (&raw mut name, size_of::<Raw>() as libc::socklen_t),
        (&raw mut piece, 1),
        (&raw mut notes, size_of::<Notes>()),
    );
    // SAFETY: the descriptor is open (it is borrowed); the header points to local values, with their
    // true lengths, that live until after the call.
    let answer = unsafe {
        libc::recvmsg(
            socket.as_fd().as_raw_fd(),
            &raw mut header,
            libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT,
        )
    };
    if answer < 0 {
        let error = io::Error::last_os_error();
        // Interrupted: there may be one, and whoever asks again will see it.
        debug_assert!(matches!(
            error.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
        ));
        return None;
    }
    let to = address::read(&name, header.msg_namelen);
    Some(Bounce { to, error: reason(&header) })
}

fn reason(header: &libc::msghdr) -> Errno {
    // SAFETY: `header` is one that recvmsg has just filled in, and its notes are alive.
    let mut note = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !note.is_null() {
        // SAFETY: the macros of libc only answer notes that lie wholly within the notes' length; a
        // note of these kinds has a sock_extended_err as its data, and the length is compared.
        unsafe {
            let head = note.read();
            let kind = (head.cmsg_level, head.cmsg_type);
            if (kind == (libc::IPPROTO_IP, libc::IP_RECVERR)
                || kind == (libc::IPPROTO_IPV6, libc::IPV6_RECVERR))
                && headers::holds::<libc::sock_extended_err>(&head)
            {
                let data = libc::CMSG_DATA(note).cast::<libc::sock_extended_err>();
                let number = data.read_unaligned().ee_errno;
                return Errno::from_raw_os_error(i32::try_from(number).unwrap_or(libc::EIO));
            }
            note = libc::CMSG_NXTHDR(header, note);
        }
    }
    Errno::IO
}
