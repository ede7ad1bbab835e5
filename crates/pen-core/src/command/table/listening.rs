//! Rows: listening addresses, services, HTTP.

use super::{Number, Report, Scope, Spec, Switch, number, off, on, owned, report};
use crate::command::Command;
use crate::config::Forwarded;

pub(super) const ROWS: &[Spec] = &[
    Spec::new(
        "listen",
        &["listen [ADDRESS ...]", "no listen"],
        Scope::Service,
        "the listening addresses",
        |a| {
            let mut words = Vec::new();
            while let Some(word) = a.next() {
                words.push(owned(word));
            }
            Ok(Command::Listen(words))
        },
    )
    .no(|_| Ok(Command::StopListening))
    .json()
    .manual(
        "An ADDRESS is [HOST:]PORT or the path of a Unix socket. The text after the last colon \
             is the port; a port alone is all IPv4 addresses. Open connections stay when the \
             addresses change. Without an address prints them.",
    ),
    Spec::new("backlog", &["backlog [N]"], Scope::Service, "length of the listen queue", |a| {
        number(a, Number::Backlog)
    })
    .json()
    .since("0.1.0")
    .manual("The same as option -q."),
    Spec::new(
        "service",
        &["service NAME", "service NAME COMMAND ...", "no service NAME"],
        Scope::Process,
        "open a service's context, or run one command in it",
        |a| a.need_word("the name of a service").map(Command::Service),
    )
    .no(|a| a.need_word("the name of a service").map(Command::RemoveService))
    .since("0.1.0")
    .manual(
        "In a file service NAME makes the service if it is new and opens its context for the \
             lines that follow, up to the next service line or the end of the file. With a command \
             behind it, it holds for that command only, and the service must exist. Without it \
             commands mean the service default, or the only one. no service NAME drains and \
             removes one.",
    ),
    Spec::new("services", &["services [json]"], Scope::Process, "list the services", |_| {
        report(Report::Services)
    })
    .json()
    .control_only()
    .since("0.1.0"),
    Spec::new(
        "http",
        &["http", "no http"],
        Scope::Service,
        "add X-Forwarded-For and X-Forwarded-Proto to HTTP requests",
        |_| Ok(on(Switch::Http)),
    )
    .no(|_| Ok(off(Switch::Http)))
    .manual("The same as option -H."),
    Spec::new(
        "http_forwarded",
        &["http_forwarded [append|replace|keep]"],
        Scope::Service,
        "what happens to an X-Forwarded-For that the client sent",
        |a| {
            if a.rest.len() == 0 {
                return Ok(Command::Forwarded(None));
            }
            a.need_choice(&[
                ("append", Forwarded::Append),
                ("replace", Forwarded::Replace),
                ("keep", Forwarded::Keep),
            ])
            .map(|f| Command::Forwarded(Some(f)))
        },
    )
    .json()
    .since("0.1.0")
    .manual("keep trusts the client; use it only behind a proxy of your own."),
    Spec::new(
        "http_head_timeout",
        &["http_head_timeout [T]"],
        Scope::Service,
        "seconds that a request's head may take with http",
        |a| number(a, Number::HttpHeadTimeout),
    )
    .json()
    .since("0.2.0")
    .manual(
        "From its first byte to its end; then the connection is reset. A client that is silent between two \
         requests, or before the first one, is not meant: that is idle_timeout's. 0 is never.",
    ),
];
