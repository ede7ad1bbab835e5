//! Rows: where clients go by what their TLS hello says.

use super::{Args, Fault, Report, Scope, Spec, report, unusable};
use crate::command::{Command, RouteChange, RouteTo, Word};
use crate::routes::When;

pub(super) const ROWS: &[Spec] = &[
    Spec::new(
        "route",
        &[
            "route sni NAME service S|server N|here|close",
            "route alpn PROTOCOL service S|server N|here|close",
            "route default service S|server N|here|close",
            "no route [sni NAME|alpn PROTOCOL|default]",
        ],
        Scope::Service,
        "where clients go by what they say first, without decrypting anything",
        |a| Ok(Command::Route(RouteChange::Set(need_when(a)?, need_to(a)?))),
    )
    .no(|a| {
        let column = a.rest.as_slice().get(1).or(a.rest.as_slice().first());
        let column = column.map_or(a.column, |(_, column)| *column);
        let when = if a.rest.len() == 0 { None } else { Some(need_when(a)?) };
        Ok(Command::Route(RouteChange::Unset(when, column)))
    })
    .since("0.1.0")
    .manual(
        "A service with routes reads the TLS hello of each client, up to 64 KiB, and sends the client \
         on with every byte untouched. Of the routes that fit it takes the one for the exact name; \
         else the wildcard *.REST with the longest REST (the * stands for one or more labels); else \
         the first alpn route, in the order of the settings, whose protocol the client offers; else \
         the default. Names are compared without regard to case and to a dot at the end. With an \
         encrypted hello the outer name counts. Clients that do not speak TLS take the default \
         route; without one they are closed, as are those that no route fits. Clients that have not \
         finished their hello count as unfinished TLS handshakes: ssl_handshake_timeout, \
         ssl_handshakes_max and ssl_handshakes_per_client of this service bound them. service S hands the client over to that service: its \
         access lists, limits, client table and servers apply, and if it has routes they are next; \
         a service needs no listening address for this. While it has no room the client waits, 10 \
         seconds at most. \
         server N is this one server of the own table, which gets every byte as it came: if it cannot be \
         had the client is closed. here is this service, as if it had no routes. Routes come before \
         TLS is ended: the service where they end decrypts if it has a certificate (ssl_certificate), \
         and the handshake begins with the bytes that were read. A \
         route for the same clients replaces the former one. In a file the first mention of a \
         service's routes empties them, so that reading the file again replaces them. Routes that \
         lead to nothing or in a circle are an error when the settings are complete.",
    ),
    Spec::new("routes", &["routes [json]"], Scope::Service, "list the routes", |_| {
        report(Report::Routes)
    })
    .json()
    .control_only()
    .since("0.1.0")
    .manual(
        "One line per route and how many clients took it; then how many clients did not speak TLS, \
         fitted no route, did not say in time whom they wanted, and found no room.",
    ),
];

fn need_when(args: &mut Args<'_>) -> Result<When, Fault> {
    type Read = fn(&str) -> Result<When, &'static str>;
    let kinds: &[(&str, Option<(&str, Read)>)] = &[
        ("sni", Some(("a host name", When::sni))),
        ("alpn", Some(("the name of a protocol", When::alpn))),
        ("default", None),
    ];
    let Some((what, read)) = args.need_choice(kinds)? else { return Ok(When::Default) };
    let word = args.need(what)?;
    read(word.0).map_err(|why| unusable(args, word, why))
}

fn need_to(args: &mut Args<'_>) -> Result<RouteTo, Fault> {
    type Make = fn(Word) -> RouteTo;
    #[derive(Clone, Copy)]
    enum Rest {
        Named(&'static str, Make),
        Nothing(fn() -> RouteTo),
    }
    let kinds = &[
        ("service", Rest::Named("the name of a service", RouteTo::Service)),
        ("server", Rest::Named("the number or name of a server", RouteTo::Server)),
        ("here", Rest::Nothing(|| RouteTo::Here)),
        ("close", Rest::Nothing(|| RouteTo::Close)),
    ];
    match args.need_choice(kinds)? {
        Rest::Named(what, make) => args.need_word(what).map(make),
        Rest::Nothing(make) => Ok(make()),
    }
}
