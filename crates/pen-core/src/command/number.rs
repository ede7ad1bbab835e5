//! The settings that are one number: their words, ranges, and what becomes of values below.

use super::Fault;
use super::words::number_within;
use crate::config::{ControlAcl, Process, ServiceConfig};
use crate::limits;

/// A setting that is one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// `accepts`: clients accepted per wake-up.
    Accepts,
    /// `backlog`: the listen queue.
    Backlog,
    /// `blacklist`: seconds.
    Blacklist,
    /// `client_acl`: a list.
    ClientAcl,
    /// `clients_max`: 0 at start = the default.
    ClientsMax,
    /// `conn_max`: 0 = as many as descriptors allow.
    ConnMax,
    /// `control_acl`: a list.
    ControlAcl,
    /// `debug`: a level.
    Debug,
    /// `defer_accept`: seconds, 0 = off.
    DeferAccept,
    /// `drain_timeout`: seconds.
    DrainTimeout,
    /// `half_close_timeout`: seconds, 0 = never.
    HalfCloseTimeout,
    /// `http_head_timeout`: seconds, 0 = never.
    HttpHeadTimeout,
    /// `idle_timeout`: seconds.
    IdleTimeout,
    /// `idlers`: spare connections.
    Idlers,
    /// `limit_burst`: arrivals at once, 0 = as many as `limit_rate`.
    LimitBurst,
    /// `limit_conn`: connections of a source, 0 = any number.
    LimitConn,
    /// `limit_exempt`: a list, 0 = nobody.
    LimitExempt,
    /// `limit_prefix4`: bits.
    LimitPrefix4,
    /// `limit_prefix6`: bits.
    LimitPrefix6,
    /// `limit_rate`: arrivals per second, 0 = any number.
    LimitRate,
    /// `metrics_acl`: a list.
    MetricsAcl,
    /// `mem_max`: MiB, 0 = a share of the limit.
    MemMax,
    /// `pending_max`: connects.
    PendingMax,
    /// `rcvbuf`: bytes, 0 = the kernel's.
    Rcvbuf,
    /// `sndbuf`: bytes, 0 = the kernel's.
    Sndbuf,
    /// `ssl_handshake_timeout`: seconds.
    SslHandshakeTimeout,
    /// `ssl_handshakes_max`: unfinished handshakes.
    SslHandshakesMax,
    /// `ssl_handshakes_per_client`: the same of one address.
    SslHandshakesPerClient,
    /// `state_interval`: seconds.
    StateInterval,
    /// `tarpit_rate`: answers per second.
    TarpitRate,
    /// `timeout`: seconds.
    Timeout,
    /// `tracking`: seconds.
    Tracking,
    /// `udp_answers`: datagrams, 0 = any number.
    UdpAnswers,
    /// `udp_timeout`: seconds.
    UdpTimeout,
    /// `user_timeout`: seconds, 0 = the kernel's.
    UserTimeout,
    /// `watchdog`: seconds, 0 = off.
    Watchdog,
    /// `workers`: threads, 0 = one per core.
    Workers,
}

/// A value as given after it was brought into range: what is stored, and the notice if it differs.
pub(super) struct Adjusted {
    pub(super) value: u32,
    pub(super) notice: Option<String>,
}

impl Number {
    /// Every one of them.
    pub const ALL: [Self; 37] = [
        Self::Accepts,
        Self::Backlog,
        Self::Blacklist,
        Self::ClientAcl,
        Self::ClientsMax,
        Self::ConnMax,
        Self::ControlAcl,
        Self::Debug,
        Self::DeferAccept,
        Self::DrainTimeout,
        Self::HalfCloseTimeout,
        Self::HttpHeadTimeout,
        Self::IdleTimeout,
        Self::Idlers,
        Self::LimitBurst,
        Self::LimitConn,
        Self::LimitExempt,
        Self::LimitPrefix4,
        Self::LimitPrefix6,
        Self::LimitRate,
        Self::MetricsAcl,
        Self::MemMax,
        Self::PendingMax,
        Self::Rcvbuf,
        Self::Sndbuf,
        Self::SslHandshakeTimeout,
        Self::SslHandshakesMax,
        Self::SslHandshakesPerClient,
        Self::StateInterval,
        Self::TarpitRate,
        Self::Timeout,
        Self::Tracking,
        Self::UdpAnswers,
        Self::UdpTimeout,
        Self::UserTimeout,
        Self::Watchdog,
        Self::Workers,
    ];

    /// The word of the command.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Accepts => "accepts",
            Self::Backlog => "backlog",
            Self::Blacklist => "blacklist",
            Self::ClientAcl => "client_acl",
            Self::ClientsMax => "clients_max",
            Self::ConnMax => "conn_max",
            Self::ControlAcl => "control_acl",
            Self::Debug => "debug",
            Self::DeferAccept => "defer_accept",
            Self::DrainTimeout => "drain_timeout",
            Self::HalfCloseTimeout => "half_close_timeout",
            Self::HttpHeadTimeout => "http_head_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::Idlers => "idlers",
            Self::LimitBurst => "limit_burst",
            Self::LimitConn => "limit_conn",
            Self::LimitExempt => "limit_exempt",
            Self::LimitPrefix4 => "limit_prefix4",
            Self::LimitPrefix6 => "limit_prefix6",
            Self::LimitRate => "limit_rate",
            Self::MetricsAcl => "metrics_acl",
            Self::MemMax => "mem_max",
            Self::PendingMax => "pending_max",
            Self::Rcvbuf => "rcvbuf",
            Self::Sndbuf => "sndbuf",
            Self::SslHandshakeTimeout => "ssl_handshake_timeout",
            Self::SslHandshakesMax => "ssl_handshakes_max",
            Self::SslHandshakesPerClient => "ssl_handshakes_per_client",
            Self::StateInterval => "state_interval",
            Self::TarpitRate => "tarpit_rate",
            Self::Timeout => "timeout",
            Self::Tracking => "tracking",
            Self::UdpAnswers => "udp_answers",
            Self::UdpTimeout => "udp_timeout",
            Self::UserTimeout => "user_timeout",
            Self::Watchdog => "watchdog",
            Self::Workers => "workers",
        }
    }

    /// The values it takes, both ends included.
    #[must_use]
    pub fn range(self) -> (u32, u32) {
        match self {
            Self::Accepts => (1, limits::ACCEPTS_MAX),
            Self::Backlog => (limits::BACKLOG_MIN, limits::BACKLOG_MAX),
            Self::Blacklist
            | Self::DrainTimeout
            | Self::HalfCloseTimeout
            | Self::HttpHeadTimeout
            | Self::IdleTimeout
            | Self::Tracking => (0, limits::SECONDS_MAX),
            Self::ClientAcl | Self::ControlAcl | Self::MetricsAcl => {
                (0, limits::ACL_LISTS as u32 - 1)
            }
            Self::ClientsMax => (0, limits::CLIENTS_MAX),
            Self::ConnMax => (0, limits::CONNECTIONS_MAX),
            Self::Debug => (0, limits::DEBUG_MAX),
            Self::DeferAccept => (0, limits::DEFER_ACCEPT_MAX_S),
            Self::Idlers => (0, limits::IDLERS_MAX),
            Self::LimitBurst | Self::LimitConn | Self::LimitRate => (0, limits::LIMIT_MAX),
            Self::LimitExempt => (0, limits::ACL_LISTS as u32 - 1),
            Self::LimitPrefix4 => (0, 32),
            Self::LimitPrefix6 => (0, 128),
            Self::MemMax => (0, limits::MEMORY_MAX_MIB),
            Self::PendingMax => (1, limits::PENDING_MAX),
            Self::Rcvbuf | Self::Sndbuf => (0, limits::SOCKET_BUFFER_MAX),
            Self::UdpAnswers => (0, limits::UDP_ANSWERS_MAX),
            Self::UserTimeout => (0, limits::USER_TIMEOUT_MAX_S),
            Self::SslHandshakesMax | Self::SslHandshakesPerClient => {
                (1, limits::TLS_HANDSHAKES_MAX)
            }
            Self::SslHandshakeTimeout | Self::Timeout | Self::UdpTimeout => {
                (1, limits::SECONDS_MAX)
            }
            Self::StateInterval => (1, limits::STATE_INTERVAL_MAX_S),
            Self::TarpitRate => (1, limits::TARPIT_RATE_MAX),
            Self::Watchdog => (0, limits::WATCHDOG_MAX_S),
            Self::Workers => (0, limits::WORKERS_MAX),
        }
    }

    /// What the parser lets through: the range, and for those that the classic brings into range
    /// without complaint also what lies outside.
    fn accepted(self) -> (i64, i64) {
        let (low, high) = self.range();
        match self {
            Self::Accepts | Self::Backlog | Self::IdleTimeout | Self::PendingMax => {
                (i64::from(i32::MIN), i64::from(high))
            }
            Self::ClientAcl | Self::ControlAcl => (i64::from(i32::MIN), i64::from(i32::MAX)),
            _ => (i64::from(low), i64::from(high)),
        }
    }

    /// A word as a value; `who` (a command or an option) is named in the fault.
    pub(crate) fn read(self, who: &str, word: (&str, usize)) -> Result<i64, Fault> {
        let (low, high) = self.range();
        number_within(who, word, self.accepted(), (i64::from(low), i64::from(high)))
    }

    /// Brings a value into range. Lists out of range become list 0, others the nearest value.
    pub(super) fn adjust(self, given: i64) -> Adjusted {
        let (low, high) = self.range();
        let value = match u32::try_from(given) {
            Ok(n) if self.is_too_small(n) => limits::SOCKET_BUFFER_MIN,
            Ok(n) if (low..=high).contains(&n) => n,
            _ if matches!(self, Self::ClientAcl | Self::ControlAcl) => 0,
            _ if given < i64::from(low) => low,
            _ => high,
        };
        let notice = (i64::from(value) != given)
            .then(|| format!("{}: {given} is out of range, {value} is used", self.word()));
        Adjusted { value, notice }
    }

    /// A buffer of no use; none at all means the kernel's.
    fn is_too_small(self, value: u32) -> bool {
        matches!(self, Self::Rcvbuf | Self::Sndbuf)
            && (1..limits::SOCKET_BUFFER_MIN).contains(&value)
    }

    /// Whether it belongs to the process and not to a service.
    #[must_use]
    pub fn of_process(self) -> bool {
        matches!(
            self,
            Self::ControlAcl
                | Self::Debug
                | Self::DrainTimeout
                | Self::MemMax
                | Self::MetricsAcl
                | Self::StateInterval
                | Self::Watchdog
                | Self::Workers
        )
    }

    /// The value now.
    pub(crate) fn get(self, process: &Process, service: &ServiceConfig) -> u32 {
        match self {
            Self::Accepts => service.accepts,
            Self::Backlog => service.backlog,
            Self::Blacklist => service.blacklist_s,
            Self::ClientAcl => u32::from(service.client_acl),
            Self::ClientsMax => service.clients_max,
            Self::ConnMax => service.conn_max.unwrap_or(0),
            Self::ControlAcl => u32::from(process.control_acl.list),
            Self::Debug => process.debug,
            Self::DeferAccept => service.sockets.defer_accept_s,
            Self::DrainTimeout => process.drain_timeout_s,
            Self::HalfCloseTimeout => service.half_close_timeout_s,
            Self::HttpHeadTimeout => service.http_head_timeout_s,
            Self::IdleTimeout => service.idle_timeout_s,
            Self::Idlers => service.idlers,
            Self::LimitBurst => service.limit.burst,
            Self::LimitConn => service.limit.connections,
            Self::LimitExempt => u32::from(service.limit.exempt),
            Self::LimitPrefix4 => u32::from(service.limit.prefix4),
            Self::LimitPrefix6 => u32::from(service.limit.prefix6),
            Self::LimitRate => service.limit.rate,
            Self::MetricsAcl => u32::from(process.metrics_acl.list),
            Self::MemMax => process.mem_max_mib,
            Self::PendingMax => service.pending_max,
            Self::Rcvbuf => service.sockets.rcvbuf,
            Self::Sndbuf => service.sockets.sndbuf,
            Self::SslHandshakeTimeout => service.tls.handshake_timeout_s,
            Self::SslHandshakesMax => service.tls.handshakes_max,
            Self::SslHandshakesPerClient => service.tls.handshakes_per_client,
            Self::StateInterval => process.state_interval_s,
            Self::TarpitRate => service.dsr.tarpit_rate,
            Self::Timeout => service.timeout_s,
            Self::Tracking => service.tracking_s,
            Self::UdpAnswers => service.udp_answers,
            Self::UdpTimeout => service.udp_timeout_s,
            Self::UserTimeout => service.sockets.user_timeout_s,
            Self::Watchdog => process.watchdog_s,
            Self::Workers => process.workers.unwrap_or(0),
        }
    }

    /// Stores a value that is in range. Tables shrink only while the process is starting.
    pub(super) fn set(
        self,
        process: &mut Process,
        service: &mut ServiceConfig,
        value: u32,
        starting: bool,
    ) {
        let small = u8::try_from(value).unwrap_or(0);
        let list = || ControlAcl { service: service.name.clone(), list: small };
        match self {
            Self::Accepts => service.accepts = value,
            Self::Backlog => service.backlog = value,
            Self::Blacklist => service.blacklist_s = value,
            Self::ClientAcl => service.client_acl = small,
            Self::ClientsMax if starting && value == 0 => {
                service.clients_max = limits::CLIENTS_DEFAULT;
            }
            Self::ClientsMax if starting => service.clients_max = value,
            Self::ClientsMax => service.clients_max = service.clients_max.max(value),
            Self::ConnMax if value == 0 => service.conn_max = None,
            Self::ConnMax if starting => service.conn_max = Some(value),
            Self::ConnMax => service.conn_max = service.conn_max.map(|now| now.max(value)),
            Self::ControlAcl => process.control_acl = list(),
            Self::Debug => process.debug = value,
            Self::DeferAccept => service.sockets.defer_accept_s = value,
            Self::DrainTimeout => process.drain_timeout_s = value,
            Self::HalfCloseTimeout => service.half_close_timeout_s = value,
            Self::HttpHeadTimeout => service.http_head_timeout_s = value,
            Self::IdleTimeout => service.idle_timeout_s = value,
            Self::Idlers => service.idlers = value,
            Self::LimitBurst => service.limit.burst = value,
            Self::LimitConn => service.limit.connections = value,
            Self::LimitExempt => service.limit.exempt = small,
            Self::LimitPrefix4 => service.limit.prefix4 = small,
            Self::LimitPrefix6 => service.limit.prefix6 = small,
            Self::LimitRate => service.limit.rate = value,
            Self::MetricsAcl => process.metrics_acl = list(),
            Self::MemMax => process.mem_max_mib = value,
            Self::PendingMax => service.pending_max = value,
            Self::Rcvbuf => service.sockets.rcvbuf = value,
            Self::Sndbuf => service.sockets.sndbuf = value,
            Self::SslHandshakeTimeout => service.tls.handshake_timeout_s = value,
            Self::SslHandshakesMax => service.tls.handshakes_max = value,
            Self::SslHandshakesPerClient => service.tls.handshakes_per_client = value,
            Self::StateInterval => process.state_interval_s = value,
            Self::TarpitRate => service.dsr.tarpit_rate = value,
            Self::Timeout => service.timeout_s = value,
            Self::Tracking => service.tracking_s = value,
            Self::UdpAnswers => service.udp_answers = value,
            Self::UdpTimeout => service.udp_timeout_s = value,
            Self::UserTimeout => service.sockets.user_timeout_s = value,
            Self::Watchdog => process.watchdog_s = value,
            Self::Workers => process.workers = (value != 0).then_some(value),
        }
    }
}
