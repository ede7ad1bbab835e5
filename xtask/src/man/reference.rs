//! docs/commands.md: the command reference.

use std::fmt::Write;

use pen_core::command::Number;
use pen_core::command::table::{GROUPS, Scope, Spec};

use super::penctl::text;

/// The page.
pub fn page() -> String {
    let mut page = String::from(
        "<!-- Made by 'cargo xtask man'; changes here are lost. -->\n\
         # Commands\n\n\
         The language of configuration files, of `penctl` and of the option `-O`.\n\
         The fields of the `json` forms are listed in [json.md](json.md).\n",
    );
    for group in GROUPS {
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## {}\n", group.title);
        for spec in group.rows {
            let _ = write!(page, "\n### {}\n\n```\n{}\n```\n", spec.word, spec.forms.join("\n"));
            let _ = write!(page, "\n{}\n\n{}\n", text(spec), facts(spec));
        }
    }
    page
}

fn facts(spec: &Spec) -> String {
    let scope = match spec.scope {
        Scope::Process => "the process",
        Scope::Service => "a service",
        Scope::Server => "a server of a service",
    };
    let doors =
        if spec.control_only { "control socket" } else { "option `-O`, file, control socket" };
    let mut facts = format!("Belongs to: {scope}. Works in: {doors}. Since: {}.", spec.since);
    if let Some(number) = Number::ALL.iter().find(|n| n.word() == spec.word) {
        let (low, high) = number.range();
        let _ = write!(facts, " Takes {low} to {high}.");
    }
    if spec.json {
        facts.push_str(" Has a `json` form.");
    }
    facts
}
