//! Events as they happen.
//!
//! A connection that is lost is made again and asks for what came after the last event that was
//! printed, so nothing is missed that Pen still knows; a Pen that was started anew is heard from its
//! first event. What penctl itself has to say goes to standard error.

use std::io::{self, IsTerminal, Read, Write};
use std::thread;
use std::time::Duration;

use pen_core::{limits, quoting};
use pen_sys::clock::timespec;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::ask::{fetch, is_refusal};
use super::place::{Link, Wire};
use super::{NAME, Status, Trouble, say};
use crate::ends;

/// Answers no event, but the number of the last one.
const NO_EVENTS: &str = "events since 9223372036854775807 json";

/// Where the reading is.
struct Position {
    /// The number of the last event that was printed, or that is known.
    last: Option<u64>,
    /// The process that numbered it.
    pid: Option<Vec<u8>>,
}

/// Prints events until somebody ends it. The first connection must succeed; later ones are tried for
/// ever.
pub(super) fn run(link: &Link<'_>, since: Option<u64>, json: bool) -> Result<Status, Trouble> {
    let mut position = Position { last: since, pid: None };
    let mut pause_ms = limits::PENCTL_AGAIN_MS;
    let mut lost = false;
    loop {
        match begin(link, &mut position, json, lost) {
            Ok(socket) => {
                if lost {
                    ends::complain(NAME, &format!("{} answers again", link.place));
                    pause_ms = limits::PENCTL_AGAIN_MS;
                }
                let end = follow(socket, &mut position)?;
                if let Some(refusal) = end.refusal {
                    let mut plain = String::new();
                    quoting::bare(&mut plain, refusal.trim_end());
                    say(format!("{plain}\n").as_bytes())?;
                    return Ok(Status::Refused);
                }
                ends::complain(NAME, &format!("{}: {}; trying again", link.place, end.why));
                lost = true;
            }
            Err(why) if !lost => return Err(why.into()),
            Err(_) => {}
        }
        wait(pause_ms)?;
        pause_ms = (pause_ms * 2).min(limits::PENCTL_AGAIN_MAX_MS);
    }
}

/// Asks for the events that are still to come.
fn begin(
    link: &Link<'_>,
    position: &mut Position,
    json: bool,
    again: bool,
) -> Result<Box<dyn Wire>, String> {
    let pid = fetch(link, "pid", limits::LINE_MAX)?;
    if again && position.pid.as_ref().is_some_and(|before| *before != pid) {
        ends::complain(NAME, &format!("{} is another process now", link.place));
        position.last = Some(0);
    }
    position.pid = Some(pid);
    if position.last.is_none() {
        // So that nothing is missed if the connection is lost before the first event.
        let reply = fetch(link, NO_EVENTS, limits::LINE_MAX)?;
        let reply: serde_json::Value = serde_json::from_slice(&reply).unwrap_or_default();
        position.last = reply.get("last").and_then(serde_json::Value::as_u64);
    }
    let since = position.last.map_or_else(String::new, |n| format!(" since {n}"));
    let word = if json { " json" } else { "" };
    let mut socket = link.connect()?;
    socket
        .write_all(format!("watch{since}{word}\n").as_bytes())
        .map_err(|e| format!("cannot write to {}: {e}", link.place))?;
    Ok(socket)
}

/// How a connection ended.
struct End {
    why: String,
    /// What Pen said instead of events.
    refusal: Option<String>,
}

/// Prints the lines of one connection.
fn follow(mut socket: Box<dyn Wire>, position: &mut Position) -> Result<End, Trouble> {
    let mut lines = Lines::default();
    let mut first = true;
    let mut buffer = [0_u8; 16 * 1024];
    let over = |why: String| End { why, refusal: None };
    loop {
        if let Some(end) = listen(&socket)? {
            return Ok(over(end));
        }
        let piece = match socket.read(&mut buffer) {
            Ok(0) => return Ok(over("the connection was lost".to_owned())),
            Ok(n) => buffer.get(..n).unwrap_or_default(),
            Err(e) if retry(&e) => continue,
            Err(e) => return Ok(over(e.to_string())),
        };
        for line in lines.take(piece) {
            if std::mem::take(&mut first) && is_refusal(&line) {
                return Ok(End { why: String::new(), refusal: Some(format!("{line}\n")) });
            }
            position.last = number_of(&line).or(position.last);
            say(format!("{}\n", shown(&line)).as_bytes())?;
        }
    }
}

fn retry(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
}

/// Waits until there is something to read. `Some` says why there never will be.
fn listen(socket: &dyn Wire) -> Result<Option<String>, Trouble> {
    let out = io::stdout();
    let mut ends = [
        PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN),
        // Nothing is asked for; that the reader has gone is told anyway.
        PollFd::from_borrowed_fd(std::os::fd::AsFd::as_fd(&out), PollFlags::empty()),
    ];
    loop {
        match poll(&mut ends, None) {
            Err(Errno::INTR) => {}
            Err(e) => return Ok(Some(e.to_string())),
            Ok(_) => {
                let [socket, out] = &ends;
                if out.revents().intersects(PollFlags::ERR | PollFlags::NVAL) {
                    return Err(Trouble::NobodyReads);
                }
                if !socket.revents().is_empty() {
                    return Ok(None);
                }
                // A terminal that was hung up: the signal for that ends the program.
                thread::sleep(Duration::from_millis(limits::PENCTL_AGAIN_MS));
            }
        }
    }
}

/// A pause in which a reader that goes is noticed.
fn wait(ms: u64) -> Result<(), Trouble> {
    let out = io::stdout();
    let mut ends = [PollFd::from_borrowed_fd(std::os::fd::AsFd::as_fd(&out), PollFlags::empty())];
    // Interrupted or not, it is tried again after this.
    let _ = poll(&mut ends, Some(&timespec(ms)));
    let [out] = &ends;
    if out.revents().intersects(PollFlags::ERR | PollFlags::NVAL) {
        return Err(Trouble::NobodyReads);
    }
    Ok(())
}

/// Lines out of whatever pieces they come in.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    /// The line was too long and its rest is left out.
    skipping: bool,
}

impl Lines {
    fn take(&mut self, piece: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for byte in piece {
            if *byte == b'\n' {
                let line = std::mem::take(&mut self.bytes);
                lines.push(String::from_utf8_lossy(&line).into_owned());
                self.skipping = false;
            } else if !self.skipping {
                self.bytes.push(*byte);
                self.skipping = self.bytes.len() >= limits::PENCTL_EVENT_MAX;
            }
        }
        lines
    }
}

/// The number of an event: of `seq=N` in a line, of the field `seq` in JSON.
fn number_of(line: &str) -> Option<u64> {
    if line.starts_with('{') {
        let event: serde_json::Value = serde_json::from_str(line).ok()?;
        return event.get("seq")?.as_u64();
    }
    line.split_ascii_whitespace().find_map(|word| word.strip_prefix("seq="))?.parse().ok()
}

/// As it may be shown: on a terminal nothing but text.
fn shown(line: &str) -> String {
    if !io::stdout().is_terminal() {
        return line.to_owned();
    }
    line.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_events() {
        for (line, number) in [
            ("2026-11-21T10:00:00.000Z seq=17 key=server_down text=\"seq=3\"", Some(17)),
            (r#"{"seq":9,"key":"x"}"#, Some(9)),
            ("key=events_lost count=4", None),
            (r#"{"key":"events_lost","count":4}"#, None),
            ("{", None),
            ("seq=x", None),
        ] {
            assert_eq!(number_of(line), number, "{line}");
        }
    }

    #[test]
    fn lines_come_in_pieces_and_long_ones_are_cut() {
        let mut lines = Lines::default();
        assert!(lines.take(b"on").is_empty());
        assert_eq!(lines.take(b"e\ntwo\nthr"), ["one", "two"]);
        assert_eq!(lines.take(b"ee\n"), ["three"]);
        let long = vec![b'x'; limits::PENCTL_EVENT_MAX * 3];
        assert!(lines.take(&long).is_empty());
        assert!(lines.bytes.len() <= limits::PENCTL_EVENT_MAX);
        let cut = lines.take(b"\nnext\n");
        assert_eq!((cut[0].len(), cut[1].as_str()), (limits::PENCTL_EVENT_MAX, "next"));
    }
}
