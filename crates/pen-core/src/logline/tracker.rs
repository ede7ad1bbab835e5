//! What of a client's stream becomes an entry of the classic log.
//!
//! HTTP/1 requests: one entry each, the request line; later pieces of the head, bodies and empty
//! lines between requests are none. Anything else: one entry per read, as the original did it; so
//! is everything behind a request whose end is ambiguous. A request line may come in pieces: what
//! of it is kept back never exceeds [`limits::LOG_DATAGRAM_MAX`] bytes, the rest of a longer line
//! is skipped.

use std::mem;

use crate::http::framing::{Body, Fields, FirstLine, RequestLine, Scan};
use crate::limits;

/// The log's view of one connection.
#[derive(Debug)]
pub struct LogTracker {
    state: State,
    /// The beginning of a first line or field line of which the end is still to come.
    kept: Vec<u8>,
    /// Where the reads end that `kept` was made of, while it is not known what it is.
    cuts: Vec<usize>,
    /// A request was seen on this connection.
    requests: bool,
}

#[derive(Debug)]
enum State {
    First(FirstLine),
    Head(RequestLine, Fields),
    Body(Body),
    /// Not HTTP, for good.
    Other,
}

impl Default for LogTracker {
    fn default() -> Self {
        Self::new()
    }
}

impl LogTracker {
    /// At the start of a connection.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: State::First(FirstLine::new()),
            kept: Vec::new(),
            cuts: Vec::new(),
            requests: false,
        }
    }

    /// Takes one read from the client; calls `entry` for each entry with the data to log (see
    /// [`file_line`](super::file_line) and [`datagram`](super::datagram)).
    pub fn feed(&mut self, read: &[u8], mut entry: impl FnMut(&[u8])) {
        let mut rest = read;
        while !rest.is_empty() {
            let used = match &mut self.state {
                State::Other => {
                    entry(rest);
                    rest.len()
                }
                State::First(_) => self.first_line(rest, &mut entry),
                State::Head(..) => self.field_line(rest),
                State::Body(body) => match body.take(rest) {
                    Ok(used) => {
                        if body.done() {
                            self.state = State::First(FirstLine::new());
                        }
                        used
                    }
                    Err(_) => {
                        self.state = State::Other;
                        0
                    }
                },
            };
            rest = rest.get(used..).unwrap_or_default();
        }
    }

    /// The client's stream ended: what was kept back because it could have become a request is
    /// logged, read by read.
    pub fn finish(&mut self, entry: impl FnMut(&[u8])) {
        if let State::First(_) = self.state {
            self.release(entry);
        }
        self.state = State::Other;
    }

    /// Bytes kept back inside.
    #[must_use]
    pub fn held(&self) -> usize {
        self.kept.len()
    }

    fn first_line(&mut self, rest: &[u8], entry: &mut impl FnMut(&[u8])) -> usize {
        let State::First(first) = &mut self.state else { return 0 };
        let (used, mut scan) = first.scan(rest);
        let line = rest.get(..used).unwrap_or(rest);
        if scan == Scan::More && first.method_len() > limits::HTTP_METHOD_MAX {
            scan = Scan::NotHttp;
        }
        match scan {
            Scan::Http(request) => {
                self.keep_unless_first(line);
                let text = if self.kept.is_empty() { line } else { &self.kept };
                entry(text.trim_ascii_start());
                self.forget();
                self.requests = true;
                self.state = State::Head(request, Fields::default());
                used
            }
            Scan::NotHttp => {
                self.release(entry);
                self.state = State::Other;
                0
            }
            Scan::More => {
                // An empty line behind a request is part of no request and worth no entry.
                if !(self.requests && first.is_empty()) {
                    self.keep(line);
                    // Of reads beyond what is kept there is nothing to tell apart.
                    if self.cuts.last() != Some(&self.kept.len()) {
                        self.cuts.push(self.kept.len());
                    }
                    if self.kept.len() == limits::LOG_DATAGRAM_MAX && !plausible(&self.kept) {
                        self.release(entry);
                        self.state = State::Other;
                    }
                }
                used
            }
        }
    }

    fn field_line(&mut self, rest: &[u8]) -> usize {
        let Some(end) = rest.iter().position(|&b| b == b'\n') else {
            self.keep(rest);
            return rest.len();
        };
        let piece = rest.get(..=end).unwrap_or(rest);
        self.keep_unless_first(piece);
        let line = if self.kept.is_empty() { piece } else { &self.kept };
        if let State::Head(request, fields) = &mut self.state {
            if matches!(line, b"\n" | b"\r\n") {
                self.state = match fields.request_body(*request) {
                    Ok(body) if body.done() => State::First(FirstLine::new()),
                    Ok(body) => State::Body(body),
                    Err(_) => State::Other,
                };
            } else if let Some(colon) = line.iter().position(|&b| b == b':') {
                let (name, value) = line.split_at(colon);
                fields.note(name, value.get(1..).unwrap_or_default().trim_ascii());
            }
        }
        self.forget();
        piece.len()
    }

    /// Adds to what is kept, within the bound.
    fn keep(&mut self, bytes: &[u8]) {
        let room = limits::LOG_DATAGRAM_MAX.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// Adds to what is kept if there is something; a line that came whole needs no copy.
    fn keep_unless_first(&mut self, bytes: &[u8]) {
        if !self.kept.is_empty() {
            self.keep(bytes);
        }
    }

    /// Gives the memory back: an idle connection holds none.
    fn forget(&mut self) {
        if self.kept.capacity() != 0 {
            (self.kept, self.cuts) = (Vec::new(), Vec::new());
        }
    }

    /// What is kept turned out to be no request: one entry per read.
    fn release(&mut self, mut entry: impl FnMut(&[u8])) {
        let (kept, cuts) = (mem::take(&mut self.kept), mem::take(&mut self.cuts));
        let mut from = 0;
        for cut in cuts {
            if let Some(read) = kept.get(from..cut).filter(|read| !read.is_empty()) {
                entry(read);
            }
            from = cut;
        }
    }
}

/// Whether the second word of an endless first line looks like a request's target.
fn plausible(line: &[u8]) -> bool {
    let mut words = line.split(|b| b.is_ascii_whitespace()).filter(|w| !w.is_empty());
    words.nth(1).is_some_and(|target| {
        target.starts_with(b"/") || target.get(..4).is_some_and(|s| s.eq_ignore_ascii_case(b"http"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endless_line_in_small_pieces_takes_bounded_memory() {
        let mut tracker = LogTracker::new();
        tracker.feed(b"GET /", |_| panic!("it is not decided"));
        for _ in 0..100_000 {
            tracker.feed(b"a", |_| panic!("it is not decided"));
        }
        assert_eq!(tracker.held(), limits::LOG_DATAGRAM_MAX);
        assert!(tracker.cuts.len() <= limits::LOG_DATAGRAM_MAX, "{}", tracker.cuts.len());
        let mut sizes = Vec::new();
        tracker.feed(b" HTTP/1.1\r\n", |entry| sizes.push(entry.len()));
        assert_eq!(sizes, [limits::LOG_DATAGRAM_MAX]);
    }
}
