//! The first line of a control session, put together from whatever pieces it arrives in.
//!
//! A line ends with LF, CR or the end of input; what follows it is nobody's business. Deliberately
//! not here: what the line means.

use crate::limits;

/// A line in the making; never holds more than [`limits::LINE_MAX`] bytes.
#[derive(Debug, Default)]
pub struct LineBuffer {
    bytes: Vec<u8>,
}

/// What is known after a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fed {
    /// The line goes on.
    More,
    /// The line, without its end.
    Line(String),
    /// It will never be a line; a sentence for the client.
    Bad(String),
}

impl LineBuffer {
    /// Whether nothing of it has come.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes a piece. What it knows after anything but [`Fed::More`] is the end: nothing more is to be fed.
    pub fn feed(&mut self, piece: &[u8]) -> Fed {
        let end = piece.iter().position(|b| matches!(b, b'\n' | b'\r'));
        let piece = end.map_or(piece, |n| piece.get(..n).unwrap_or_default());
        if self.bytes.len() + piece.len() > limits::LINE_MAX {
            self.bytes = Vec::new();
            return Fed::Bad(format!("the line is longer than {} bytes", limits::LINE_MAX));
        }
        self.bytes.extend_from_slice(piece);
        if end.is_some() { self.finish() } else { Fed::More }
    }

    /// The input ended.
    pub fn finish(&mut self) -> Fed {
        match String::from_utf8(std::mem::take(&mut self.bytes)) {
            Ok(line) => Fed::Line(line),
            Err(_) => Fed::Bad("the line is not UTF-8 text".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[&[u8]], expected: &Fed) {
        let mut buffer = LineBuffer::default();
        for piece in pieces {
            match buffer.feed(piece) {
                Fed::More => {}
                fed => return assert_eq!(&fed, expected, "{pieces:?}"),
            }
        }
        assert_eq!(&buffer.finish(), expected, "{pieces:?} and the end of input");
    }

    #[test]
    fn lines_come_in_any_pieces() {
        let line = |text: &str| Fed::Line(text.to_owned());
        let rows: [(&[&[u8]], Fed); 8] = [
            (&[b"pid\n"], line("pid")),
            (&[b"black", b"list 8\n"], line("blacklist 8")),
            (&[b"p", b"i", b"d"], line("pid")),
            (&[b"pid\r\n"], line("pid")),
            (&[b"pid\rblacklist 3\n"], line("pid")),
            (&[b"pid\nblacklist 3\n"], line("pid")),
            (&[b"\n"], line("")),
            (&[], line("")),
        ];
        for (pieces, expected) in rows {
            check(pieces, &expected);
        }
    }

    #[test]
    fn lines_are_bounded_text() {
        let full = vec![b'x'; limits::LINE_MAX];
        check(&[&full, b"\n"], &Fed::Line("x".repeat(limits::LINE_MAX)));
        check(&[&full, b"x"], &Fed::Bad("the line is longer than 4096 bytes".to_owned()));
        check(&[b"\xff\xfe\n"], &Fed::Bad("the line is not UTF-8 text".to_owned()));
    }
}
