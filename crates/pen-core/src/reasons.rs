//! Why things end or are refused: closed lists, one word each, the same word in log fields, metric
//! labels and test assertions.

use serde::Serialize;

/// Why a connection ended. Exactly one per connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// Both sides ended their streams and every byte was delivered; the client ended first.
    ClientFinished,
    /// Both sides ended their streams and every byte was delivered; the server ended first.
    ServerFinished,
    /// The client aborted (reset); passed on as a reset.
    ClientReset,
    /// The server aborted (reset); passed on as a reset.
    ServerReset,
    /// `tcp_fastclose` ended the connection after one side's end of stream.
    FastClose,
    /// Nothing moved for `idle_timeout` seconds.
    IdleTimeout,
    /// `client_acl` denied the client and there is no abuse server.
    ClientDenied,
    /// No server could be used, not even the emergency server.
    NoServer,
    /// The first server failed and the service is stubborn.
    Stubborn,
    /// `peek` is on and the client sent nothing in time.
    ClientSilent,
    /// The client left before a server was connected.
    ClientGone,
    /// An HTTP request head was longer than Pen rewrites.
    HeadTooLong,
    /// An HTTP request is malformed, or its end is not certain: passing it on would let a client
    /// forge its own address.
    AmbiguousRequest,
    /// Pen itself ran out of descriptors, memory or ports.
    OutOfResources,
    /// `close N`.
    OperatorClosed,
    /// `dummy` answered and closed.
    DummyAnswered,
    /// The spare connection was no longer wanted or its server left.
    IdlerEnded,
    /// The service was removed or the process ended.
    Shutdown,
}

impl CloseReason {
    /// Every reason, for tables and metrics.
    pub const ALL: [Self; 18] = [
        Self::ClientFinished,
        Self::ServerFinished,
        Self::ClientReset,
        Self::ServerReset,
        Self::FastClose,
        Self::IdleTimeout,
        Self::ClientDenied,
        Self::NoServer,
        Self::Stubborn,
        Self::ClientSilent,
        Self::ClientGone,
        Self::HeadTooLong,
        Self::AmbiguousRequest,
        Self::OutOfResources,
        Self::OperatorClosed,
        Self::DummyAnswered,
        Self::IdlerEnded,
        Self::Shutdown,
    ];

    /// The word used in logs, metrics and tests.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::ClientFinished => "client_finished",
            Self::ServerFinished => "server_finished",
            Self::ClientReset => "client_reset",
            Self::ServerReset => "server_reset",
            Self::FastClose => "fast_close",
            Self::IdleTimeout => "idle_timeout",
            Self::ClientDenied => "client_denied",
            Self::NoServer => "no_server",
            Self::Stubborn => "stubborn",
            Self::ClientSilent => "client_silent",
            Self::ClientGone => "client_gone",
            Self::HeadTooLong => "head_too_long",
            Self::AmbiguousRequest => "ambiguous_request",
            Self::OutOfResources => "out_of_resources",
            Self::OperatorClosed => "operator_closed",
            Self::DummyAnswered => "dummy_answered",
            Self::IdlerEnded => "idler_ended",
            Self::Shutdown => "shutdown",
        }
    }
}

/// Why a server was passed over without connecting to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The slot has no address or port 0.
    Unset,
    /// It failed a moment ago, or the operator blacklisted it.
    Blacklisted,
    /// It has `max` (or `hard`) connections.
    Full,
    /// Its access list denies the client.
    DeniedByAcl,
    /// Half of `pending_max` connects to it are pending already: it is slow or dead, and the other
    /// half is kept for the clients of healthy servers. Not a reason to turn a client away: if there
    /// is no other server, it goes there after all.
    PendingShare,
}

impl Refusal {
    /// The word used in logs, metrics and tests.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Blacklisted => "blacklisted",
            Self::Full => "full",
            Self::DeniedByAcl => "denied_by_acl",
            Self::PendingShare => "pending_share",
        }
    }
}

/// Why a connect to a server failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectFailure {
    /// The server or the network answered with a refusal; the server is blacklisted.
    Refused,
    /// Nothing came within `timeout` seconds; the server is blacklisted.
    TimedOut,
    /// The server's host or network cannot be reached; the server is blacklisted.
    Unreachable,
    /// Pen has no descriptor, memory or source port left. Not the server's fault: it is not
    /// blacklisted.
    LocalResources,
}

impl ConnectFailure {
    /// The word used in logs, metrics and tests.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
            Self::Unreachable => "unreachable",
            Self::LocalResources => "local_resources",
        }
    }

    /// Whether the server is to blame and gets blacklisted.
    #[must_use]
    pub fn blames_server(self) -> bool {
        !matches!(self, Self::LocalResources)
    }
}
