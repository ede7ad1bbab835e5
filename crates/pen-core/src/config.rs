//! The settings of the whole process as plain data.
//!
//! Commands change a [`Config`]; the shell compares the new value with the old one and makes it
//! true (binds, opens, publishes). Nothing here is running state: no counters, no sockets.

mod dsr;
mod tls;

use std::net::IpAddr;

use crate::acl::AccessList;
use crate::addr::{Host, Listen};
use crate::arrivals::SourceLimit;
use crate::connlog::{ConnectionLog, EventLog};
use crate::limits;
use crate::routes::Route;
use crate::sandbox::Sandbox;
use crate::socket_options::SocketOptions;

pub use dsr::Dsr;
pub use tls::{ClientCertificates, Tls, TlsOption, TlsOptions};

/// The name of the service that the classic command line describes.
pub const DEFAULT_SERVICE: &str = "default";

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Settings of the process.
    pub process: Process,
    /// The services in the order they were first mentioned; the first is `default`.
    pub services: Vec<ServiceConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self { process: Process::default(), services: vec![ServiceConfig::new(DEFAULT_SERVICE)] }
    }
}

impl Config {
    /// The service called `name`.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&ServiceConfig> {
        self.services.iter().find(|s| s.name == name)
    }

    /// The service called `name`, to be changed.
    pub fn service_mut(&mut self, name: &str) -> Option<&mut ServiceConfig> {
        self.services.iter_mut().find(|s| s.name == name)
    }
}

/// Settings of the process, not of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// MiB of memory that Pen may use; 0 = a share of what its control group may.
    pub mem_max_mib: u32,
    /// Fatal errors abort instead of ending with status 1.
    pub abort_on_error: bool,
    /// Dumps at debug levels above 2 are text, else hex pairs.
    pub ascii: bool,
    /// Debug level, 0 to [`limits::DEBUG_MAX`].
    pub debug: u32,
    /// The control address as given (`-C`).
    pub control: Option<String>,
    /// The list that control clients must pass.
    pub control_acl: ControlAcl,
    /// Where Pen shows by HTTP what it does.
    pub metrics: Option<Listen>,
    /// The list that clients of that address must pass.
    pub metrics_acl: ControlAcl,
    /// The page there may steer.
    pub metrics_control: bool,
    /// `exit` is allowed (`-X`).
    pub exit_enabled: bool,
    /// Worker threads; `None` is one per core. At start only.
    pub workers: Option<u32>,
    /// Seconds TERM waits for open connections; 0 ends at once.
    pub drain_timeout_s: u32,
    /// Seconds after which a worker that does not answer ends the process; 0 = never.
    pub watchdog_s: u32,
    /// What becomes of connections whose address leaves the machine.
    pub leaving: Leaving,
    /// The file of the database that knows the countries of clients.
    pub geoip_db: Option<String>,
    /// Where it is kept which client used which server.
    pub state_file: Option<String>,
    /// Seconds from one writing of that file to the next, at least 1.
    pub state_interval_s: u32,
    /// Where events go.
    pub event_log: Option<EventLog>,
    /// What the process gives up when it has started. At start only.
    pub sandbox: Sandbox,
}

impl Default for Process {
    fn default() -> Self {
        Self {
            mem_max_mib: 0,
            abort_on_error: false,
            ascii: false,
            debug: 0,
            control: None,
            control_acl: ControlAcl::default(),
            metrics: None,
            metrics_acl: ControlAcl::default(),
            metrics_control: false,
            exit_enabled: false,
            workers: None,
            drain_timeout_s: 0,
            watchdog_s: 0,
            leaving: Leaving::default(),
            geoip_db: None,
            state_file: None,
            state_interval_s: limits::STATE_INTERVAL_DEFAULT_S,
            event_log: None,
            sandbox: Sandbox::default(),
        }
    }
}

/// Which service's list, and which number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlAcl {
    /// The service in whose context the command was given.
    pub service: String,
    /// 0 to 9.
    pub list: u8,
}

impl Default for ControlAcl {
    fn default() -> Self {
        Self { service: DEFAULT_SERVICE.to_owned(), list: 0 }
    }
}

/// Settings of one service.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceConfig {
    /// Its name: letters, digits, `_`, `-`, `.`; at most [`limits::NAME_MAX`] bytes.
    pub name: String,
    /// What clients and servers speak.
    pub protocol: Protocol,
    /// Listening addresses in the order given.
    pub listen: Vec<Listen>,
    /// The server table; unset slots are allowed.
    pub servers: Vec<ServerConfig>,
    /// Used when no server can be (`-e`).
    pub emergency: Option<ServerConfig>,
    /// For clients that `client_acl` denies (`-B`).
    pub abuse: Option<ServerConfig>,
    /// How servers are chosen.
    pub mode: Mode,
    /// The ten access lists.
    pub acls: [AccessList; limits::ACL_LISTS],
    /// The list that clients must pass, 0 to 9.
    pub client_acl: u8,
    /// Seconds a failed server is left out; 0 = never.
    pub blacklist_s: u32,
    /// Seconds a connect may take, at least 1.
    pub timeout_s: u32,
    /// Seconds after which a client is forgotten; 0 = never.
    pub tracking_s: u32,
    /// Remembered clients, at least 1.
    pub clients_max: u32,
    /// Connections at once; `None` = as many as descriptors allow.
    pub conn_max: Option<u32>,
    /// Pending connects at once, at least 1.
    pub pending_max: u32,
    /// What one source may take.
    pub limit: SourceLimit,
    /// Clients accepted per wake-up, at least 1.
    pub accepts: u32,
    /// Listen queue.
    pub backlog: u32,
    /// Seconds without traffic after which a connection is closed; 0 = never.
    pub idle_timeout_s: u32,
    /// Seconds without traffic after which a half-closed connection is closed; 0 = never.
    pub half_close_timeout_s: u32,
    /// Spare connections to keep.
    pub idlers: u32,
    /// Seconds without a datagram after which a flow is forgotten, at least 1.
    pub udp_timeout_s: u32,
    /// Answers per datagram of the client after which a flow is over; 0 = only time ends it.
    pub udp_answers: u32,
    /// What is sent to a server as one.
    pub udp_spread: Spread,
    /// Pen answers clients itself.
    pub dummy: bool,
    /// Choose the server when the client's first bytes are there.
    pub peek: bool,
    /// Where clients go by what their TLS hello says; with none they are served here.
    pub routes: Vec<Route>,
    /// Insert X-Forwarded headers.
    pub http: bool,
    /// What happens to an X-Forwarded-For that is there already.
    pub http_forwarded: Forwarded,
    /// Seconds a request's head may take with `http`; 0 = any time.
    pub http_head_timeout_s: u32,
    /// TCP_NODELAY on both sides from the first byte.
    pub tcp_nodelay: bool,
    /// What sockets are asked for.
    pub sockets: SocketOptions,
    /// Which end of stream closes both sides at once.
    pub tcp_fastclose: FastClose,
    /// How bytes are moved.
    pub engine: Engine,
    /// Server connections leave from this address.
    pub source: Option<IpAddr>,
    /// Server connections carry the client's address.
    pub transparent: bool,
    /// Where they cannot, Pen's own address is shown; without it there is no connection then.
    pub transparent_fallback: bool,
    /// The classic log: a path or `host:port`.
    pub log: Option<String>,
    /// The connection log.
    pub connection_log: Option<ConnectionLog>,
    /// The status page's file.
    pub web_stats: Option<String>,
    /// TLS with the clients.
    pub tls: Tls,
    /// Direct server return and the tarpit.
    pub dsr: Dsr,
}

impl ServiceConfig {
    /// A service with the defaults and no servers.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            protocol: Protocol::Tcp,
            listen: Vec::new(),
            servers: Vec::new(),
            emergency: None,
            abuse: None,
            mode: Mode::default(),
            acls: Default::default(),
            client_acl: 0,
            blacklist_s: limits::BLACKLIST_DEFAULT_S,
            timeout_s: limits::CONNECT_TIMEOUT_DEFAULT_S,
            tracking_s: 0,
            clients_max: limits::CLIENTS_DEFAULT,
            conn_max: None,
            pending_max: limits::PENDING_DEFAULT,
            limit: SourceLimit::default(),
            accepts: limits::ACCEPTS_DEFAULT,
            backlog: limits::BACKLOG_DEFAULT,
            idle_timeout_s: 0,
            half_close_timeout_s: 0,
            idlers: 0,
            udp_timeout_s: limits::UDP_TIMEOUT_DEFAULT_S,
            udp_answers: 0,
            udp_spread: Spread::Flow,
            dummy: false,
            peek: false,
            routes: Vec::new(),
            http: false,
            http_forwarded: Forwarded::Append,
            http_head_timeout_s: limits::HTTP_HEAD_TIMEOUT_DEFAULT_S,
            tcp_nodelay: false,
            sockets: SocketOptions::default(),
            tcp_fastclose: FastClose::Off,
            engine: Engine::Auto,
            source: None,
            transparent: false,
            transparent_fallback: false,
            log: None,
            connection_log: None,
            web_stats: None,
            tls: Tls::default(),
            dsr: Dsr::default(),
        }
    }
}

/// One entry of a server table. The default is an unset slot.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ServerConfig {
    /// A name that can be used in place of the number.
    pub name: Option<String>,
    /// Where it is.
    pub host: Host,
    /// Its port; 0 = never connected to (unless it is a Unix socket).
    pub port: u16,
    /// Connections at which new clients are sent elsewhere; 0 = no limit.
    pub max: u32,
    /// Connections at which clients that used it before are sent elsewhere too.
    pub hard: u32,
    /// Share for the weight and hash algorithms.
    pub weight: u32,
    /// Lower is preferred by the prio algorithm.
    pub prio: u32,
    /// The access list clients must pass, 0 to 9.
    pub acl: u8,
    /// Whether and how TLS is spoken to it.
    pub tls: ServerTls,
}

/// TLS towards one server. What is set stays set while it is off.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ServerTls {
    /// Whether it is spoken, and whether the certificate counts.
    pub trust: Trust,
    /// The name that is asked for and that the certificate must have; `None` is the server's host.
    pub sni: Option<String>,
    /// The file of the authorities that may have signed the certificate; `None` is the system's.
    pub ca: Option<String>,
    /// The file of the certificate that Pen shows to the server.
    pub cert: Option<String>,
    /// The file of its key; `None` is the same file.
    pub key: Option<String>,
}

/// `tls` of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Trust {
    /// Plain TCP.
    #[default]
    Off,
    /// TLS with a certificate that an authority has signed for the server's name.
    Verify,
    /// TLS with anybody.
    Insecure,
}

impl Trust {
    /// The word of the command.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Verify => "verify",
            Self::Insecure => "insecure",
        }
    }
}

/// How servers are chosen; each can be switched on its own, as in the classic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Mode {
    /// By the client's address.
    pub hash: bool,
    /// One after the other, clients are not tracked.
    pub roundrobin: bool,
    /// Never fail over.
    pub stubborn: bool,
    /// Least loaded by weight.
    pub weight: bool,
    /// Lowest priority number.
    pub prio: bool,
    /// Clients are not remembered (`-N`).
    pub forgetful: bool,
}

/// `tcp_fastclose`: whose end of stream closes both sides once everything is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum FastClose {
    /// Nobody's: half-close is passed on.
    #[default]
    Off,
    /// The server's.
    Up,
    /// The client's.
    Down,
    /// Either's.
    Both,
}

impl FastClose {
    /// The word of the command.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Up => "up",
            Self::Down => "down",
            Self::Both => "both",
        }
    }
}

/// `engine`: how bytes are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Engine {
    /// Copied while a flow is small, spliced when it proves to be bulky.
    #[default]
    Auto,
    /// Always copied.
    Copy,
    /// Spliced from the first byte, as far as there are pipes.
    Splice,
}

impl Engine {
    /// The word of the command.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Copy => "copy",
            Self::Splice => "splice",
        }
    }
}

/// `protocol`: what clients and servers of a service speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Protocol {
    /// Streams.
    #[default]
    Tcp,
    /// Datagrams.
    Udp,
}

impl Protocol {
    /// The word of the command.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// `udp_spread`: for how much a server is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Spread {
    /// For a flow: all datagrams of a client's socket.
    #[default]
    Flow,
    /// For each datagram.
    Datagram,
}

impl Spread {
    /// The word of the command.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Datagram => "datagram",
        }
    }
}

/// `leaving_addresses`: what becomes of connections and flows whose address leaves the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Leaving {
    /// They are closed.
    #[default]
    Close,
    /// They are left to their timeouts.
    Keep,
}

impl Leaving {
    /// The word of the command.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::Keep => "keep",
        }
    }
}

/// `http_forwarded`: what happens to an X-Forwarded-For that the client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Forwarded {
    /// The client's address is appended to it.
    #[default]
    Append,
    /// It is replaced.
    Replace,
    /// It is kept as it is and trusted.
    Keep,
}

impl Forwarded {
    /// The word of the command.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Replace => "replace",
            Self::Keep => "keep",
        }
    }
}
