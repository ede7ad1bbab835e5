//! The words of `connection_log` and `event_log`.

use super::words::Args;
use super::{Command, Fault};
use crate::connlog::{ConnectionLog, EventLog, Format, LogPlace, Template};
use crate::limits::LOG_EVERY_MAX_S;
use crate::near::{hint, shown};

/// `off`, or `FORMAT TARGET [start] [every SECONDS]`; nothing only reports.
pub(super) fn connection_log(args: &mut Args<'_>) -> Result<Command, Fault> {
    if args.rest.len() == 0 {
        return Ok(Command::ConnectionLog(None));
    }
    let choices = [("off", 'o'), ("text", 't'), ("json", 'j'), ("template", 'w')];
    let format = match args.need_choice(&choices)? {
        't' => Format::Text,
        'j' => Format::Json,
        'w' => Format::Template(template(args)?),
        _ => return Ok(Command::ConnectionLog(Some(None))),
    };
    let place = place(args)?;
    let mut log = ConnectionLog { format, place, start: false, every_s: 0 };
    while let Some((word, column)) = args.next() {
        match word {
            "start" => log.start = true,
            "every" => {
                let seconds = args.need_number("seconds", 1, LOG_EVERY_MAX_S.into())?;
                log.every_s = u32::try_from(seconds).unwrap_or(LOG_EVERY_MAX_S);
            }
            other => {
                let near = hint(other, ["start", "every"]);
                let message =
                    format!("{}: {} is neither 'start' nor 'every'{near}", args.word, shown(other));
                return Err(Fault::new(message, column));
            }
        }
    }
    Ok(Command::ConnectionLog(Some(Some(log))))
}

/// `off`, or `text|json TARGET`; nothing only reports.
pub(super) fn event_log(args: &mut Args<'_>) -> Result<Command, Fault> {
    if args.rest.len() == 0 {
        return Ok(Command::EventLog(None));
    }
    let json =
        match args.need_choice(&[("off", None), ("text", Some(false)), ("json", Some(true))])? {
            Some(json) => json,
            None => return Ok(Command::EventLog(Some(None))),
        };
    Ok(Command::EventLog(Some(Some(EventLog { json, place: place(args)? }))))
}

fn place(args: &mut Args<'_>) -> Result<LogPlace, Fault> {
    let (word, column) =
        args.need("a target: a path, syslog, journald, stdout or udp:HOST:PORT")?;
    LogPlace::read(word).map_err(|why| {
        let near = hint(word, ["syslog", "journald", "stdout"]);
        Fault::new(format!("{}: target {}: {why}{near}", args.word, shown(word)), column)
    })
}

/// Text between quotes, which may hold blanks: the words are put together as they stood in the line.
fn template(args: &mut Args<'_>) -> Result<Template, Fault> {
    let (first, begin) = args.need("a template in quotes")?;
    let fault = |why: &str, column| Fault::new(format!("{}: template: {why}", args.word), column);
    let Some(inside) = first.strip_prefix('"') else {
        return Err(fault("it stands in quotes (\")", begin));
    };
    let mut text = inside.to_owned();
    let mut end = begin + first.len();
    while !closes(&text) {
        let Some((word, column)) = args.rest.next().copied() else {
            return Err(fault("its end, a quote, is missing", begin));
        };
        text.extend(std::iter::repeat_n(' ', column.saturating_sub(end)));
        text.push_str(word);
        end = column + word.len();
    }
    text.pop();
    Template::read(&text).map_err(|(why, at)| fault(&why, begin + 1 + at))
}

/// Whether the text ends with a quote that no backslash takes its meaning from.
fn closes(text: &str) -> bool {
    text.strip_suffix('"').is_some_and(|rest| {
        let slashes = rest.len() - rest.trim_end_matches('\\').len();
        slashes % 2 == 0
    })
}
