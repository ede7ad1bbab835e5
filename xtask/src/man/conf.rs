//! pen.conf(5): the file of commands.

use pen_core::command::Door;
use pen_core::command::table::GROUPS;
use pen_core::limits::{FILE_MAX, INCLUDE_DEPTH_MAX, LINE_MAX};

use super::examples::CONF;
use super::penctl::text;
use super::roff::Page;

/// The page.
pub fn page() -> String {
    let mut page = Page::new("pen.conf", 5);
    page.section("Name");
    page.name("pen.conf", "file of settings of pen");
    page.section("Synopsis");
    page.synopsis(["pen -F /etc/pen.conf ..."]);
    page.section("Description");
    page.text(
        "A file of settings has no fixed name or place: it is the one that the option -F of pen(1) \
         names, or one that such a file includes. Nothing is read without being named.",
    );
    page.prose("Format", format());
    page.prose("When it is read", READING);
    page.prose("Services", SERVICES);
    page.section("Commands");
    page.text(
        "All that may stand in a file. What looks at a running process, or acts on it once, works on \
         the control socket only and is described in penctl(1).",
    );
    for group in GROUPS {
        let rows: Vec<_> =
            group.rows.iter().filter(|s| !s.hidden && s.passes(Door::File)).collect();
        let hidden: Vec<&str> =
            group.rows.iter().filter(|s| s.hidden).flat_map(|s| s.forms).copied().collect();
        if rows.is_empty() && hidden.is_empty() {
            continue;
        }
        page.subsection(group.title);
        for spec in rows {
            page.item(spec.forms, &text(spec));
        }
        if !hidden.is_empty() {
            page.item(&hidden, "Words that have lost their meaning: accepted with a notice.");
        }
    }
    page.examples(CONF);
    page.section("See also");
    page.text("pen(1), penctl(1)");
    page.finish()
}

fn format() -> Vec<String> {
    vec![
        "One command per line. Words are separated by blanks; there are no quotes (but for the template \
         of connection_log), so a word, such as a path, cannot hold a blank. Empty lines and lines that begin with # mean nothing; a # \
         further right is no comment. Lines may end in LF or CR LF. Words are case-sensitive. Words \
         behind a complete command are ignored."
            .to_owned(),
        format!(
            "The text is UTF-8, a line has at most {LINE_MAX} bytes and a file at most {} MiB. Only \
             regular files are read.",
            FILE_MAX >> 20
        ),
        "Most commands set something, and no in front of them takes it back. Many print it when they \
         have no argument. Replies go to the standard output of pen while it starts."
            .to_owned(),
        format!(
            "include FILE reads another file in its place. It begins in the service that is open there, \
             and what it opens is closed at its end. Files may include each other {INCLUDE_DEPTH_MAX} \
             deep."
        ),
    ]
}

const READING: [&str; 5] = [
    "At the start: first the options and commands of the command line in their order, then its servers, \
     then the file. Where both speak of the same thing the file wins. A missing file is a loud warning \
     and no error, if something else says where to listen.",
    "On signal HUP again, as the user of -u and inside the directory of -j: the user must be able to read \
     the file and what it names, and a port below 1024 that was not open before may be refused to it.",
    "A file is applied whole or not at all. What is not right is named with file, line and column, and \
     nothing is changed; pen --check says so before. Connections are never ended by reading a file.",
    "What the file does not mention stays as it is, whoever set it: a line taken out of the file takes \
     effect with the next start. To take something back while Pen runs, say so (no roundrobin; server 2 \
     address 0.0.0.0; no service mail). The exceptions are lists: an access list, and the routes of a \
     service, are replaced as a whole when the file mentions them.",
    "penctl(1) write makes such a file from the settings of a running process, in which all of them are \
     mentioned.",
];

const SERVICES: [&str; 2] = [
    "A service is what Pen offers at one or several addresses: one table of servers, one of clients, one \
     policy. The command line and the first lines of a file describe the service default. A line service \
     NAME makes the service NAME if it is new and opens it: the lines that follow belong to it, up to the \
     next such line or the end of the file.",
    "service NAME COMMAND on one line does one command for a service that exists. Some commands belong to \
     the whole process, wherever they stand (workers, control_acl, debug ...); docs/commands.md says of \
     each what it belongs to.",
];
