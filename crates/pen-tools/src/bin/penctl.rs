//! `penctl`: see `pen_tools::penctl`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    pen_tools::penctl::run(std::env::args_os().skip(1))
}
