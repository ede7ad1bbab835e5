//! `mergelogs -p PENLOG [options] SERVER:FILE ...`.

use std::ffi::OsString;
use std::net::Ipv6Addr;

use super::super::Stop;
use super::{HELP, Opt, Tool, VERSION, short};
use crate::limits;
use crate::near::shown;

/// The program.
pub const TOOL: Tool = Tool {
    name: "mergelogs",
    synopsis: &["-p PENLOG [options] SERVER:FILE ..."],
    options: OPTIONS,
};

const OPTIONS: &[Opt] = &[
    short('c', "search the whole log of Pen for each line").manual(
        "It is read once for every 50000 lines, and has to be a file. Without -c only what lies \
         within the jitter is looked at.",
    ),
    short('d', "say what is found for each line (on standard error)"),
    short('j', "seconds that the clocks of Pen and servers may differ (600)").value("S").manual(
        "At most this much of Pen's log, before and after the line at hand, is kept in memory, and \
         never more than a million entries.",
    ),
    short('p', "log file of Pen").value("PENLOG"),
    short('r', "append lines that cannot be merged to this file").value("FILE").manual(
        "Without it the first 100 are named on standard error with file and line, the others are \
         counted.",
    ),
    short('t', "seconds to subtract from the times of Pen's log (0)").value("S").manual(
        "Pen's log is in universal time and lines of web servers say their zone, so it is not \
         needed; it is for logs that other programs wrote, in local time.",
    ),
    HELP,
    VERSION,
];

/// A web server and one of its logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The server as Pen's log has it, or a name.
    pub server: String,
    /// The log.
    pub file: String,
}

/// What the command line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launch {
    /// `-c`
    pub everything: bool,
    /// `-d`
    pub debug: bool,
    /// `-j`
    pub jitter_s: i64,
    /// `-p`
    pub pen_log: String,
    /// `-r`
    pub rejects: Option<String>,
    /// `-t`
    pub shift_s: i64,
    /// The logs.
    pub inputs: Vec<Input>,
}

/// Reads the arguments.
///
/// # Errors
/// A [`Stop`]: a wrong option (status 2), a missing `-p` or a word without a colon (status 1, as
/// the original), or an answer such as the usage (status 0).
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Launch, Stop> {
    let mut launch =
        Launch { jitter_s: i64::from(limits::MERGE_JITTER_DEFAULT_S), ..Launch::default() };
    let operands = TOOL.walk(arguments, |option, text| set(&mut launch, option, text))?;
    if operands.is_empty() {
        return Err(Stop::answer(TOOL.help()));
    }
    if launch.pen_log.is_empty() {
        return Err(failure("option -p is missing: the log file of Pen"));
    }
    launch.inputs = operands.iter().map(|word| input(word)).collect::<Result<_, _>>()?;
    Ok(launch)
}

fn set(launch: &mut Launch, option: &str, text: String) -> Result<(), Stop> {
    let seconds = i64::from(limits::SECONDS_MAX);
    match option {
        "-c" => launch.everything = true,
        "-d" => launch.debug = true,
        "-j" => launch.jitter_s = TOOL.number(option, &text, &(0..=seconds))?,
        "-p" => launch.pen_log = TOOL.not_empty(option, text)?,
        "-r" => launch.rejects = Some(TOOL.not_empty(option, text)?),
        "-t" => launch.shift_s = TOOL.number(option, &text, &(-seconds..=seconds))?,
        other => debug_assert!(false, "{other} has no meaning"),
    }
    Ok(())
}

/// `server:file`, `[v6]:file` or `v6:file`.
fn input(word: &str) -> Result<Input, Stop> {
    let made = |server: &str, file: &str| Input { server: server.into(), file: file.into() };
    let bracketed = word.strip_prefix('[').and_then(|rest| rest.split_once("]:"));
    let plain = || {
        // The longest address wins: the file may hold colons too.
        let ends = word.rmatch_indices(':').map(|(at, _)| word.split_at(at));
        let mut v6 = ends.filter(|(server, _)| server.parse::<Ipv6Addr>().is_ok());
        let (server, file) = v6.next().or_else(|| word.find(':').map(|at| word.split_at(at)))?;
        Some((server, file.get(1..)?))
    };
    match bracketed.or_else(plain) {
        Some((server, file)) if !server.is_empty() && !file.is_empty() => Ok(made(server, file)),
        _ => Err(failure(&format!("{} is not SERVER:FILE", shown(word)))),
    }
}

fn failure(message: &str) -> Stop {
    let stderr = format!("{}: {message}\n", TOOL.name);
    Stop { status: 1, stderr, ..Stop::default() }
}
