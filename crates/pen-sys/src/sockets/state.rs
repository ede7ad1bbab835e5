//! What is asked of an open stream socket, and its options and ends.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use rustix::net::{Shutdown, shutdown, sockopt};

/// The error that waits on a socket, which is taken off it: how a pending connect ended.
///
/// # Errors
/// That error.
pub fn take_error(socket: impl AsFd) -> io::Result<()> {
    Ok(sockopt::socket_error(socket)??)
}

/// Small writes leave at once. Only for TCP.
///
/// # Errors
/// What setsockopt says.
pub fn set_nodelay(socket: impl AsFd, on: bool) -> io::Result<()> {
    Ok(sockopt::set_tcp_nodelay(socket, on)?)
}

/// Nothing more will be written: the other side reads the rest, then the end.
///
/// # Errors
/// What shutdown says; `NotConnected` if the other side has reset the connection.
pub fn shutdown_write(socket: impl AsFd) -> io::Result<()> {
    Ok(shutdown(socket, Shutdown::Write)?)
}

/// Closes with a reset: what is not yet sent is thrown away, and the other side sees an error,
/// not an end. On a Unix socket it is a plain close.
pub fn reset(socket: OwnedFd) {
    // A socket that is dead already needs no reset.
    let _ = sockopt::set_socket_linger(&socket, Some(Duration::ZERO));
}

/// Bytes written that the other side has not acknowledged (TCP) or not read (Unix).
///
/// # Errors
/// What ioctl says.
pub fn unacknowledged(socket: impl AsFd) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open (it is borrowed); SIOCOUTQ, whose number is TIOCOUTQ's,
    // writes one integer to the pointer, which is to a local one.
    let answer = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if answer != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(bytes).unwrap_or(0))
}

/// The user that made the connection at the other end of a Unix socket.
///
/// # Errors
/// What getsockopt says.
pub fn peer_uid(socket: impl AsFd) -> io::Result<u32> {
    Ok(sockopt::socket_peercred(socket)?.uid.as_raw())
}

/// What the kernel knows of a TCP connection, also of one that has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpState {
    /// The smoothed round trip, microseconds; 0 before the first measurement.
    pub rtt_us: u32,
    /// Segments that were sent again, in all.
    pub retransmits: u32,
}

/// Asks for it; `None` of a socket that is not TCP.
pub fn tcp_state(socket: impl AsFd) -> Option<TcpState> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let size = size_of::<libc::tcp_info>();
    let mut length = libc::socklen_t::try_from(size).ok()?;
    // SAFETY: the descriptor is open (it is borrowed); the kernel writes at most `length` bytes, which is
    // the size of the local value, and the new length.
    let answer = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    // SAFETY: the structure holds numbers only, and those that the kernel left are zero.
    let info = unsafe { info.assume_init() };
    (answer == 0)
        .then_some(TcpState { rtt_us: info.tcpi_rtt, retransmits: info.tcpi_total_retrans })
}
