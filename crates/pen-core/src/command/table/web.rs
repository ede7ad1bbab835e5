//! Rows: metrics and the web page.

use super::{Number, Scope, Spec, Switch, number, off, on, owned};
use crate::command::Command;

pub(super) const ROWS: &[Spec] = &[
    Spec::new(
        "metrics",
        &["metrics [ADDRESS] [json]", "no metrics"],
        Scope::Process,
        "where Pen shows by HTTP what it does",
        |a| Ok(Command::Metrics(a.next().map(|word| Some(owned(word))))),
    )
    .no(|_| Ok(Command::Metrics(Some(None))))
    .json()
    .since("0.2.0")
    .manual(
        "ADDRESS is [HOST:]PORT or the path of a Unix socket, as with listen. Without one prints it. Off \
         by default. /metrics is for Prometheus and others who read OpenMetrics, / is a page for \
         people, /status.json is overview json with what the last minutes were like, /healthz answers \
         200 while the process and its workers do, /readyz while every service listens and has a \
         server that can be used. An address that cannot be had is an error and the old one stays.",
    ),
    Spec::new(
        "metrics_acl",
        &["metrics_acl [N]"],
        Scope::Process,
        "the list that clients of metrics must pass",
        |a| number(a, Number::MetricsAcl),
    )
    .json()
    .since("0.2.0")
    .manual(
        "While the list is empty only loopback addresses may read. A Unix socket is for root and Pen's \
         own user. Who may not is closed without a word.",
    ),
    Spec::new(
        "metrics_control",
        &["metrics_control", "no metrics_control"],
        Scope::Process,
        "the page of metrics may blacklist servers and set weights",
        |_| Ok(on(Switch::MetricsControl)),
    )
    .no(|_| Ok(off(Switch::MetricsControl)))
    .since("0.2.0")
    .manual(
        "Off by default. Only for clients that control_acl lets in as well, and only from the page \
         itself, asked for by an IP address or as localhost, so that no other page in somebody's \
         browser can do it. What is done goes to the log with the client's address.",
    ),
];
