//! The one file that performs what lines ask for: makes settings true, carries out effects,
//! answers reports.
//!
//! A change is prepared on a copy of the settings, published wholly or not at all, and only then
//! are its effects performed. Deliberately not here: sessions, signals, and waiting for names.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use pen_core::addr::Names;
use pen_core::command::{self, Context, Door, Effect, StateDeed, write};
use pen_core::config::{Config, Protocol, ServiceConfig};
use pen_core::report::classic;
use pen_sys::localtime;

use super::contain::{NO_REPLY, contained};
use super::reports;
use super::session::Watch;
use crate::built;
use crate::clock;
use crate::files::{self, FileFault, Outcome, Said};
use crate::logs::Level;
use crate::publish::Running;
use crate::sandbox;
use crate::shared::Order;

/// How the process was started, as far as `write` repeats it.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// `-f` was given.
    pub foreground: bool,
    /// `-e` as given.
    pub emergency: Option<String>,
    /// `-B` as given.
    pub abuse: Option<String>,
    /// `-j` as given.
    pub jail: Option<String>,
    /// `-p` as given.
    pub pid_file: Option<String>,
    /// `-u` as given.
    pub user: Option<String>,
    /// `-F` as given.
    pub file: Option<String>,
    /// The listening address came from the operands.
    pub listen_operand: bool,
}

/// A change that is ready to be made true.
#[derive(Debug)]
pub struct Prepared {
    /// The settings as they will be.
    pub config: Config,
    /// What the client hears and asks for.
    pub reply: Outcome,
    /// What goes to standard output: the outcome of files.
    pub output: Outcome,
}

/// What is left after a change.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Performed {
    /// The reply to the client.
    pub reply: String,
    /// The process is to end.
    pub exit: bool,
    /// The program is to be started anew; the reply comes when it is known what became of it.
    pub upgrade: bool,
    /// The session stays and is told events, if it asked for them.
    pub watch: Option<Watch>,
    /// The session waits for this to be done.
    pub state: Option<StateDeed>,
}

/// Prepares a line of a control session, with the files it includes. `None` for a line without a
/// command.
///
/// # Errors
/// A sentence for the client.
pub fn prepare_line(
    config: &Config,
    text: &str,
    names: &dyn Names,
) -> Result<Option<Prepared>, String> {
    let Some(line) = command::parse(text, Door::Control).map_err(|f| f.message)? else {
        return Ok(None);
    };
    let mut prepared =
        Prepared { config: config.clone(), reply: Outcome::default(), output: Outcome::default() };
    let mut context = Context::control(config);
    let done =
        command::apply(&mut prepared.config, &mut context, &line, names).map_err(|f| f.message)?;
    for include in prepared.reply.absorb(done, line.json) {
        let Effect::Include { service, path } = include else { continue };
        let context = Context { service, ..Context::reload() };
        let output = files::read_file(&mut prepared.config, &context, &path, names)
            .map_err(|f| f.to_string())?;
        prepared.output.append(output);
    }
    Ok(Some(prepared))
}

/// Prepares reading a file over the settings.
///
/// # Errors
/// What is wrong with the file.
pub fn prepare_file(config: &Config, path: &str, names: &dyn Names) -> Result<Prepared, FileFault> {
    let mut config = config.clone();
    let output = files::read_file(&mut config, &Context::reload(), path, names)?;
    Ok(Prepared { config, reply: Outcome::default(), output })
}

/// Makes a prepared change true and performs what it asks for.
///
/// # Errors
/// A sentence for the client; nothing has changed.
pub fn make_true(
    running: &mut Running,
    origin: &Origin,
    prepared: Prepared,
    names: &dyn Names,
) -> Result<Performed, String> {
    let Prepared { config, reply, output } = prepared;
    let changes = running.publish(config, names)?;
    running.announce(changes, Level::Debug(1));
    let shown = follow_up(running, origin, output);
    running.logs.show(shown.reply);
    let mut performed = follow_up(running, origin, reply);
    performed.exit |= shown.exit;
    Ok(performed)
}

/// Says notices, answers reports and carries out effects. Also for the outcome of the files and
/// options of the start.
pub fn follow_up(running: &mut Running, origin: &Origin, outcome: Outcome) -> Performed {
    for notice in outcome.notices {
        running.logs.say(Level::Always, || notice);
    }
    let mut performed = Performed::default();
    for said in outcome.said {
        performed.reply += &match said {
            Said::Text(text) => text,
            Said::Report { service, report, json } => contained(&running.logs, NO_REPLY, || {
                #[cfg(debug_assertions)]
                crate::worker::faults::at_report(&report);
                Ok(reports::reply(running, &service, &report, json))
            })
            .unwrap_or_else(|why| format!("error: {why}\n")),
        };
    }
    for effect in outcome.effects {
        match effect {
            Effect::Exit => {
                performed.exit = true;
                continue;
            }
            Effect::Upgrade => {
                performed.upgrade = true;
                continue;
            }
            Effect::Watch { since, json } => {
                let after = since.unwrap_or_else(|| running.logs.events().since(0, 0).last);
                performed.watch = Some(Watch { after, json });
                continue;
            }
            Effect::State(deed) => {
                performed.state = Some(deed);
                continue;
            }
            _ => {}
        }
        match carry_out(running, origin, effect) {
            Ok(text) => performed.reply += &text,
            Err(why) => performed.reply += &format!("error: {}\n", sandbox::explain(why)),
        }
    }
    performed
}

/// Whether a change touches where clients come in or go out, which is always worth a line.
#[must_use]
pub fn moves_traffic(before: &Config, after: &Config) -> bool {
    let places = |c: &Config| -> Vec<_> {
        let of = |s: &ServiceConfig| (s.name.clone(), s.listen.clone(), s.servers.clone());
        c.services.iter().map(of).collect()
    };
    places(before) != places(after)
}

/// Shows text before the log thread runs. With nobody to read it the process goes on.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn carry_out(running: &mut Running, origin: &Origin, effect: Effect) -> Result<String, String> {
    match effect {
        Effect::Sentence { service, server, seconds } => {
            let found = Arc::clone(running.service(&service).ok_or("the service is gone")?);
            let live = found.live.load();
            let slot = server;
            let index = usize::try_from(server).map_err(|e| e.to_string())?;
            let server = live.servers.get(index).ok_or("the server is gone")?;
            let now = clock::now();
            server.load.sentence(now, seconds);
            running.sentences.pass(&running.logs, (&found, slot), seconds, now);
            if live.config.protocol == Protocol::Udp {
                // Its flows go elsewhere now, not with their next datagram.
                running.order_all(|| Order::Refresh { service: found.id });
            }
            Ok(String::new())
        }
        Effect::CloseConnection { service, connection } => {
            contained(&running.logs, NO_REPLY, || close_connection(running, &service, connection))
        }
        Effect::Write(file) => {
            contained(&running.logs, NO_REPLY, || write_settings(running, origin, file))
        }
        Effect::ReloadTls if !built::TLS => Err(built::NO_TLS.to_owned()),
        Effect::ReloadTls => Ok(renew_certificates(running)),
        // Publishing has retired it already.
        Effect::RemoveService(_) => Ok(String::new()),
        // All were dealt with on the way here.
        Effect::Exit
        | Effect::Upgrade
        | Effect::Watch { .. }
        | Effect::State(_)
        | Effect::Include { .. } => Ok(String::new()),
    }
}

/// Reads certificates again. What is new goes to the log, and to whoever asked.
pub fn renew_certificates(running: &mut Running) -> String {
    let changes = running.renew_certificates();
    let news = changes.news.iter().map(|line| format!("{line}\n"));
    let warnings = changes.warnings.iter().map(|text| format!("WARNING: {text}\n"));
    let reply = news.chain(warnings).collect();
    running.announce(changes, Level::Always);
    reply
}

fn close_connection(running: &Running, service: &str, number: i64) -> Result<String, String> {
    let service = running.service(service).ok_or("the service is gone")?;
    let max = service.tables().slots.max();
    match u32::try_from(number) {
        Ok(slot) if slot < max => {
            if reports::close(running, service, slot) {
                Ok(classic::closing(number))
            } else {
                Err(format!("connection {number} is not in use"))
            }
        }
        _ => Ok(classic::connection_out_of_range(number)),
    }
}

fn write_settings(
    running: &Running,
    origin: &Origin,
    file: Option<String>,
) -> Result<String, String> {
    let file = file
        .or_else(|| origin.file.clone())
        .ok_or("write: there is no file to write to; name one, or start with -F")?;
    let time = localtime::stamp(clock::wall().0);
    let facts = write::Facts {
        time: &time,
        foreground: origin.foreground,
        emergency: origin.emergency.as_deref(),
        abuse: origin.abuse.as_deref(),
        jail: origin.jail.as_deref(),
        pid_file: origin.pid_file.as_deref(),
        user: origin.user.as_deref(),
        file: &file,
        listen_operand: origin.listen_operand,
    };
    let text = write::write(&running.config, &facts);
    match files::replace(Path::new(&file), text.as_bytes()) {
        Ok(()) => Ok(String::new()),
        Err(e) => Err(format!("cannot write {file}: {e}")),
    }
}
