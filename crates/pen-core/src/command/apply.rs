//! A parsed line changes a [`Config`], wholly or not at all, and says what is left to do.

mod dsr;
mod route;
mod sandbox;
mod server;
mod show;
mod ssl;

use super::number::Number;
use super::{Command, Context, Done, Door, Effect, Fault, Line, Report, Switch, Target, Word};
use crate::acl::AccessList;
use crate::addr::{Names, Place};
use crate::config::{Config, DEFAULT_SERVICE, Process, ServiceConfig};
use crate::limits::{ACL_ENTRIES_MAX, LISTENERS_MAX, SERVICES_MAX};
use crate::listen_word;
use crate::near::{hint, shown};
use crate::server_word::resolve_host;

/// Applies a line to `config`: wholly or, on a fault, not at all.
///
/// # Errors
/// A [`Fault`]; `config` is as before.
pub fn apply(
    config: &mut Config,
    context: &mut Context,
    line: &Line,
    names: &dyn Names,
) -> Result<Done, Fault> {
    if let Some(done) = as_a_whole(config, context, &line.command) {
        return done;
    }
    let name = service_meant(line, context).to_owned();
    let Config { process, services } = config;
    let Some(service) = services.iter_mut().find(|s| s.name == name) else {
        let near = hint(&name, services.iter().map(|s| s.name.as_str()));
        return Err(Fault::new(format!("no service called {}{near}", shown(&name)), 0));
    };
    if let Some(done) = show::apply(process, service, line) {
        return done;
    }
    let mut done = Done::default();
    match &line.command {
        Command::Number(which, value) => {
            number(process, service, context, *which, *value, line.json, &mut done)?;
        }
        Command::Switch(which, on) => *switch(process, service, *which) = *on,
        Command::AddAcl(list, entry) => {
            let entries = &mut list_of(service, context, *list).entries;
            if entries.len() >= ACL_ENTRIES_MAX {
                let message = format!("acl: list {list} has {ACL_ENTRIES_MAX} entries already");
                return Err(Fault::new(message, 0));
            }
            entries.push(*entry);
        }
        Command::ClearAcl(list) => list_of(service, context, *list).entries.clear(),
        Command::Server(which, changes) => {
            server::change(service, which, changes, names, &mut done)?
        }
        Command::Outside(which, server) => {
            server::outside(service, *which, server.as_ref(), names)?
        }
        Command::Listen(words) => {
            if !words.is_empty() {
                service.listen = addresses(words, names)?;
            }
            done.reply = show::listen(service, line.json);
        }
        Command::StopListening => service.listen.clear(),
        Command::Metrics(value) => done.reply = metrics(process, value, line.json, names)?,
        Command::DsrIp(word) => service.dsr.ip = dsr::ip(word.as_ref(), names)?,
        Command::TarpitAcl(list) => dsr::tarpit_acl(service, *list, &mut done),
        Command::Source(word) => source(service, word.as_ref(), names, &mut done),
        Command::Target(which, value) => {
            let target = target(process, service, *which);
            if let Some(new) = value {
                target.clone_from(new);
            }
            if value.is_none() || line.json || !which.is_silent() {
                done.reply = show::target(*which, target.as_deref(), line.json);
            }
        }
        Command::ConnectionLog(Some(log)) => service.connection_log.clone_from(log),
        Command::EventLog(Some(log)) => process.event_log.clone_from(log),
        Command::Keepalive(probes) => service.sockets.keepalive = *probes,
        Command::Congestion(value) => done.reply = congestion(service, value, line.json),
        Command::Route(change) => route::change(service, context, change)?,
        Command::FastClose(choice) => service.tcp_fastclose = *choice,
        Command::Engine(choice) => service.engine = *choice,
        Command::Forwarded(Some(choice)) => service.http_forwarded = *choice,
        Command::Protocol(Some(choice)) => service.protocol = *choice,
        Command::Spread(Some(choice)) => service.udp_spread = *choice,
        Command::Leaving(Some(choice)) => process.leaving = *choice,
        Command::Ssl(setting) => ssl::apply(&mut service.tls, setting, &mut done)?,
        _ => perform(process, &service.name, line, &mut done),
    }
    Ok(done)
}

/// The name of the service that a line is about.
fn service_meant<'a>(line: &'a Line, context: &'a Context) -> &'a str {
    match &line.command {
        Command::Explain(_, Some(word)) => &word.text,
        _ => line.service.as_ref().unwrap_or(&context.service),
    }
}

/// What belongs to no service that is there.
fn as_a_whole(
    config: &mut Config,
    context: &mut Context,
    command: &Command,
) -> Option<Result<Done, Fault>> {
    Some(match command {
        Command::Service(name) => open_service(config, context, name),
        Command::RemoveService(name) => remove_service(config, context, name),
        Command::Sandbox(wanted) => sandbox::apply(&mut config.process, context, wanted),
        _ => return None,
    })
}

/// What changes no settings but is for the shell to do or to answer.
fn perform(process: &Process, service: &str, line: &Line, done: &mut Done) {
    let service = service.to_owned();
    match &line.command {
        Command::Watch(since) => {
            done.effects.push(Effect::Watch { since: *since, json: line.json });
        }
        Command::State(deed) => done.effects.push(Effect::State(deed.clone())),
        Command::Report(report) => done.report = Some((service, report.clone())),
        Command::Explain(question, _) => {
            done.report = Some((service, Report::Explain(question.clone())));
        }
        Command::Close(connection) => {
            done.effects.push(Effect::CloseConnection { service, connection: *connection });
        }
        Command::Exit if process.exit_enabled => done.effects.push(Effect::Exit),
        Command::Upgrade if process.exit_enabled => done.effects.push(Effect::Upgrade),
        Command::Void(text, why) => done.notices.push(format!("{text}: {why}; it has no effect")),
        Command::Obsolete(word) => {
            done.notices.push(format!("'{word}' is no longer needed and has no effect"));
        }
        Command::Exit => "Exit is not enabled; restart with -X flag\n".clone_into(&mut done.reply),
        Command::Upgrade => {
            "error: upgrade is not enabled; restart with -X flag\n".clone_into(&mut done.reply);
        }
        Command::ReloadTls => done.effects.push(Effect::ReloadTls),
        Command::Write(path) => done.effects.push(Effect::Write(path.clone())),
        Command::Include(path) => {
            done.effects.push(Effect::Include { service, path: path.clone() });
        }
        _ => {}
    }
}

fn open_service(config: &mut Config, context: &mut Context, name: &Word) -> Result<Done, Fault> {
    if config.service(&name.text).is_none() {
        if config.services.len() >= SERVICES_MAX {
            let message =
                format!("service {}: there are {SERVICES_MAX} already", shown(&name.text));
            return Err(Fault::new(message, name.column));
        }
        config.services.push(ServiceConfig::new(&name.text));
    }
    context.service.clone_from(&name.text);
    Ok(Done::default())
}

fn remove_service(config: &mut Config, context: &mut Context, name: &Word) -> Result<Done, Fault> {
    let fault =
        |why: String| Err(Fault::new(format!("service {}: {why}", shown(&name.text)), name.column));
    if name.text == DEFAULT_SERVICE {
        return fault("it cannot be removed; 'no listen' closes it".to_owned());
    }
    let Some(at) = config.services.iter().position(|s| s.name == name.text) else {
        let near = hint(&name.text, config.services.iter().map(|s| s.name.as_str()));
        return fault(format!("there is none of this name{near}"));
    };
    let Process { control_acl, metrics_acl, .. } = &config.process;
    for (word, chosen) in [("control_acl", control_acl), ("metrics_acl", metrics_acl)] {
        if chosen.service == name.text {
            return fault(format!("{word} is one of its lists; choose another first"));
        }
    }
    config.services.remove(at);
    if context.service == name.text {
        DEFAULT_SERVICE.clone_into(&mut context.service);
    }
    let effects = vec![Effect::RemoveService(name.text.clone())];
    Ok(Done { effects, ..Done::default() })
}

fn number(
    process: &mut Process,
    service: &mut ServiceConfig,
    context: &Context,
    which: Number,
    value: Option<i64>,
    json: bool,
    done: &mut Done,
) -> Result<(), Fault> {
    if let Some(given) = value {
        let new = which.adjust(given);
        let changes = new.value != which.get(process, service);
        if which == Number::Workers && changes && !context.starting {
            if context.door == Door::Control {
                let message =
                    format!("workers: '{given}' comes too late; it is for the start only");
                return Err(Fault::new(message, 0));
            }
            done.notices.push(format!("workers: {given} takes effect at the next start"));
        } else {
            which.set(process, service, new.value, context.starting);
        }
        done.notices.extend(new.notice);
    }
    match which {
        Number::ClientsMax => done.report = Some((service.name.clone(), Report::ClientsMax)),
        Number::ConnMax => done.report = Some((service.name.clone(), Report::ConnMax)),
        Number::Idlers => done.report = Some((service.name.clone(), Report::Idlers)),
        Number::PendingMax if value.is_some() && !json => {}
        _ => done.reply = show::number(which, which.get(process, service), json),
    }
    Ok(())
}

/// Where a switch lives.
pub(super) fn switch<'a>(
    process: &'a mut Process,
    service: &'a mut ServiceConfig,
    which: Switch,
) -> &'a mut bool {
    match which {
        Switch::AbortOnError => &mut process.abort_on_error,
        Switch::Ascii => &mut process.ascii,
        Switch::DsrStandby => &mut service.dsr.standby,
        Switch::Dummy => &mut service.dummy,
        Switch::Forgetful => &mut service.mode.forgetful,
        Switch::Freebind => &mut service.sockets.freebind,
        Switch::Hash => &mut service.mode.hash,
        Switch::Http => &mut service.http,
        Switch::MetricsControl => &mut process.metrics_control,
        Switch::Mptcp => &mut service.sockets.mptcp,
        Switch::Peek => &mut service.peek,
        Switch::Prio => &mut service.mode.prio,
        Switch::Roundrobin => &mut service.mode.roundrobin,
        Switch::SslEarlyData => &mut service.tls.early_data,
        Switch::SslSniStrict => &mut service.tls.sni_strict,
        Switch::SslTickets => &mut service.tls.tickets,
        Switch::Stubborn => &mut service.mode.stubborn,
        Switch::TarpitCheck => &mut service.dsr.tarpit_check,
        Switch::TcpNodelay => &mut service.tcp_nodelay,
        Switch::Transparent => &mut service.transparent,
        Switch::TransparentFallback => &mut service.transparent_fallback,
        Switch::Weight => &mut service.mode.weight,
    }
}

/// Where the name of a file or address lives.
fn target<'a>(
    process: &'a mut Process,
    service: &'a mut ServiceConfig,
    which: Target,
) -> &'a mut Option<String> {
    match which {
        Target::DsrIf => &mut service.dsr.interface,
        Target::GeoipDb => &mut process.geoip_db,
        Target::Log => &mut service.log,
        Target::SslCaDir => &mut service.tls.ca_dir,
        Target::SslCaFile => &mut service.tls.ca_file,
        Target::SslCertificate => &mut service.tls.certificate,
        Target::SslCrl => &mut service.tls.crl,
        Target::SslKey => &mut service.tls.key,
        Target::SslOcspResponse => &mut service.tls.ocsp_response,
        Target::SslSniPath => &mut service.tls.sni_path,
        Target::StateFile => &mut process.state_file,
        Target::WebStats => &mut service.web_stats,
    }
}

/// The list, emptied if this reading of a file mentions it for the first time.
#[expect(clippy::indexing_slicing, reason = "the parser lets no other numbers of lists through")]
fn list_of<'a>(
    service: &'a mut ServiceConfig,
    context: &mut Context,
    list: u8,
) -> &'a mut AccessList {
    let first = context.lists_seen.insert((service.name.clone(), list));
    let list = &mut service.acls[usize::from(list)];
    if first && context.door == Door::File {
        list.entries.clear();
    }
    list
}

fn addresses(words: &[Word], names: &dyn Names) -> Result<Vec<crate::addr::Listen>, Fault> {
    if let Some(extra) = words.get(LISTENERS_MAX) {
        let message =
            format!("listen: more than {LISTENERS_MAX} addresses at {}", shown(&extra.text));
        return Err(Fault::new(message, extra.column));
    }
    let mut all: Vec<crate::addr::Listen> = Vec::new();
    for word in words {
        let listen = listen_word::resolve(&word.text, names)
            .map_err(|message| Fault::new(message, word.column))?;
        if all.iter().any(|l| l.place == listen.place) {
            let message = format!("listen: {} is named twice", shown(&word.text));
            return Err(Fault::new(message, word.column));
        }
        all.push(listen);
    }
    Ok(all)
}

/// Sets where metrics are shown, if `value` says so, and answers it.
fn metrics(
    process: &mut Process,
    value: &Option<Option<Word>>,
    json: bool,
    names: &dyn Names,
) -> Result<String, Fault> {
    if let Some(word) = value {
        process.metrics = word.as_ref().map(|word| place_of_metrics(word, names)).transpose()?;
    }
    Ok(show::metrics(process, json))
}

/// That needs a port.
fn place_of_metrics(word: &Word, names: &dyn Names) -> Result<crate::addr::Listen, Fault> {
    let listen = listen_word::resolve(&word.text, names)
        .map_err(|message| Fault::new(format!("metrics: {message}"), word.column))?;
    match listen.place {
        Place::Tcp(address) if address.port() == 0 => {
            Err(Fault::new(format!("metrics: {} has no port", shown(&word.text)), word.column))
        }
        _ => Ok(listen),
    }
}

/// An unusable address takes the source away: the classic's reply says that none is set.
fn source(service: &mut ServiceConfig, word: Option<&Word>, names: &dyn Names, done: &mut Done) {
    let Some(word) = word else {
        service.source = None;
        return;
    };
    match resolve_host(&word.text, names).map(|host| host.ip()) {
        Ok(ip) if !word.text.contains('/') => service.source = ip,
        _ => {
            service.source = None;
            done.reply = format!("unable to set source address to '{}'", word.text);
        }
    }
}

/// Stores a name; without one it is asked for.
fn congestion(service: &mut ServiceConfig, value: &Option<Option<String>>, json: bool) -> String {
    let stored = &mut service.sockets.congestion;
    match value {
        Some(new) => {
            stored.clone_from(new);
            String::new()
        }
        None => show::congestion(stored.as_deref(), json),
    }
}
