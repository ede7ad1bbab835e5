//! A state file, read piece by piece: what its lines say, and whether it is whole.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crc32fast::Hasher;

use super::{MAGIC, VERSION};
use crate::addr::ClientAddr;
use crate::limits::{NAME_MAX, SERVERS_MAX, STATE_LINE_MAX};
use crate::moment::WallMs;

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Something else.
    Foreign,
    /// Of another version.
    Version(u32),
    /// Its end is missing.
    Truncated,
    /// The sum at its end is not that of what comes before.
    Checksum,
    /// The number at its end is not that of its clients.
    Count,
    /// Something comes after its end.
    Tail,
    /// A line, counted from 1, is not as it should be.
    Line(u64, &'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("it is no state file of Pen"),
            Self::Version(version) => {
                write!(f, "it is of version {version}, this Pen reads version {VERSION}")
            }
            Self::Truncated => f.write_str("its end is missing"),
            Self::Checksum => f.write_str("its checksum is wrong"),
            Self::Count => f.write_str("it has another number of clients than its end says"),
            Self::Tail => f.write_str("something follows its end"),
            Self::Line(line, what) => write!(f, "line {line}: {what}"),
        }
    }
}

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// When the file was written.
    Written(WallMs),
    /// What follows is about this service.
    Service(&'a str),
    /// The next server of the service.
    Server(&'a str),
    /// A client of it.
    Client {
        /// Who.
        addr: ClientAddr,
        /// Milliseconds since the last visit, when the file was written.
        age_ms: u64,
        /// The number of the server, counted from 0 in their order.
        server: u32,
    },
}

/// Where in the file the next line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    First,
    Written,
    Body,
    Over,
}

/// Takes the pieces of a file.
#[derive(Debug)]
pub struct Scanner {
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
    sum: Hasher,
    place: Place,
    /// Lines before the next one.
    lines: u64,
    clients: u64,
    /// Servers of the service at hand; `None` before the first service.
    servers: Option<u32>,
}

impl Default for Scanner {
    fn default() -> Self {
        Self {
            rest: Vec::new(),
            sum: Hasher::new(),
            place: Place::First,
            lines: 0,
            clients: 0,
            servers: None,
        }
    }
}

impl Scanner {
    /// Takes the next piece; `take` is given what its lines say.
    ///
    /// # Errors
    /// The file is not usable: nothing of what was given is to be believed.
    pub fn feed(&mut self, mut piece: &[u8], take: &mut impl FnMut(Item<'_>)) -> Result<(), Fault> {
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            let (line, after) = piece.split_at(end);
            piece = after.get(1..).unwrap_or_default();
            if self.rest.is_empty() {
                self.line(line, take)?;
            } else {
                let mut whole = std::mem::take(&mut self.rest);
                whole.extend_from_slice(line);
                self.line(&whole, take)?;
            }
        }
        self.rest.extend_from_slice(piece);
        if self.rest.is_empty() { Ok(()) } else { self.may_stand_here(&self.rest) }
    }

    /// The file is over: whether all of it is to be believed. Answers the number of clients.
    ///
    /// # Errors
    /// As [`Scanner::feed`].
    pub fn finish(self) -> Result<u64, Fault> {
        match self.place {
            Place::Over => Ok(self.clients),
            Place::First if self.rest.is_empty() => Err(Fault::Foreign),
            _ => Err(Fault::Truncated),
        }
    }

    /// Whether a line or its beginning may be the next one, as far as can be told before it is read.
    fn may_stand_here(&self, line: &[u8]) -> Result<(), Fault> {
        match self.place {
            Place::Over => Err(Fault::Tail),
            Place::First if !begins_right(line) => Err(Fault::Foreign),
            _ if line.len() > STATE_LINE_MAX => Err(self.fault("it is too long")),
            _ => Ok(()),
        }
    }

    fn line(&mut self, line: &[u8], take: &mut impl FnMut(Item<'_>)) -> Result<(), Fault> {
        self.may_stand_here(line)?;
        let text = std::str::from_utf8(line).map_err(|_| match self.place {
            Place::First => Fault::Foreign,
            _ => self.fault("it is not text"),
        })?;
        match self.place {
            Place::First => self.first(text)?,
            Place::Written => {
                let wall = text.strip_prefix("written ").and_then(plain);
                let wall = wall.ok_or_else(|| self.fault("it does not say when it was written"))?;
                take(Item::Written(WallMs(wall)));
                self.place = Place::Body;
            }
            Place::Body => {
                if let Some(end) = text.strip_prefix("end ") {
                    return self.end(end);
                }
                take(self.item(text)?);
            }
            Place::Over => return Err(Fault::Tail),
        }
        self.sum.update(line);
        self.sum.update(b"\n");
        self.lines += 1;
        Ok(())
    }

    fn first(&mut self, text: &str) -> Result<(), Fault> {
        let version = text.strip_prefix(MAGIC).and_then(|rest| rest.strip_prefix(' '));
        match version.and_then(plain) {
            Some(VERSION) => {
                self.place = Place::Written;
                Ok(())
            }
            Some(other) => Err(Fault::Version(other)),
            None => Err(Fault::Foreign),
        }
    }

    fn item<'a>(&mut self, text: &'a str) -> Result<Item<'a>, Fault> {
        if let Some(name) = text.strip_prefix("service ") {
            if name.is_empty() || name.len() > NAME_MAX {
                return Err(self.fault("no service has such a name"));
            }
            self.servers = Some(0);
            return Ok(Item::Service(name));
        }
        let Some(servers) = self.servers else { return Err(self.fault("it is of no service")) };
        if let Some(rest) = text.strip_prefix("server ") {
            let (number, name) = rest.split_once(' ').unwrap_or_default();
            if plain(number) != Some(servers) || name.is_empty() {
                return Err(self.fault("it is not the next server"));
            }
            if servers >= SERVERS_MAX {
                return Err(self.fault("there are too many servers"));
            }
            self.servers = Some(servers + 1);
            return Ok(Item::Server(name));
        }
        let client = client(text).ok_or_else(|| self.fault("it is no client"))?;
        if let Item::Client { server, .. } = client
            && server >= servers
        {
            return Err(self.fault("there is no such server"));
        }
        self.clients += 1;
        Ok(client)
    }

    fn end(&mut self, text: &str) -> Result<(), Fault> {
        let wrong = || self.fault("it is no end");
        let (clients, sum) = text.split_once(' ').ok_or_else(wrong)?;
        let clients: u64 = plain(clients).ok_or_else(wrong)?;
        if sum != format!("{:08x}", self.sum.clone().finalize()) {
            return Err(Fault::Checksum);
        }
        if clients != self.clients {
            return Err(Fault::Count);
        }
        self.place = Place::Over;
        Ok(())
    }

    fn fault(&self, what: &'static str) -> Fault {
        Fault::Line(self.lines + 1, what)
    }
}

/// Whether what is there of the first line may become one.
fn begins_right(line: &[u8]) -> bool {
    let known = MAGIC.len().min(line.len());
    line.len() <= MAGIC.len() + 16 && line.get(..known) == MAGIC.as_bytes().get(..known)
}

/// `ADDRESS AGE SERVER`
fn client(text: &str) -> Option<Item<'static>> {
    let mut words = text.split(' ');
    let (addr, age, server) = (words.next()?, words.next()?, words.next()?);
    let addr = match addr {
        "unix" => ClientAddr::Unix,
        ip => ClientAddr::from_ip(ip.parse::<IpAddr>().ok()?),
    };
    let client = Item::Client { addr, age_ms: plain(age)?, server: plain(server)? };
    words.next().is_none().then_some(client)
}

/// A number as it is written here: digits only.
fn plain<N: FromStr>(text: &str) -> Option<N> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}
