//! THE list of commands.
//!
//! One row per word. The parser, suggestions, help, manual pages and the command reference are all
//! made from it; a word that is not here does not exist.

mod choosing;
mod clients;
mod connections;
mod dsr;
mod limiting;
mod listening;
mod logs;
mod old;
mod process;
mod routing;
mod servers;
mod sockets;
mod ssl;
mod udp;
mod web;

use super::words::{Args, number_within, owned};
use super::{Command, Door, Fault, Number, Report, Switch, Target};
use crate::near::shown;

/// What a command belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The whole process.
    Process,
    /// One service: the context's, or the one of a `service NAME` prefix.
    Service,
    /// One server of a service.
    Server,
}

/// How a word's arguments are read.
type Read = fn(&mut Args<'_>) -> Result<Command, Fault>;

/// One word of the language.
pub struct Spec {
    /// The word.
    pub word: &'static str,
    /// Every form it has, as the manual shows them.
    pub forms: &'static [&'static str],
    /// What it belongs to.
    pub scope: Scope,
    /// It works on the control socket only: it needs a running process.
    pub control_only: bool,
    /// `json` as last word gives a machine-readable reply.
    pub json: bool,
    /// One line.
    pub help: &'static str,
    /// The manual's text.
    pub manual: &'static str,
    /// `0.34` for the classic's words, else the version of this program that brought it.
    pub since: &'static str,
    /// Accepted, but not worth a line in a list of commands.
    pub hidden: bool,
    pub(super) read: Read,
    pub(super) read_no: Option<Read>,
}

impl Spec {
    const fn new(
        word: &'static str,
        forms: &'static [&'static str],
        scope: Scope,
        help: &'static str,
        read: Read,
    ) -> Self {
        Self {
            word,
            forms,
            scope,
            control_only: false,
            json: false,
            help,
            manual: "",
            since: "0.34",
            hidden: false,
            read,
            read_no: None,
        }
    }

    const fn no(mut self, read_no: Read) -> Self {
        self.read_no = Some(read_no);
        self
    }

    const fn json(mut self) -> Self {
        self.json = true;
        self
    }

    const fn control_only(mut self) -> Self {
        self.control_only = true;
        self
    }

    const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    const fn since(mut self, version: &'static str) -> Self {
        self.since = version;
        self
    }

    const fn manual(mut self, manual: &'static str) -> Self {
        self.manual = manual;
        self
    }

    /// Whether `no` can stand in front of it.
    #[must_use]
    pub fn takes_no(&self) -> bool {
        self.read_no.is_some()
    }

    /// Whether it may come through `door`.
    #[must_use]
    pub fn passes(&self, door: Door) -> bool {
        !self.control_only || door == Door::Control
    }
}

/// Words that belong together, as the manual shows them.
pub struct Group {
    /// Heading.
    pub title: &'static str,
    /// The rows.
    pub rows: &'static [Spec],
}

/// All groups in the order of the manual.
pub const GROUPS: &[Group] = &[
    Group { title: "Servers", rows: servers::ROWS },
    Group { title: "Choosing a server", rows: choosing::ROWS },
    Group { title: "Clients and access lists", rows: clients::ROWS },
    Group { title: "Connections", rows: connections::ROWS },
    Group { title: "Sockets", rows: sockets::ROWS },
    Group { title: "Listening, services and HTTP", rows: listening::ROWS },
    Group { title: "TLS", rows: ssl::ROWS },
    Group { title: "UDP", rows: udp::ROWS },
    Group { title: "Limits for each source", rows: limiting::ROWS },
    Group { title: "Routing by TLS name", rows: routing::ROWS },
    Group { title: "Direct server return and tarpit", rows: dsr::ROWS },
    Group { title: "Log and status", rows: logs::ROWS },
    Group { title: "Metrics and the web page", rows: web::ROWS },
    Group { title: "Process", rows: process::ROWS },
    Group { title: "Old words", rows: old::ROWS },
];

/// Every row.
pub fn all() -> impl Iterator<Item = &'static Spec> {
    GROUPS.iter().flat_map(|g| g.rows)
}

/// The row of `word`.
#[must_use]
pub fn find(word: &str) -> Option<&'static Spec> {
    all().find(|s| s.word == word)
}

/// A word with one number: reports without it.
fn number(args: &mut Args<'_>, which: Number) -> Result<Command, Fault> {
    let value = match args.next() {
        Some(word) => Some(which.read(args.word, word)?),
        None => None,
    };
    Ok(Command::Number(which, value))
}

const fn on(which: Switch) -> Command {
    Command::Switch(which, true)
}

const fn off(which: Switch) -> Command {
    Command::Switch(which, false)
}

fn optional_text(args: &mut Args<'_>) -> Option<String> {
    args.next().map(|(text, _)| text.to_owned())
}

/// A number that the reply, not the parser, calls out of range, as in the classic.
fn any_number(args: &mut Args<'_>, what: &str) -> Result<i64, Fault> {
    let word = args.need(what)?;
    let (low, high) = (i64::from(i32::MIN), i64::from(i32::MAX));
    number_within(args.word, word, (low, high), (0, high))
}

fn report(report: Report) -> Result<Command, Fault> {
    Ok(Command::Report(report))
}

fn optional_word(args: &mut Args<'_>) -> Option<super::Word> {
    args.next().map(owned)
}

fn unusable(args: &Args<'_>, word: (&str, usize), why: &str) -> Fault {
    Fault::new(format!("{}: {} {why}", args.word, shown(word.0)), word.1)
}
