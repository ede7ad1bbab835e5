//! A server as one word: `host[:port[:max[:hard[:weight[:prio]]]]]`.
//!
//! IPv6 addresses stand in brackets. A host with a `/` in it is the path of a Unix stream socket
//! (such a path can hold no colon). A missing or empty port is the default port, other missing or
//! empty fields are 0. Used for server operands, `-e`, `-B` and the commands `emergency` and
//! `abuse`.

use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

use crate::addr::{Host, Names};
use crate::config::ServerConfig;
use crate::limits::SERVER_NUMBER_MAX;
use crate::listen_word::port_number;
use crate::near::shown;

/// The port a Unix socket is given; it is shown in reports and means nothing.
const UNIX_PORT: u16 = 1;

/// A server word taken apart, nothing looked up yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerWord {
    text: String,
    host: String,
    port: Option<String>,
    /// max, hard, weight, prio
    numbers: [u32; 4],
}

impl ServerWord {
    /// Takes `text` apart.
    ///
    /// # Errors
    /// One line that names the word and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("server {}: {why}", shown(text));
        let (host, rest) = match text.strip_prefix('[') {
            Some(inner) => {
                let (host, rest) = inner.split_once(']').ok_or_else(|| wrong("']' is missing"))?;
                host.parse::<Ipv6Addr>().map_err(|_| wrong("no IPv6 address in the brackets"))?;
                if !rest.is_empty() && !rest.starts_with(':') {
                    return Err(wrong("only ':port' may follow ']'"));
                }
                (host, rest.strip_prefix(':'))
            }
            None if text.parse::<Ipv6Addr>().is_ok() => {
                return Err(wrong("IPv6 addresses are written in brackets, [address]:port"));
            }
            None => match text.split_once(':') {
                Some((host, rest)) => (host, Some(rest)),
                None => (text, None),
            },
        };
        if host.is_empty() {
            return Err(wrong("the host is missing"));
        }
        let mut fields = rest.into_iter().flat_map(|r| r.split(':'));
        let port = fields.next().filter(|p| !p.is_empty()).map(str::to_owned);
        let mut numbers = [0; 4];
        for (number, name) in numbers.iter_mut().zip(["max", "hard", "weight", "prio"]) {
            let field = fields.next().unwrap_or_default();
            if field.is_empty() {
                continue;
            }
            *number = field.parse().ok().filter(|n| *n <= SERVER_NUMBER_MAX).ok_or_else(|| {
                wrong(&format!(
                    "{name} {} is not a number from 0 to {SERVER_NUMBER_MAX}",
                    shown(field)
                ))
            })?;
        }
        if fields.next().is_some() {
            return Err(wrong("more than host:port:max:hard:weight:prio"));
        }
        Ok(Self { text: text.to_owned(), host: host.to_owned(), port, numbers })
    }

    /// The host, if it is a name that [`ServerWord::resolve`] will ask for.
    #[must_use]
    pub fn host_named(&self) -> Option<&str> {
        named_host(&self.host)
    }

    /// The server that is meant. `default_port` is the listening port, where there is one.
    ///
    /// # Errors
    /// One line that names the word: unknown host, unknown port, no port at all.
    pub fn resolve(
        &self,
        default_port: Option<u16>,
        names: &dyn Names,
    ) -> Result<ServerConfig, String> {
        let wrong = |why: &str| format!("server {}: {why}", shown(&self.text));
        let host = resolve_host(&self.host, names).map_err(|why| wrong(&why))?;
        let port = match &self.port {
            Some(text) => port_number(text, names)
                .ok_or_else(|| wrong(&format!("no such port {}", shown(text))))?,
            None if matches!(host, Host::Unix(_)) => UNIX_PORT,
            None => default_port.ok_or_else(|| wrong("the port is missing"))?,
        };
        let [max, hard, weight, prio] = self.numbers;
        Ok(ServerConfig { host, port, max, hard, weight, prio, ..ServerConfig::default() })
    }
}

/// `host`, if it is a name and not an address or a path.
#[must_use]
pub fn named_host(host: &str) -> Option<&str> {
    (!host.contains('/') && host.parse::<IpAddr>().is_err()).then_some(host)
}

/// The host that a word means: a path, an address (0.0.0.0 frees the slot) or a name.
///
/// # Errors
/// The name and the resolver's reason.
pub fn resolve_host(host: &str, names: &dyn Names) -> Result<Host, String> {
    if host.contains('/') {
        return Ok(Host::Unix(PathBuf::from(host)));
    }
    match host.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V4(ip)) if ip.is_unspecified() => Ok(Host::Unset),
        Ok(ip) => Ok(Host::Ip(ip)),
        Err(_) => match names.host(host) {
            Ok(ip) => Ok(Host::Name { name: host.to_owned(), ip: ip.to_canonical() }),
            Err(why) => Err(format!("cannot resolve {}: {why}", shown(host))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::test_names::Table;

    fn read(text: &str) -> Result<String, String> {
        let s = ServerWord::parse(text)?.resolve(Some(7000), &Table)?;
        Ok(format!(
            "{} {} {} {} {} {}",
            s.host.as_written(),
            s.port,
            s.max,
            s.hard,
            s.weight,
            s.prio
        ))
    }

    #[test]
    fn words() {
        for (text, expected) in [
            ("127.0.0.1", "127.0.0.1 7000 0 0 0 0"),
            ("127.0.0.1:80", "127.0.0.1 80 0 0 0 0"),
            ("127.0.0.1:smtp", "127.0.0.1 25 0 0 0 0"),
            ("127.0.0.1:80:5:6:7:8", "127.0.0.1 80 5 6 7 8"),
            ("127.0.0.1::5", "127.0.0.1 7000 5 0 0 0"),
            ("localhost:80::6", "localhost 80 0 6 0 0"),
            ("[::1]", "::1 7000 0 0 0 0"),
            ("[::1]:99:1", "::1 99 1 0 0 0"),
            ("/run/back", "/run/back 1 0 0 0 0"),
            ("/run/back::5", "/run/back 1 5 0 0 0"),
            ("0.0.0.0:80", "0.0.0.0 80 0 0 0 0"),
            ("[::ffff:10.0.0.1]:80", "10.0.0.1 80 0 0 0 0"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn no_address_is_no_server_in_every_spelling() {
        for text in ["0.0.0.0", "::ffff:0.0.0.0", "::ffff:0:0"] {
            assert_eq!(resolve_host(text, &Table), Ok(Host::Unset), "{text}");
        }
    }

    #[test]
    fn wrong_words_are_named() {
        for (text, part) in [
            ("", "host is missing"),
            (":80", "host is missing"),
            ("::1", "brackets"),
            ("[::1", "']' is missing"),
            ("[x]:80", "no IPv6"),
            ("[::1]80", "only ':port'"),
            ("h:80:1:2:3:4:5", "more than"),
            ("h:80:many", "'many' is not a number from 0 to 1000000000"),
            ("127.0.0.1:99999", "no such port '99999'"),
            ("nohost:80", "cannot resolve 'nohost': unknown host"),
        ] {
            let message = read(text).unwrap_err();
            assert!(message.contains(part) && message.contains(text), "{text}: {message}");
        }
        assert!(ServerWord::parse("h").unwrap().resolve(None, &Table).is_err());
    }
}
