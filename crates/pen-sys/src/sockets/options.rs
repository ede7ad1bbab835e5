//! Options of TCP sockets: what one is told before it connects, and what a listener is told so that
//! the sockets it accepts inherit it.
//!
//! A socket that refuses an option is still a socket: refusals are answered, not fatal.
//! Deliberately not here: which options are wanted, and what is said about a refusal.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with, sockopt};

/// What a TCP socket is asked for. Whatever is not named is as the kernel has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options<'a> {
    /// Small writes leave at once.
    pub nodelay: bool,
    /// The kernel probes a silent other end.
    pub keepalive: Option<Probes>,
    /// Milliseconds that bytes may stay unacknowledged until the connection is given up.
    pub user_timeout_ms: Option<u32>,
    /// Bytes of the receive buffer; ends its growing by itself.
    pub receive_buffer: Option<usize>,
    /// Bytes of the send buffer; ends its growing by itself.
    pub send_buffer: Option<usize>,
    /// The name of a congestion control.
    pub congestion: Option<&'a str>,
    /// Bytes are sent as soon as it is connected: the acknowledgement that ends the handshake goes
    /// with them instead of in a packet of its own. Without bytes the kernel sends it a moment later.
    pub bytes_follow: bool,
}

/// When and how often a silent other end is probed; `None` is the kernel's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Probes {
    /// Seconds of silence before the first probe.
    pub idle_s: Option<u32>,
    /// Seconds between probes.
    pub interval_s: Option<u32>,
    /// Probes without an answer after which the connection is dead.
    pub count: Option<u32>,
}

/// An option that the kernel refused.
#[derive(Debug)]
pub struct Refused {
    /// Its name in the manuals.
    pub option: &'static str,
    /// Why.
    pub error: io::Error,
}

/// Gives a new socket its options.
pub fn dress(socket: impl AsFd, options: &Options<'_>) -> Vec<Refused> {
    let socket = socket.as_fd();
    let mut refused = Refusals::default();
    if options.nodelay {
        refused.note("TCP_NODELAY", sockopt::set_tcp_nodelay(socket, true));
    }
    if let Some(probes) = options.keepalive {
        refused.note("SO_KEEPALIVE", sockopt::set_socket_keepalive(socket, true));
        probe(socket, &probes, &mut refused);
    }
    if let Some(ms) = options.user_timeout_ms {
        refused.note("TCP_USER_TIMEOUT", sockopt::set_tcp_user_timeout(socket, ms));
    }
    if let Some(bytes) = options.receive_buffer {
        refused.note("SO_RCVBUF", sockopt::set_socket_recv_buffer_size(socket, bytes));
    }
    if let Some(bytes) = options.send_buffer {
        refused.note("SO_SNDBUF", sockopt::set_socket_send_buffer_size(socket, bytes));
    }
    if let Some(name) = options.congestion {
        refused.note("TCP_CONGESTION", sockopt::set_tcp_congestion(socket, name));
    }
    if options.bytes_follow {
        refused.note("TCP_QUICKACK", sockopt::set_tcp_quickack(socket, false));
    }
    refused.0
}

/// Gives a listener its options, whatever it was told before: what is not asked for becomes what a
/// fresh socket has. `defer_s`: seconds for which a client that says nothing is not handed out;
/// 0 hands it out at once.
pub fn dress_again(listener: impl AsFd, options: &Options<'_>, defer_s: u32) -> Vec<Refused> {
    let socket = listener.as_fd();
    let fresh = match fresh() {
        Ok(fresh) => fresh,
        Err(error) => return vec![Refused { option: "a socket to compare with", error }],
    };
    as_fresh(socket, fresh.as_fd());
    let mut refused = dress(socket, options);
    let seconds = libc::c_int::try_from(defer_s).unwrap_or(libc::c_int::MAX);
    let deferred = set(socket, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, seconds);
    if let (Err(error), true) = (deferred, defer_s > 0) {
        refused.push(Refused { option: "TCP_DEFER_ACCEPT", error });
    }
    let receive = if options.receive_buffer.is_some() { LOCK_RECEIVE } else { 0 };
    let send = if options.send_buffer.is_some() { LOCK_SEND } else { 0 };
    // A kernel before 5.14 does not know this: there a buffer that was sized once stays fixed, at
    // the kernel's own size, until the listener is opened anew.
    let _ = set(socket, libc::SOL_SOCKET, SO_BUF_LOCK, receive | send);
    refused
}

/// Takes back what a socket may have been told. What is refused was not there to be told.
fn as_fresh(socket: BorrowedFd<'_>, fresh: BorrowedFd<'_>) {
    let _ = sockopt::set_tcp_nodelay(socket, false);
    let _ = sockopt::set_socket_keepalive(socket, false);
    let _ = sockopt::tcp_keepidle(fresh).and_then(|s| sockopt::set_tcp_keepidle(socket, s));
    let _ = sockopt::tcp_keepintvl(fresh).and_then(|s| sockopt::set_tcp_keepintvl(socket, s));
    let _ = sockopt::tcp_keepcnt(fresh).and_then(|n| sockopt::set_tcp_keepcnt(socket, n));
    let _ = sockopt::set_tcp_user_timeout(socket, 0);
    let size = sockopt::socket_recv_buffer_size::<BorrowedFd<'_>>;
    if let Some(bytes) = other_than(size(socket), size(fresh)) {
        let _ = sockopt::set_socket_recv_buffer_size(socket, bytes);
    }
    let size = sockopt::socket_send_buffer_size::<BorrowedFd<'_>>;
    if let Some(bytes) = other_than(size(socket), size(fresh)) {
        let _ = sockopt::set_socket_send_buffer_size(socket, bytes);
    }
    let _ = sockopt::tcp_congestion(fresh).and_then(|n| sockopt::set_tcp_congestion(socket, &n));
}

/// What a socket of this process gets when it asks for `options`: what is refused, and the receive
/// and the send buffer it really has. (The kernel doubles what it is asked for, for its own books;
/// here the half is told.)
///
/// # Errors
/// There are no sockets to try it with.
pub fn try_on(options: &Options<'_>) -> io::Result<(Vec<Refused>, usize, usize)> {
    let socket = fresh()?;
    let refused = dress(&socket, options);
    let receive = sockopt::socket_recv_buffer_size(&socket)? / 2;
    let send = sockopt::socket_send_buffer_size(&socket)? / 2;
    Ok((refused, receive, send))
}

/// What the kernel refused so far.
#[derive(Default)]
struct Refusals(Vec<Refused>);

impl Refusals {
    fn note(&mut self, option: &'static str, answer: rustix::io::Result<()>) {
        if let Err(error) = answer {
            self.0.push(Refused { option, error: error.into() });
        }
    }
}

fn probe(socket: BorrowedFd<'_>, probes: &Probes, refused: &mut Refusals) {
    let seconds = |s: u32| Duration::from_secs(u64::from(s));
    if let Some(s) = probes.idle_s {
        refused.note("TCP_KEEPIDLE", sockopt::set_tcp_keepidle(socket, seconds(s)));
    }
    if let Some(s) = probes.interval_s {
        refused.note("TCP_KEEPINTVL", sockopt::set_tcp_keepintvl(socket, seconds(s)));
    }
    if let Some(n) = probes.count {
        refused.note("TCP_KEEPCNT", sockopt::set_tcp_keepcnt(socket, n));
    }
}

/// What to ask for to get from the size `now` to the kernel's `own`; nothing if they are the same.
fn other_than(now: rustix::io::Result<usize>, own: rustix::io::Result<usize>) -> Option<usize> {
    let (now, own) = (now.ok()?, own.ok()?);
    // The kernel doubles what it is asked for.
    (now != own).then_some(own / 2)
}

/// Which buffers do not grow by themselves (asm-generic/socket.h; libc does not have it).
const SO_BUF_LOCK: libc::c_int = 72;
const LOCK_SEND: libc::c_int = 1;
const LOCK_RECEIVE: libc::c_int = 2;

fn fresh() -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(socket_with(AddressFamily::INET, SocketType::STREAM, flags, Some(ipproto::TCP))?)
}

/// An option that is one integer and that no crate offers.
pub(super) fn set(
    socket: impl AsFd,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the descriptor is open (it is borrowed), and the pointer and the length describe
    // one local integer, which the kernel only reads.
    let answer = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            length,
        )
    };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
