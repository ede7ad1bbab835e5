//! `usage`, `--help` and `--version`.

use std::fmt::Write;

use super::options::OPTIONS;

/// Column at which help begins.
const HELP_COLUMN: usize = 20;

/// The short text for a command line that says nothing.
#[must_use]
pub fn usage() -> String {
    "usage: pen [options] [ADDRESS:]PORT|/PATH SERVER ...\n\
     \n\
     SERVER is HOST[:PORT[:MAX[:HARD[:WEIGHT[:PRIO]]]]], [IPV6]:PORT... or the path of a Unix\n\
     socket.\n\
     \n\
     Try:   pen -f 8080 192.0.2.1:80 192.0.2.2:80\n\
     \x20      pen --demo\n\
     \x20      pen --help\n\
     (-h is the hash option)\n"
        .to_owned()
}

/// All options.
#[must_use]
pub fn help() -> String {
    let mut text = usage();
    text.push_str("\nOptions:\n");
    for opt in OPTIONS.iter().filter(|o| !o.is_old()) {
        let _ = writeln!(text, "  {:<HELP_COLUMN$} {}", opt.form(), opt.help);
    }
    let old: Vec<String> = OPTIONS.iter().filter(|o| o.is_old()).map(|o| o.form()).collect();
    let _ = writeln!(text, "\nAccepted without effect: {}", old.join(", "));
    text.push_str(
        "The commands of -O and of files: penctl(1), or of a running pen: penctl ADDRESS help\n",
    );
    text
}

/// `pen 0.1.0 (Rust)`
#[must_use]
pub fn version() -> String {
    concat!("pen ", env!("CARGO_PKG_VERSION"), " (Rust)\n").to_owned()
}
