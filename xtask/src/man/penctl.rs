//! penctl(1).

use pen_core::command::table::{GROUPS, Spec};
use pen_core::limits::PENCTL_COMMAND_MAX;

use super::examples::PENCTL;
use super::roff::Page;

/// The page.
pub fn page() -> String {
    let mut page = Page::new("penctl", 1);
    page.section("Name");
    page.name("penctl", "control a running pen");
    page.section("Synopsis");
    page.synopsis(["penctl HOST:PORT|/PATH COMMAND ..."]);
    page.section("Description");
    page.text(
        "penctl sends one command to the control address of a running pen (its option -C) and \
         prints the reply. The words of the command are joined with blanks.",
    );
    page.text(
        "The same commands stand in configuration files, one per line, and behind the option -O of \
         pen. Words are separated by blanks; words after a complete command are ignored. A command \
         that is not understood changes nothing; the reply is one line that begins with error: and \
         names the word at fault.",
    );
    page.text(
        "A command of a service means the service default, or the only one, or in a file the one \
         that was opened with service NAME. Each command that shows something gives a \
         machine-readable reply when its last word is json.",
    );
    page.section("Commands");
    for group in GROUPS {
        page.subsection(group.title);
        for spec in group.rows.iter().filter(|s| !s.hidden) {
            page.item(spec.forms, &text(spec));
        }
        let hidden: Vec<&str> =
            group.rows.iter().filter(|s| s.hidden).flat_map(|s| s.forms).copied().collect();
        if !hidden.is_empty() {
            page.item(&hidden, "Words that have lost their meaning.");
        }
    }
    page.examples(PENCTL);
    page.section("Exit status");
    page.item(&["0"], "The reply was printed, or the usage because words are missing.");
    page.item(
        &["1"],
        &format!(
            "Nobody answers at the address, it is no address, or the command is longer than \
             {PENCTL_COMMAND_MAX} bytes."
        ),
    );
    page.section("See also");
    page.text("pen(1), pen.conf(5)");
    page.finish()
}

/// The explanation of a command.
pub fn text(spec: &Spec) -> String {
    let mut chars = spec.help.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let mut text = format!("{first}{}.", chars.as_str());
    for more in [spec.manual, if spec.control_only { "On the control socket only." } else { "" }] {
        if !more.is_empty() {
            text.push(' ');
            text.push_str(more);
        }
    }
    text
}
