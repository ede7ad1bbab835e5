//! How a program ends: what it says, and its exit status.

use std::io::{self, Write};
use std::process::ExitCode;

use pen_core::cli::Stop;

/// Ends before anything was opened.
pub(crate) fn stop(stop: &Stop) -> ExitCode {
    // Nobody may be reading; there is nobody else to tell.
    let _ = io::stdout().write_all(stop.stdout.as_bytes());
    let _ = io::stderr().write_all(stop.stderr.as_bytes());
    ExitCode::from(stop.status)
}

/// Ends with status 1 and the reason.
pub(crate) fn failure(program: &str, text: &str) -> ExitCode {
    complain(program, text);
    ExitCode::FAILURE
}

/// A line on standard error.
pub(crate) fn complain(program: &str, text: &str) {
    // As above.
    let _ = writeln!(io::stderr(), "{program}: {text}");
}
