//! penctl(1).

use pen_core::cli::tools::penctl::{ADDRESS_VARIABLE, TOOL};
use pen_core::command::table::{GROUPS, Spec};
use pen_core::limits::PENCTL_COMMAND_MAX;

use super::examples::PENCTL;
use super::pen::capital;
use super::roff::Page;

/// The page.
pub fn page() -> String {
    let mut page = Page::new("penctl", 1);
    page.section("Name");
    page.name("penctl", "control a running pen");
    page.section("Synopsis");
    let synopsis: Vec<String> =
        TOOL.synopsis.iter().map(|line| format!("{} {line}", TOOL.name)).collect();
    page.synopsis(synopsis.iter().map(String::as_str));
    page.prose("Description", DESCRIPTION);
    page.section("Options");
    page.text(
        "They stand in front of the address: what follows it is a command, whatever it looks like.",
    );
    for opt in TOOL.options {
        let text = match opt.manual {
            "" => format!("{}.", capital(opt.help)),
            manual => format!("{}. {manual}", capital(opt.help)),
        };
        page.item(&[&opt.form()], &text);
    }
    page.section("Top, watch and standard input");
    for (words, text) in OWN {
        page.item(words, text);
    }
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
    outside(&mut page);
    page.section("See also");
    page.text("pen(1), pen.conf(5)");
    page.finish()
}

const DESCRIPTION: [&str; 4] = [
    "penctl sends one command to the control address of a running pen (its option -C) and prints the \
     reply. The words of the command are joined with blanks.",
    "The same commands stand in configuration files, one per line, and behind the option -O of pen. \
     Words are separated by blanks; words after a complete command are ignored. A command that is not \
     understood changes nothing; the reply is one line that begins with error: and names the word at \
     fault.",
    "A command of a service means the service default, or the only one, or in a file the one that was \
     opened with service NAME. Each command that shows something gives a machine-readable reply when its \
     last word is json.",
    "The address is HOST:PORT or the path of a Unix socket. The last colon divides, so IPv6 addresses \
     need no brackets (::1:8888), but may have some.",
];

/// What is not sent as it is.
const OWN: [(&[&str], &str); 3] = [
    (
        &["top [SERVICE]"],
        "Servers with their state, connections, rates and failures, the clients with the most visits, why \
         connections ended, and the newest events, on the whole screen and looked at anew every two \
         seconds. q ends it, ? shows the other keys, Tab goes to the next service. If Pen goes away, what was known \
         stays and top waits for it. Where standard output is no terminal, or with --once, it prints one \
         page; on a terminal that cannot place its cursor (TERM=dumb) a page after each look. With \
         --json it is the command overview json.",
    ),
    (
        &["watch [since N]"],
        "Prints events as they happen, until it is ended or nobody reads. A connection that is lost is \
         made again, and asks for what came in between; a Pen that was started anew is heard from its \
         first event. Lines that Pen could not keep for a slow reader are counted (key=events_lost). What \
         penctl itself has to say goes to standard error. With --json each event is a line of JSON.",
    ),
    (
        &["-"],
        "Reads commands from standard input, one per line, and prints the reply to each before it sends \
         the next. Empty lines and those that begin with # are left out. The first command that is refused \
         ends it.",
    ),
];

/// Environment and exit status.
fn outside(page: &mut Page) {
    page.section("Environment");
    page.item(
        &[ADDRESS_VARIABLE],
        "The address, if the first word of the command line is none: then that is the command.",
    );
    page.item(
        &["TERM, NO_COLOR, LANG, LC_CTYPE, LC_ALL, COLUMNS, LINES"],
        "What top draws with: colours, curves of blocks or of letters, and the size where the terminal \
         does not tell it.",
    );
    page.section("Exit status");
    page.item(&["0"], "The reply was printed, or the usage because words are missing.");
    page.item(
        &["1"],
        &format!(
            "Pen could not be asked: nobody answers at the address, or not in time, it is no address, or \
             the command is longer than {PENCTL_COMMAND_MAX} bytes. Or it was asked whether it is ready, \
             and is not."
        ),
    );
    page.item(&["2"], "An option is wrong; it is named.");
    page.item(
        &["3"],
        "Pen refused the command: the reply begins with error:. Of commands from standard input this \
         was the last one.",
    );
    page.item(
        &["128 and more"],
        "A signal ended top: its number and 128. The key for SIGINT is as good as q: 0.",
    );
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
