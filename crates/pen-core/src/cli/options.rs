//! THE list of options. The parser, usage, `--help` and the manual page are made from it.

mod kind;

use super::opt::Opt;
use crate::command::{Number, Switch, Target};

pub(super) use kind::{Flag, Kind, Text};

const fn short(letter: char, help: &'static str, kind: Kind) -> Opt<Kind> {
    Opt::short(letter, help, kind)
}

const fn long(word: &'static str, help: &'static str, kind: Kind) -> Opt<Kind> {
    Opt::long(word, help, kind)
}

/// All options in the order of the manual page.
pub const OPTIONS: &[Opt<Kind>] = &[
    short('a', "dump traffic as text, not as hex pairs", Kind::Switch(Switch::Ascii)),
    short('b', "seconds a failed server is left out (30)", Kind::Number(Number::Blacklist))
        .value("T"),
    short('B', "abuse server, for clients that client_acl denies", Kind::Text(Text::Abuse))
        .value("HOST:PORT"),
    short('c', "clients that are remembered (2048)", Kind::Number(Number::ClientsMax)).value("N"),
    short(
        'C',
        "control address, [HOST:]PORT or the path of a Unix socket",
        Kind::Text(Text::Control),
    )
    .value("ADDRESS")
    .manual(
        "Run as root, the control address is opened only if -u is given too (-u root will do).",
    ),
    short('d', "one debug level more", Kind::Flag(Flag::Debug)),
    short('e', "emergency server, used when no other can be", Kind::Text(Text::Emergency))
        .value("HOST:PORT"),
    short('f', "stay in the foreground", Kind::Flag(Flag::Foreground)),
    short('F', "configuration file", Kind::Text(Text::ConfigFile)).value("FILE").manual(
        "Commands, one per line. What it mentions wins over the command line. It is read \
                 again on signal HUP.",
    ),
    short('h', "choose servers by a hash of the client's address", Kind::Switch(Switch::Hash)),
    short('H', "add X-Forwarded-For and -Proto to HTTP requests", Kind::Switch(Switch::Http)),
    short('j', "change the root directory to DIR", Kind::Text(Text::Jail)).value("DIR"),
    short('l', "log to a file or, as HOST:PORT, over UDP", Kind::Target(Target::Log))
        .value("TARGET")
        .manual("A file is opened by the user of -u and inside the directory of -j."),
    short('m', "clients accepted per wake-up (100)", Kind::Number(Number::Accepts)).value("N"),
    short('N', "as -h, and do not remember clients", Kind::HashAndForget),
    short('o', "the same as -O", Kind::Line).value("COMMAND"),
    short('O', "run a command", Kind::Line)
        .value("COMMAND")
        .manual("Options and commands take effect in their order; replies go to standard output."),
    short('p', "write the process id to a file", Kind::Text(Text::PidFile)).value("FILE").manual(
        "It is written by the user of -u and inside the directory of -j, who must be able to.",
    ),
    short('q', "length of the listen queue (500)", Kind::Number(Number::Backlog)).value("N"),
    short(
        'r',
        "round robin, without sending clients back to their server",
        Kind::Switch(Switch::Roundrobin),
    ),
    short('s', "stubborn: never try another server", Kind::Switch(Switch::Stubborn)),
    short('t', "seconds a connect to a server may take (5)", Kind::Number(Number::Timeout))
        .value("T"),
    short(
        'T',
        "seconds after which a client is forgotten (0, never)",
        Kind::Number(Number::Tracking),
    )
    .value("T"),
    short('u', "run as this user", Kind::Text(Text::User)).value("USER"),
    short('U', "balance UDP", Kind::Udp).manual("The same as the command protocol udp."),
    short('w', "file of the status page", Kind::Target(Target::WebStats)).value("FILE"),
    short('W', "choose the least loaded server by weight", Kind::Switch(Switch::Weight)),
    short('x', "connections at once (as many as descriptors allow)", Kind::Number(Number::ConnMax))
        .value("N"),
    short('X', "allow the command exit", Kind::Flag(Flag::EnableExit)),
    long("check", "check command line and file, change nothing", Kind::Flag(Flag::Check)).manual(
        "Exits with 0 if all is well, else with 1. Host names are resolved; ports, logs and other \
         files are not opened.",
    ),
    long("live", "with --check: look at this host too", Kind::Flag(Flag::Live)).manual(
        "Changes nothing. One line per finding: descriptors against conn_max, listening addresses, \
         routes to servers; for transparent services the right, the way back, rp_filter and the \
         packet filter; for services with direct server return the interface and its link, the right, \
         whether this machine has the service's address or forwards beside Pen, and whether the tarpit \
         would answer for addresses that somebody has, with what to do on each server; each with the \
         command that mends what is wrong. Run it as the user who starts Pen. Exits with 1 if \
         something is wrong.",
    ),
    long("demo", "balance over a few built-in servers, to try things out", Kind::Demo)
        .value("PORT"),
    long("help", "this text", Kind::Help),
    long("version", "the version", Kind::Version),
    short('A', "directory of certificate authorities", Kind::Target(Target::SslCaDir)).value("DIR"),
    short('E', "certificate: clients must speak TLS", Kind::Target(Target::SslCertificate))
        .value("FILE")
        .manual(
            "PEM: the certificate, then the certificates between it and the authority, and the key \
             unless -K names a file of its own. TLS 1.2 and 1.3 are offered; the servers get plain \
             text. More is said by the commands ssl_... of penctl(1). Read before -u and -j take \
             effect.",
        ),
    short('G', "file of certificate authorities", Kind::Target(Target::SslCaFile)).value("FILE"),
    short('K', "private key of -E, if it is in a file of its own", Kind::Target(Target::SslKey))
        .value("FILE"),
    short('L', "ssl23, ssl2, ssl3 or tls1: accepted, TLS 1.2 and 1.3 are offered", Kind::Protocol)
        .value("PROTOCOL"),
    short('R', "demand client certificates that -G or -A verifies", Kind::ClientCertificates)
        .manual("Without -G and -A the authorities of the system are trusted."),
    short('Z', "compatibility flags of TLS: accepted, no effect", Kind::Compatibility),
    short('D', "no longer needed", Kind::Old),
    short('n', "no longer needed", Kind::Old),
    short('P', "no longer needed", Kind::Old),
    short('Q', "no longer needed", Kind::Old),
    short('S', "no longer needed", Kind::Old).value("N"),
    short('i', "service of Windows: says that it is not offered, and ends", Kind::Windows)
        .value("NAME"),
];
