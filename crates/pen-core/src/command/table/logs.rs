//! Rows: log, status page, debugging.

use super::{Number, Report, Scope, Spec, Switch, Target, number, off, on, optional_text, report};
use crate::command::Command;

pub(super) const ROWS: &[Spec] = &[
    Spec::new(
        "log",
        &["log [TARGET] [json]", "no log"],
        Scope::Service,
        "the file or HOST:PORT that the log goes to",
        |a| Ok(Command::Target(Target::Log, optional_text(a).map(Some))),
    )
    .no(|_| Ok(Command::Target(Target::Log, Some(None))))
    .json()
    .manual("The same as option -l. A TARGET that starts with a slash or has no colon is a file."),
    Spec::new(
        "web_stats",
        &["web_stats [FILE] [json]", "no web_stats"],
        Scope::Service,
        "the file of the status page",
        |a| Ok(Command::Target(Target::WebStats, optional_text(a).map(Some))),
    )
    .no(|_| Ok(Command::Target(Target::WebStats, Some(None))))
    .json()
    .manual("The same as option -w. It is written on the command status and on signal USR1."),
    Spec::new(
        "status",
        &["status [json]"],
        Scope::Service,
        "write the status page and print it",
        |_| report(Report::Status),
    )
    .json()
    .control_only(),
    Spec::new("debug", &["debug [N]"], Scope::Process, "debug level", |a| number(a, Number::Debug))
        .json()
        .manual("Each option -d adds one."),
    Spec::new(
        "ascii",
        &["ascii", "no ascii"],
        Scope::Process,
        "dumps of traffic as text, not as hex pairs",
        |_| Ok(on(Switch::Ascii)),
    )
    .no(|_| Ok(off(Switch::Ascii)))
    .manual("The same as option -a. Traffic is dumped at debug levels above 2."),
];
