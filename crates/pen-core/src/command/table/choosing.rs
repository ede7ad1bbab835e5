//! Rows: how a server is chosen, and what counts as failed.

use super::{Number, Scope, Spec, Switch, number, off, on};
use crate::command::{Command, explain_words};

pub(super) const ROWS: &[Spec] = &[
    Spec::new("mode", &["mode [json]"], Scope::Service, "how servers are chosen", |_| {
        Ok(Command::Mode)
    })
    .json()
    .manual(
        "Prints the words hash, roundrobin, stubborn, weight and prio, each with no before it \
             when it is off.",
    ),
    Spec::new(
        "explain",
        &["explain ADDRESS [port N] [sni NAME] [alpn PROTOCOL ...] [service NAME] [json]"],
        Scope::Service,
        "which server a client would get now, and why not each other one",
        explain_words::read,
    )
    .json()
    .control_only()
    .since("0.2.0")
    .manual(
        "ADDRESS is the client's, IPv4 or IPv6, or the word unix for clients on Unix sockets. The \
         answer is what a client that came at this moment would get, for asking runs the same search \
         on a copy and changes nothing: not the round robin, not what is remembered, no limit. The \
         first line says what the client gets, then come the rule that chose, and each server: tried \
         first, tried as number N if those before it fail, or passed over, and why. With port N the \
         client comes from that port, which counts with hash and roundrobin together; without it \
         such a service is answered with all servers that could be it. With sni NAME and alpn PROTOCOL \
         the client says so in its TLS hello, and the routes of the service are followed; without \
         them it takes the default route. Of a UDP service, and with direct server return, the answer is for \
         a client without an open flow. The last lines say what the answer depends on.",
    ),
    Spec::new(
        "roundrobin",
        &["roundrobin", "no roundrobin"],
        Scope::Service,
        "one server after the other, clients are not sent back to theirs",
        |_| Ok(on(Switch::Roundrobin)),
    )
    .no(|_| Ok(off(Switch::Roundrobin)))
    .manual("The same as option -r."),
    Spec::new(
        "hash",
        &["hash", "no hash"],
        Scope::Service,
        "choose by the client's address",
        |_| Ok(on(Switch::Hash)),
    )
    .no(|_| Ok(off(Switch::Hash)))
    .manual(
        "The same as option -h. A consistent hash over the whole address: the same choice on \
             every machine with the same servers. With roundrobin the client's port is part of \
             the key.",
    ),
    Spec::new(
        "weight",
        &["weight", "no weight"],
        Scope::Service,
        "the least loaded server by weight",
        |_| Ok(on(Switch::Weight)),
    )
    .no(|_| Ok(off(Switch::Weight)))
    .manual("The same as option -W. Servers of weight 0 are not chosen."),
    Spec::new(
        "prio",
        &["prio", "no prio"],
        Scope::Service,
        "the server with the lowest priority number",
        |_| Ok(on(Switch::Prio)),
    )
    .no(|_| Ok(off(Switch::Prio))),
    Spec::new(
        "stubborn",
        &["stubborn", "no stubborn"],
        Scope::Service,
        "close the client when its server fails, never try another",
        |_| Ok(on(Switch::Stubborn)),
    )
    .no(|_| Ok(off(Switch::Stubborn)))
    .manual("The same as option -s."),
    Spec::new(
        "forgetful",
        &["forgetful", "no forgetful"],
        Scope::Service,
        "do not send clients back to the server they used",
        |_| Ok(on(Switch::Forgetful)),
    )
    .no(|_| Ok(off(Switch::Forgetful)))
    .since("0.1.0")
    .manual("Option -N is hash and forgetful together."),
    Spec::new(
        "blacklist",
        &["blacklist [T]"],
        Scope::Service,
        "seconds a failed server is left out",
        |a| number(a, Number::Blacklist),
    )
    .json()
    .manual("The same as option -b. 0 leaves nobody out. Running sentences are measured anew."),
    Spec::new(
        "timeout",
        &["timeout [T]"],
        Scope::Service,
        "seconds a connect to a server may take",
        |a| number(a, Number::Timeout),
    )
    .json()
    .manual("The same as option -t."),
];
