//! Commands from standard input, one per line, each with its reply before the next is sent.
//!
//! The first that is refused ends it: what follows may rest on it.

use std::io::{BufRead, Read};

use pen_core::limits;

use super::place::Link;
use super::{NAME, Status, Trouble, ask};
use crate::ends;

/// Sends the lines of `input`; empty ones and comments (`#`) are left out.
pub(super) fn run(link: &Link<'_>, mut input: impl BufRead, json: bool) -> Result<Status, Trouble> {
    for number in 1_u64.. {
        let Some(line) = next(&mut input).map_err(|why| format!("line {number}: {why}"))? else {
            break;
        };
        let command = line.trim();
        if command.is_empty() || command.starts_with('#') {
            continue;
        }
        let status = ask::ask(link, command, json).map_err(|trouble| match trouble {
            Trouble::Failed(why) => Trouble::Failed(format!("line {number}: {why}")),
            trouble => trouble,
        })?;
        if status != Status::Done {
            ends::complain(NAME, &format!("line {number} was refused; the rest was not sent"));
            return Ok(status);
        }
    }
    Ok(Status::Done)
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
