//! One control session: a line in, a reply out, then the end.
//!
//! Nothing here waits: each call does what the socket allows at the moment. Deliberately not here:
//! who may connect (`door`), what a line does (`perform`).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use pen_core::control_line::{Fed, LineBuffer};
use pen_core::limits;
use pen_core::moment::Moment;
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::outgoing::{Sent, leave, send_rest};

/// A client of the control socket.
#[derive(Debug)]
pub struct Session {
    socket: OwnedFd,
    /// Who it is, for the log.
    pub who: String,
    phase: Phase,
    moved: Moment,
}

#[derive(Debug)]
enum Phase {
    Reading(LineBuffer),
    Waiting,
    Writing { reply: Vec<u8>, written: usize },
    Watching { watch: Watch, lines: Vec<u8>, written: usize },
}

/// Which events a session is told, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Those after this number.
    pub after: u64,
    /// As JSON.
    pub json: bool,
}

/// What became of an attempt to go on.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// The other side must act first.
    Wait,
    /// Its line is complete.
    Line(String),
    /// The session is over.
    Over,
}

impl Session {
    /// A client that just connected.
    #[must_use]
    pub fn new(socket: OwnedFd, who: String, now: Moment) -> Self {
        Self { socket, who, phase: Phase::Reading(LineBuffer::default()), moved: now }
    }

    /// Goes on after an event. `gone`: both directions are gone.
    pub fn advance(&mut self, now: Moment, gone: bool) -> Step {
        match self.phase {
            Phase::Reading(_) => self.read(now),
            Phase::Waiting if gone => Step::Over,
            // An event that is older than the line.
            Phase::Waiting => Step::Wait,
            Phase::Writing { .. } => self.write(now),
            Phase::Watching { .. } if gone => Step::Over,
            Phase::Watching { .. } => Step::Wait,
        }
    }

    /// It stays, and is told events by [`Session::stream`] from here on.
    pub fn watch(&mut self, watch: Watch, now: Moment) {
        self.moved = now;
        // One that vanished without a word must not keep its place for ever. Unix sockets know it at once.
        let _ = rustix::net::sockopt::set_socket_keepalive(&self.socket, true);
        self.phase = Phase::Watching { watch, lines: Vec::new(), written: 0 };
    }

    /// Whether it is told events.
    #[must_use]
    pub fn is_watching(&self) -> bool {
        matches!(self.phase, Phase::Watching { .. })
    }

    /// Writes what the socket takes of what `next` says is to be told, until nothing is.
    pub fn stream(&mut self, mut next: impl FnMut(&mut Watch) -> String) -> Step {
        let Phase::Watching { watch, lines, written } = &mut self.phase else { return Step::Wait };
        loop {
            match send_rest(self.socket.as_fd(), lines, written) {
                Sent::All => {
                    (*lines, *written) = (next(watch).into_bytes(), 0);
                    if lines.is_empty() {
                        return Step::Wait;
                    }
                }
                Sent::Part => return Step::Wait,
                Sent::Gone => return Step::Over,
            }
        }
    }

    /// The reply to the line; what of it the socket takes is written at once.
    pub fn answer(&mut self, reply: String, now: Moment) -> Step {
        self.moved = now;
        self.phase = Phase::Writing { reply: reply.into_bytes(), written: 0 };
        self.write(now)
    }

    /// The events that make sense to wait for.
    #[must_use]
    pub fn interest(&self) -> EventFlags {
        match &self.phase {
            Phase::Reading(_) => EventFlags::IN,
            Phase::Waiting => EventFlags::empty(),
            Phase::Watching { lines, .. } if lines.is_empty() => EventFlags::empty(),
            Phase::Writing { .. } | Phase::Watching { .. } => EventFlags::OUT,
        }
    }

    /// When the session is closed if nothing moves. A session that waits for Pen is never closed
    /// for that, nor is one that watches.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        let stays = matches!(self.phase, Phase::Waiting | Phase::Watching { .. });
        (!stays).then(|| self.moved.plus_s(limits::CONTROL_IDLE_S))
    }

    /// Since when the client owes the rest of its line, if it does.
    #[must_use]
    pub fn silent_since(&self) -> Option<Moment> {
        matches!(self.phase, Phase::Reading(_)).then_some(self.moved)
    }

    fn read(&mut self, now: Moment) -> Step {
        let Phase::Reading(line) = &mut self.phase else { return Step::Wait };
        let fresh = line.is_empty();
        let mut piece = [0_u8; limits::CONTROL_PIECE];
        let fed = match recv(&self.socket, &mut piece[..], RecvFlags::empty()) {
            Ok((_, 0)) => line.finish(),
            Ok((_, n)) => line.feed(piece.get(..n).unwrap_or_default()),
            Err(Errno::AGAIN | Errno::INTR) => return Step::Wait,
            Err(_) => return Step::Over,
        };
        match fed {
            Fed::More => {
                // Who says a byte now and then wins no time by it.
                if fresh {
                    self.moved = now;
                }
                Step::Wait
            }
            Fed::Line(line) => {
                self.moved = now;
                self.phase = Phase::Waiting;
                Step::Line(line)
            }
            Fed::Bad(why) => self.answer(format!("error: {why}\n"), now),
        }
    }

    fn write(&mut self, now: Moment) -> Step {
        let Phase::Writing { reply, written } = &mut self.phase else { return Step::Wait };
        let before = *written;
        let sent = send_rest(self.socket.as_fd(), reply, written);
        if *written > before {
            self.moved = now;
        }
        match sent {
            Sent::All => {
                leave(self.socket.as_fd());
                Step::Over
            }
            Sent::Part => Step::Wait,
            Sent::Gone => Step::Over,
        }
    }
}

impl AsFd for Session {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    fn session() -> (UnixStream, Session) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (theirs, Session::new(ours.into(), "unix".to_owned(), Moment(0)))
    }

    #[test]
    fn a_line_in_two_segments_then_the_reply_then_the_end() {
        let (mut client, mut s) = session();
        assert_eq!(s.advance(Moment(1), false), Step::Wait);
        client.write_all(b"black").unwrap();
        assert_eq!(s.advance(Moment(2), false), Step::Wait);
        assert_eq!(s.silent_since(), Some(Moment(2)));
        client.write_all(b"l").unwrap();
        assert_eq!(s.advance(Moment(9), false), Step::Wait);
        assert_eq!(s.silent_since(), Some(Moment(2)), "a dribble is no progress");
        client.write_all(b"ist 8\nmore\n").unwrap();
        assert_eq!(s.advance(Moment(3), false), Step::Line("blacklist 8".to_owned()));
        assert_eq!(s.deadline(), None);
        assert_eq!(s.advance(Moment(3), false), Step::Wait);
        assert_eq!(s.answer("8\n".to_owned(), Moment(4)), Step::Over);
        drop(s);
        let mut reply = String::new();
        client.read_to_string(&mut reply).unwrap();
        assert_eq!(reply, "8\n");
    }

    #[test]
    fn a_long_reply_waits_for_a_slow_reader() {
        let (mut client, mut s) = session();
        client.write_all(b"servers\n").unwrap();
        assert!(matches!(s.advance(Moment(0), false), Step::Line(_)));
        let long = "x".repeat(4 << 20);
        let mut step = s.answer(long.clone(), Moment(1));
        assert_eq!(step, Step::Wait);
        assert_eq!(s.deadline(), Some(Moment(1).plus_s(limits::CONTROL_IDLE_S)));
        let mut seen = 0;
        let mut buffer = vec![0; 1 << 16];
        while step == Step::Wait {
            seen += client.read(&mut buffer).unwrap();
            step = s.advance(Moment(2), false);
        }
        drop(s);
        while let Ok(n @ 1..) = client.read(&mut buffer) {
            seen += n;
        }
        assert_eq!(seen, long.len());
    }

    #[test]
    fn one_that_watches_is_told_what_is_new_when_it_reads() {
        let (mut client, mut s) = session();
        s.watch(Watch { after: 0, json: false }, Moment(0));
        assert_eq!(s.deadline(), None);
        let more = |watch: &mut Watch| {
            watch.after += 1;
            if watch.after <= 50_000 { format!("event {}\n", watch.after) } else { String::new() }
        };
        assert_eq!(s.stream(more), Step::Wait);
        assert_eq!(s.interest(), EventFlags::OUT);
        client.set_nonblocking(true).unwrap();
        let mut text = String::new();
        while !text.ends_with("event 50000\n") {
            let _ = client.read_to_string(&mut text);
            assert_eq!(s.stream(more), Step::Wait);
        }
        assert_eq!(text.lines().count(), 50_000);
        assert_eq!(s.interest(), EventFlags::empty());
        drop(client);
        assert_eq!(s.advance(Moment(3), true), Step::Over);
    }

    #[test]
    fn a_line_that_is_too_long_is_answered() {
        let (mut client, mut s) = session();
        client.write_all(&[b'x'; limits::LINE_MAX + 1]).unwrap();
        let mut step = Step::Wait;
        while step == Step::Wait {
            step = s.advance(Moment(0), false);
        }
        assert_eq!(step, Step::Over);
        drop(s);
        let mut reply = String::new();
        client.read_to_string(&mut reply).unwrap();
        assert_eq!(reply, "error: the line is longer than 4096 bytes\n");
    }
}
