//! Where HTTP/1 messages begin and end in a stream of bytes, however it is split.
//!
//! One definition for the header rewriter and for the log: the first line ([`FirstLine`]), the end
//! of a head ([`HeadEnd`]), the fields that say how long a message is ([`Fields`]) and the body
//! ([`Body`]). Everything works byte by byte in constant memory. What could be read in two ways is
//! [`Ambiguous`]; what to do about that is decided by the user of this file.

mod body;
mod first_line;

pub(crate) use body::Body;
pub(crate) use first_line::{FirstLine, RequestLine, Scan};

/// The message's end, or its meaning, cannot be known for certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ambiguous;

/// Finds the empty line that ends a head. Starts at the beginning of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum HeadEnd {
    /// At the beginning of a line.
    #[default]
    LineStart,
    /// After a CR at the beginning of a line.
    LineStartCr,
    /// Inside a line.
    Inside,
}

impl HeadEnd {
    /// Reads on until the head ends: answers the number of bytes up to and with the LF of the empty
    /// line, or `None` if all of `input` belongs to the head and more is to come.
    pub(crate) fn find(&mut self, input: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            match (*self, byte) {
                (Self::LineStart | Self::LineStartCr, b'\n') => return Some(at + 1),
                (Self::LineStart, b'\r') => *self = Self::LineStartCr,
                _ => {
                    *self = Self::Inside;
                    let more = input.iter().skip(at).position(|&b| b == b'\n')?;
                    *self = Self::LineStart;
                    at += more;
                }
            }
            at += 1;
        }
        None
    }
}

/// What the fields of a head say about the length of the message and about leaving HTTP.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fields {
    length: Option<u64>,
    /// Transfer-Encoding was there.
    coded: bool,
    /// Its last coding is chunked.
    chunked: bool,
    /// A value that is wrong, or that contradicts an earlier one.
    bad: bool,
    /// Upgrade was there.
    upgrade: bool,
}

impl Fields {
    /// Takes one field into account. `value` is without blanks at its ends.
    pub(crate) fn note(&mut self, name: &[u8], value: &[u8]) {
        match name.len() {
            7 if name.eq_ignore_ascii_case(b"upgrade") => self.upgrade = true,
            14 if name.eq_ignore_ascii_case(b"content-length") => self.note_length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.note_coding(value),
            _ => {}
        }
    }

    /// Whether the head asks to leave HTTP.
    pub(crate) fn upgrade(&self) -> bool {
        self.upgrade
    }

    /// The body of a request with these fields.
    ///
    /// # Errors
    /// [`Ambiguous`] if two readers could disagree about where it ends.
    pub(crate) fn request_body(&self, line: RequestLine) -> Result<Body, Ambiguous> {
        let coded_wrongly = self.coded && (!self.chunked || self.length.is_some() || line.old);
        // CONNECT has no body; a field that promises one is read by some and ignored by others.
        let connect_with_body = line.connect && (self.coded || self.length.unwrap_or(0) != 0);
        if self.bad || coded_wrongly || connect_with_body {
            return Err(Ambiguous);
        }
        Ok(if self.chunked { Body::CHUNKED } else { Body::Length(self.length.unwrap_or(0)) })
    }

    /// Whether a length of any kind is given.
    pub(crate) fn has_body(&self) -> bool {
        self.bad || self.coded || self.length.is_some()
    }

    /// The body of a reply with these fields; `None` if it ends with the connection or is
    /// ambiguous.
    pub(crate) fn reply_body(&self) -> Option<Body> {
        match (self.coded, self.length) {
            _ if self.bad => None,
            (true, None) if self.chunked => Some(Body::CHUNKED),
            (true, _) | (false, None) => None,
            (false, Some(n)) => Some(Body::Length(n)),
        }
    }

    fn note_length(&mut self, value: &[u8]) {
        for part in value.split(|&b| b == b',') {
            match (number(part.trim_ascii()), self.length) {
                (Some(n), None) => self.length = Some(n),
                (Some(n), Some(before)) if n == before => {}
                _ => self.bad = true,
            }
        }
    }

    fn note_coding(&mut self, value: &[u8]) {
        self.coded = true;
        for part in value.split(|&b| b == b',') {
            let part = part.trim_ascii();
            // Chunked comes once and last; an empty word is read differently by different readers.
            self.bad |= self.chunked || part.is_empty();
            self.chunked = part.eq_ignore_ascii_case(b"chunked");
        }
    }
}

/// Digits only, no sign, no blanks, no overflow.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, &byte| {
        let digit = char::from(byte).to_digit(10)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests;
