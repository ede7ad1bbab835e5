//! Manual pages and the command reference, made from the tables of pen-core.
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

use pen_core::report::openmetrics;

/// Every generated file: its place in the repository and its text.
fn files() -> [(&'static str, String); 8] {
    [
        ("docs/man/pen.1", pen::page()),
        ("docs/man/pen.conf.5", conf::page()),
        ("docs/man/penctl.1", penctl::page()),
        ("docs/man/penlog.1", logtools::penlog()),
        ("docs/man/penlogd.1", logtools::penlogd()),
        ("docs/man/mergelogs.1", logtools::mergelogs()),
        ("docs/commands.md", reference::page()),
        ("docs/metrics.md", metrics()),
    ]
}

/// docs/metrics.md: prose, then the table of metrics.
fn metrics() -> String {
    include_str!("metrics.md").to_owned() + &openmetrics::markdown()
}

/// Writes them. Returns what went wrong.
pub fn write(root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, text) in files() {
        let path = root.join(name);
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
