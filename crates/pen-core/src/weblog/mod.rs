//! Lines of web servers' access logs: common, combined, and either with the virtual host in front.
//!
//! `host ident user [time] "request" rest`. What a client can write into a line stands behind the
//! request's first quote or is a user's name, in which servers escape quotes; so the time is looked
//! for right before the first quote, and neither can be forged. Deliberately not here: whose line it
//! is, and reading files.

mod time;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::ops::Range;

pub use time::{WebTime, append_utc};

/// Why bytes are no web line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// There are no two quotes.
    Request,
    /// There is no time in brackets in front of the request.
    Time,
    /// There is nothing in front of the request that could be the client.
    Client,
    /// It is longer than [`crate::limits::MERGE_LINE_MAX`].
    Long,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "no request in quotes",
            Self::Time => "no time in brackets before the request",
            Self::Client => "no client before the request",
            Self::Long => "longer than any log line",
        })
    }
}

/// A line taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebLine<'a> {
    bytes: &'a [u8],
    /// The client's place.
    client: Option<Range<usize>>,
    /// What is between the brackets of the time.
    stamp: Option<Range<usize>>,
    request: &'a [u8],
}

impl<'a> WebLine<'a> {
    /// Takes a line, without its end, apart. Only the request must be there.
    ///
    /// # Errors
    /// [`Broken::Request`]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Broken> {
        let (head, request) = split(bytes).ok_or(Broken::Request)?;
        let stamp = brackets(head);
        let fields = match &stamp {
            Some(stamp) => head.get(..stamp.start.saturating_sub(1)).unwrap_or(head),
            None => head,
        };
        Ok(Self { bytes, client: client(fields), stamp, request })
    }

    /// When it was written.
    ///
    /// # Errors
    /// [`Broken::Time`]
    pub fn time(&self) -> Result<WebTime, Broken> {
        let stamp = self.stamp.clone().and_then(|stamp| self.bytes.get(stamp));
        stamp.and_then(WebTime::parse).ok_or(Broken::Time)
    }

    /// The request as it may have been sent: as it stands here, and without the escapes that web
    /// servers add. The second is missing where it is the same.
    pub fn spellings(&self) -> impl Iterator<Item = Cow<'a, [u8]>> + use<'a> {
        let plain = self.request.contains(&b'\\').then(|| Cow::Owned(plain(self.request)));
        // The escaped form first: that a request holds a real backslash is the rarer case.
        plain.into_iter().chain([Cow::Borrowed(self.request)])
    }

    /// The request as it stands here.
    #[must_use]
    pub fn request(&self) -> &'a [u8] {
        self.request
    }

    /// Whether there is a client that can be replaced.
    #[must_use]
    pub fn has_client(&self) -> bool {
        self.client.is_some()
    }

    /// Appends the line with another client, without an end.
    pub fn append_with(&self, out: &mut Vec<u8>, client: &str) {
        let place = self.client.clone().unwrap_or(0..0);
        out.extend_from_slice(self.bytes.get(..place.start).unwrap_or_default());
        out.extend_from_slice(client.as_bytes());
        out.extend_from_slice(self.bytes.get(place.end..).unwrap_or_default());
    }

    /// Appends the line with another client and its time in UTC, without an end.
    pub fn append_at(&self, out: &mut Vec<u8>, client: &str, time: WebTime) {
        let (Some(place), Some(stamp)) = (&self.client, &self.stamp) else { return };
        out.extend_from_slice(self.bytes.get(..place.start).unwrap_or_default());
        out.extend_from_slice(client.as_bytes());
        out.extend_from_slice(self.bytes.get(place.end..stamp.start).unwrap_or_default());
        append_utc(out, time.wall);
        out.extend_from_slice(self.bytes.get(stamp.end..).unwrap_or_default());
    }
}

/// What is in front of the first quote, and what is in the first quotes.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let open = unescaped_quote(bytes)?;
    let (head, rest) = bytes.split_at_checked(open)?;
    let rest = rest.get(1..)?;
    // A server that escapes nothing may end a request with a backslash.
    let close = unescaped_quote(rest).or_else(|| rest.iter().position(|b| *b == b'"'))?;
    Some((head, rest.get(..close)?))
}

fn unescaped_quote(bytes: &[u8]) -> Option<usize> {
    let mut escaped = false;
    bytes.iter().position(|&byte| {
        let found = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        found
    })
}

/// The inside of the last brackets.
fn brackets(head: &[u8]) -> Option<Range<usize>> {
    let open = head.iter().rposition(|b| *b == b'[')?;
    let close = head.get(open..)?.iter().position(|b| *b == b']')?;
    Some(open + 1..open + close)
}

/// The first field, or behind a virtual host the second one.
fn client(fields: &[u8]) -> Option<Range<usize>> {
    let first = 0..fields.iter().position(|b| *b == b' ')?;
    if first.is_empty() {
        return None;
    }
    let mut words = fields.split(|b| *b == b' ').skip(1);
    let (second, third, fourth) = (words.next()?, words.next(), words.next());
    // Without a virtual host the second field is what identd says, which is nothing; with one
    // there are four fields. A user's name may hold blanks.
    let is_address = || std::str::from_utf8(second).is_ok_and(|s| s.parse::<IpAddr>().is_ok());
    let named = fourth.is_some_and(|w| !w.is_empty())
        && !matches!(second, b"-" | b"")
        && (third == Some(b"-") || is_address());
    let start = first.end + 1;
    Some(if named { start..start + second.len() } else { first })
}

/// Without the escapes of Apache and nginx.
fn plain(request: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(request.len());
    let mut rest = request;
    while let Some((&byte, tail)) = rest.split_first() {
        let (made, used) = if byte == b'\\' { escape(tail) } else { (byte, 0) };
        out.push(made);
        rest = tail.get(used..).unwrap_or_default();
    }
    out
}

/// What a backslash in front of `tail` means, and the bytes it takes.
fn escape(tail: &[u8]) -> (u8, usize) {
    let hex = |b: &u8| char::from(*b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    match tail {
        [b'x', high, low, ..] => match (hex(high), hex(low)) {
            (Some(high), Some(low)) => (high << 4 | low, 3),
            _ => (b'\\', 0),
        },
        [b'b', ..] => (8, 1),
        [b'n', ..] => (b'\n', 1),
        [b'r', ..] => (b'\r', 1),
        [b't', ..] => (b'\t', 1),
        [b'v', ..] => (11, 1),
        [byte @ (b'"' | b'\\'), ..] => (*byte, 1),
        _ => (b'\\', 0),
    }
}
