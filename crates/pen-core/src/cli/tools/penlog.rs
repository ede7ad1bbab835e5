//! `penlog SERVER PORT [OWN-ADDRESS]`.

use std::ffi::OsString;

use super::super::Stop;
use super::{HELP, Opt, Tool, VERSION};
use crate::near::shown;

/// The program.
pub const TOOL: Tool =
    Tool { name: "penlog", synopsis: &["HOST PORT [OWN-ADDRESS]"], options: OPTIONS };

const OPTIONS: &[Opt] = &[HELP, VERSION];

/// What the command line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Where penlogd is: a name or an address.
    pub host: String,
    /// Its port, a number or a name.
    pub port: String,
    /// The address that the datagrams come from.
    pub own: Option<String>,
}

/// Reads the arguments.
///
/// # Errors
/// A [`Stop`]: a wrong option (status 2), too few words (status 1, as the original), or an answer.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Launch, Stop> {
    let mut operands = TOOL.walk(arguments, |_, _| Ok(()))?.into_iter();
    let (Some(host), Some(port)) = (operands.next(), operands.next()) else {
        return Err(Stop { status: 1, stderr: TOOL.help(), ..Stop::default() });
    };
    let own = operands.next();
    if let Some(word) = operands.next() {
        return Err(TOOL.misuse(&format!("{} is one word too many", shown(&word))));
    }
    Ok(Launch { host, port, own })
}
