//! A [`Launch`] made true in a [`Config`]: options in their order, then the operands.

use std::mem;

use super::{Launch, Step, Stop};
use crate::addr::{Listen, Names, Place};
use crate::command::write::Facts;
use crate::command::{self, Command, Context, Done, Door, Line};
use crate::config::{Config, DEFAULT_SERVICE, ServerConfig, ServiceConfig};
use crate::limits::SERVERS_MAX;
use crate::listen_word;
use crate::near::shown;
use crate::server_word::ServerWord;

/// Performs what a line left to do: prints the reply, logs the notices, includes files.
pub type Perform<'a> = dyn FnMut(&mut Config, &mut Context, Done) -> Result<(), Stop> + 'a;

/// Nothing says where to listen, neither an operand nor a `listen` command.
#[must_use]
pub fn nothing_to_listen_on() -> Stop {
    Stop::misuse("no listening address: give [ADDRESS:]PORT before the servers; see pen --help")
}

impl Launch {
    /// Host names that the options and operands will ask [`Names`] for.
    #[must_use]
    pub fn hosts_named(&self) -> Vec<String> {
        let mut hosts = Vec::new();
        for step in &self.steps {
            if let Step::Line(_, line) = step {
                hosts.extend(command::hosts_named(line));
            }
        }
        if let Some(first) = self.operands.first() {
            hosts.extend(listen_word::host_named(first).map(str::to_owned));
        }
        let servers = self.operands.iter().skip(1).chain(&self.emergency).chain(&self.abuse);
        for word in servers.filter_map(|text| ServerWord::parse(text).ok()) {
            hosts.extend(word.host_named().map(str::to_owned));
        }
        hosts
    }

    /// Applies options and `-O` commands from left to right. `perform` gets what is left to do
    /// after each; for plain options only the notices are left.
    ///
    /// # Errors
    /// A [`Stop`] of status 1 that names the command that cannot be, or one from `perform`.
    pub fn apply_options(
        &self,
        config: &mut Config,
        names: &dyn Names,
        perform: &mut Perform<'_>,
    ) -> Result<(), Stop> {
        let mut context = Context::starting(Door::Option);
        config.process.control.clone_from(&self.control);
        for step in &self.steps {
            match step {
                Step::Debug => {
                    let now = config.process.debug;
                    config.process.debug = (now + 1).min(crate::limits::DEBUG_MAX);
                }
                Step::EnableExit => config.process.exit_enabled = true,
                Step::Set(command) => {
                    // An option means the service of the command line, whatever -O has opened.
                    let mut here = Context::starting(Door::Option);
                    let done = run(config, &mut here, command, names)?;
                    let left = Done { notices: done.notices, ..Done::default() };
                    perform(config, &mut here, left)?;
                }
                Step::Line(text, line) => {
                    let done = command::apply(config, &mut context, line, names)
                        .map_err(|fault| Stop::failure(&format!("{}: {fault}", shown(text))))?;
                    perform(config, &mut context, done)?;
                }
            }
        }
        Ok(())
    }

    /// Applies the operands, `-e` and `-B`. `file_listen` are the addresses that the file gives
    /// the service `default`. If they or a `-O` command say where to listen, the first operand is
    /// ignored. Returns whether the first operand is the listening address.
    ///
    /// # Errors
    /// A [`Stop`] of status 1 that names the word that cannot be resolved.
    pub fn apply_operands(
        &self,
        config: &mut Config,
        names: &dyn Names,
        file_listen: &[Listen],
    ) -> Result<bool, Stop> {
        let Some(service) = config.service_mut(DEFAULT_SERVICE) else { return Ok(false) };
        let mut used = false;
        if let Some(word) = self.operands.first()
            && service.listen.is_empty()
            && file_listen.is_empty()
        {
            let listen = listen_word::resolve(word, names).map_err(|m| Stop::failure(&m))?;
            service.listen.push(listen);
            used = true;
        }
        let listen = if file_listen.is_empty() { &service.listen } else { file_listen };
        let port = listen.iter().find_map(|l| match &l.place {
            Place::Tcp(address) => Some(address.port()),
            Place::Unix(_) => None,
        });
        let read =
            |text: &String| ServerWord::parse(text).and_then(|word| word.resolve(port, names));
        let servers = self.operands.iter().skip(1).map(read).collect::<Result<Vec<_>, String>>();
        let servers = servers.map_err(|m| Stop::failure(&m))?;
        let option = |name: &str, text: &String| {
            read(text).map_err(|message| format!("option {name}: {message}"))
        };
        let emergency = self.emergency.as_ref().map(|text| option("-e", text));
        let emergency = emergency.transpose().map_err(|m| Stop::failure(&m))?;
        let abuse = self.abuse.as_ref().map(|text| option("-B", text));
        let abuse = abuse.transpose().map_err(|m| Stop::failure(&m))?;
        fill(service, servers)?;
        for (slot, said) in [(&mut service.emergency, emergency), (&mut service.abuse, abuse)] {
            if let Some(said) = said {
                place(slot.get_or_insert_default(), said);
            }
        }
        Ok(used)
    }

    /// What the top of a written file tells. `listen_operand` is what
    /// [`Launch::apply_operands`] returned.
    #[must_use]
    pub fn facts<'a>(&'a self, time: &'a str, file: &'a str, listen_operand: bool) -> Facts<'a> {
        Facts {
            time,
            foreground: self.foreground,
            emergency: self.emergency.as_deref(),
            abuse: self.abuse.as_deref(),
            jail: self.jail.as_deref(),
            pid_file: self.pid_file.as_deref(),
            user: self.user.as_deref(),
            file,
            listen_operand,
        }
    }
}

/// The servers of the command line take slots 0, 1, ...
fn fill(service: &mut ServiceConfig, servers: Vec<ServerConfig>) -> Result<(), Stop> {
    if servers.len() > SERVERS_MAX as usize {
        return Err(Stop::failure(&format!("more than {SERVERS_MAX} servers")));
    }
    if service.servers.len() < servers.len() {
        service.servers.resize(servers.len(), ServerConfig::default());
    }
    for (slot, server) in service.servers.iter_mut().zip(servers) {
        place(slot, server);
    }
    Ok(())
}

/// Puts a server into its slot. What a server word cannot say (its list, its name, and that TLS is
/// spoken to it) stays as `-O` commands have set it.
fn place(slot: &mut ServerConfig, said: ServerConfig) {
    let kept = mem::take(slot);
    *slot = ServerConfig { acl: kept.acl, name: kept.name, tls: kept.tls, ..said };
}

fn run(
    config: &mut Config,
    context: &mut Context,
    command: &Command,
    names: &dyn Names,
) -> Result<Done, Stop> {
    command::apply(config, context, &Line::plain(command.clone()), names)
        .map_err(|fault| Stop::failure(&fault.message))
}
