//! Rows: UDP.

use super::{Number, Report, Scope, Spec, number, report};
use crate::command::Command;
use crate::config::{Protocol, Spread};

pub(super) const ROWS: &[Spec] = &[
    Spec::new(
        "protocol",
        &["protocol [tcp|udp]"],
        Scope::Service,
        "what clients and servers speak",
        |a| {
            if a.rest.len() == 0 {
                return Ok(Command::Protocol(None));
            }
            a.need_choice(&[("tcp", Protocol::Tcp), ("udp", Protocol::Udp)])
                .map(|p| Command::Protocol(Some(p)))
        },
    )
    .json()
    .since("0.1.0")
    .manual(
        "udp is the same as option -U. The datagrams of a client's socket are a flow: they go to \
         one server, and its answers leave from the very address the client sent to. A flow counts \
         as a connection for conn_max, max and hard, and what chooses servers, the access lists and \
         the emergency and abuse servers work as with tcp. When conn_max flows are there (131072 \
         unless it is set) the one that was quiet longest makes room. Addresses only: Unix sockets \
         are refused. idlers, peek, dummy, http, idle_timeout and the tcp_ commands have no meaning. \
         A service that changes its protocol starts anew.",
    ),
    Spec::new(
        "udp_timeout",
        &["udp_timeout [T]"],
        Scope::Service,
        "seconds without a datagram after which a flow is forgotten",
        |a| number(a, Number::UdpTimeout),
    )
    .json()
    .since("0.1.0")
    .manual("120 unless it is set."),
    Spec::new(
        "udp_answers",
        &["udp_answers [N]"],
        Scope::Service,
        "answers per datagram of the client after which a flow is over",
        |a| number(a, Number::UdpAnswers),
    )
    .json()
    .since("0.1.0")
    .manual(
        "0, the default, is any number: only time ends a flow. 1 is right for DNS: a flow is over \
         when each of its questions has had an answer, and gives its place back at once.",
    ),
    Spec::new(
        "udp_spread",
        &["udp_spread [flow|datagram]"],
        Scope::Service,
        "for how much a server is chosen",
        |a| {
            if a.rest.len() == 0 {
                return Ok(Command::Spread(None));
            }
            a.need_choice(&[("flow", Spread::Flow), ("datagram", Spread::Datagram)])
                .map(|s| Command::Spread(Some(s)))
        },
    )
    .json()
    .since("0.1.0")
    .manual(
        "flow, the default, sends all datagrams of a client's socket to one server. datagram \
         chooses for each of them, with roundrobin strictly in turn: for one sender whose datagrams \
         have nothing to do with each other, such as a log or NetFlow exporter. A client then has a \
         flow per server.",
    ),
    Spec::new("flows", &["flows [json]"], Scope::Service, "count flows and datagrams", |_| {
        report(Report::Flows)
    })
    .json()
    .control_only()
    .since("0.1.0")
    .manual(
        "Prints the flows there are and may be, the local ports they use, datagrams and bytes each \
         way, why flows ended, and why datagrams were dropped.",
    ),
];
