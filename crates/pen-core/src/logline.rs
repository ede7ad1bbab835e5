//! The classic log's lines, for the file and for the network, what of a client's stream becomes one
//! ([`LogTracker`]), and how they are read back ([`Entry`]). One definition for all programs.
//!
//! Writing, buffering and counting what was lost are the shell's business.

mod entry;
mod tracker;

use std::fmt;
use std::io::Write as _;

pub use entry::{Entry, RequestKey};
pub use tracker::LogTracker;

use crate::addr::ClientAddr;
use crate::limits;
use crate::moment::WallSeconds;

/// Appends the file form: `client epoch server text LF`. `data` is what was read from the client;
/// text is up to its first CR or LF, at most [`limits::LOG_TEXT_MAX`] bytes of it; bytes from 128
/// become `.`, control characters are written `\xNN` (so text can be up to four times as long).
/// Nothing is appended for empty `data`.
pub fn file_line(
    out: &mut Vec<u8>,
    client: ClientAddr,
    wall: WallSeconds,
    server: &dyn fmt::Display,
    data: &[u8],
) {
    if data.is_empty() {
        return;
    }
    append(out, format_args!("{client} {} {server} ", wall.0));
    fold(out, first_line(data).iter().take(limits::LOG_TEXT_MAX));
    out.push(b'\n');
}

/// The datagram form: `+ client server text LF`, at most [`limits::LOG_DATAGRAM_MAX`] bytes; the
/// text is as the client sent it. `None` for empty `data`.
#[must_use]
pub fn datagram(client: ClientAddr, server: &dyn fmt::Display, data: &[u8]) -> Option<Vec<u8>> {
    if data.is_empty() {
        return None;
    }
    let text = first_line(data);
    let mut out = Vec::with_capacity(limits::LOG_DATAGRAM_MAX.min(text.len() + 96));
    append(&mut out, format_args!("+ {client} {server} "));
    out.extend_from_slice(text);
    out.truncate(limits::LOG_DATAGRAM_MAX - 1);
    out.push(b'\n');
    Some(out)
}

/// Bytes as the file has them.
fn fold<'a>(out: &mut Vec<u8>, bytes: impl Iterator<Item = &'a u8>) {
    for &byte in bytes {
        match byte {
            0x80.. => out.push(b'.'),
            0x00..0x20 | 0x7f => append(out, format_args!("\\x{byte:02x}")),
            _ => out.push(byte),
        }
    }
}

/// Up to the first CR or LF.
fn first_line(data: &[u8]) -> &[u8] {
    data.split(|b| matches!(b, b'\r' | b'\n')).next().unwrap_or(data)
}

fn append(out: &mut Vec<u8>, args: fmt::Arguments<'_>) {
    let written = out.write_fmt(args);
    debug_assert!(written.is_ok(), "a Vec takes everything");
}

#[cfg(test)]
mod tests;
