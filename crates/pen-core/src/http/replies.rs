//! Which reply belongs to which request, so that nobody can talk Pen out of HTTP.
//!
//! The answer to CONNECT or Upgrade counts only if every reply before it was seen from its first to
//! its last byte: otherwise a client could send requests ahead and have the reply to one of them, or
//! a piece of a body it chose, taken for the answer. As soon as the replies cannot be followed any
//! more (not HTTP/1, an end that is not certain, too many requests ahead) the answer is
//! [`Answer::Unknown`] for good.

use super::framing::{Body, Fields, RequestLine};
use crate::limits::{HTTP_FIELD_KEPT, HTTP_REQUESTS_AHEAD_MAX};

/// What is known about the answer to the request that asked to leave HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It has not come.
    Awaited,
    /// The connection has left HTTP.
    Accepted,
    /// The connection stays HTTP.
    Declined,
    /// It cannot be known.
    Unknown,
}

/// The replies of one connection.
#[derive(Debug)]
pub(super) struct Replies {
    state: State,
    /// Requests without a final reply, the oldest in the lowest bit: whether it is HEAD.
    heads: u64,
    waiting: u32,
    /// The newest request asked to leave HTTP.
    leaving: Option<Leaving>,
    answer: Answer,
    /// The beginning of a line of which the end is still to come.
    kept: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    Connect,
    Upgrade,
}

/// What the status line says about the rest of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The final reply comes behind it.
    Interim,
    Bodiless,
    Plain,
    /// A success of CONNECT.
    Connects,
}

#[derive(Debug)]
enum State {
    Status,
    Head { kind: Kind, fields: Fields },
    Body(Body),
    Lost,
}

impl Default for Replies {
    fn default() -> Self {
        Self {
            state: State::Status,
            heads: 0,
            waiting: 0,
            leaving: None,
            answer: Answer::Unknown,
            kept: Vec::new(),
        }
    }
}

impl Replies {
    /// A request was passed on.
    pub(super) fn expect(&mut self, line: RequestLine, leaves: bool) {
        if let State::Lost = self.state {
            return;
        }
        if self.waiting >= HTTP_REQUESTS_AHEAD_MAX {
            self.lose();
            return;
        }
        self.heads |= u64::from(line.head) << self.waiting;
        self.waiting += 1;
        self.leaving = None;
        if leaves {
            self.leaving = Some(if line.connect { Leaving::Connect } else { Leaving::Upgrade });
            self.answer = Answer::Awaited;
        }
    }

    /// The answer to the newest request, if that asked to leave HTTP.
    pub(super) fn answer(&self) -> Answer {
        self.answer
    }

    /// Gives up following.
    pub(super) fn lose(&mut self) {
        self.state = State::Lost;
        self.kept = Vec::new();
        self.leaving = None;
        if self.answer == Answer::Awaited {
            self.answer = Answer::Unknown;
        }
    }

    /// Takes bytes read from the server.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && self.answer != Answer::Accepted {
            let used = match &mut self.state {
                State::Lost => return,
                State::Body(body) => {
                    let Ok(used) = body.take(rest) else { return self.lose() };
                    if body.done() {
                        self.state = State::Status;
                    }
                    used
                }
                State::Status | State::Head { .. } => self.line(rest),
            };
            rest = rest.get(used..).unwrap_or_default();
        }
    }

    fn line(&mut self, rest: &[u8]) -> usize {
        // Without a request there is no reply: the server speaks first, or something else than HTTP.
        if self.waiting == 0 && matches!(self.state, State::Status) {
            self.lose();
            return 0;
        }
        let end = rest.iter().position(|&b| b == b'\n');
        let used = end.map_or(rest.len(), |at| at + 1);
        let piece = rest.get(..used).unwrap_or(rest);
        if end.is_none() || !self.kept.is_empty() {
            // Of a line cut short it is not known what it said.
            if self.kept.len() + piece.len() > HTTP_FIELD_KEPT {
                self.lose();
                return 0;
            }
            self.kept.extend_from_slice(piece);
        }
        if end.is_some() {
            let kept = std::mem::take(&mut self.kept);
            let line = if kept.is_empty() { piece } else { &kept };
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            self.whole_line(line.strip_suffix(b"\r").unwrap_or(line));
        }
        used
    }

    fn whole_line(&mut self, line: &[u8]) {
        match &mut self.state {
            State::Status => match status(line) {
                Some(status) => self.status(status),
                None => self.lose(),
            },
            State::Head { kind, fields } => {
                if line.is_empty() {
                    let (kind, fields) = (*kind, *fields);
                    self.head_ended(kind, fields);
                } else if let Some(colon) = line.iter().position(|&b| b == b':') {
                    let (name, value) = line.split_at(colon);
                    fields.note(name, value.get(1..).unwrap_or_default().trim_ascii());
                } else {
                    self.lose();
                }
            }
            State::Body(_) | State::Lost => {}
        }
    }

    fn status(&mut self, status: u16) {
        let leaving = self.leaving.filter(|_| self.waiting == 1);
        let kind = match (status, leaving) {
            (101, Some(Leaving::Upgrade)) => {
                self.answer = Answer::Accepted;
                return;
            }
            (101, _) => return self.lose(),
            (100..200, _) => Kind::Interim,
            (200..300, Some(Leaving::Connect)) => Kind::Connects,
            _ if self.heads & 1 == 1 || matches!(status, 204 | 304) => Kind::Bodiless,
            _ => Kind::Plain,
        };
        if kind != Kind::Interim {
            self.heads >>= 1;
            self.waiting -= 1;
            if leaving.is_some() && kind != Kind::Connects {
                self.answer = Answer::Declined;
            }
        }
        self.state = State::Head { kind, fields: Fields::default() };
    }

    fn head_ended(&mut self, kind: Kind, fields: Fields) {
        self.state = match (kind, fields.reply_body()) {
            (Kind::Interim | Kind::Bodiless, _) => State::Status,
            (Kind::Connects, _) if !fields.has_body() => {
                self.answer = Answer::Accepted;
                return;
            }
            (_, None) => return self.lose(),
            (_, Some(body)) => {
                // A success of CONNECT has no length. A server that gives one has answered a method
                // it does not know as it answers GET, and goes on with HTTP.
                if kind == Kind::Connects {
                    self.answer = Answer::Declined;
                }
                if body.done() { State::Status } else { State::Body(body) }
            }
        };
    }
}

/// The status of `HTTP/1.x NNN text`.
fn status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let (minor, rest) = rest.split_first()?;
    let rest = rest.strip_prefix(b" ")?;
    let (digits, text) = rest.split_at_checked(3)?;
    let plain = minor.is_ascii_digit()
        && digits.iter().all(u8::is_ascii_digit)
        && matches!(text.first(), None | Some(b' '));
    let status = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (plain && (100..1000).contains(&status)).then_some(status)
}

const _: () = assert!(HTTP_REQUESTS_AHEAD_MAX <= u64::BITS);
