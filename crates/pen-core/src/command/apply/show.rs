//! Replies that the settings alone can give.

use serde_json::{Value, json};

use crate::command::table::{self, Spec};
use crate::command::{Command, Done, Fault, Line, Number, Target};
use crate::config::{Mode, Process, ServiceConfig};
use crate::near::{hint, shown};
use crate::report;

/// The answer to a command that only shows something, or `None` if `line` is not one.
pub(super) fn apply(
    process: &Process,
    service: &ServiceConfig,
    line: &Line,
) -> Option<Result<Done, Fault>> {
    let reply = match &line.command {
        Command::Mode if line.json => report::json::mode(&service.name, service.mode),
        Command::Mode => mode(service.mode),
        Command::Control if line.json => json_line(&json!({ "control": process.control })),
        Command::Control => process.control.as_ref().map_or_else(String::new, |c| format!("{c}\n")),
        Command::Forwarded(None) => {
            choice("http_forwarded", service.http_forwarded.word(), line.json)
        }
        Command::Protocol(None) => choice("protocol", service.protocol.word(), line.json),
        Command::Leaving(None) => choice("leaving_addresses", process.leaving.word(), line.json),
        Command::Spread(None) => choice("udp_spread", service.udp_spread.word(), line.json),
        Command::ConnectionLog(None) => {
            log("connection_log", service.connection_log.as_ref(), line.json)
        }
        Command::EventLog(None) => log("event_log", process.event_log.as_ref(), line.json),
        Command::Commands => commands(),
        Command::Help(None) => commands(),
        Command::Help(Some(word)) => match table::find(&word.text) {
            Some(spec) => help(spec),
            None => {
                let near = hint(&word.text, table::all().map(|s| s.word));
                let message = format!("help: no command {}{near}", shown(&word.text));
                return Some(Err(Fault::new(message, word.column)));
            }
        },
        _ => return None,
    };
    Some(Ok(Done { reply, ..Done::default() }))
}

/// The reply of a file or address.
pub(super) fn target(which: Target, value: Option<&str>, json: bool) -> String {
    match (json, value) {
        (true, _) => json_line(&json!({ which.word(): value })),
        (false, Some(value)) => format!("{value}\n"),
        (false, None) => String::new(),
    }
}

/// The list of the tarpit, without an end of line as in the classic.
pub(super) fn tarpit_acl(list: Option<u8>) -> String {
    format!("tarpit_acl = {}", list.map_or(-1, i16::from))
}

/// The name of the congestion control.
pub(super) fn congestion(name: Option<&str>, json: bool) -> String {
    match (json, name) {
        (true, _) => json_line(&json!({ "congestion": name })),
        (false, Some(name)) => format!("{name}\n"),
        (false, None) => String::new(),
    }
}

/// The reply of a setting that is one of a few words.
fn choice(command: &str, word: &str, json: bool) -> String {
    if json { json_line(&json!({ command: word })) } else { format!("{word}\n") }
}

/// The reply of a log that is off, or the words that set it.
fn log(command: &str, set: Option<&impl ToString>, json: bool) -> String {
    let words = set.map(ToString::to_string);
    match json {
        true => json_line(&json!({ command: words })),
        false => format!("{}\n", words.as_deref().unwrap_or("off")),
    }
}

/// The reply of a number.
pub(super) fn number(which: Number, value: u32, json: bool) -> String {
    if json {
        return json_line(&json!({ which.word(): value }));
    }
    match which {
        Number::IdleTimeout => format!("Idle timeout: {value} seconds\n"),
        _ => format!("{value}\n"),
    }
}

/// The listening addresses as given.
pub(super) fn listen(service: &ServiceConfig, json: bool) -> String {
    let texts: Vec<&str> = service.listen.iter().map(|l| l.text.as_str()).collect();
    match (json, texts.is_empty()) {
        (true, _) => json_line(&json!({ "listen": texts })),
        (false, true) => String::new(),
        (false, false) => format!("{}\n", texts.join(" ")),
    }
}

/// Where metrics are shown, as given.
pub(super) fn metrics(process: &Process, json: bool) -> String {
    match (json, process.metrics.as_ref().map(|listen| listen.text.as_str())) {
        (true, text) => json_line(&json!({ "metrics": text })),
        (false, Some(text)) => format!("{text}\n"),
        (false, None) => String::new(),
    }
}

fn mode(mode: Mode) -> String {
    let words: Vec<String> = [
        (mode.hash, "hash"),
        (mode.roundrobin, "roundrobin"),
        (mode.stubborn, "stubborn"),
        (mode.weight, "weight"),
        (mode.prio, "prio"),
    ]
    .iter()
    .map(|(on, word)| if *on { (*word).to_owned() } else { format!("no {word}") })
    .collect();
    format!("{}\n", words.join(" "))
}

fn commands() -> String {
    let mut text = String::new();
    for group in table::GROUPS {
        text.push_str(group.title);
        text.push('\n');
        for spec in group.rows.iter().filter(|s| !s.hidden) {
            text.push_str(&format!("  {:<18} {}\n", spec.word, spec.help));
        }
    }
    text
}

fn help(spec: &Spec) -> String {
    let mut text = String::new();
    for form in spec.forms {
        text.push_str(form);
        text.push('\n');
    }
    text.push_str(&format!("  {}\n", spec.help));
    if !spec.manual.is_empty() {
        text.push_str(&format!("  {}\n", spec.manual));
    }
    text
}

fn json_line(value: &Value) -> String {
    format!("{value}\n")
}
