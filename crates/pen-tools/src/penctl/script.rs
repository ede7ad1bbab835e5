//! Commands from standard input, one per line, each with its reply before the next is sent.
//!
//! The first that is refused ends it: what follows may rest on it. Each command is a session of its own,
//! so what a line `service NAME` opens is put in front of the commands behind it, as in a file.

use std::io::{BufRead, Read};

use pen_core::command::table::{self, Scope};
use pen_core::limits;

use super::place::Link;
use super::{NAME, Status, Trouble, ask};
use crate::ends;

/// Sends the lines of `input`; empty ones and comments (`#`) are left out.
pub(super) fn run(link: &Link<'_>, mut input: impl BufRead, json: bool) -> Result<Status, Trouble> {
    let mut service = String::new();
    for number in 1_u64.. {
        let Some(line) = next(&mut input).map_err(|why| format!("line {number}: {why}"))? else {
            break;
        };
        let command = line.trim();
        if command.is_empty() || command.starts_with('#') {
            continue;
        }
        let status =
            ask::ask(link, &within(&mut service, command), json).map_err(
                |trouble| match trouble {
                    Trouble::Failed(why) => Trouble::Failed(format!("line {number}: {why}")),
                    trouble => trouble,
                },
            )?;
        if status != Status::Done {
            let what = if status == Status::NotReady { "is not so" } else { "was refused" };
            ends::complain(NAME, &format!("line {number} {what}; the rest was not sent"));
            return Ok(status);
        }
    }
    Ok(Status::Done)
}

/// The command as it is meant behind `service NAME`; `service` is the NAME of the moment.
fn within(service: &mut String, command: &str) -> String {
    let words: Vec<&str> = command.split_ascii_whitespace().collect();
    match words.as_slice() {
        ["service", name] => (*name).clone_into(service),
        ["service", ..] | ["no", "service", ..] | [] => {}
        ["no", word, ..] | [word, ..] => {
            let of_process = table::find(word).is_some_and(|spec| spec.scope == Scope::Process);
            if !service.is_empty() && !of_process {
                return format!("service {service} {command}");
            }
        }
    }
    command.to_owned()
}

fn next(input: &mut impl BufRead) -> Result<Option<String>, String> {
    let max = limits::PENCTL_LINE_MAX;
    let mut line = Vec::new();
    let bound = u64::try_from(max).unwrap_or(u64::MAX);
    let read = input.by_ref().take(bound).read_until(b'\n', &mut line);
    match read.map_err(|e| format!("cannot read standard input: {e}"))? {
        0 => Ok(None),
        n if n == max && line.last() != Some(&b'\n') => {
            Err(format!("it is longer than {max} bytes"))
        }
        _ => String::from_utf8(line).map(Some).map_err(|_| "it is not UTF-8 text".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_behind_a_service_are_meant_for_it() {
        let mut service = String::new();
        for (command, sent) in [
            ("listen 80", "listen 80"),
            ("service web", "service web"),
            ("listen 81", "service web listen 81"),
            ("no acl 3", "service web no acl 3"),
            ("drain_timeout 5", "drain_timeout 5"),
            ("service mail listen 25", "service mail listen 25"),
            ("no service old", "no service old"),
            ("server 0 max 3", "service web server 0 max 3"),
            ("service default", "service default"),
            ("hash", "service default hash"),
        ] {
            assert_eq!(within(&mut service, command), sent);
        }
    }
}
