//! Rows: connections.

use super::{Number, Report, Scope, Spec, Switch, any_number, number, off, on, report};
use crate::command::Command;
use crate::config::{Engine, FastClose};

pub(super) const ROWS: &[Spec] = &[
    Spec::new("conn_max", &["conn_max [N]"], Scope::Service, "connections at once", |a| {
        number(a, Number::ConnMax)
    })
    .json()
    .manual(
        "The same as option -x. 0 is as many as the descriptor limit allows, which is the \
             default. At run time the number only grows. When all are in use further clients wait \
             in the kernel's queue.",
    ),
    Spec::new(
        "pending_max",
        &["pending_max [N]"],
        Scope::Service,
        "connects to servers that may be pending before accepting pauses",
        |a| number(a, Number::PendingMax),
    )
    .json()
    .manual(
        "Of each server no more than its equal part of N counts, so that silent servers do not \
             hold up the clients of the others: those who may go nowhere else wait, up to conn_max.",
    ),
    Spec::new("accepts", &["accepts [N]"], Scope::Service, "clients accepted per wake-up", |a| {
        number(a, Number::Accepts)
    })
    .json()
    .since("0.1.0")
    .manual("The same as option -m."),
    Spec::new(
        "idle_timeout",
        &["idle_timeout [T]"],
        Scope::Service,
        "seconds without traffic after which a connection is closed",
        |a| number(a, Number::IdleTimeout),
    )
    .json()
    .manual("0 is never. Half-closed connections are exempt; half_close_timeout is for them."),
    Spec::new(
        "half_close_timeout",
        &["half_close_timeout [T]"],
        Scope::Service,
        "seconds without traffic after which a half-closed connection is closed",
        |a| number(a, Number::HalfCloseTimeout),
    )
    .json()
    .since("0.1.0")
    .manual(
        "A connection is half-closed when one side has ended its stream and the other has not; such a \
         side may have vanished since. 0 (the default) is never. A server may rightly compute for long \
         after its client has ended the request: take more than the longest time that is known of. \
         60 is enough for most.",
    ),
    Spec::new(
        "idlers",
        &["idlers [N]"],
        Scope::Service,
        "spare connections to keep open to the servers",
        |a| number(a, Number::Idlers),
    )
    .json()
    .manual("Prints how many there are and how many are wanted."),
    Spec::new(
        "connection",
        &["connection N [json]"],
        Scope::Service,
        "describe a connection",
        |a| report(Report::Connection(any_number(a, "the number of a connection")?)),
    )
    .json()
    .control_only()
    .manual(
        "state is 0 for unused, 1 connecting, 2 open; 4 is added when the server has ended \
             its stream, 8 when the client has.",
    ),
    Spec::new(
        "socket",
        &["socket N [json]"],
        Scope::Service,
        "the connection that a descriptor belongs to",
        |a| report(Report::Socket(any_number(a, "the number of a descriptor")?)),
    )
    .json()
    .control_only(),
    Spec::new("close", &["close N"], Scope::Service, "close a connection", |a| {
        Ok(Command::Close(any_number(a, "the number of a connection")?))
    })
    .control_only(),
    Spec::new(
        "tcp_fastclose",
        &["tcp_fastclose up|down|both|off"],
        Scope::Service,
        "whose end of stream closes both sides at once",
        |a| {
            a.need_choice(&[
                ("up", FastClose::Up),
                ("down", FastClose::Down),
                ("both", FastClose::Both),
                ("off", FastClose::Off),
            ])
            .map(Command::FastClose)
        },
    )
    .manual("up is the server's, down the client's. Pending data is written first."),
    Spec::new(
        "engine",
        &["engine auto|copy|splice"],
        Scope::Service,
        "how the bytes of new connections are moved",
        |a| {
            a.need_choice(&[
                ("auto", Engine::Auto),
                ("copy", Engine::Copy),
                ("splice", Engine::Splice),
            ])
            .map(Command::Engine)
        },
    )
    .manual(
        "auto (the default) copies small exchanges and splices flows that prove to be bulky, without \
         the bytes coming up into the process; copy and splice force one, for tests and measurements. \
         What must be seen (http, log) is always copied.",
    ),
    Spec::new(
        "dummy",
        &["dummy", "no dummy"],
        Scope::Service,
        "answer clients with a fixed web page instead of using servers",
        |_| Ok(on(Switch::Dummy)),
    )
    .no(|_| Ok(off(Switch::Dummy))),
    Spec::new(
        "peek",
        &["peek", "no peek"],
        Scope::Service,
        "choose the server when the client's first bytes are there",
        |_| Ok(on(Switch::Peek)),
    )
    .no(|_| Ok(off(Switch::Peek))),
];
