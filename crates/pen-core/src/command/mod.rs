//! The command language: control socket, configuration file, `-O` and (through `cli`) argv.
//!
//! `table` is THE list of commands. From it come the parser (`parse`), help, manual pages and
//! suggestions; `apply` changes a [`Config`]; `write` prints a [`Config`] as commands that parse
//! back to it.

mod acl_words;
mod apply;
mod explain_words;
mod log_words;
mod number;
mod parse;
pub mod table;
mod words;
pub mod write;

#[cfg(test)]
mod random;
#[cfg(test)]
pub(crate) mod test_names;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

use crate::acl::Entry;
use crate::ciphers::Ciphers;
use crate::config::{
    ClientCertificates, Config, DEFAULT_SERVICE, Engine, FastClose, Forwarded, Leaving, Protocol,
    Spread, TlsOption, Trust,
};
use crate::connlog::{ConnectionLog, EventLog};
use crate::explain::Question;
use crate::routes::When;
use crate::sandbox::Sandbox;
use crate::server_word::ServerWord;
use crate::socket_options::Keepalive;

pub use apply::apply;
pub use number::Number;
pub use parse::{hosts_named, parse};
pub use words::Word;

/// Where a line comes from. Some words are for start-up only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// `-O`/`-o` on the command line.
    Option,
    /// A configuration file.
    File,
    /// The control socket.
    Control,
}

/// What is wrong with a line: one line of text that names the word at fault and, where there is
/// one, the nearest valid word. Printed after `error: `.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The text.
    pub message: String,
    /// Byte offset of the word at fault in the line.
    pub column: usize,
}

impl Fault {
    /// A fault at a byte offset of the line.
    #[must_use]
    pub fn new(message: impl Into<String>, column: usize) -> Self {
        Self { message: message.into(), column }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A line that parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The service of a `service NAME COMMAND ...` prefix.
    pub service: Option<String>,
    /// The command.
    pub command: Command,
    /// `json` was the last word.
    pub json: bool,
}

impl Line {
    /// A command without a prefix.
    #[must_use]
    pub fn plain(command: Command) -> Self {
        Self { service: None, command, json: false }
    }
}

/// A parsed command.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// `blacklist [T]` and the like; without a value it only reports.
    Number(Number, Option<i64>),
    /// `hash`, `no hash` and the like.
    Switch(Switch, bool),
    /// `acl N permit|deny ...`
    AddAcl(u8, Entry),
    /// `no acl N`
    ClearAcl(u8),
    /// `server N key value ...`
    Server(Word, Vec<Change>),
    /// `emergency SERVER`, `abuse SERVER`, `no ...`
    Outside(Outside, Option<(ServerWord, usize)>),
    /// `listen [ADDRESS ...]`; without addresses it only reports.
    Listen(Vec<Word>),
    /// `no listen`
    StopListening,
    /// `metrics [ADDRESS]`, `no metrics`
    Metrics(Option<Option<Word>>),
    /// `source ADDRESS`, `no source`
    Source(Option<Word>),
    /// `log [TARGET]`, `web_stats [FILE]`, `geoip_db [FILE]` and `no ...`
    Target(Target, Option<Option<String>>),
    /// `tcp_fastclose up|down|both|off`
    FastClose(FastClose),
    /// `engine auto|copy|splice`
    Engine(Engine),
    /// `http_forwarded [append|replace|keep]`
    Forwarded(Option<Forwarded>),
    /// `keepalive ...`, `no keepalive`
    Keepalive(Option<Keepalive>),
    /// `congestion [NAME]`, `no congestion`
    Congestion(Option<Option<String>>),
    /// `protocol [tcp|udp]`
    Protocol(Option<Protocol>),
    /// `udp_spread [flow|datagram]`
    Spread(Option<Spread>),
    /// `leaving_addresses [close|keep]`
    Leaving(Option<Leaving>),
    /// `route ...`, `no route ...`
    Route(RouteChange),
    /// `sandbox off|on|strict [DIRECTORY ...]`
    Sandbox(Sandbox),
    /// `mode`
    Mode,
    /// `control`
    Control,
    /// What only the shell can answer.
    Report(Report),
    /// `explain ADDRESS ...`, about the service that is named or the one of the context.
    Explain(Box<Question>, Option<Word>),
    /// `connection_log ...`
    ConnectionLog(Option<Option<ConnectionLog>>),
    /// `event_log ...`
    EventLog(Option<Option<EventLog>>),
    /// `state read FILE`, `state write`
    State(StateDeed),
    /// `watch [since N]`
    Watch(Option<u64>),
    /// `close N`
    Close(i64),
    /// `exit`
    Exit,
    /// `upgrade`
    Upgrade,
    /// `ssl_reload`
    ReloadTls,
    /// `write [FILE]`
    Write(Option<String>),
    /// `include FILE`
    Include(String),
    /// `service NAME`: opens the context, and makes the service if it is new.
    Service(Word),
    /// `no service NAME`
    RemoveService(Word),
    /// `ssl_...`: a setting of TLS that is more than a file, a number or a switch.
    Ssl(Ssl),
    /// A word of older versions: accepted, no effect.
    Obsolete(&'static str),
    /// The same with the reason: what is written, and why it has no effect.
    Void(String, &'static str),
    /// `dsr_ip ADDRESS`, `no dsr_ip`
    DsrIp(Option<Word>),
    /// `tarpit_acl [N]`; -1 is off.
    TarpitAcl(Option<i64>),
    /// `commands`
    Commands,
    /// `help [WORD]`
    Help(Option<Word>),
}

/// Something that is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// `abort_on_error`
    AbortOnError,
    /// `ascii`
    Ascii,
    /// `dsr_standby`
    DsrStandby,
    /// `dummy`
    Dummy,
    /// `forgetful`
    Forgetful,
    /// `freebind`
    Freebind,
    /// `hash`
    Hash,
    /// `http`
    Http,
    /// `metrics_control`
    MetricsControl,
    /// `mptcp`
    Mptcp,
    /// `peek`
    Peek,
    /// `prio`
    Prio,
    /// `roundrobin`
    Roundrobin,
    /// `ssl_early_data`
    SslEarlyData,
    /// `ssl_sni_strict`
    SslSniStrict,
    /// `ssl_tickets`
    SslTickets,
    /// `stubborn`
    Stubborn,
    /// `tarpit_check`
    TarpitCheck,
    /// `tcp_nodelay`
    TcpNodelay,
    /// `transparent`
    Transparent,
    /// `transparent_fallback`
    TransparentFallback,
    /// `weight`
    Weight,
}

/// The servers outside the rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// Used when no server can be.
    Emergency,
    /// For clients that `client_acl` denies.
    Abuse,
}

/// What a `route` line does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteChange {
    /// `route sni NAME service S` and the like.
    Set(When, RouteTo),
    /// `no route`, `no route sni NAME` and the like, and where the name stands.
    Unset(Option<When>, usize),
}

/// Where a `route` line leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteTo {
    /// `service S`
    Service(Word),
    /// `server N`, by number or name.
    Server(Word),
    /// `here`
    Here,
    /// `close`
    Close,
}

/// Where something is written to or read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// `dsr_if`
    DsrIf,
    /// `geoip_db`
    GeoipDb,
    /// `log`
    Log,
    /// `ssl_ca_dir`
    SslCaDir,
    /// `ssl_ca_file`
    SslCaFile,
    /// `ssl_certificate`
    SslCertificate,
    /// `ssl_crl`
    SslCrl,
    /// `ssl_key`
    SslKey,
    /// `ssl_ocsp_response`
    SslOcspResponse,
    /// `ssl_sni_path`
    SslSniPath,
    /// `state_file`
    StateFile,
    /// `web_stats`
    WebStats,
}

impl Target {
    /// The word of the command.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::DsrIf => "dsr_if",
            Self::GeoipDb => "geoip_db",
            Self::Log => "log",
            Self::SslCaDir => "ssl_ca_dir",
            Self::SslCaFile => "ssl_ca_file",
            Self::SslCertificate => "ssl_certificate",
            Self::SslCrl => "ssl_crl",
            Self::SslKey => "ssl_key",
            Self::SslOcspResponse => "ssl_ocsp_response",
            Self::SslSniPath => "ssl_sni_path",
            Self::StateFile => "state_file",
            Self::WebStats => "web_stats",
        }
    }

    /// Whether setting it answers nothing.
    pub(crate) fn is_silent(self) -> bool {
        !matches!(self, Self::GeoipDb | Self::Log | Self::StateFile | Self::WebStats)
    }
}

/// What `state` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateDeed {
    /// `state read FILE`: take in what it remembers.
    Read(String),
    /// `state write`: write the state file at once.
    Write,
}

/// A setting of TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ssl {
    /// `ssl_certificate FILE KEY`
    Pair(String, String),
    /// `ssl_ciphers [LIST]`, `no ssl_ciphers`
    Ciphers(Option<Option<Ciphers>>),
    /// `ssl_option OPTION`, `no ssl_option OPTION`
    Option(TlsOption, bool),
    /// `no ssl_option`
    NoOptions,
    /// `ssl_client_certificate off|optional|required`
    Clients(ClientCertificates),
    /// `ssl_alpn NAME ...`, `no ssl_alpn`
    Alpn(Vec<String>),
}

/// One `key value` of a `server` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// `acl N`
    Acl(u8),
    /// `address HOST`
    Address(Word),
    /// `port P`
    Port(Word),
    /// `max N`
    Max(u32),
    /// `hard N`
    Hard(u32),
    /// `weight N`
    Weight(u32),
    /// `prio N`
    Prio(u32),
    /// `blacklist T`
    Blacklist(u32),
    /// `name NAME`; `name -` takes it away.
    Name(Option<Word>),
    /// `tls verify|insecure|off`
    Tls(Trust),
    /// `sni NAME`, `ca FILE`, `cert FILE`, `key FILE`; `-` takes it away.
    TlsText(TlsText, Option<String>),
}

/// A text of a server's TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsText {
    /// The name that is asked for.
    Sni,
    /// The file of authorities.
    Ca,
    /// The file of Pen's certificate.
    Cert,
    /// The file of its key.
    Key,
}

/// The reading position: which service lines mean, and what this reading has touched so far.
#[derive(Clone, Debug)]
pub struct Context {
    /// The service that lines without a prefix mean.
    pub service: String,
    /// Lists this reading has mentioned. In a file the first mention of a list empties it, so that
    /// a reload replaces it.
    pub lists_seen: BTreeSet<(String, u8)>,
    /// Services whose routes this reading has mentioned: the same.
    pub routes_seen: BTreeSet<String>,
    /// Where the lines come from.
    pub door: Door,
    /// The process is starting: tables may still shrink and what is for start-up only may be set.
    pub starting: bool,
}

impl Context {
    /// Options and files while the process starts.
    #[must_use]
    pub fn starting(door: Door) -> Self {
        Self {
            service: DEFAULT_SERVICE.to_owned(),
            lists_seen: BTreeSet::new(),
            routes_seen: BTreeSet::new(),
            door,
            starting: true,
        }
    }

    /// A file read again while the process runs.
    #[must_use]
    pub fn reload() -> Self {
        Self { starting: false, ..Self::starting(Door::File) }
    }

    /// A control session. Its lines mean the service `default`, or the only other one when
    /// `default` is not in use (neither servers nor a listening address).
    #[must_use]
    pub fn control(config: &Config) -> Self {
        let in_use = config
            .service(DEFAULT_SERVICE)
            .is_some_and(|s| !s.listen.is_empty() || !s.servers.is_empty());
        let mut others = config.services.iter().filter(|s| s.name != DEFAULT_SERVICE);
        let service = match (in_use, others.next(), others.next()) {
            (false, Some(only), None) => only.name.clone(),
            _ => DEFAULT_SERVICE.to_owned(),
        };
        Self { service, door: Door::Control, ..Self::reload() }
    }
}

/// What the shell must look up to answer. With [`Line::json`] the answer is the json twin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// `servers`
    Servers,
    /// `services`
    Services,
    /// `certificates`
    Certificates,
    /// `routes`
    Routes,
    /// `dsr`
    Dsr,
    /// `status`: writes the page's file and answers it.
    Status,
    /// `recent [N]`, and `clients` (all remembered ones: the highest number).
    Recent(u32),
    /// `connection N`
    Connection(i64),
    /// `socket N`
    Socket(i64),
    /// `clients_max`
    ClientsMax,
    /// `conn_max`
    ConnMax,
    /// `idlers`
    Idlers,
    /// `flows`
    Flows,
    /// `memory`
    Memory,
    /// `sources`
    Sources,
    /// `explain ADDRESS ...`
    Explain(Box<Question>),
    /// `spread`
    Spread,
    /// `overview`
    Overview,
    /// `ready [SERVICE]`
    Ready(Option<String>),
    /// `sandbox`
    Sandbox,
    /// `state`
    State,
    /// `events [since N]`
    Events(Option<u64>),
    /// `pid`
    Pid,
}

/// What the shell must do beside making the new settings true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// `server N blacklist T`
    Sentence {
        /// Service.
        service: String,
        /// Slot.
        server: u32,
        /// Seconds, 0 frees.
        seconds: u32,
    },
    /// `close N`: the number is in range of the configured table or not, the shell answers.
    CloseConnection {
        /// Service.
        service: String,
        /// Connection number as given.
        connection: i64,
    },
    /// `exit` (only if enabled).
    Exit,
    /// `upgrade` (only if enabled): the session waits for what becomes of it.
    Upgrade,
    /// `write [FILE]`
    Write(Option<String>),
    /// `include FILE`, read in this service's context.
    Include {
        /// Service.
        service: String,
        /// Path.
        path: String,
    },
    /// `no service NAME`: drain and remove.
    RemoveService(String),
    /// `ssl_reload`: read the files of TLS that changed again, and answer what is new.
    ReloadTls,
    /// `state read FILE`, `state write`
    State(StateDeed),
    /// `watch`: the session stays open and is told events.
    Watch {
        /// The number after which they begin; `None` is now.
        since: Option<u64>,
        /// As JSON.
        json: bool,
    },
}

/// The result of one applied line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// The reply, with its line ends.
    pub reply: String,
    /// A reply that needs a look at running state: the service and what.
    pub report: Option<(String, Report)>,
    /// What is to be done, in order.
    pub effects: Vec<Effect>,
    /// Lines for the log, not for the reply (obsolete words, adjusted values).
    pub notices: Vec<String>,
}
