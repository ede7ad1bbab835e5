//! Repository chores: `cargo xtask`.
//!
//! `man` writes the manual pages and the command reference from the tables of pen-core, `man
//! --check` says which of them are out of date, `tidy` says which house rules are broken. The last
//! two also run as tests of this crate. `sbom` prints the bill of materials, `dist` makes the programs of a
//! release in `target/dist`, `dist --twice` builds them in two places and compares, `release VERSION` sets
//! the version, commits, tags and makes all that is handed out. `deb` and `rpm` make packages in
//! `target/packages`.
#![forbid(unsafe_code)]

mod man;
mod packages;
mod programs;
mod release;
mod sbom;
mod tidy;
mod version;

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
        ["dist"] => programs::build(&root()),
        ["dist", "--twice"] => programs::again(&root()),
        ["release", words @ ..] => match release::Wish::read(words) {
            Ok(wish) => release::make(&root(), &wish),
            Err(why) => vec![why],
        },
        [kind @ ("deb" | "rpm"), words @ ..] => packages::make(&root(), kind, words),
        _ => {
            eprintln!(
                "usage: cargo xtask man [--check] | tidy | sbom | dist [--twice] | release VERSION \
                  | deb [--profile dev] [--revision N] \
                  | rpm [--layout fedora|opensuse] [--profile dev] [--revision N]"
            );
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
