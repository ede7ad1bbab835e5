//! `penlogd`: see `pen_tools::penlogd`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    pen_tools::penlogd::run(std::env::args_os().skip(1))
}
