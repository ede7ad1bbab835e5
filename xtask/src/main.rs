//! Repository chores: `cargo xtask`.
//!
//! `man` writes the manual pages and the command reference from the tables of pen-core, `man
//! --check` says which of them are out of date, `tidy` says which house rules are broken. The last
//! two also run as tests of this crate. `sbom` prints the bill of materials, `dist` makes a release in
//! `target/dist`, `dist --twice` builds one in two places and compares.
#![forbid(unsafe_code)]

mod man;
mod release;
mod sbom;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let findings = match words.as_slice() {
        ["man"] => man::write(&root()),
        ["man", "--check"] => man::check(&root()),
        ["tidy"] => tidy::findings(&root()),
        ["sbom"] => match sbom::make(&root()) {
            Ok(text) => {
                print!("{text}");
                Vec::new()
            }
            Err(why) => vec![why],
        },
        ["dist"] => release::build(&root()),
        ["dist", "--twice"] => release::again(&root()),
        _ => {
            eprintln!("usage: cargo xtask man [--check] | tidy | sbom | dist [--twice]");
            return ExitCode::from(2);
        }
    };
    for finding in &findings {
        eprintln!("{finding}");
    }
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The top of the repository.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
