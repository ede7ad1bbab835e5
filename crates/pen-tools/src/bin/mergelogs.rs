//! `mergelogs`: see `pen_tools::mergelogs`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    pen_tools::mergelogs::run(std::env::args_os().skip(1))
}
