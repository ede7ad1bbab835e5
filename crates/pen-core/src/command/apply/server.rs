//! `server`, `emergency` and `abuse` lines.

use crate::addr::{Names, Place};
use crate::command::{Change, Done, Effect, Fault, Outside, TlsText, Word};
use crate::config::{ServerConfig, ServiceConfig};
use crate::limits::SERVERS_MAX;
use crate::listen_word::port_number;
use crate::near::{hint, shown};
use crate::server_word::{ServerWord, resolve_host};

/// Which server a line means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Slot(usize),
    Outside(Outside),
}

/// Applies the changes of a `server` line from left to right, or none of them.
pub(super) fn change(
    service: &mut ServiceConfig,
    word: &Word,
    changes: &[Change],
    names: &dyn Names,
    done: &mut Done,
) -> Result<(), Fault> {
    let which = find(service, word)?;
    let mut server = match which {
        Which::Slot(n) => service.servers.get(n).cloned(),
        Which::Outside(Outside::Emergency) => service.emergency.clone(),
        Which::Outside(Outside::Abuse) => service.abuse.clone(),
    }
    .unwrap_or_default();
    for change in changes {
        one(service, which, &mut server, word, change, names)?;
    }
    for change in changes {
        if let (Change::Blacklist(seconds), Which::Slot(n)) = (change, which) {
            let server = u32::try_from(n).unwrap_or(SERVERS_MAX);
            let service = service.name.clone();
            done.effects.push(Effect::Sentence { service, server, seconds: *seconds });
        }
    }
    match which {
        Which::Slot(n) => {
            if service.servers.len() <= n {
                service.servers.resize(n + 1, ServerConfig::default());
            }
            if let Some(place) = service.servers.get_mut(n) {
                *place = server;
            }
        }
        Which::Outside(Outside::Emergency) => service.emergency = Some(server),
        Which::Outside(Outside::Abuse) => service.abuse = Some(server),
    }
    Ok(())
}

/// Sets or takes away the emergency or abuse server.
pub(super) fn outside(
    service: &mut ServiceConfig,
    which: Outside,
    server: Option<&(ServerWord, usize)>,
    names: &dyn Names,
) -> Result<(), Fault> {
    let new = match server {
        Some((word, column)) => Some(
            word.resolve(default_port(service), names)
                .map_err(|message| Fault::new(message, *column))?,
        ),
        None => None,
    };
    let slot = match which {
        Outside::Emergency => &mut service.emergency,
        Outside::Abuse => &mut service.abuse,
    };
    // What a server word cannot say stays, TLS before all: nobody expects plain text from here on.
    let kept = slot.take().unwrap_or_default();
    *slot = new.map(|said| ServerConfig { acl: kept.acl, name: kept.name, tls: kept.tls, ..said });
    Ok(())
}

/// The first listening port.
fn default_port(service: &ServiceConfig) -> Option<u16> {
    service.listen.iter().find_map(|l| match &l.place {
        Place::Tcp(address) => Some(address.port()),
        Place::Unix(_) => None,
    })
}

/// The slot of a server of the table.
pub(super) fn slot_of(service: &ServiceConfig, word: &Word) -> Result<u32, Fault> {
    match find(service, word)? {
        Which::Slot(n) => Ok(u32::try_from(n).unwrap_or(SERVERS_MAX)),
        Which::Outside(_) => {
            let message = format!("server {}: it is not in the table", shown(&word.text));
            Err(Fault::new(message, word.column))
        }
    }
}

fn find(service: &ServiceConfig, word: &Word) -> Result<Which, Fault> {
    let text = word.text.as_str();
    match text {
        "emergency" => return Ok(Which::Outside(Outside::Emergency)),
        "abuse" => return Ok(Which::Outside(Outside::Abuse)),
        _ => {}
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return match text.parse::<usize>() {
            Ok(n) if n < SERVERS_MAX as usize => Ok(Which::Slot(n)),
            _ => {
                let high = SERVERS_MAX - 1;
                let message =
                    format!("server: {} is out of range; it takes 0 to {high}", shown(text));
                Err(Fault::new(message, word.column))
            }
        };
    }
    let named = |s: &ServerConfig| s.name.as_deref() == Some(text);
    service.servers.iter().position(named).map(Which::Slot).ok_or_else(|| {
        let near = hint(text, service.servers.iter().filter_map(|s| s.name.as_deref()));
        Fault::new(format!("no server called {}{near}", shown(text)), word.column)
    })
}

fn one(
    service: &ServiceConfig,
    which: Which,
    server: &mut ServerConfig,
    word: &Word,
    change: &Change,
    names: &dyn Names,
) -> Result<(), Fault> {
    let fault = |why: &str, column: usize| {
        Err(Fault::new(format!("server {}: {why}", shown(&word.text)), column))
    };
    match change {
        Change::Acl(list) => server.acl = *list,
        Change::Address(host) => match resolve_host(&host.text, names) {
            Ok(host) => server.host = host,
            Err(why) => return fault(&why, host.column),
        },
        Change::Port(port) => match port_number(&port.text, names) {
            Some(n) => server.port = n,
            None => {
                let why = format!("no such port {}; it takes 0 to 65535", shown(&port.text));
                return fault(&why, port.column);
            }
        },
        Change::Max(n) => server.max = *n,
        Change::Hard(n) => server.hard = *n,
        Change::Weight(n) => server.weight = *n,
        Change::Prio(n) => server.prio = *n,
        Change::Blacklist(_) => {
            if matches!(which, Which::Outside(_)) {
                return fault("blacklist is for the servers of the table", word.column);
            }
        }
        Change::Tls(trust) => server.tls.trust = *trust,
        Change::TlsText(which, text) => {
            let place = match which {
                TlsText::Sni => &mut server.tls.sni,
                TlsText::Ca => &mut server.tls.ca,
                TlsText::Cert => &mut server.tls.cert,
                TlsText::Key => &mut server.tls.key,
            };
            place.clone_from(text);
        }
        Change::Name(None) => server.name = None,
        // A file that is read again says what is so already, of many servers.
        Change::Name(Some(name)) if server.name.as_deref() == Some(name.text.as_str()) => {}
        Change::Name(Some(name)) => {
            let taken = service.servers.iter().enumerate().any(|(n, s)| {
                Which::Slot(n) != which && s.name.as_deref() == Some(name.text.as_str())
            });
            if taken {
                let why = format!("the name {} is taken", shown(&name.text));
                return fault(&why, name.column);
            }
            if matches!(which, Which::Outside(_)) {
                return fault("it has a name already", name.column);
            }
            server.name = Some(name.text.clone());
        }
    }
    Ok(())
}
