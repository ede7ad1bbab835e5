//! Pen's log as entries, one after the other.

use std::cell::Cell;
use std::rc::Rc;

use pen_core::limits;
use pen_core::logline::{Entry, RequestKey};
use pen_core::merge::Servers;
use pen_core::moment::WallSeconds;

use super::complaints::Complaints;
use super::lines::{Lines, Read1};
use super::progress::Progress;
use crate::names;

/// The open log.
pub(super) struct PenLog {
    name: String,
    lines: Lines,
    line: Vec<u8>,
    shift_s: i64,
    /// The names of servers have been looked up.
    resolved: bool,
    /// The log has been read to its end, or could not be.
    ended: bool,
    /// Some of it has been read.
    begun: bool,
    /// Its broken lines were named in an earlier pass.
    known: bool,
    read: Rc<Cell<u64>>,
}

/// An entry.
pub(super) struct Found<'a> {
    pub(super) wall: WallSeconds,
    /// Missing if no log of its server is merged.
    pub(super) key: Option<RequestKey>,
    pub(super) client: &'a str,
}

impl PenLog {
    pub(super) fn open(name: &str, shift_s: i64, progress: &Progress) -> Result<Self, String> {
        let read = progress.expect(name);
        let lines = open(name, &read)?;
        Ok(Self {
            name: name.to_owned(),
            lines,
            line: Vec::new(),
            shift_s,
            resolved: false,
            ended: false,
            begun: false,
            known: false,
            read,
        })
    }

    /// The next entry. A log that cannot be read on is complained of and is at its end then.
    pub(super) fn next(
        &mut self,
        servers: &mut Servers,
        complaints: &mut Complaints,
    ) -> Result<Option<Found<'_>>, String> {
        if self.ended {
            return Ok(None);
        }
        self.begun = true;
        loop {
            match self.lines.next(&mut self.line) {
                Ok(Read1::End) => {
                    self.ended = true;
                    return Ok(None);
                }
                Ok(Read1::Line) if self.line.is_empty() => {}
                Ok(Read1::Line) if Entry::from_file(&self.line).is_some() => break,
                Ok(_) if self.known => {}
                Ok(_) => {
                    let why = "no entry of Pen's log";
                    complaints.broken(&self.name, self.lines.number(), why, &self.line);
                }
                Err(e) => {
                    complaints.broke_off(&self.name, self.lines.number(), &e);
                    self.ended = true;
                    return Ok(None);
                }
            }
        }
        let Some(entry) = Entry::from_file(&self.line) else { return Ok(None) };
        let mut server = servers.of(&entry);
        if server.is_none() && !self.resolved && entry.server_ip().is_some() {
            self.resolved = true;
            resolve(servers);
            server = servers.of(&entry);
        }
        let wall = WallSeconds(entry.wall.unwrap_or_default().0.saturating_sub(self.shift_s));
        let key = server.map(|server| servers.key_of(server, &entry));
        Ok(Some(Found { wall, key, client: entry.client }))
    }

    /// Goes back to the first entry.
    pub(super) fn rewind(&mut self) -> Result<(), String> {
        if self.begun {
            let plain = std::fs::metadata(&self.name).is_ok_and(|meta| meta.is_file());
            if !plain {
                return Err(format!(
                    "{}: -c reads it several times, so it must be a file",
                    self.name
                ));
            }
            self.lines = open(&self.name, &self.read)?;
            (self.ended, self.known) = (false, true);
        }
        Ok(())
    }
}

fn open(name: &str, read: &Rc<Cell<u64>>) -> Result<Lines, String> {
    Lines::open(name, limits::MERGE_BUFFER_MAX, true, Rc::clone(read))
        .map_err(|e| format!("{name}: {e}"))
}

/// Servers that the command line names by name get their addresses. One that has none can only be
/// found by its name.
fn resolve(servers: &mut Servers) {
    let named: Vec<_> = servers.names().map(|(id, word)| (id, word.to_owned())).collect();
    for (id, word) in named {
        for ip in names::hosts(&word).unwrap_or_default() {
            servers.learn(id, ip);
        }
    }
}
