//! One command and its reply.

use std::io::{self, IsTerminal, Read, Write};

use pen_core::cli::tools::penctl::OWN_WORDS;
use pen_core::command::{Command, Door, Report, parse};
use pen_core::limits;
use pen_core::near::hint as near;
use pen_core::report::readiness;

use super::place::Link;
use super::{NAME, Status, Trouble, say};
use crate::ends;

/// What replies begin with that refuse a command: Pen's own, and the classic's.
const REFUSALS: [&str; 5] = [
    "error: ",
    "do_cmd: ",
    "Unable to create webstats",
    "unable to set source address",
    "Exit is not enabled",
];

/// Sends a command and prints the reply as it comes. With `json` the machine-readable reply is asked
/// for where there is one, and a refusal goes to standard error, for what reads the reply reads JSON.
pub(super) fn ask(link: &Link<'_>, command: &str, json: bool) -> Result<Status, Trouble> {
    let command = if json { with_json(command) } else { command.to_owned() };
    let mut held = Held { json, start: Vec::new(), decided: false };
    talk(link, &command, |piece| held.take(piece))?;
    held.end()?;
    let reply = String::from_utf8_lossy(&held.start).into_owned();
    if !is_refusal(&reply) {
        let good = !asks_whether_ready(&command) || readiness::says_yes(&reply);
        return Ok(if good { Status::Done } else { Status::NotReady });
    }
    if let Some(hint) = hint(&command, &reply) {
        ends::complain(NAME, &hint);
    }
    Ok(Status::Refused)
}

/// The whole reply to a command, of `max` bytes at most.
///
/// # Errors
/// A sentence for the operator.
pub(super) fn fetch(link: &Link<'_>, command: &str, max: usize) -> Result<Vec<u8>, String> {
    let mut reply = Vec::new();
    let taken = talk(link, command, |piece| {
        reply.extend_from_slice(piece);
        if reply.len() > max {
            return Err(format!("the reply of {} is longer than {max} bytes", link.place).into());
        }
        Ok(())
    });
    match taken {
        Ok(()) => Ok(reply),
        Err(Trouble::Failed(why)) => Err(why),
        Err(Trouble::NobodyReads | Trouble::Killed(_)) => Err("nobody reads".to_owned()),
    }
}

/// Whether a reply refuses the command.
pub(super) fn is_refusal(reply: &str) -> bool {
    REFUSALS.iter().any(|beginning| reply.starts_with(beginning))
}

fn asks_whether_ready(command: &str) -> bool {
    let line = parse(command, Door::Control).ok().flatten();
    line.is_some_and(|line| matches!(line.command, Command::Report(Report::Ready(_))))
}

fn talk(
    link: &Link<'_>,
    command: &str,
    mut take: impl FnMut(&[u8]) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let (place, length, max) = (link.place, command.len(), limits::PENCTL_COMMAND_MAX);
    if length > max {
        return Err(format!("the command has {length} bytes, more than {max}").into());
    }
    let mut socket = link.connect()?;
    socket
        .write_all(format!("{command}\n").as_bytes())
        .map_err(|e| format!("cannot write to {place}: {e}"))?;
    let mut buffer = [0_u8; 16 * 1024];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => take(buffer.get(..n).unwrap_or_default())?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                let seconds = link.timeout_s;
                return Err(format!("no answer from {place} for {seconds} seconds").into());
            }
            Err(e) => return Err(format!("cannot read from {place}: {e}").into()),
        }
    }
}

/// Prints a piece of a reply. Pen escapes what it prints of others, but whoever answers here need not be
/// Pen: nothing steers a terminal.
fn show(piece: &[u8]) -> Result<(), Trouble> {
    if io::stdout().is_terminal() { say(&harmless(piece)) } else { say(piece) }
}

/// Without control characters but for line ends and tabs. In UTF-8 those above 0x7f begin with 0xc2.
fn harmless(piece: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(piece.len());
    let mut before = 0;
    for &byte in piece {
        let steers = byte < b' ' && !matches!(byte, b'\n' | b'\t')
            || byte == 0x7f
            || before == 0xc2 && matches!(byte, 0x80..=0x9f);
        out.push(if steers { b'?' } else { byte });
        before = byte;
    }
    out
}

/// The reply on its way to standard output.
struct Held {
    json: bool,
    /// The first bytes, as many as a line of commands may have.
    start: Vec<u8>,
    /// It is clear whether this is a refusal, and what came was printed if it is to be.
    decided: bool,
}

impl Held {
    fn take(&mut self, piece: &[u8]) -> Result<(), Trouble> {
        let room = limits::LINE_MAX.saturating_sub(self.start.len());
        let kept = piece.get(..room.min(piece.len())).unwrap_or(piece);
        self.start.extend_from_slice(kept);
        let longest = REFUSALS.iter().map(|text| text.len()).max().unwrap_or(0);
        match (self.json && !self.decided, self.start.len() < longest) {
            (false, _) if self.json => self.out(piece),
            (false, _) => show(piece),
            (true, true) => Ok(()),
            (true, false) => {
                self.decided = true;
                // The piece is longer than what is kept of it in the very first one only.
                let rest = piece.get(kept.len()..).unwrap_or_default();
                self.out(&self.start)?;
                self.out(rest)
            }
        }
    }

    fn end(&self) -> Result<(), Trouble> {
        if self.json && !self.decided { self.out(&self.start) } else { Ok(()) }
    }

    fn out(&self, bytes: &[u8]) -> Result<(), Trouble> {
        if !self.start.starts_with(b"error: ") {
            return show(bytes);
        }
        // There is nobody else to tell.
        let _ = io::stderr().write_all(bytes);
        Ok(())
    }
}

/// The command with the word that asks for JSON, if it has such a reply, as far as is known here.
fn with_json(command: &str) -> String {
    let asked = format!("{command} json");
    let knows = |line: &str| parse(line, Door::Control).ok().flatten();
    let sent_as_it_is = match (knows(command), knows(&asked)) {
        // It is there already.
        (Some(line), _) if line.json => true,
        (_, Some(line)) => !line.json,
        // It would be one word too many.
        (Some(_), None) => true,
        (None, None) => false,
    };
    if sent_as_it_is { command.to_owned() } else { asked }
}

/// What this program knows about a command that the daemon refused, unless the daemon said it.
fn hint(command: &str, reply: &str) -> Option<String> {
    let fault = parse(command, Door::Control).err()?;
    if !reply.contains(&fault.message) {
        return Some(fault.message);
    }
    // The daemon knows nothing of the words that are done here.
    let word = command.split_ascii_whitespace().next()?;
    let own = near(word, OWN_WORDS.into_iter().map(|(own, _)| own));
    (!own.is_empty() && !reply.contains("did you mean")).then(|| format!("'{word}'{own}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_a_terminal() {
        let reply = b"a\x1b]0;x\x07\tb\n\xc2\x9b1m\xc3\xa9\x7f";
        assert_eq!(harmless(reply), b"a?]0;x?\tb\n\xc2?1m\xc3\xa9?");
    }

    #[test]
    fn hints_add_what_the_daemon_did_not_say() {
        let unknown = "error: unknown command 'tpo'\n";
        assert_eq!(hint("tpo", unknown).as_deref(), Some("'tpo'; did you mean 'top'?"));
        assert_eq!(hint("hash", "error: something of a newer version\n"), None);
        let classic = "do_cmd: ignoring blacklits\n";
        let hint = hint("blacklits", classic).unwrap();
        assert!(hint.contains("did you mean 'blacklist'?"), "{hint}");
    }

    #[test]
    fn the_word_json_goes_where_it_helps() {
        for (command, sent) in [
            ("servers", "servers json"),
            ("servers json", "servers json"),
            ("service mail recent 5", "service mail recent 5 json"),
            ("blacklist", "blacklist json"),
            ("hash", "hash"),
            ("server 0 max 5", "server 0 max 5"),
            ("no log", "no log"),
            ("a_newer_word 5", "a_newer_word 5 json"),
        ] {
            assert_eq!(with_json(command), sent);
        }
    }

    #[test]
    fn refusals() {
        for (reply, refused) in [
            ("error: unknown command 'x'\n", true),
            ("do_cmd: ignoring tcp_fastclose without argument\n", true),
            ("1234\n", false),
            ("", false),
        ] {
            assert_eq!(is_refusal(reply), refused, "{reply}");
        }
    }
}
