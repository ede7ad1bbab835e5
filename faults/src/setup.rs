//! What a balancer is told to do, in words that belong to none of them.

use pen_test::Place;

use crate::subject::Subject;

/// One service and its servers.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Where clients come to; a free port of 127.0.0.1 unless said.
    pub listen: Place,
    /// Servers as `address:port` or a path.
    pub servers: Vec<String>,
    /// Datagrams instead of streams.
    pub udp: bool,
    /// Seconds until a connect to a server is given up.
    pub connect_timeout_s: u32,
    /// Seconds that a server which failed is left alone (HAProxy: between two checks).
    pub blacklist_s: u32,
    /// Whether HAProxy checks its servers with connects (nobody else of these can).
    pub checks: bool,
    /// Connections it has room for.
    pub room: usize,
    /// Clients go back to their server.
    pub sticky: bool,
    /// Worker threads or processes.
    pub threads: usize,
    /// Limit of descriptors, when it is not the one of this process.
    pub descriptors: Option<u64>,
    /// A file with key and certificate: the service speaks TLS.
    pub tls: Option<std::path::PathBuf>,
    /// Further lines for one of them.
    pub extra: Vec<(Subject, Scope, String)>,
    /// The settings can be read again: Pen and the classic get a file, HAProxy a master.
    pub again: bool,
    /// Who it becomes; root unless said.
    pub user: &'static str,
    /// Further words of Pen's and the classic's command line.
    pub words: Vec<String>,
    /// Further variables of its environment.
    pub environment: Vec<(&'static str, String)>,
    /// What is at /dev/log: it has a /dev of its own then, in a mount namespace.
    pub log_socket: Option<std::path::PathBuf>,
}

/// Where a further line belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A command of Pen's, a line of HAProxy's `global`, of nginx's main part, a word of the classic's
    /// command line.
    Global,
    /// A line of HAProxy's `defaults`, of nginx's `stream`.
    Shared,
    /// A line of HAProxy's `listen`, of nginx's `server`; a `proxy_pass` of nginx's takes the place of
    /// the usual one.
    Service,
    /// What follows the address in HAProxy's `bind` and nginx's `listen`.
    Listen,
    /// What follows each server in HAProxy's and nginx's lists, and in Pen's word (`:10`, say).
    Server,
}

impl Setup {
    /// Round robin over these servers.
    pub fn of(servers: impl IntoIterator<Item = String>) -> Self {
        Self {
            listen: Place::free(),
            servers: servers.into_iter().collect(),
            udp: false,
            connect_timeout_s: 3,
            blacklist_s: 30,
            checks: false,
            room: 4_000,
            sticky: false,
            threads: 2,
            descriptors: None,
            tls: None,
            extra: Vec::new(),
            again: false,
            user: "root",
            words: Vec::new(),
            environment: Vec::new(),
            log_socket: None,
        }
    }

    /// With a further line for one of them.
    pub fn with(mut self, subject: Subject, scope: Scope, line: impl Into<String>) -> Self {
        self.extra.push((subject, scope, line.into()));
        self
    }

    /// The further lines of a balancer at one place.
    pub fn lines(&self, subject: Subject, scope: Scope) -> impl Iterator<Item = &str> {
        let fits = move |(s, at, _): &&(Subject, Scope, String)| *s == subject && *at == scope;
        self.extra.iter().filter(fits).map(|(_, _, line)| line.as_str())
    }
}
