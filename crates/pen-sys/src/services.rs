//! Ports by service name (`smtp`), from the machine's table.
//!
//! The table is read once, before a chroot hides it, and asked afterwards. Names that only a
//! network directory knows are deliberately not found: asking one could block.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;

/// Where the table is.
const PATH: &str = "/etc/services";
/// Bytes of the table that are read; a longer one is cut. Real ones have some 15 kB.
const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Which of the two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Stream services.
    Tcp,
    /// Datagram services.
    Udp,
}

/// The table.
#[derive(Clone, Debug, Default)]
pub struct Services {
    ports: HashMap<(Protocol, String), u16>,
}

impl Services {
    /// Reads `/etc/services`. Where it is missing or unreadable the table is empty.
    #[must_use]
    pub fn load() -> Self {
        let mut text = Vec::new();
        if let Ok(file) = File::open(PATH) {
            // A read error leaves what was read before it, which is better than nothing.
            let _ = file.take(BYTES_MAX).read_to_end(&mut text);
        }
        Self::parse(&String::from_utf8_lossy(&text))
    }

    /// Reads lines of the form `name port/protocol alias... # comment`. Others are ignored; the
    /// first mention of a name counts.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut ports = HashMap::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_ascii_whitespace();
            let (Some(name), Some(port)) = (words.next(), words.next()) else { continue };
            let Some((number, protocol)) = port.split_once('/') else { continue };
            let protocol = match protocol {
                "tcp" => Protocol::Tcp,
                "udp" => Protocol::Udp,
                _ => continue,
            };
            let Ok(number) = number.parse() else { continue };
            for name in std::iter::once(name).chain(words) {
                ports.entry((protocol, name.to_owned())).or_insert(number);
            }
        }
        Self { ports }
    }

    /// The port of `name` (case matters), or `None`.
    #[must_use]
    pub fn port(&self, name: &str, protocol: Protocol) -> Option<u16> {
        self.ports.get(&(protocol, name.to_owned())).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_aliases_and_junk() {
        let s = Services::parse(
            "# table\nsmtp 25/tcp mail\nntp\t\t123/udp # time\nbad\nworse 99\nhuge 70000/tcp\n\
             odd 5/sctp\nsmtp 26/tcp\nhttp 80/tcp www # first\n",
        );
        let rows = [
            ("smtp", Protocol::Tcp, Some(25)),
            ("mail", Protocol::Tcp, Some(25)),
            ("smtp", Protocol::Udp, None),
            ("ntp", Protocol::Udp, Some(123)),
            ("time", Protocol::Udp, None),
            ("huge", Protocol::Tcp, None),
            ("odd", Protocol::Tcp, None),
            ("www", Protocol::Tcp, Some(80)),
            ("", Protocol::Tcp, None),
        ];
        for (name, protocol, expected) in rows {
            assert_eq!(s.port(name, protocol), expected, "{name}");
        }
    }

    #[test]
    fn the_machine_table_is_read_where_there_is_one() {
        if !std::path::Path::new(PATH).exists() {
            println!("skipped: no {PATH} here");
            return;
        }
        assert_eq!(Services::load().port("smtp", Protocol::Tcp), Some(25));
    }
}
