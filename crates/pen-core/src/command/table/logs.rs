//! Rows: log, status page, debugging.

use super::{Number, Report, Scope, Spec, Switch, Target, number, off, on, optional_text, report};
use crate::command::log_words;
use crate::command::words::{Args, number_within};
use crate::command::{Command, Fault};
use crate::near::shown;

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
        "connection_log",
        &[
            "connection_log text|json TARGET [start] [every SECONDS]",
            "connection_log template \"TEXT\" TARGET [start] [every SECONDS]",
            "connection_log off",
            "connection_log [json]",
            "no connection_log",
        ],
        Scope::Service,
        "a line for each connection or flow when it ends",
        log_words::connection_log,
    )
    .no(|_| Ok(Command::ConnectionLog(Some(None))))
    .json()
    .since("0.2.0")
    .manual(
        "TARGET is a path with a slash in it, syslog, journald, stdout or udp:HOST:PORT. With start there \
         is another line when a server takes the connection, with every one each so many seconds while it is \
         open. In a template %{client} stands for the field client, %% for a percent sign, \\\" for a quote. \
         The fields are listed in logs.md.",
    ),
    Spec::new(
        "event_log",
        &["event_log text|json TARGET", "event_log off", "event_log [json]", "no event_log"],
        Scope::Process,
        "a line for each event",
        log_words::event_log,
    )
    .no(|_| Ok(Command::EventLog(Some(None))))
    .json()
    .since("0.2.0")
    .manual("The targets are those of connection_log. The keys of events are listed in logs.md."),
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
    Spec::new(
        "events",
        &["events [since N] [json]"],
        Scope::Process,
        "what happened lately: servers, settings, limits, certificates",
        |a| report(Report::Events(since(a)?)),
    )
    .json()
    .control_only()
    .since("0.2.0")
    .manual(
        "The newest 256 events, one line each, the oldest first; with since those whose number is \
         higher than N. Each line is a sequence of key=value; the keys are stable.",
    ),
    Spec::new(
        "watch",
        &["watch [since N] [json]"],
        Scope::Process,
        "stay and be told of events as they happen",
        |a| Ok(Command::Watch(since(a)?)),
    )
    .json()
    .control_only()
    .since("0.2.0")
    .manual(
        "The session stays open until you close it. Lines are those of events, from now on or from \
         number N on. A reader who is too slow loses lines and is told how many (key=events_lost).",
    ),
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

/// `since N`, or nothing.
fn since(args: &mut Args<'_>) -> Result<Option<u64>, Fault> {
    let Some((first, column)) = args.next() else { return Ok(None) };
    if first != "since" {
        let message = format!("{}: {} is not 'since'", args.word, shown(first));
        return Err(Fault::new(message, column));
    }
    let word = args.need("the number of an event after 'since'")?;
    let n = number_within(args.word, word, (0, i64::MAX), (0, i64::MAX))?;
    Ok(u64::try_from(n).ok())
}
