//! `penlog`: see `pen_tools::penlog`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    pen_tools::penlog::run(std::env::args_os().skip(1))
}
