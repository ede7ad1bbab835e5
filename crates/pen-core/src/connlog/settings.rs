//! What the operator sets: `connection_log` of a service, `event_log` of the process.

use std::fmt;

use super::Format;

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogPlace {
    /// Appended to a file.
    File(String),
    /// The system's log.
    Syslog,
    /// The journal of systemd, with the fields apart.
    Journald,
    /// Standard output.
    Stdout,
    /// A datagram per line to `HOST:PORT`.
    Udp(String),
}

impl LogPlace {
    /// Reads the operator's word.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(word: &str) -> Result<Self, String> {
        match word {
            "syslog" => Ok(Self::Syslog),
            "journald" => Ok(Self::Journald),
            "stdout" => Ok(Self::Stdout),
            _ => {
                match word.strip_prefix("udp:") {
                    // With a slash in front it would be taken for a path further on.
                    Some(to)
                        if !to.starts_with('/')
                            && to
                                .rsplit_once(':')
                                .is_some_and(|(h, p)| !h.is_empty() && !p.is_empty()) =>
                    {
                        Ok(Self::Udp(to.to_owned()))
                    }
                    Some(_) => Err("after 'udp:' comes HOST:PORT".to_owned()),
                    // A word that is none of these and no path is a slip of the fingers more often than a
                    // file of the working directory.
                    None if word.contains('/') => Ok(Self::File(word.to_owned())),
                    None => Err("it is a path with '/', syslog, journald, stdout or udp:HOST:PORT"
                        .to_owned()),
                }
            }
        }
    }
}

impl fmt::Display for LogPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.write_str(path),
            Self::Syslog => f.write_str("syslog"),
            Self::Journald => f.write_str("journald"),
            Self::Stdout => f.write_str("stdout"),
            Self::Udp(to) => write!(f, "udp:{to}"),
        }
    }
}

/// `connection_log` of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLog {
    /// What lines look like.
    pub format: Format,
    /// Where they go.
    pub place: LogPlace,
    /// There is a line when a server takes the connection as well.
    pub start: bool,
    /// Seconds between lines about one that is open; 0 = none.
    pub every_s: u32,
}

impl fmt::Display for ConnectionLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.format {
            Format::Text => f.write_str("text"),
            Format::Json => f.write_str("json"),
            Format::Template(template) => write!(f, "template \"{}\"", template.text()),
        }?;
        write!(f, " {}", self.place)?;
        if self.start {
            f.write_str(" start")?;
        }
        match self.every_s {
            0 => Ok(()),
            seconds => write!(f, " every {seconds}"),
        }
    }
}

/// `event_log` of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventLog {
    /// As JSON, else as text.
    pub json: bool,
    /// Where lines go.
    pub place: LogPlace,
}

impl fmt::Display for EventLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", if self.json { "json" } else { "text" }, self.place)
    }
}
