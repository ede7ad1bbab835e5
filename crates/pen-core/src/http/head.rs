//! One complete request head: what it says about the request, and the two fields set right in it.
//!
//! A head is looked at here from the end of its first line (that CRLF or LF included) to its empty
//! line, so that new fields can stand before the end of the last line, as the original put them.

use std::io::Write as _;
use std::net::IpAddr;

use super::framing::{Body, Fields, RequestLine};
use super::{Refused, Truth};
use crate::config::Forwarded;
use crate::limits::HTTP_HEADERS_MAX;

const FOR: &str = "X-Forwarded-For";
const PROTO: &str = "X-Forwarded-Proto";

/// What comes behind the head.
#[derive(Clone, Copy, Debug)]
pub(super) struct After {
    pub(super) body: Body,
    /// The request asks to leave HTTP: CONNECT or Upgrade.
    pub(super) leaves: bool,
}

/// Appends `head` to `out` with the truth in it.
///
/// # Errors
/// [`Refused`]; nothing was appended.
pub(super) fn rewrite(
    head: &[u8],
    line: RequestLine,
    truth: &Truth,
    out: &mut Vec<u8>,
) -> Result<After, Refused> {
    let start = head.iter().position(|&b| b == b'\n').map_or(0, |at| at + 1);
    let block = head.get(start..).unwrap_or_default();
    let mut room = [httparse::EMPTY_HEADER; HTTP_HEADERS_MAX];
    let lines = match httparse::parse_headers(block, &mut room) {
        Ok(httparse::Status::Complete((used, lines))) if used == block.len() => lines,
        Err(httparse::Error::TooManyHeaders) => return Err(Refused::HeadTooLong),
        // What this parser takes for something else than we do, a server may as well.
        Ok(_) | Err(_) => return Err(Refused::Ambiguous),
    };
    let mut fields = Fields::default();
    let mut last = Last::default();
    for (at, line) in lines.iter().enumerate() {
        fields.note(line.name.as_bytes(), line.value);
        if line.name.eq_ignore_ascii_case(FOR) {
            last.forwarded_for = Some(at);
        } else if line.name.eq_ignore_ascii_case(PROTO) {
            last.proto = Some(at);
        }
    }
    let after =
        After { body: fields.request_body(line)?, leaves: line.connect || fields.upgrade() };
    write(head, lines, last, truth, out);
    Ok(after)
}

/// The part of an incomplete head that says nothing about the client: up to the first line that
/// begins with `X-Forwarded-`.
pub(super) fn before_claims(head: &[u8]) -> &[u8] {
    const CLAIM: &[u8] = b"\nx-forwarded-";
    let claim = head.windows(CLAIM.len()).position(|w| w.eq_ignore_ascii_case(CLAIM));
    claim.and_then(|at| head.get(..=at)).unwrap_or(head)
}

/// Which lines are the last of their kind.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    forwarded_for: Option<usize>,
    proto: Option<usize>,
}

fn write(
    head: &[u8],
    lines: &[httparse::Header<'_>],
    last: Last,
    truth: &Truth,
    out: &mut Vec<u8>,
) {
    let client = truth.client.map(|ip| ip.to_canonical());
    let proto: &[u8] = if truth.tls { b"https" } else { b"http" };
    let mut copy = Copy { head, done: 0, out };
    if last.proto.is_some() || last.forwarded_for.is_some() {
        for (at, line) in lines.iter().enumerate() {
            if line.name.eq_ignore_ascii_case(PROTO) {
                copy.replace(line, last.proto == Some(at), |out| out.extend_from_slice(proto));
            } else if line.name.eq_ignore_ascii_case(FOR) {
                let Some(client) = client else { continue };
                let is_last = last.forwarded_for == Some(at);
                match truth.forwarded {
                    Forwarded::Append if is_last => copy.append(line, client),
                    Forwarded::Replace => copy.replace(line, is_last, |out| address(out, client)),
                    Forwarded::Append | Forwarded::Keep => {}
                }
            }
        }
    }
    copy.up_to(end_of_last_line(head));
    if last.proto.is_none() {
        copy.out.extend_from_slice(b"\r\nX-Forwarded-Proto: ");
        copy.out.extend_from_slice(proto);
    }
    if let (None, Some(client)) = (last.forwarded_for, client) {
        copy.out.extend_from_slice(b"\r\nX-Forwarded-For: ");
        address(copy.out, client);
    }
    copy.up_to(head.len());
}

/// A copy of a head in the making.
struct Copy<'a> {
    head: &'a [u8],
    /// So many bytes of it are copied or left out.
    done: usize,
    out: &'a mut Vec<u8>,
}

impl Copy<'_> {
    fn up_to(&mut self, to: usize) {
        self.out.extend_from_slice(self.head.get(self.done..to).unwrap_or_default());
        self.done = self.done.max(to);
    }

    /// Gives the line another value, or leaves it out.
    fn replace(
        &mut self,
        line: &httparse::Header<'_>,
        keep: bool,
        value: impl FnOnce(&mut Vec<u8>),
    ) {
        let from = self.offset(line.value);
        if keep {
            self.up_to(from);
            value(self.out);
            self.done = from + line.value.len();
        } else {
            self.up_to(self.offset(line.name.as_bytes()));
            let behind = self.head.iter().skip(from).position(|&b| b == b'\n');
            self.done = behind.map_or(self.head.len(), |lf| from + lf + 1);
        }
    }

    /// Adds the client to the line's list.
    fn append(&mut self, line: &httparse::Header<'_>, client: IpAddr) {
        self.up_to(self.offset(line.value) + line.value.len());
        if !line.value.is_empty() {
            self.out.extend_from_slice(b", ");
        }
        address(self.out, client);
    }

    /// Where `part`, a piece of the head, begins in it.
    fn offset(&self, part: &[u8]) -> usize {
        let at = part.as_ptr().addr().wrapping_sub(self.head.as_ptr().addr());
        debug_assert!(at <= self.head.len(), "the parser answers pieces of what it was given");
        at
    }
}

/// Where the last line before the empty one ends, without its CRLF or LF.
fn end_of_last_line(head: &[u8]) -> usize {
    let without_end = |text: &[u8]| {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        text.strip_suffix(b"\r").unwrap_or(text).len()
    };
    let line = without_end(head);
    without_end(head.get(..line).unwrap_or(head))
}

fn address(out: &mut Vec<u8>, client: IpAddr) {
    let written = write!(out, "{client}");
    debug_assert!(written.is_ok(), "a Vec takes everything");
}
