//! A listening address as the operator writes it.
//!
//! `[address:]port` or the path of a Unix socket. The text after the last colon is the port, the
//! text before it the address, so that IPv6 needs no brackets (`::1:8080`, and `:::8080` for all
//! addresses); brackets are understood too. A port alone means all IPv4 addresses. Ports and
//! addresses may be names. An address alone (IPv6 in brackets) means all its ports, port 0: a service
//! can have that with `dsr_if` only, which is looked at when all of its settings are known.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use crate::addr::{Listen, Names, Place};
use crate::near::shown;

/// A host name in `text` that [`resolve`] will ask for.
#[must_use]
pub fn host_named(text: &str) -> Option<&str> {
    if text.contains('/') || address_alone(text).is_some() {
        return None;
    }
    let (host, _) = text.rsplit_once(':')?;
    let host = bare(host);
    (!host.is_empty() && host.parse::<IpAddr>().is_err()).then_some(host)
}

/// The place that `text` means.
///
/// # Errors
/// One line that names `text`: no such port, no such address.
pub fn resolve(text: &str, names: &dyn Names) -> Result<Listen, String> {
    let place = if text.contains('/') {
        Place::Unix(PathBuf::from(text))
    } else if let Some(ip) = address_alone(text) {
        Place::Tcp((ip, 0).into())
    } else {
        let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
        let port = port_number(port, names)
            .filter(|port| *port != 0)
            .ok_or_else(|| format!("listening address {}: no such port", shown(text)))?;
        Place::Tcp((address(bare(host), text, names)?, port).into())
    };
    Ok(Listen { text: text.to_owned(), place })
}

/// An address without a port.
fn address_alone(text: &str) -> Option<IpAddr> {
    let v4 = text.parse::<Ipv4Addr>().ok().map(IpAddr::V4);
    let inner = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    v4.or_else(inner).filter(|ip| !ip.is_unspecified())
}

/// A port number, or the port of a service name. Ports are 0 to 65535.
#[must_use]
pub fn port_number(text: &str, names: &dyn Names) -> Option<u16> {
    if text.is_empty() {
        return None;
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok();
    }
    names.port(text)
}

fn address(host: &str, text: &str, names: &dyn Names) -> Result<IpAddr, String> {
    if host.is_empty() {
        return Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    }
    if let Ok(ip) = host.parse() {
        return Ok(ip);
    }
    names.host(host).map_err(|why| {
        format!("listening address {}: cannot resolve {}: {why}", shown(text), shown(host))
    })
}

fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::test_names::Table;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("8080", "0.0.0.0:8080"),
            ("http", "0.0.0.0:80"),
            (":8080", "0.0.0.0:8080"),
            ("127.0.0.1:http", "127.0.0.1:80"),
            ("::1:8080", "[::1]:8080"),
            (":::8080", "[::]:8080"),
            ("[::1]:80", "[::1]:80"),
            ("[127.0.0.1]:80", "127.0.0.1:80"),
            ("localhost:80", "127.0.0.1:80"),
            ("127.0.0.1", "127.0.0.1:0"),
            ("[fd00::1]", "[fd00::1]:0"),
            ("/run/front", "/run/front"),
            ("./front:1", "./front:1"),
        ] {
            let listen = resolve(text, &Table).unwrap();
            assert_eq!((listen.place.to_string(), listen.text), (expected.into(), text.into()));
        }
        for text in [
            "",
            "0",
            "127.0.0.1:0",
            "127.0.0.1:99999",
            "nosuch",
            "nohost:80",
            "0.0.0.0",
            "1.2.3.4:",
            "80x",
        ] {
            let message = resolve(text, &Table).unwrap_err();
            assert!(message.contains(text), "{message}");
        }
    }

    #[test]
    fn names_to_ask_for() {
        assert_eq!(host_named("localhost:80"), Some("localhost"));
        for text in ["80", "::1:80", ":80", "/x:y/z:1", "[::1]:80", "[::1]"] {
            assert_eq!(host_named(text), None, "{text}");
        }
    }
}
