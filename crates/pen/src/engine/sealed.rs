//! The engine for flows with TLS at one end or both: receive as many records as the scratch buffer
//! takes, open them in place, seal what comes out, send it at once.
//!
//! Same promises as the copying engine: reads until the source is dry, the sink is full or the turn
//! is over, and holds bytes only while the sink is slow. The end of a stream is said in the stream: the
//! last bytes towards a TLS sink are close_notify, and a TLS source that leaves without it was cut.

use std::mem;
use std::os::fd::BorrowedFd;

use pen_core::limits;
use pen_core::relay::Outcome;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv};

use super::copy::{self, Sent};
use super::{End, Flow, Pumped, Scratch, Tap};
use crate::tls::{Session, Trouble, Wire};

/// How a handshake goes on.
#[derive(Debug)]
pub enum Shaken {
    /// It is over.
    Done,
    /// The other side's turn; an event will tell.
    Waiting,
    /// The socket takes nothing more at the moment.
    Blocked,
    /// There is more to read, but others must have their turn.
    More,
    /// It failed; what tells the other side was sent if the socket took it.
    Failed(Trouble),
}

/// Drives the handshake of `flow`'s source as far as it goes.
pub fn shake(
    flow: &mut Flow,
    socket: BorrowedFd<'_>,
    session: &mut Session,
    scratch: &mut Scratch,
) -> Shaken {
    for _ in 0..limits::READS_PER_TURN {
        match send_outbox(socket, session) {
            None => {}
            Some(Pumped::Blocked) => return Shaken::Blocked,
            Some(_) if !session.is_handshaking() => return Shaken::Failed(Trouble::left()),
            Some(_) => {
                // It is gone, but may have said why: that lies behind the error, if it is there.
                flow.read_to_the_last();
                flow.source_ready(false);
            }
        }
        if !session.is_handshaking() {
            return Shaken::Done;
        }
        if !flow.readable {
            return Shaken::Waiting;
        }
        if let Err(trouble) = read_and_keep(flow, socket, session, scratch) {
            // The last word: whether it arrives is the other side's matter.
            let _ = send_outbox(socket, session);
            return Shaken::Failed(trouble);
        }
        if session.is_handshaking() && flow.source_end.is_some() {
            return Shaken::Failed(Trouble::left());
        }
    }
    Shaken::More
}

/// Listens to a client before there is a server: true once it has said something or has ended. What it
/// said is kept in the session.
pub fn hear(
    flow: &mut Flow,
    socket: BorrowedFd<'_>,
    session: &mut Session,
    scratch: &mut Scratch,
) -> bool {
    while flow.readable && flow.source_end.is_none() && !session.has_opened() {
        if read_and_keep(flow, socket, session, scratch).is_err() {
            flow.source_end = Some(Outcome::SourceFault);
        }
        let _ = send_outbox(socket, session);
    }
    session.has_opened() || flow.source_end.is_some()
}

fn read_and_keep(
    flow: &mut Flow,
    socket: BorrowedFd<'_>,
    session: &mut Session,
    scratch: &mut Scratch,
) -> Result<(), Trouble> {
    let one_read = scratch.one_early_read();
    let Scratch { read, opened, allowance, .. } = scratch;
    opened.clear();
    let outcome = read_and_open(flow, socket, session, (read, one_read), opened);
    allowance.take(opened.len() as u64);
    session.keep_opened(opened);
    outcome
}

/// Moves bytes until something stops it. One of the ends has a session.
pub(super) fn pump(
    flow: &mut Flow,
    mut source: End<'_>,
    sink: &mut End<'_>,
    scratch: &mut Scratch,
    tap: Option<&mut dyn Tap>,
) -> Pumped {
    if let Some(stop) = flush(flow, sink) {
        return stop;
    }
    // Taken out of the scratch while they are filled from it.
    let (mut opened, mut tapped) = (mem::take(&mut scratch.opened), mem::take(&mut scratch.tapped));
    let pumped = run(flow, &mut source, sink, scratch, &mut opened, &mut tapped, tap);
    (scratch.opened, scratch.tapped) = (opened, tapped);
    pumped
}

fn run(
    flow: &mut Flow,
    source: &mut End<'_>,
    sink: &mut End<'_>,
    scratch: &mut Scratch,
    opened: &mut Vec<u8>,
    tapped: &mut Vec<u8>,
    mut tap: Option<&mut dyn Tap>,
) -> Pumped {
    let mut resumed = tap.as_mut().is_some_and(|t| t.resumed());
    for _ in 0..limits::READS_PER_TURN {
        let (one_read, tight) = (scratch.one_read(limits::SCRATCH), scratch.allowance.is_tight());
        let Scratch { read, sealed, .. } = scratch;
        let got = if mem::take(&mut resumed) {
            &[]
        } else {
            // What was opened before a server was there comes first.
            let kept = source.session.as_deref().is_some_and(Session::has_opened);
            if let Some(end) = flow.source_end.filter(|_| !kept) {
                return finish(flow, sink, sealed, end);
            }
            if tap.as_ref().is_some_and(|t| t.paused()) {
                return Pumped::Paused;
            }
            if !kept && !flow.readable {
                return Pumped::Drained;
            }
            if !kept && flow.awaits_reader(tight, sink.socket) {
                return Pumped::Blocked;
            }
            if !kept && one_read == 0 {
                return Pumped::Withheld;
            }
            let got = receive(flow, source, (read, one_read), opened);
            if got.is_empty() && flow.source_end.is_none() {
                continue;
            }
            got
        };
        let bytes = match &mut tap {
            None => got,
            Some(tap) => {
                tapped.clear();
                if let Err(reason) = tap.pass(got, tapped) {
                    return Pumped::Refused(reason);
                }
                if flow.source_end.is_some() {
                    tap.finish(tapped);
                }
                &tapped[..]
            }
        };
        if let Some(stop) = forward(flow, sink, sealed, bytes) {
            return stop;
        }
    }
    Pumped::More
}

/// Reads once and answers plaintext; notes the end, an error or dryness in `flow`.
fn receive<'a>(
    flow: &mut Flow,
    source: &mut End<'_>,
    (read, one_read): (&'a mut [u8], usize),
    opened: &'a mut Vec<u8>,
) -> &'a [u8] {
    let socket = source.socket;
    let Some(session) = source.session.as_deref_mut() else {
        let n = copy::receive(flow, socket, read.get_mut(..one_read).unwrap_or_default());
        return read.get(..n).unwrap_or_default();
    };
    opened.clear();
    if session.has_opened() {
        *opened = session.take_opened();
    } else {
        if read_and_open(flow, socket, session, (&mut *read, one_read), opened).is_err() {
            flow.source_end = Some(Outcome::SourceFault);
        }
        // An answer to what came, an alert mostly. What the socket does not take goes before the
        // next data.
        let _ = send_outbox(socket, session);
    }
    flow.read += opened.len() as u64;
    opened
}

/// Reads once, behind what the session holds already, and opens what is whole.
fn read_and_open(
    flow: &mut Flow,
    socket: BorrowedFd<'_>,
    session: &mut Session,
    (read, one_read): (&mut [u8], usize),
    opened: &mut Vec<u8>,
) -> Result<(), Trouble> {
    let held = session.held();
    let want = match session.is_handshaking() {
        true => limits::TLS_HANDSHAKE_READ,
        false if flow.is_bulky() => limits::SCRATCH - held,
        false => limits::READ_MODEST,
    };
    let want = want.min(one_read);
    let room = read.get_mut(held..held + want).unwrap_or_default();
    let early = flow.early.is_some();
    let n = match if early { Ok(copy::early(flow, room)) } else { received(socket, room) } {
        Ok(0) => {
            flow.source_end = Some(end_of(session));
            return Ok(());
        }
        Ok(n) => n,
        Err(Errno::AGAIN) => {
            flow.readable = false;
            return Ok(());
        }
        Err(Errno::INTR) => return Ok(()),
        Err(_) => {
            flow.source_end = Some(Outcome::SourceReset);
            return Ok(());
        }
    };
    let outcome = session.open(read.get_mut(..held + n).unwrap_or_default(), opened);
    if session.has_ended() {
        flow.source_end = Some(Outcome::Ended);
    } else if n < want && !flow.to_the_last && !early {
        // Edge-triggered: what comes later announces itself.
        flow.readable = false;
        flow.source_end = flow.end_near.then(|| end_of(session));
    }
    outcome
}

fn received(socket: BorrowedFd<'_>, room: &mut [u8]) -> Result<usize, Errno> {
    recv(socket, room, RecvFlags::empty()).map(|(n, _)| n)
}

/// What the end of the connection means for a stream that has not ended by itself.
fn end_of(session: &Session) -> Outcome {
    match session.may_just_leave() {
        true => Outcome::Ended,
        false => Outcome::SourceCut,
    }
}

fn forward(flow: &mut Flow, sink: &mut End<'_>, sealed: &mut Wire, bytes: &[u8]) -> Option<Pumped> {
    let socket = sink.socket;
    let Some(session) = sink.session.as_deref_mut() else {
        return copy::forward(flow, socket, bytes);
    };
    if bytes.is_empty() {
        return None;
    }
    let last = flow.source_end == Some(Outcome::Ended);
    let mut stop = None;
    let mut pieces = bytes.chunks(limits::SCRATCH).peekable();
    while let Some(piece) = pieces.next() {
        sealed.clear();
        let mut written = session.seal(piece, sealed);
        if written.is_ok() && last && pieces.peek().is_none() {
            written = session.close(sealed);
        }
        if written.is_err() {
            return Some(Pumped::Over(Outcome::SinkReset));
        }
        flow.written += piece.len() as u64;
        stop = send_sealed(socket, session, sealed.bytes(), last);
        if stop.is_some_and(|s| s != Pumped::Blocked) {
            break;
        }
    }
    stop
}

/// The stream is over: so says the stream towards a TLS sink before anybody else does.
fn finish(flow: &Flow, sink: &mut End<'_>, sealed: &mut Wire, end: Outcome) -> Pumped {
    debug_assert!(flow.unsent.is_none(), "an end before the bytes");
    if let (Outcome::Ended, Some(session)) = (end, sink.session.as_deref_mut()) {
        sealed.clear();
        // A session that can say nothing more has said how it ended.
        let _ = session.close(sealed);
        if let Some(stop) = send_sealed(sink.socket, session, sealed.bytes(), true) {
            return stop;
        }
    }
    Pumped::Over(end)
}

/// Writes what was left over. `Some` if the direction cannot go on at the moment.
fn flush(flow: &mut Flow, sink: &mut End<'_>) -> Option<Pumped> {
    match sink.session.as_deref_mut() {
        None => copy::flush(flow, sink.socket),
        Some(session) => send_outbox(sink.socket, session),
    }
}

/// Sends what is new, behind what is left over.
fn send_sealed(
    socket: BorrowedFd<'_>,
    session: &mut Session,
    bytes: &[u8],
    last: bool,
) -> Option<Pumped> {
    if !session.unsent().is_empty() {
        session.keep_unsent(bytes);
        return send_outbox(socket, session);
    }
    // With the last bytes the end of stream follows at once, in the same packet.
    let flags = if last { SendFlags::MORE } else { SendFlags::empty() };
    match copy::write(socket, bytes, flags) {
        Sent::All => None,
        Sent::Part(n) => {
            session.keep_unsent(bytes.get(n..).unwrap_or_default());
            Some(Pumped::Blocked)
        }
        Sent::SinkReset => Some(Pumped::Over(Outcome::SinkReset)),
    }
}

/// Sends what is left over. `Some` if not all of it went.
pub fn send_outbox(socket: BorrowedFd<'_>, session: &mut Session) -> Option<Pumped> {
    if session.unsent().is_empty() {
        return None;
    }
    match copy::write(socket, session.unsent(), SendFlags::empty()) {
        Sent::All => {
            session.sent(usize::MAX);
            None
        }
        Sent::Part(n) => {
            session.sent(n);
            Some(Pumped::Blocked)
        }
        Sent::SinkReset => {
            session.sent(usize::MAX);
            Some(Pumped::Over(Outcome::SinkReset))
        }
    }
}

#[cfg(test)]
#[cfg(feature = "tls")]
mod tests;
