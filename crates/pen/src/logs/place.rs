//! Where a classic log goes, from the operator's word.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use pen_core::connlog::LogPlace;

/// Where a log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Appended to a file.
    File(PathBuf),
    /// Datagrams to an address; the text is the operator's word for it.
    Datagrams(String, SocketAddr),
    /// The system's log.
    Syslog,
    /// The journal of systemd.
    Journal,
    /// Standard output.
    Stdout,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Datagrams(name, _) => f.write_str(name),
            Self::Syslog => f.write_str("syslog"),
            Self::Journal => f.write_str("journald"),
            Self::Stdout => f.write_str("stdout"),
        }
    }
}

impl Place {
    /// Where the connection log or the events go; `port` and `host` as of [`Place::parse`].
    ///
    /// # Errors
    /// The text for the operator.
    pub fn of(
        place: &LogPlace,
        port: impl FnOnce(&str) -> Option<u16>,
        host: impl FnOnce(&str) -> Result<IpAddr, String>,
    ) -> Result<Self, String> {
        match place {
            LogPlace::File(path) => Ok(Self::File(PathBuf::from(path))),
            LogPlace::Syslog => Ok(Self::Syslog),
            LogPlace::Journald => Ok(Self::Journal),
            LogPlace::Stdout => Ok(Self::Stdout),
            LogPlace::Udp(to) => Self::parse(to, port, host),
        }
    }

    /// Reads the operator's word: with `/` first or without `:` it is a file, else `host:port`.
    /// `port` looks up service names of the udp database, `host` host names.
    ///
    /// # Errors
    /// The text for the operator.
    pub fn parse(
        word: &str,
        port: impl FnOnce(&str) -> Option<u16>,
        host: impl FnOnce(&str) -> Result<IpAddr, String>,
    ) -> Result<Self, String> {
        let Some((name, number)) = host_and_port(word) else {
            return Ok(Self::File(PathBuf::from(word)));
        };
        let number = match number.parse::<u16>() {
            Ok(n) => Some(n),
            Err(_) => port(number),
        };
        let number = number
            .filter(|n| *n != 0)
            .ok_or_else(|| format!("log {word}: the port must be 1 to 65535 or a service name"))?;
        let ip = match name.parse() {
            Ok(ip) => ip,
            Err(_) => host(name).map_err(|reason| format!("log {word}: {reason}"))?,
        };
        Ok(Self::Datagrams(word.to_owned(), SocketAddr::new(ip, number)))
    }
}

/// The parts of `host:port`, or `None` for a file. Brackets around an IPv6 address are optional.
fn host_and_port(word: &str) -> Option<(&str, &str)> {
    if word.starts_with('/') {
        return None;
    }
    let (host, port) = word.rsplit_once(':')?;
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    Some((bare.unwrap_or(host), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_their_places() {
        let net = |w: &str, a: &str| Ok(Place::Datagrams(w.to_owned(), a.parse().unwrap()));
        let rows = [
            ("/var/log/x:1", Ok(Place::File("/var/log/x:1".into()))),
            ("rel.log", Ok(Place::File("rel.log".into()))),
            ("10.0.0.1:514", net("10.0.0.1:514", "10.0.0.1:514")),
            ("loghost:syslog", net("loghost:syslog", "10.9.9.9:514")),
            ("[::1]:5", net("[::1]:5", "[::1]:5")),
            ("::1:5", net("::1:5", "[::1]:5")),
            ("nowhere:5", Err("log nowhere:5: no such host".to_owned())),
        ];
        for (word, expected) in rows {
            let port = |name: &str| (name == "syslog").then_some(514);
            let host = |name: &str| match name {
                "loghost" => Ok("10.9.9.9".parse().unwrap()),
                _ => Err("no such host".to_owned()),
            };
            assert_eq!(Place::parse(word, port, host), expected, "{word}");
        }
        for word in ["h:0", "h:70000", "h:", "h:no-such"] {
            assert!(Place::parse(word, |_| None, |_| Ok([1, 1, 1, 1].into())).is_err(), "{word}");
        }
    }
}
