//! Text to [`Line`]: the row of the table is found by the first word and reads the rest.
//!
//! Words after a complete command are ignored, as in the classic.

use super::table::{self, Spec};
use super::words::{Args, split};
use super::{Change, Command, Door, Fault, Line};
use crate::limits::NAME_MAX;
use crate::listen_word;
use crate::near::{hint, shown};
use crate::server_word::named_host;

/// Parses one line. `None` for an empty line or a comment.
///
/// # Errors
/// A [`Fault`] for anything that is not a valid command; any bytes are answered, none panic.
pub fn parse(text: &str, door: Door) -> Result<Option<Line>, Fault> {
    if text.trim_start().starts_with('#') {
        return Ok(None);
    }
    let words = split(text)?;
    let (service, words) = match words.as_slice() {
        [] => return Ok(None),
        [("service", _), name, command @ ..] if !command.is_empty() => {
            check_name("service", *name)?;
            (Some(name.0.to_owned()), command)
        }
        all => (None, all),
    };
    let [first, rest @ ..] = words else { return Ok(None) };
    let (no, word, rest) = match (first.0, rest) {
        ("no", [word, rest @ ..]) => (true, *word, rest),
        ("no", []) => {
            return Err(Fault::new("'no' needs the word that it takes back", first.1));
        }
        _ => (false, *first, rest),
    };
    let spec = lookup(word, no)?;
    if !spec.passes(door) {
        let message = format!("'{}' works on the control socket only", spec.word);
        return Err(Fault::new(message, word.1));
    }
    if service.is_some() && spec.word == "service" {
        return Err(Fault::new("'service' cannot stand in a service's command", word.1));
    }
    let (rest, json) = match rest {
        [rest @ .., ("json", _)] if spec.json && !no => (rest, true),
        _ => (rest, false),
    };
    let mut args = Args { word: spec.word, column: word.1, rest: rest.iter() };
    let read = if no { spec.read_no.unwrap_or(spec.read) } else { spec.read };
    let command = read(&mut args)?;
    if let Command::Service(name) | Command::RemoveService(name) = &command {
        check_name("service", (&name.text, name.column))?;
    }
    Ok(Some(Line { service, command, json }))
}

/// Host names that [`super::apply`] will ask [`crate::addr::Names`] for, so that they can be
/// resolved beforehand.
#[must_use]
pub fn hosts_named(line: &Line) -> Vec<String> {
    let found: Vec<&str> = match &line.command {
        Command::Server(_, changes) => changes
            .iter()
            .filter_map(|c| match c {
                Change::Address(word) => named_host(&word.text),
                _ => None,
            })
            .collect(),
        Command::Outside(_, Some((server, _))) => server.host_named().into_iter().collect(),
        Command::Listen(words) => {
            words.iter().filter_map(|w| listen_word::host_named(&w.text)).collect()
        }
        Command::Metrics(Some(Some(word))) => {
            listen_word::host_named(&word.text).into_iter().collect()
        }
        Command::DsrIp(Some(word)) | Command::Source(Some(word)) => {
            named_host(&word.text).into_iter().collect()
        }
        _ => Vec::new(),
    };
    found.into_iter().map(str::to_owned).collect()
}

/// Whether a word can be the name of a service or server: letters, digits, `_`, `-`, `.`; at most
/// [`NAME_MAX`] bytes; not only digits, because that is a number; none of the words that stand for
/// something else.
pub(super) fn check_name(what: &str, (name, column): (&str, usize)) -> Result<(), Fault> {
    let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let why = if name.len() > NAME_MAX {
        format!("longer than {NAME_MAX} bytes")
    } else if !name.bytes().all(valid) {
        "only letters, digits, '_', '-' and '.' make a name".to_owned()
    } else if name.bytes().all(|b| b.is_ascii_digit()) {
        "a name is not only digits".to_owned()
    } else if matches!(name, "emergency" | "abuse" | "json" | "-") {
        "the word has a meaning of its own".to_owned()
    } else if name.starts_with('-') {
        "a name does not start with '-'".to_owned()
    } else {
        return Ok(());
    };
    Err(Fault::new(format!("{what} name {}: {why}", shown(name)), column))
}

fn lookup((word, column): (&str, usize), no: bool) -> Result<&'static Spec, Fault> {
    let fits = |s: &&Spec| !no || s.read_no.is_some();
    if let Some(spec) = table::find(word).filter(fits) {
        return Ok(spec);
    }
    let near = hint(word, table::all().filter(fits).filter(|s| !s.hidden).map(|s| s.word));
    let message = if no {
        format!("'no' cannot take back {}{near}", shown(word))
    } else {
        format!("unknown command {}{near}", shown(word))
    };
    Err(Fault::new(message, column))
}
