//! `penctl [options] ADDRESS COMMAND ...`.
//!
//! Options stand in front of the address: what follows it is a command, whatever it looks like. Only
//! the words that `penctl` keeps for itself (`top`, `watch`) take options behind them too. As in the
//! original, too few words give the usage and are no failure.

use std::ffi::OsString;
use std::ops::RangeInclusive;

use super::super::Stop;
use super::{HELP, Opt, Tool, VERSION, long};
use crate::cli::completion::Shell;
use crate::command::table;
use crate::limits;
use crate::near::{hint, shown};

/// The program.
pub const TOOL: Tool = Tool {
    name: "penctl",
    synopsis: &[
        "[options] HOST:PORT|/PATH COMMAND ...",
        "[options] HOST:PORT|/PATH -",
        "[options] HOST:PORT|/PATH top [SERVICE]",
        "[options] HOST:PORT|/PATH watch [since N]",
    ],
    options: OPTIONS,
};

/// The environment's word for the address, if the command line has none.
pub const ADDRESS_VARIABLE: &str = "PEN_CONTROL";

/// Words that `penctl` does not send but does itself, and what they do.
pub const OWN_WORDS: [(&str, &str); 3] = [
    ("top", "watch servers and clients on the whole screen"),
    ("watch", "be told of events as they happen"),
    ("-", "read commands from standard input"),
];

const OPTIONS: &[Opt] = &[
    long("json", "ask for the machine-readable reply").manual(
        "The word json is added to a command that has such a reply; others are sent as they are. With \
         watch each event is a line of JSON.",
    ),
    long("timeout", "seconds that an answer may take (60)").value("S").manual(
        "The same number is the most that each address of a host name gets to be connected to; that is \
         never more than 10 seconds.",
    ),
    long("interval", "top: seconds between two looks (2)").value("S"),
    long("once", "top: print one page and end").manual(
        "So it is without the option where standard output is no terminal.",
    ),
    long("completion", "print the completion of a shell: bash, zsh or fish").value("SHELL").manual(
        "For pen and its companion programs: source <(penctl --completion bash).",
    ),
    HELP,
    VERSION,
];

const SECONDS: RangeInclusive<i64> = 1..=86_400;

/// What the command line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The control address.
    pub place: String,
    /// What is to be done there.
    pub job: Job,
    /// `--json`
    pub json: bool,
    /// `--timeout`
    pub timeout_s: u32,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Send this command.
    Command(String),
    /// Send the commands of standard input.
    Script,
    /// `top`
    Top {
        /// `--once`
        once: bool,
        /// `--interval`
        interval_s: u32,
        /// The service to begin with.
        service: Option<String>,
    },
    /// `watch`, from this event on.
    Watch {
        /// The number of the last event that is known.
        since: Option<u64>,
    },
}

/// What was asked for before there is an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Talk to Pen.
    Talk(Launch),
    /// `--completion`
    Completion(Shell),
}

#[derive(Debug)]
struct Options {
    json: bool,
    timeout_s: u32,
    interval_s: u32,
    once: bool,
    completion: Option<Shell>,
}

impl Options {
    fn new() -> Self {
        Self {
            json: false,
            timeout_s: limits::PENCTL_ANSWER_S,
            interval_s: limits::PENCTL_TOP_S,
            once: false,
            completion: None,
        }
    }

    fn set(&mut self, option: &str, text: &str) -> Result<(), Stop> {
        let seconds = || {
            let seconds = TOOL.number(option, text, &SECONDS)?;
            Ok(u32::try_from(seconds).unwrap_or(u32::MAX))
        };
        match option {
            "--json" => self.json = true,
            "--timeout" => self.timeout_s = seconds()?,
            "--interval" => self.interval_s = seconds()?,
            "--once" => self.once = true,
            "--completion" => self.completion = Some(shell(text)?),
            other => debug_assert!(false, "{other} has no meaning"),
        }
        Ok(())
    }
}

/// Reads the arguments. `default` is the address that the environment has.
///
/// # Errors
/// A [`Stop`]: a wrong option (status 2), or an answer such as the usage (status 0).
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    default: Option<String>,
) -> Result<Request, Stop> {
    let mut options = Options::new();
    let mut words = TOOL.walk_front(arguments, |option, text| options.set(option, &text))?;
    if let Some(shell) = options.completion {
        return Ok(Request::Completion(shell));
    }
    let place = match default.filter(|_| !words.first().is_some_and(|word| is_place(word))) {
        Some(default) => default,
        None if words.len() < 2 => return Err(too_few(words.first())),
        None => words.remove(0),
    };
    if words.is_empty() {
        return Err(too_few(None));
    }
    let job = job(&words, &mut options)?;
    let Options { json, timeout_s, .. } = options;
    Ok(Request::Talk(Launch { place, job, json, timeout_s }))
}

/// Whether a word can be an address. No command has a slash or a colon in its first word.
#[must_use]
pub fn is_place(word: &str) -> bool {
    word.contains(['/', ':'])
}

/// What a word that is no address was meant to be, as the end of a sentence.
#[must_use]
pub fn misplaced(word: &str) -> String {
    let known = table::find(word).is_some() || OWN_WORDS.iter().any(|(own, _)| *own == word);
    match known {
        true => format!("; the address comes first, or is in {ADDRESS_VARIABLE}"),
        false => String::new(),
    }
}

/// The usage, as the original had it: on standard output, and no failure.
fn too_few(only: Option<&String>) -> Stop {
    let note = only.filter(|word| !is_place(word)).map(|word| (word, misplaced(word)));
    let stderr = match note {
        Some((word, note)) if !note.is_empty() => format!("penctl: {}{note}\n", shown(word)),
        _ => String::new(),
    };
    Stop { stderr, ..Stop::answer(TOOL.help()) }
}

fn job(words: &[String], options: &mut Options) -> Result<Job, Stop> {
    // As in the original one word or many is the same.
    let line = words.join(" ");
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    match words.as_slice() {
        ["-"] => Ok(Job::Script),
        ["top", rest @ ..] => {
            let rest = own_options(rest, options)?;
            let service = match rest.as_slice() {
                [] => None,
                [service] => Some(service.clone()),
                [_, extra, ..] => return Err(too_many(extra)),
            };
            let Options { once, interval_s, .. } = *options;
            Ok(Job::Top { once, interval_s, service })
        }
        ["watch", rest @ ..] => {
            let mut rest = own_options(rest, options)?;
            if rest.last().is_some_and(|word| word == "json") {
                rest.pop();
                options.json = true;
            }
            match rest.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                [] => Ok(Job::Watch { since: None }),
                ["since", number] => {
                    let number = TOOL.number("since", number, &(0..=i64::MAX))?;
                    Ok(Job::Watch { since: u64::try_from(number).ok() })
                }
                [word, ..] => Err(too_many(word)),
            }
        }
        [command @ .., "--json"] if !command.is_empty() => {
            // Where one thinks of it last.
            options.json = true;
            Ok(Job::Command(command.join(" ")))
        }
        _ => Ok(Job::Command(line)),
    }
}

fn own_options(words: &[&str], options: &mut Options) -> Result<Vec<String>, Stop> {
    TOOL.walk(words.iter().map(OsString::from), |option, text| options.set(option, &text))
}

fn too_many(word: &str) -> Stop {
    TOOL.misuse(&format!("{} is one word too many", shown(word)))
}

fn shell(text: &str) -> Result<Shell, Stop> {
    Shell::ALL.into_iter().find(|shell| shell.word() == text).ok_or_else(|| {
        let near = hint(text, Shell::ALL.map(Shell::word));
        let message =
            format!("option --completion: {} is none of bash, zsh, fish{near}", shown(text));
        TOOL.misuse(&message)
    })
}
