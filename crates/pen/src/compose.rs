//! The first configuration: options in their order, then the operands, then the file.
//!
//! The same code serves the start and `--check`. Nothing is opened but the files that are read;
//! host names are asked for and waited for, because nothing runs yet.

use pen_core::addr::{Listen, Names};
use pen_core::circles;
use pen_core::cli::{self, Launch, Stop};
use pen_core::command::{Context, Done, Door, Effect};
use pen_core::config::{Config, DEFAULT_SERVICE};
use pen_core::routes;
use pen_sys::sockets;

use crate::built;
use crate::files::{self, FileFault, Outcome};
use crate::listeners;

/// What the command line and the file say.
#[derive(Debug, Default)]
pub struct Composed {
    /// The settings.
    pub config: Config,
    /// Replies, effects and notices, in their order.
    pub outcome: Outcome,
    /// The listening address came from the operands.
    pub listen_operand: bool,
    /// The file that `-F` names does not exist.
    pub missing: Option<FileFault>,
}

/// Composes the settings of `launch`.
///
/// # Errors
/// What to say and how to end.
pub fn compose(launch: &Launch, names: &dyn Names) -> Result<Composed, Stop> {
    let mut composed = Composed::default();
    let Composed { config, outcome, listen_operand, missing } = &mut composed;
    launch.apply_options(config, names, &mut |config, context, done| {
        perform(config, context, done, names, outcome)
    })?;
    let file_listen = match &launch.config_file {
        Some(path) => listen_of_file(config, path, names),
        None => Vec::new(),
    };
    *listen_operand = launch.apply_operands(config, names, &file_listen)?;
    if let Some(path) = &launch.config_file {
        match files::read_file(config, &Context::starting(Door::File), path, names) {
            Ok(read) => outcome.append(read),
            Err(fault) if fault.missing => *missing = Some(fault),
            Err(fault) => return Err(Stop::failure(&fault.to_string())),
        }
    }
    if config.services.iter().all(|s| s.listen.is_empty()) {
        return Err(nowhere(launch, missing.as_ref()));
    }
    let fault = built::lacking(config).or_else(|| routes::fault(config));
    let fault = fault.or_else(|| circles::fault(config, sockets::is_ours));
    if let Some(why) = fault.or_else(|| listeners::impossible(config)) {
        return Err(Stop::failure(&why));
    }
    Ok(composed)
}

/// Nothing says where to listen: the file that should have is named.
fn nowhere(launch: &Launch, missing: Option<&FileFault>) -> Stop {
    match (missing, &launch.config_file) {
        (Some(missing), _) => Stop::failure(&format!(
            "{missing}; without it there is no listening address: give [ADDRESS:]PORT"
        )),
        (None, Some(file)) => Stop::failure(&format!(
            "neither {file} nor the command line says where to listen: 'listen ADDRESS' or an operand"
        )),
        (None, None) => cli::nothing_to_listen_on(),
    }
}

/// What the file says about where to listen, so that the first operand can be told from a server.
/// Faults are left to the real reading.
fn listen_of_file(config: &Config, path: &str, names: &dyn Names) -> Vec<Listen> {
    let mut tried = config.clone();
    let listen = |c: &Config| c.service(DEFAULT_SERVICE).map(|s| s.listen.clone());
    match files::read_file(&mut tried, &Context::starting(Door::File), path, names) {
        Ok(_) if listen(&tried) != listen(config) => listen(&tried).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// What a `-O` command left to do.
fn perform(
    config: &mut Config,
    context: &mut Context,
    done: Done,
    names: &dyn Names,
    outcome: &mut Outcome,
) -> Result<(), Stop> {
    for include in outcome.absorb(done, false) {
        let Effect::Include { service, path } = include else { continue };
        let context = Context { service, ..context.clone() };
        let read = files::read_file(config, &context, &path, names)
            .map_err(|f| Stop::failure(&f.to_string()))?;
        outcome.append(read);
    }
    Ok(())
}
