//! Rows: servers.

use super::{Args, Fault, Report, Scope, Spec, owned, report};
use crate::command::words::number;
use crate::command::{Change, Command, Outside, TlsText, acl_words};
use crate::config::Trust;
use crate::limits::{SECONDS_MAX, SERVER_NUMBER_MAX};
use crate::near::{hint, shown};
use crate::routes;
use crate::server_word::ServerWord;

const KEYS: [&str; 14] = [
    "acl",
    "address",
    "port",
    "max",
    "hard",
    "blacklist",
    "weight",
    "prio",
    "name",
    "tls",
    "sni",
    "ca",
    "cert",
    "key",
];

pub(super) const ROWS: &[Spec] = &[
    Spec::new(
        "server",
        &["server N [acl A] [address HOST] [port P] [max M] [hard H] [blacklist T] [weight W] \
           [prio R] [name NAME] [tls verify|insecure|off] [sni NAME] [ca FILE] [cert FILE] \
           [key FILE]"],
        Scope::Server,
        "change a server",
        server,
    )
    .manual(
        "Pairs of key and value may repeat and are applied from left to right; if one of them is \
         wrong nothing changes. N is the number of a slot (the table grows when it is beyond the \
         end), the name of a server, or emergency or abuse. address takes an IPv4 or IPv6 \
         address, a host name or the path of a Unix socket and keeps the port; 0.0.0.0 frees the \
         slot. port takes a number or a service name. max is the number of connections from which \
         new clients are sent elsewhere, hard the same for clients that used the server before; 0 \
         is no limit. blacklist leaves the server out for T seconds, 0 takes it back. name gives \
         it a name that can be used in place of its number, name - takes the name away. tls verify \
         speaks TLS to the server, whose certificate must be for the name of sni (the server's host \
         unless given) and signed by an authority of the file ca (the system's unless given); tls \
         insecure accepts any certificate, so that anybody on the way can read and change \
         everything; tls off is plain TCP. cert and key are the certificate, with its chain, and the \
         key that Pen shows to a server that asks for one; without key it is in the same file. The \
         files are in PEM, read when they are named (at the start before -j and -u take effect) and \
         again on signal HUP and ssl_reload; one that cannot be used is an error and nothing \
         changes. sni -, ca -, cert - and key - take them away. A server whose handshake or \
         certificate fails counts as one whose connect failed.",
    ),
    Spec::new("servers", &["servers [json]"], Scope::Service, "list the servers", |_| {
        report(Report::Servers)
    })
    .json()
    .control_only()
    .manual(
        "One line per slot: N addr A port P conn C max M hard H weight W prio R sx S rx T, where S \
         is the number of bytes sent to the server and T received from it. Where TLS is spoken, tls \
         verify or tls insecure stands at the end.",
    ),
    Spec::new(
        "emergency",
        &["emergency HOST[:PORT[:MAX[:HARD]]]", "no emergency"],
        Scope::Service,
        "the server used when no other can be",
        |a| outside(a, Outside::Emergency),
    )
    .no(|_| Ok(Command::Outside(Outside::Emergency, None)))
    .since("0.1.0")
    .manual("The same as option -e. Without PORT the listening port is meant."),
    Spec::new(
        "abuse",
        &["abuse HOST[:PORT[:MAX[:HARD]]]", "no abuse"],
        Scope::Service,
        "the server for clients that client_acl denies",
        |a| outside(a, Outside::Abuse),
    )
    .no(|_| Ok(Command::Outside(Outside::Abuse, None)))
    .since("0.1.0")
    .manual("The same as option -B. Without it such clients are closed."),
];

fn outside(args: &mut Args<'_>, which: Outside) -> Result<Command, Fault> {
    let (word, column) = args.need("a server, HOST:PORT")?;
    let server = ServerWord::parse(word).map_err(|message| Fault::new(message, column))?;
    Ok(Command::Outside(which, Some((server, column))))
}

fn server(args: &mut Args<'_>) -> Result<Command, Fault> {
    let which = args.need_word("the number or name of a server")?;
    let mut changes = Vec::new();
    while let Some(key) = args.next() {
        changes.push(change(args, key)?);
    }
    if changes.is_empty() {
        let message = format!("server {}: needs a key and a value", shown(&which.text));
        return Err(Fault::new(message, which.column));
    }
    Ok(Command::Server(which, changes))
}

fn change(args: &mut Args<'_>, (key, column): (&str, usize)) -> Result<Change, Fault> {
    if !KEYS.contains(&key) {
        let mut near = hint(key, KEYS);
        if near.is_empty() {
            near = format!("; it takes {}", KEYS.join(", "));
        }
        return Err(Fault::new(format!("server: unknown key {}{near}", shown(key)), column));
    }
    match key {
        "acl" => return Ok(Change::Acl(acl_words::list(args)?)),
        "tls" => {
            let choices = [Trust::Off, Trust::Verify, Trust::Insecure].map(|t| (t.word(), t));
            return args.need_choice(&choices).map(Change::Tls);
        }
        _ => {}
    }
    let missing = Fault::new(format!("server: '{key}' needs a value"), column);
    let value = args.next().ok_or(missing)?;
    let up_to = |high: u32| {
        let n = number(&format!("server {key}"), value, 0, i64::from(high))?;
        Ok::<u32, Fault>(u32::try_from(n).unwrap_or(high))
    };
    Ok(match key {
        "address" => Change::Address(owned(value)),
        "port" => Change::Port(owned(value)),
        "max" => Change::Max(up_to(SERVER_NUMBER_MAX)?),
        "hard" => Change::Hard(up_to(SERVER_NUMBER_MAX)?),
        "weight" => Change::Weight(up_to(SERVER_NUMBER_MAX)?),
        "prio" => Change::Prio(up_to(SERVER_NUMBER_MAX)?),
        "blacklist" => Change::Blacklist(up_to(SECONDS_MAX)?),
        "sni" => Change::TlsText(TlsText::Sni, sni(value)?),
        "ca" => Change::TlsText(TlsText::Ca, file(value)),
        "cert" => Change::TlsText(TlsText::Cert, file(value)),
        "key" => Change::TlsText(TlsText::Key, file(value)),
        _ if value.0 == "-" => Change::Name(None),
        _ => {
            super::super::parse::check_name("server", value)?;
            Change::Name(Some(owned(value)))
        }
    })
}

fn file((text, _): (&str, usize)) -> Option<String> {
    (text != "-").then(|| text.to_owned())
}

fn sni((text, column): (&str, usize)) -> Result<Option<String>, Fault> {
    if text == "-" {
        return Ok(None);
    }
    let name = routes::host_name(text);
    name.map(Some).map_err(|why| Fault::new(format!("server sni: {} {why}", shown(text)), column))
}
