//! penlog(1), penlogd(1) and mergelogs(1).

use pen_core::cli::tools::{Tool, mergelogs, penlog, penlogd};
use pen_core::limits;

use super::examples::{MERGELOGS, PENLOG, PENLOGD};
use super::pen::capital;
use super::roff::Page;

/// What is written by hand.
struct Prose<'a> {
    what: &'a str,
    description: &'a [&'a str],
    /// Further sections, in front of the examples.
    sections: &'a [(&'a str, &'a [&'a str])],
    examples: &'a str,
    status: &'a [(&'a str, &'a str)],
    see_also: &'a str,
}

/// `penlog(1)`
pub fn penlog() -> String {
    let max = limits::PENLOG_LINE_MAX;
    let long = format!(
        "A line is at most {max} bytes long; the rest of a longer one is left out and counted. The \
         classic penlogd takes no more than 1023 bytes."
    );
    page(
        &penlog::TOOL,
        &Prose {
            what: "send a web server's log lines to penlogd",
            description: &[
                "penlog sends each line of its standard input to penlogd(1), as one datagram, as soon \
                 as the line is there. It is made for web servers that write their log into a pipe.",
                "HOST is a name or an address, IPv4 or IPv6, PORT a number or a name. penlogd knows a \
                 web server by the address that its datagrams come from, which must be the one in \
                 Pen's table of servers: OWN-ADDRESS chooses it on a host with several.",
                &long,
                "Datagrams can get lost, and nobody has to listen: penlog reports what it hears of, on \
                 standard error at most every 10 seconds and at the end, and goes on. While there is \
                 trouble it tries the other addresses of HOST and asks for them again.",
            ],
            sections: &[(
                "Signals",
                &["HUP, INT, QUIT and TERM send the lines that are already there and end it."],
            )],
            examples: PENLOG,
            status: &[
                ("0", "The input has ended, or a signal came."),
                ("1", "HOST, PORT or OWN-ADDRESS cannot be used, or words are missing."),
                ("2", "An option is wrong; it is named."),
            ],
            see_also: "penlogd(1), mergelogs(1), pen(1)",
        },
    )
}

/// `penlogd(1)`
pub fn penlogd() -> String {
    let backlog = limits::PENLOGD_BACKLOG / 1024;
    let output = format!(
        "Lines are written at the latest a second after they came, with -b at once. When they cannot \
         be written, because the disk is full or nobody reads, up to {backlog} KiB of them wait; then \
         further ones are lost and counted."
    );
    page(
        &penlogd::TOOL,
        &Prose {
            what: "collect web servers' logs, with the real clients",
            description: &[
                "Web servers behind Pen see one client, Pen. penlogd receives the log of Pen (its \
                 option -l HOST:PORT) and the logs of all web servers (from penlog(1)) as datagrams, \
                 puts the real client into each line of the web servers, and writes all of them into \
                 one log.",
                "A line gets the client of the newest entry of Pen's log for the same server, which is \
                 the address that the line came from, and the same request, compared over its first \
                 100 bytes. A line without such an entry waits for it for a fifth of a second, because \
                 both come different ways, and is then written as it came. With the name of the \
                 virtual host in front of lines, the client behind it is replaced.",
                "PORT alone means all addresses of this host, IPv6 and IPv4; ADDRESS:PORT one of them.",
                &output,
            ],
            sections: &[
                (
                    "Security",
                    &[
                        "Whoever can send datagrams to the port can write lines into the log and lie \
                       about clients. Give it an address that only Pen and the web servers reach, or \
                       a firewall. What arrives is bounded and cannot hold control characters when it \
                       is written.",
                    ],
                ),
                (
                    "Signals",
                    &[
                        "HUP opens the file of -l anew, for a log that was renamed. USR1 says the \
                         counts: entries, lines, junk, and what was lost; so do HUP and the end.",
                        "TERM, INT and QUIT take what has arrived, write it, remove the file of -p \
                         and end.",
                    ],
                ),
            ],
            examples: PENLOGD,
            status: &[
                (
                    "0",
                    "It ended as asked, or printed the usage. In the background: it receives now.",
                ),
                (
                    "1",
                    "The port or a file cannot be used, or nobody reads standard output any more.",
                ),
                ("2", "An option is wrong; it is named."),
            ],
            see_also: "penlog(1), mergelogs(1), pen(1)",
        },
    )
}

/// `mergelogs(1)`
pub fn mergelogs() -> String {
    page(
        &mergelogs::TOOL,
        &Prose {
            what: "merge web servers' logs, with the real clients",
            description: &[
                "Web servers behind Pen see one client, Pen. mergelogs reads the log file of Pen (its \
                 option -l FILE) and the logs of the web servers, puts the real client into each line, \
                 and writes all lines to standard output, the earliest first, with their times in \
                 UTC. Logs may be in the common or the combined format, with or without the name of \
                 the virtual host in front.",
                "A line gets the client of the entry of Pen's log for the same server and the same \
                 request, compared over its first 100 bytes, that is nearest in time. A line without \
                 such an entry gets the server's name. Many of them mean that clocks differ by more \
                 than -j, or that SERVER is not what Pen's log says.",
                "SERVER is the server's address as it is in Pen's log, IPv6 in brackets, or a name that \
                 has this address. FILE may be compressed with gzip, whatever its name is; - is \
                 standard input. A server can have any number of files.",
                "Logs of any size can be merged, and any number of them: only a line of each and the \
                 part of Pen's log around it are in memory, about 50 kB for each compressed file. Each \
                 log keeps its own order. On a terminal the progress is shown, unless the lines \
                 themselves go there.",
            ],
            sections: &[],
            examples: MERGELOGS,
            status: &[
                (
                    "0",
                    "All files were read, or the usage was printed. Single lines that could not be \
                       merged do not count; they are named.",
                ),
                ("1", "A file cannot be read, or not to its end; what could be read is merged."),
                ("2", "An option is wrong; it is named."),
            ],
            see_also: "pen(1), penlogd(1), penlog(1)",
        },
    )
}

fn page(tool: &Tool, prose: &Prose<'_>) -> String {
    let mut page = Page::new(tool.name, 1);
    page.section("Name");
    page.name(tool.name, prose.what);
    page.section("Synopsis");
    let lines: Vec<String> =
        tool.synopsis.iter().map(|line| format!("{} {line}", tool.name)).collect();
    page.synopsis(lines.iter().map(String::as_str));
    page.prose("Description", prose.description);
    page.section("Options");
    for opt in tool.options {
        let text = match opt.manual {
            "" => format!("{}.", capital(opt.help)),
            manual => format!("{}. {manual}", capital(opt.help)),
        };
        page.item(&[&opt.form()], &text);
    }
    for (title, texts) in prose.sections {
        page.prose(title, *texts);
    }
    page.examples(prose.examples);
    page.items("Exit status", prose.status);
    page.section("See also");
    page.text(prose.see_also);
    page.finish()
}
