//! `penlogd [options] PORT`.

use std::ffi::OsString;

use super::super::Stop;
use super::{HELP, Opt, Tool, VERSION, short};
use crate::limits;
use crate::near::shown;

/// The program.
pub const TOOL: Tool =
    Tool { name: "penlogd", synopsis: &["[options] [ADDRESS:]PORT"], options: OPTIONS };

const OPTIONS: &[Opt] = &[
    short('b', "write each line at once"),
    short('d', "say what happens to each datagram")
        .manual("On standard error with -f, else in syslog."),
    short('f', "stay in the foreground"),
    short('j', "directory to lock the process in")
        .value("DIR")
        .manual("The files of -l and -p are meant inside. Entered after the port is opened."),
    short('l', "append to this file, not to standard output").value("FILE"),
    short('n', "entries of Pen's log that are remembered (1000)").value("N").manual(
        "The oldest one makes room for a new one. It should hold as many requests as arrive while \
         the slowest one is answered. At most 1000000.",
    ),
    short('p', "write the process id to a file").value("FILE"),
    short('u', "run as this user").value("USER"),
    HELP,
    VERSION,
];

/// What the command line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// `-b`
    pub unbuffered: bool,
    /// `-d`
    pub debug: bool,
    /// `-f`
    pub foreground: bool,
    /// `-j`
    pub jail: Option<String>,
    /// `-l`
    pub log: Option<String>,
    /// `-n`
    pub entries: usize,
    /// `-p`
    pub pid_file: Option<String>,
    /// `-u`
    pub user: Option<String>,
    /// `[ADDRESS:]PORT`, as written.
    pub place: String,
}

/// Reads the arguments.
///
/// # Errors
/// A [`Stop`]: a wrong word (status 2), or an answer such as the usage (status 0).
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Launch, Stop> {
    let mut launch = Launch {
        unbuffered: false,
        debug: false,
        foreground: false,
        jail: None,
        log: None,
        entries: limits::PENLOGD_ENTRIES_DEFAULT as usize,
        pid_file: None,
        user: None,
        place: String::new(),
    };
    let mut operands =
        TOOL.walk(arguments, |option, text| set(&mut launch, option, text))?.into_iter();
    let Some(place) = operands.next() else { return Err(Stop::answer(TOOL.help())) };
    if let Some(word) = operands.next() {
        return Err(TOOL.misuse(&format!("{} is one word too many", shown(&word))));
    }
    launch.place = place;
    Ok(launch)
}

fn set(launch: &mut Launch, option: &str, text: String) -> Result<(), Stop> {
    match option {
        "-b" => launch.unbuffered = true,
        "-d" => launch.debug = true,
        "-f" => launch.foreground = true,
        "-j" => launch.jail = Some(TOOL.not_empty(option, text)?),
        "-l" => launch.log = Some(TOOL.not_empty(option, text)?),
        "-n" => {
            let range = 1..=i64::from(limits::PENLOGD_ENTRIES_MAX);
            let number = TOOL.number(option, &text, &range)?;
            launch.entries = usize::try_from(number).unwrap_or(1);
        }
        "-p" => launch.pid_file = Some(TOOL.not_empty(option, text)?),
        "-u" => launch.user = Some(TOOL.not_empty(option, text)?),
        other => debug_assert!(false, "{other} has no meaning"),
    }
    Ok(())
}
