//! Manual pages, the command reference and completion for shells, made from the tables of pen-core.
//!
//! What the tables know is never written twice: options, commands, ranges and defaults come from
//! them. The prose around them is in `pen` and `penctl`, the examples in `examples`.

mod conf;
mod examples;
mod logtools;
mod pen;
mod penctl;
mod reference;
mod roff;

use std::fs;
use std::path::Path;

use pen_core::cli::completion::{self, Shell};
use pen_core::report::openmetrics;

/// Every generated file: its place in the repository and its text.
fn files() -> Vec<(String, String)> {
    let pages = [
        ("docs/man/pen.1", pen::page()),
        ("docs/man/pen.conf.5", conf::page()),
        ("docs/man/penctl.1", penctl::page()),
        ("docs/man/penlog.1", logtools::penlog()),
        ("docs/man/penlogd.1", logtools::penlogd()),
        ("docs/man/mergelogs.1", logtools::mergelogs()),
        ("docs/commands.md", reference::page()),
        ("docs/metrics.md", metrics()),
    ];
    let pages = pages.into_iter().map(|(name, text)| (name.to_owned(), text));
    let scripts = Shell::ALL.into_iter().flat_map(|shell| {
        completion::PROGRAMS.into_iter().filter_map(move |program| {
            let name = format!("dist/completions/{}/{}", shell.word(), shell.file_name(program));
            Some((name, completion::script(shell, program)?))
        })
    });
    pages.chain(scripts).collect()
}

/// docs/metrics.md: prose, then the table of metrics.
fn metrics() -> String {
    include_str!("metrics.md").to_owned() + &openmetrics::markdown()
}

/// Writes them. Returns what went wrong.
pub fn write(root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, text) in files() {
        let path = root.join(&name);
        let made = path.parent().map_or(Ok(()), fs::create_dir_all);
        if let Err(error) = made.and_then(|()| fs::write(&path, text)) {
            wrong.push(format!("{name}: {error}"));
        }
    }
    wrong
}

/// Names those that differ from what [`write()`] would write.
pub fn check(root: &Path) -> Vec<String> {
    files()
        .into_iter()
        .filter(|(name, text)| fs::read_to_string(root.join(name)).ok().as_ref() != Some(text))
        .map(|(name, _)| format!("{name}: out of date; run 'cargo xtask man'"))
        .collect()
}
