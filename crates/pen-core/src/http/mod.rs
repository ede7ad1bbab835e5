//! X-Forwarded-For and X-Forwarded-Proto on every request of a connection.
//!
//! A [`Rewriter`] stands in the client-to-server stream. It is fed whatever was read, split
//! anywhere, and gives back what to send. Bytes that are not HTTP/1 pass untouched and at once; so
//! does everything after CONNECT or an accepted Upgrade. A request line is passed on as it comes;
//! only the rest of a head waits until it is complete.
//!
//! What it promises:
//! - A server sees the truth on every request, or no request: a client cannot forge it. A head that
//!   is too long, and a request about whose head or end two readers could disagree (Content-Length
//!   with Transfer-Encoding, differing lengths, folded or malformed field lines, chunks not written
//!   as they must be), is [`Refused`]: nothing more of it is sent and the connection is closed.
//! - Apart from the two fields every byte stays as it was, in its place.
//! - It leaves HTTP only when a reply says so that certainly belongs to the CONNECT or Upgrade
//!   request (see `replies`). In doubt it goes on looking for request lines; what is not HTTP passes
//!   untouched then as well.
//!
//! Not here: replies to the client (a refused request is answered by the close), trailer fields
//! (they pass), HTTP/2 (it begins with a line that is not HTTP/1 and passes).

pub(crate) mod framing;
mod head;
mod replies;

use std::mem;
use std::net::IpAddr;

use crate::config::Forwarded;
use crate::limits::HTTP_HEAD_MAX;
use crate::reasons::CloseReason;
use framing::{Ambiguous, Body, FirstLine, HeadEnd, RequestLine, Scan};
use replies::{Answer, Replies};

/// What the headers shall say.
#[derive(Clone, Copy, Debug)]
pub struct Truth {
    /// The client's address; `None` for Unix peers (then X-Forwarded-For is left alone).
    pub client: Option<IpAddr>,
    /// TLS was terminated here: `https`, else `http`.
    pub tls: bool,
    /// What happens to an X-Forwarded-For that is there.
    pub forwarded: Forwarded,
}

/// Why a request is not passed on; the connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The head is longer than [`HTTP_HEAD_MAX`] or has more fields than
    /// [`crate::limits::HTTP_HEADERS_MAX`].
    HeadTooLong,
    /// The head is malformed, or the request's end is not certain.
    Ambiguous,
}

impl Refused {
    /// The reason with which the connection ends.
    #[must_use]
    pub fn reason(self) -> CloseReason {
        match self {
            Self::HeadTooLong => CloseReason::HeadTooLong,
            Self::Ambiguous => CloseReason::AmbiguousRequest,
        }
    }
}

impl From<Ambiguous> for Refused {
    fn from(_: Ambiguous) -> Self {
        Self::Ambiguous
    }
}

/// The state of one connection's request stream.
#[derive(Debug)]
pub struct Rewriter {
    truth: Truth,
    state: State,
    /// In `Head`: the head so far, from the end of its first line. In `Waiting`: what the client
    /// sent behind the request. In `First` and `Tunnel`: what was kept while waiting.
    held: Vec<u8>,
    replies: Replies,
}

#[derive(Debug)]
enum State {
    First(FirstLine),
    Head {
        line: RequestLine,
        /// Bytes of the first line without its end.
        line_len: usize,
        end: HeadEnd,
    },
    Body {
        body: Body,
        /// CONNECT or Upgrade.
        leaves: bool,
    },
    /// For the answer to CONNECT or Upgrade.
    Waiting,
    /// Not HTTP, for good.
    Tunnel,
    Closed(Refused),
}

impl State {
    const START: Self = Self::First(FirstLine::new());
}

impl Rewriter {
    /// At the start of a connection.
    #[must_use]
    pub fn new(truth: Truth) -> Self {
        Self { truth, state: State::START, held: Vec::new(), replies: Replies::default() }
    }

    /// Takes bytes read from the client and appends to `out` what shall be sent to the server.
    /// An incomplete head is kept back inside (bounded). When [`Rewriter::waits_for_reply`] has
    /// turned false, this must be called (without bytes if there are none) to get what was kept.
    ///
    /// # Errors
    /// [`Refused`]: what is in `out` may be sent, nothing more; every later call answers the same.
    pub fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        let result = self.feed_all(input, out);
        if let Err(refused) = result {
            self.state = State::Closed(refused);
            self.held = Vec::new();
        }
        result
    }

    /// The client's stream ended: what was kept back is released.
    ///
    /// An incomplete head is released up to its first X-Forwarded line, because some servers take
    /// the end of the stream for the end of the head. Bytes that wait for an answer are released as
    /// [`Rewriter::feed`] would without one.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if let State::Waiting = self.state {
            self.replies.lose();
            self.state = State::START;
        }
        if self.feed(&[], out).is_err() {
            return;
        }
        match &self.state {
            State::First(first) if first.cr_pending() => out.push(b'\r'),
            State::Head { .. } => out.extend_from_slice(head::before_claims(&self.held)),
            _ => {}
        }
        self.held = Vec::new();
        self.state = State::Tunnel;
    }

    /// Shows bytes read from the server, so that the answer to CONNECT or Upgrade is seen. Must be
    /// shown everything, from the first byte of the connection; costs nothing for a stream that is
    /// not HTTP, and little beside the heads for one that is.
    pub fn saw_reply(&mut self, bytes: &[u8]) {
        if let State::Tunnel | State::Closed(_) = self.state {
            return;
        }
        self.replies.feed(bytes);
        if let State::Waiting = self.state {
            self.decide();
        }
    }

    /// No reply will be seen any more: a client that waits for one may go on, and what it says next
    /// is taken for what it looks like.
    pub fn no_more_replies(&mut self) {
        self.replies.lose();
        if let State::Waiting = self.state {
            self.decide();
        }
    }

    /// Bytes kept back inside.
    #[must_use]
    pub fn held(&self) -> usize {
        let cr = matches!(&self.state, State::First(first) if first.cr_pending());
        self.held.len() + usize::from(cr)
    }

    /// Whether the client must not be read: the answer to CONNECT or Upgrade decides how the bytes
    /// that follow are to be taken. If they are fed all the same, up to [`HTTP_HEAD_MAX`] of them
    /// are kept; with more the waiting ends and they are taken for what they look like.
    #[must_use]
    pub fn waits_for_reply(&self) -> bool {
        matches!(self.state, State::Waiting)
    }

    /// Whether a request's head has begun and not ended.
    #[must_use]
    pub fn in_head(&self) -> bool {
        match &self.state {
            State::First(first) => !first.is_empty(),
            State::Head { .. } => true,
            State::Body { .. } | State::Waiting | State::Tunnel | State::Closed(_) => false,
        }
    }

    fn feed_all(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        if matches!(self.state, State::First(_) | State::Tunnel) && !self.held.is_empty() {
            let kept = mem::take(&mut self.held);
            self.run(&kept, out)?;
        }
        self.run(input, out)
    }

    fn run(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        let mut rest = input;
        while !rest.is_empty() {
            let used = match &mut self.state {
                State::First(_) => self.first_line(rest, out),
                State::Head { .. } => self.head(rest, out)?,
                State::Body { body, leaves } => {
                    let used = body.take(rest)?;
                    let leaves = *leaves;
                    out.extend_from_slice(rest.get(..used).unwrap_or(rest));
                    if body.done() {
                        self.request_ended(leaves);
                    }
                    used
                }
                State::Waiting if self.held.len() + rest.len() <= HTTP_HEAD_MAX => {
                    self.held.extend_from_slice(rest);
                    rest.len()
                }
                State::Waiting => {
                    self.replies.lose();
                    self.state = State::START;
                    let kept = mem::take(&mut self.held);
                    self.run(&kept, out)?;
                    0
                }
                State::Tunnel => {
                    out.extend_from_slice(rest);
                    rest.len()
                }
                State::Closed(refused) => return Err(*refused),
            };
            rest = rest.get(used..).unwrap_or_default();
        }
        Ok(())
    }

    /// Passes a first line on, without its end if it is a request's: the headers may come before
    /// that.
    fn first_line(&mut self, rest: &[u8], out: &mut Vec<u8>) -> usize {
        let State::First(first) = &mut self.state else { return 0 };
        let owed_cr = first.cr_pending();
        let (used, scan) = first.scan(rest);
        let seen = rest.get(..used).unwrap_or(rest);
        if owed_cr && !(matches!(scan, Scan::Http(_)) && used == 1) {
            out.push(b'\r');
        }
        match scan {
            Scan::More => {
                let pass = used - usize::from(first.cr_pending());
                out.extend_from_slice(seen.get(..pass).unwrap_or(seen));
                used
            }
            Scan::NotHttp => {
                self.state = State::Tunnel;
                0
            }
            Scan::Http(line) => {
                if owed_cr && used == 1 {
                    self.held.push(b'\r');
                }
                let text = seen.strip_suffix(b"\n").unwrap_or(seen);
                let text = text.strip_suffix(b"\r").unwrap_or(text);
                out.extend_from_slice(text);
                let line_len = first.len() - self.held.len() - (used - text.len());
                self.state = State::Head { line, line_len, end: HeadEnd::Inside };
                text.len()
            }
        }
    }

    fn head(&mut self, rest: &[u8], out: &mut Vec<u8>) -> Result<usize, Refused> {
        let State::Head { line, line_len, end } = &mut self.state else { return Ok(0) };
        let (line, line_len) = (*line, *line_len);
        let ends = end.find(rest);
        let used = ends.unwrap_or(rest.len());
        let piece = rest.get(..used).unwrap_or(rest);
        if line_len + self.held.len() + used > HTTP_HEAD_MAX {
            return Err(Refused::HeadTooLong);
        }
        if ends.is_none() {
            self.held.extend_from_slice(piece);
            return Ok(used);
        }
        let after = if self.held.is_empty() {
            head::rewrite(piece, line, &self.truth, out)?
        } else {
            self.held.extend_from_slice(piece);
            let head = mem::take(&mut self.held);
            head::rewrite(&head, line, &self.truth, out)?
        };
        self.replies.expect(line, after.leaves);
        self.state = State::Body { body: after.body, leaves: after.leaves };
        if after.body.done() {
            self.request_ended(after.leaves);
        }
        Ok(used)
    }

    fn request_ended(&mut self, leaves: bool) {
        if leaves {
            self.decide();
        } else {
            self.state = State::START;
        }
    }

    /// Behind the end of CONNECT or Upgrade: what follows depends on the answer.
    fn decide(&mut self) {
        self.state = match self.replies.answer() {
            Answer::Awaited => State::Waiting,
            Answer::Accepted => State::Tunnel,
            Answer::Declined | Answer::Unknown => State::START,
        };
    }
}

#[cfg(test)]
mod tests;
