//! One connection at the address of `metrics`: requests in, answers out, one after the other.
//!
//! Nothing here waits: each call does what the socket allows at the moment. Who sends the next request
//! before the answer is there is answered and closed. Deliberately not here: what is answered.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use pen_core::limits;
use pen_core::moment::{Moment, WallSeconds};
use pen_core::web::{Answer, Heard, Method, Request, Status, hear};
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::door::Who;
use crate::outgoing::{Sent, leave, send_rest};

/// A client.
#[derive(Debug)]
pub(super) struct Guest {
    socket: OwnedFd,
    pub(super) who: Who,
    phase: Phase,
    /// When the phase began; of a request, when its first byte came.
    since: Moment,
    /// What has come of the request.
    bytes: Vec<u8>,
    served: u32,
}

#[derive(Debug)]
enum Phase {
    Reading,
    /// The request was handed over.
    Asked {
        keep_alive: bool,
        body: bool,
    },
    Writing {
        answer: Vec<u8>,
        written: usize,
        keep_alive: bool,
    },
}

/// What became of an attempt to go on.
#[derive(Debug)]
pub(super) enum Step {
    /// The other side must act first.
    Wait,
    /// A request, with its body.
    Asked(Box<Request>, Vec<u8>),
    /// It will never be one.
    Fault(Status),
    /// The connection is over.
    Over,
}

impl Guest {
    /// Somebody who just came in.
    pub(super) fn new(socket: OwnedFd, who: Who, now: Moment) -> Self {
        Self { socket, who, phase: Phase::Reading, since: now, bytes: Vec::new(), served: 0 }
    }

    /// Goes on after an event.
    pub(super) fn advance(&mut self, now: Moment) -> Step {
        match self.phase {
            Phase::Reading => self.read(now),
            Phase::Asked { .. } => Step::Wait,
            Phase::Writing { .. } => self.write(now),
        }
    }

    /// The answer to what was asked; what of it the socket takes is written at once. With `last` the
    /// connection ends with it.
    pub(super) fn answer(
        &mut self,
        answer: &Answer,
        last: bool,
        (now, wall): (Moment, WallSeconds),
    ) -> Step {
        let (asked, body) = match self.phase {
            Phase::Asked { keep_alive, body } => (keep_alive, body),
            _ => (false, true),
        };
        self.served += 1;
        // What came after the request is not waited for, nor kept.
        let more = self.served < limits::WEB_REQUESTS_MAX && self.bytes.is_empty();
        let keep_alive = asked && !last && more;
        let answer = answer.bytes(wall, keep_alive, body);
        self.phase = Phase::Writing { answer, written: 0, keep_alive };
        self.since = now;
        self.write(now)
    }

    /// The events that make sense to wait for.
    pub(super) fn interest(&self) -> EventFlags {
        match self.phase {
            Phase::Reading => EventFlags::IN,
            Phase::Asked { .. } => EventFlags::empty(),
            Phase::Writing { .. } => EventFlags::OUT,
        }
    }

    /// When its time is over.
    pub(super) fn deadline(&self) -> Moment {
        self.since.plus_s(match self.phase {
            Phase::Reading if self.bytes.is_empty() && self.served > 0 => limits::WEB_IDLE_S,
            Phase::Reading => limits::WEB_REQUEST_S,
            Phase::Asked { .. } | Phase::Writing { .. } => limits::WEB_ANSWER_S,
        })
    }

    /// Since when the client owes a request, if it does.
    pub(super) fn silent_since(&self) -> Option<Moment> {
        matches!(self.phase, Phase::Reading).then_some(self.since)
    }

    /// Whether it has begun to ask and not ended.
    pub(super) fn is_asking(&self) -> bool {
        matches!(self.phase, Phase::Reading) && !self.bytes.is_empty()
    }

    fn read(&mut self, now: Moment) -> Step {
        let mut piece = [0_u8; limits::WEB_PIECE];
        // A request fits in a few pieces; who sends without end gets no further turn.
        for _ in 0..=(limits::WEB_HEAD_MAX + limits::WEB_BODY_MAX) / limits::WEB_PIECE {
            let read = match recv(&self.socket, &mut piece[..], RecvFlags::empty()) {
                Ok((_, 0)) => return Step::Over,
                Ok((_, n)) => piece.get(..n).unwrap_or_default(),
                Err(Errno::AGAIN) => return Step::Wait,
                Err(Errno::INTR) => continue,
                Err(_) => return Step::Over,
            };
            if self.bytes.is_empty() {
                self.since = now;
            }
            self.bytes.extend_from_slice(read);
            match hear(&self.bytes) {
                Heard::More => {}
                Heard::Fault(status) => return Step::Fault(status),
                Heard::Request(request) => {
                    let end = request.head + request.body;
                    if self.bytes.len() >= end {
                        return self.hand_over(request, end);
                    }
                }
            }
        }
        Step::Wait
    }

    fn hand_over(&mut self, request: Box<Request>, end: usize) -> Step {
        let rest = self.bytes.split_off(end);
        let mut body = std::mem::replace(&mut self.bytes, rest);
        body.drain(..request.head);
        self.phase =
            Phase::Asked { keep_alive: request.keep_alive, body: request.method != Method::Head };
        Step::Asked(request, body)
    }

    fn write(&mut self, now: Moment) -> Step {
        let Phase::Writing { answer, written, keep_alive } = &mut self.phase else {
            return Step::Wait;
        };
        match send_rest(self.socket.as_fd(), answer, written) {
            Sent::All => {}
            Sent::Part => return Step::Wait,
            Sent::Gone => return Step::Over,
        }
        if !*keep_alive {
            leave(self.socket.as_fd());
            return Step::Over;
        }
        (self.phase, self.since) = (Phase::Reading, now);
        Step::Wait
    }

    /// The answer on its way is the last one of this connection.
    pub(super) fn last_answer(&mut self) {
        if let Phase::Asked { keep_alive, .. } | Phase::Writing { keep_alive, .. } = &mut self.phase
        {
            *keep_alive = false;
        }
    }
}

impl AsFd for Guest {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
