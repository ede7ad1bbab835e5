//! pen(1).

use pen_core::cli::options::OPTIONS;

use super::examples::PEN;
use super::roff::Page;

/// The page.
pub fn page() -> String {
    let mut page = Page::new("pen", 1);
    page.section("Name");
    page.name("pen", "load balancer for TCP and UDP services");
    page.section("Synopsis");
    page.synopsis([
        "pen [options] [ADDRESS:]PORT|/PATH SERVER ...",
        "pen [options] -F FILE",
        "pen --demo [PORT]",
    ]);
    page.prose("Description", DESCRIPTION);
    options(&mut page);
    page.prose("Addresses and servers", ADDRESSES);
    page.prose("Choosing a server", CHOOSING);
    page.prose("Configuration file", CONFIGURATION);
    page.examples(PEN);
    page.section("Files");
    page.text(
        "Pen reads and writes no file that is not named by an option or a command. A path is meant \
         inside the directory of -j for everything that happens after the start: log, status page, \
         and the configuration file when it is read again.",
    );
    page.items("Signals", &SIGNALS);
    page.items("Exit status", &STATUS);
    page.section("See also");
    page.text("pen.conf(5), penctl(1), penlogd(1), penlog(1), mergelogs(1)");
    page.finish()
}

fn options(page: &mut Page) {
    page.section("Options");
    page.text(
        "Options may stand anywhere, flags may be put together (-fdX), and the last of a repeated \
         option wins; -- ends them. Note that -h is not help.",
    );
    for opt in OPTIONS.iter().filter(|o| !o.is_old()) {
        let text = match opt.manual {
            "" => format!("{}.", capital(opt.help)),
            manual => format!("{}. {manual}", capital(opt.help)),
        };
        page.item(&[&opt.form()], &text);
    }
    let old: Vec<String> = OPTIONS.iter().filter(|o| o.is_old()).map(|o| o.form()).collect();
    let old: Vec<&str> = old.iter().map(String::as_str).collect();
    page.item(&old, "Accepted with a notice, without effect.");
}

/// With a capital letter, unless it begins with something that is written small.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if !text.starts_with("ssl") => first.to_uppercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}

const DESCRIPTION: [&str; 3] = [
    "Pen accepts connections and passes each on to one of several servers. It remembers its clients \
     and sends them back to the server they used before; a server that fails is left out for a \
     time and its clients are sent to the next one.",
    "Beside TCP it balances UDP (-U). It ends TLS for servers that do not speak it (-E), passes it on by \
     name, or speaks it to servers; tells HTTP servers the address of their client (-H), or lets servers \
     of any kind see it (transparent); and answers for servers that answer past it (dsr_if).",
    "The command line describes one service, called default. A configuration file can describe any \
     number of them. Everything can be looked at and changed while it runs, with penctl(1).",
];

const ADDRESSES: [&str; 2] = [
    "The listening address is a port, or an address and a port: the text after the last colon is \
     the port (::1:8080, :::8080 for all addresses; brackets are understood too). A port alone \
     means all IPv4 addresses. A word with a slash is the path of a Unix socket. If a command \
     listen, in an option -O or in the file, says where to listen, the first operand is ignored; \
     the others are servers.",
    "A SERVER is HOST[:PORT[:MAX[:HARD[:WEIGHT[:PRIO]]]]]. IPv6 addresses stand in brackets. HOST \
     may be a name, or the path of a Unix socket if it holds a slash. Without PORT the listening \
     port is meant. MAX is the number of connections from which new clients are sent elsewhere, \
     HARD the same for clients that used the server before; 0 is no limit.",
];

const CHOOSING: [&str; 2] = [
    "A client that client_acl denies gets the abuse server (-B), or is closed. Else the first of \
     these that applies chooses: the server that the client used before (not with -r or -N); the \
     lowest priority number (command prio); the least loaded server by weight (-W); a consistent \
     hash of the client's address (-h); round robin.",
    "If the server cannot be used, because it is blacklisted, full, closed to the client, or the \
     connect fails, the next one in the order of the table is tried, until all were; then the \
     emergency server (-e). With -s the client is closed at once.",
];

const CONFIGURATION: [&str; 1] = [
    "The file of -F holds commands, one per line, which pen.conf(5) describes. It is read at the start, \
     after the options and servers of the command line, and again on signal HUP; what it mentions \
     wins. A file that is not right changes nothing, and the line and word at fault are named.",
];

const SIGNALS: [(&str, &str); 5] = [
    ("HUP", "Open the log again and read the configuration file again."),
    ("USR1", "Write the status page of -w, or without it a report in the messages."),
    (
        "TERM",
        "End: at once, or, with the command drain_timeout, when the open connections have ended or \
         that time is over. A second TERM ends at once.",
    ),
    ("QUIT", "Stop accepting and end when the open connections have ended."),
    (
        "USR2",
        "Start the program anew, by the same path and with the same arguments, and let it take over: it gets \
         the listeners, and when it serves this process accepts nobody any more and ends when the open \
         connections have ended (drain_timeout; 0: a day). If it cannot serve, this process goes on and \
         says why. The command upgrade of penctl(1) does the same and answers. Not with -j, as another \
         user by -u, or in sandbox strict.",
    ),
];

const STATUS: [(&str, &str); 3] = [
    ("0", "The service was given and ended as asked. In the background: it is listening now."),
    ("1", "What the command line or the file asks for cannot be; the reason is on standard error."),
    ("2", "The command line is wrong; the word at fault is on standard error."),
];
