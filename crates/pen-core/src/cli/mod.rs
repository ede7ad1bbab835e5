//! The command line: argv to a [`Launch`], with the getopt habits of the original.
//!
//! Options stand anywhere, flags cluster (`-fdX`), values are attached or separate, the last of a
//! repeated option wins, `--` ends the options. Whatever is not understood names itself. What the
//! options set is the same [`Command`]s that a file or the control socket would bring, so nothing
//! here knows what a setting means. Files, sockets and users are the shell's business.
//!
//! The shell goes: [`parse`], [`Launch::apply_options`], read the file on a copy to learn whether
//! it says `listen`, [`Launch::apply_operands`], read the file.

pub mod completion;
mod configure;
mod getopt;
mod opt;
pub mod options;
mod text;
pub mod tools;

#[cfg(test)]
mod tests;

use std::ffi::OsString;

use crate::command::{self, Command, Door, Line, Ssl, Switch, Target};
use crate::config::{ClientCertificates, Protocol};
use crate::near::{hint, shown};
use getopt::{Getopt, Item};
use options::{Flag, Kind, OPTIONS, Text};

pub use configure::{Perform, nothing_to_listen_on};
pub use opt::{Meaning, Opt};
pub use text::{help, usage, version};

/// A reason to end before anything is opened.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Stop {
    /// Exit status.
    pub status: u8,
    /// For standard output.
    pub stdout: String,
    /// For standard error, with line ends.
    pub stderr: String,
}

impl Stop {
    /// The command line is wrong: status 2.
    #[must_use]
    pub fn misuse(message: &str) -> Self {
        Self::misuse_of("pen", message)
    }

    /// The same for another program.
    #[must_use]
    pub fn misuse_of(program: &str, message: &str) -> Self {
        Self { status: 2, stderr: format!("{program}: {message}\n"), ..Self::default() }
    }

    /// What it asks for cannot be: status 1.
    #[must_use]
    pub fn failure(message: &str) -> Self {
        Self { status: 1, stderr: format!("pen: {message}\n"), ..Self::default() }
    }

    fn answer(stdout: String) -> Self {
        Self { stdout, ..Self::default() }
    }
}

/// What the command line says.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Launch {
    /// `-F`
    pub config_file: Option<String>,
    /// `-C`
    pub control: Option<String>,
    /// `-p`
    pub pid_file: Option<String>,
    /// `-u`
    pub user: Option<String>,
    /// `-j`
    pub jail: Option<String>,
    /// `-f`
    pub foreground: bool,
    /// `--check`: say what is wrong and change nothing.
    pub check: bool,
    /// `--live`: look at the host too.
    pub live: bool,
    /// `--demo`, with the port if one is given.
    pub demo: Option<Option<u16>>,
    /// `-e` as given.
    pub emergency: Option<String>,
    /// `-B` as given.
    pub abuse: Option<String>,
    /// Settings and `-O` commands in their order.
    pub steps: Vec<Step>,
    /// The listening address (see [`Launch::apply_operands`]) and the servers.
    pub operands: Vec<String>,
    /// For standard error: options that are no longer needed.
    pub notices: Vec<String>,
}

/// One thing that options change, in the order of the command line.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A setting; its reply is nobody's business.
    Set(Command),
    /// `-O`: as written, and parsed. Its reply goes to standard output.
    Line(String, Line),
    /// `-d`
    Debug,
    /// `-X`
    EnableExit,
}

/// Reads the arguments (without the program's name).
///
/// # Errors
/// A [`Stop`]: a wrong option (status 2), one that this build does not offer (status 1), or an
/// answer such as that of `--help` (status 0).
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Launch, Stop> {
    let words = words("pen", arguments)?;
    if words.is_empty() {
        return Err(Stop::answer(usage()));
    }
    let mut launch = Launch::default();
    for item in Getopt::new("pen", OPTIONS, words) {
        match item? {
            Item::Operand(word) => launch.operands.push(word),
            Item::Option { row, shown, value } => launch.option(row.meaning, &shown, value)?,
        }
    }
    if launch.live && !launch.check {
        return Err(Stop::misuse("option --live goes with --check"));
    }
    Ok(launch)
}

/// The arguments of `program` as text.
fn words(
    program: &str,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Vec<String>, Stop> {
    let text = |word: OsString| {
        word.into_string().map_err(|word| {
            let word = shown(&word.to_string_lossy());
            Stop::misuse_of(program, &format!("argument {word} is not UTF-8"))
        })
    };
    arguments.into_iter().map(text).collect()
}

impl Launch {
    fn option(&mut self, kind: Kind, option: &str, value: Option<String>) -> Result<(), Stop> {
        let text = value.clone().unwrap_or_default();
        match kind {
            Kind::Text(which) => *self.text(which) = Some(not_empty(option, text)?),
            Kind::Number(which) => {
                let number = which
                    .read(&format!("option {option}"), (&text, 0))
                    .map_err(|fault| Stop::misuse(&fault.message))?;
                self.steps.push(Step::Set(Command::Number(which, Some(number))));
            }
            Kind::Switch(which) => self.steps.push(Step::Set(Command::Switch(which, true))),
            Kind::HashAndForget => {
                for which in [Switch::Hash, Switch::Forgetful] {
                    self.steps.push(Step::Set(Command::Switch(which, true)));
                }
            }
            Kind::Target(which) => self.target(which, option, text)?,
            Kind::Line => {
                let line = command::parse(&text, Door::Option).map_err(|fault| {
                    Stop::misuse(&format!("option {option} {}: {fault}", shown(&text)))
                })?;
                self.steps.extend(line.map(|line| Step::Line(text, line)));
            }
            Kind::Flag(Flag::Debug) => self.steps.push(Step::Debug),
            Kind::Flag(Flag::EnableExit) => self.steps.push(Step::EnableExit),
            Kind::Flag(Flag::Foreground) => self.foreground = true,
            Kind::Flag(Flag::Check) => self.check = true,
            Kind::Flag(Flag::Live) => self.live = true,
            Kind::Demo => self.demo = Some(demo_port(option, value)?),
            Kind::Help => return Err(Stop::answer(help())),
            Kind::Version => return Err(Stop::answer(version())),
            Kind::Old => {
                self.notices.push(format!("option {option} is no longer needed and has no effect"));
            }
            Kind::Windows => {
                let stderr = "pen: option -i: services of Windows are not offered\n".to_owned();
                return Err(Stop { stderr, ..Stop::default() });
            }
            Kind::Udp => {
                self.steps.push(Step::Set(Command::Protocol(Some(Protocol::Udp))));
            }
            Kind::Protocol => self.notices.push(protocol(option, &text)?),
            Kind::ClientCertificates => {
                let required = Ssl::Clients(ClientCertificates::Required);
                self.steps.push(Step::Set(Command::Ssl(required)));
            }
            Kind::Compatibility => self.notices.push(format!(
                "option {option}: TLS 1.2 and 1.3 need no compatibility flags; it has no effect"
            )),
        }
        Ok(())
    }

    fn text(&mut self, which: Text) -> &mut Option<String> {
        match which {
            Text::ConfigFile => &mut self.config_file,
            Text::Control => &mut self.control,
            Text::PidFile => &mut self.pid_file,
            Text::User => &mut self.user,
            Text::Jail => &mut self.jail,
            Text::Emergency => &mut self.emergency,
            Text::Abuse => &mut self.abuse,
        }
    }

    fn target(&mut self, which: Target, option: &str, text: String) -> Result<(), Stop> {
        let text = not_empty(option, text)?;
        self.steps.push(Step::Set(Command::Target(which, Some(Some(text)))));
        Ok(())
    }
}

fn not_empty(option: &str, text: String) -> Result<String, Stop> {
    if text.is_empty() {
        return Err(Stop::misuse(&format!("option {option} needs a value that is not empty")));
    }
    Ok(text)
}

fn demo_port(option: &str, value: Option<String>) -> Result<Option<u16>, Stop> {
    let port = |text: String| {
        text.parse::<u16>().map_err(|_| {
            let message =
                format!("option {option}: {} is no port; it takes 0 to 65535", shown(&text));
            Stop::misuse(&message)
        })
    };
    value.map(port).transpose()
}

/// The notice that older versions are not offered.
fn protocol(option: &str, name: &str) -> Result<String, Stop> {
    const NAMES: [&str; 4] = ["ssl23", "ssl2", "ssl3", "tls1"];
    if NAMES.contains(&name) {
        return Ok(format!("option {option} {name}: TLS 1.2 and 1.3 are offered, nothing older"));
    }
    let near = hint(name, NAMES);
    let all = NAMES.join(", ");
    Err(Stop::failure(&format!("option {option}: {} is none of {all}{near}", shown(name))))
}
