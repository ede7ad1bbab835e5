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
    /// The client's TLS stream was cut: its connection ended without close_notify; passed on as a
    /// reset.
    ClientTruncated,
    /// The server's TLS stream was cut: its connection ended without close_notify; passed on as a
    /// reset.
    ServerTruncated,
    /// The client broke the rules of TLS after the handshake, or gave up with an alert; passed on as
    /// a reset.
    ClientTlsFault,
    /// The server broke the rules of TLS after the handshake, or gave up with an alert; passed on as
    /// a reset.
    ServerTlsFault,
    /// The client's TLS handshake did not succeed; [`TlsFault`] says why.
    HandshakeFailed,
    /// `tcp_fastclose` ended the connection after one side's end of stream.
    FastClose,
    /// Nothing moved for `idle_timeout` seconds.
    IdleTimeout,
    /// One side had ended its stream, and nothing moved for `half_close_timeout` seconds.
    HalfCloseTimeout,
    /// `client_acl` denied the client and there is no abuse server.
    ClientDenied,
    /// No server could be used, not even the emergency server.
    NoServer,
    /// The first server failed and the service is stubborn.
    Stubborn,
    /// `peek` is on and the client sent nothing in time.
    ClientSilent,
    /// The client did not say in time whom it wants to talk to, as a service with routes needs it.
    HelloTimeout,
    /// No route of the service is for the client, or one that closes.
    NoRoute,
    /// The service that the client was routed to had no room for it in time.
    ServiceFull,
    /// The client's source has reached `limit_conn` or `limit_rate` of the service that the client
    /// was routed to.
    OverLimit,
    /// The client left before a server was connected.
    ClientGone,
    /// An HTTP request head was longer than Pen rewrites.
    HeadTooLong,
    /// An HTTP request head was not complete after `http_head_timeout` seconds.
    HeadTimeout,
    /// An HTTP request is malformed, or its end is not certain: passing it on would let a client
    /// forge its own address.
    AmbiguousRequest,
    /// Pen itself ran out of descriptors, memory or ports.
    OutOfResources,
    /// Pen used more memory than `mem_max` allows.
    MemoryShort,
    /// No server that could be used could be shown the client's address (`transparent`).
    NotTransparent,
    /// The connection met a defect of Pen.
    Defect,
    /// `close N`.
    OperatorClosed,
    /// The address that the client had connected to, or that Pen had connected to the server from, has
    /// left the machine (`leaving_addresses`).
    AddressLeft,
    /// `dummy` answered and closed.
    DummyAnswered,
    /// The spare connection was no longer wanted or its server left.
    IdlerEnded,
    /// The service was removed or the process ended.
    Shutdown,
}

impl CloseReason {
    /// Every reason, for tables and metrics.
    pub const ALL: [Self; 33] = [
        Self::ClientFinished,
        Self::ServerFinished,
        Self::ClientReset,
        Self::ServerReset,
        Self::ClientTruncated,
        Self::ServerTruncated,
        Self::ClientTlsFault,
        Self::ServerTlsFault,
        Self::HandshakeFailed,
        Self::FastClose,
        Self::IdleTimeout,
        Self::HalfCloseTimeout,
        Self::ClientDenied,
        Self::NoServer,
        Self::Stubborn,
        Self::ClientSilent,
        Self::HelloTimeout,
        Self::NoRoute,
        Self::ServiceFull,
        Self::OverLimit,
        Self::ClientGone,
        Self::HeadTooLong,
        Self::HeadTimeout,
        Self::AmbiguousRequest,
        Self::OutOfResources,
        Self::MemoryShort,
        Self::NotTransparent,
        Self::Defect,
        Self::OperatorClosed,
        Self::AddressLeft,
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
            Self::ClientTruncated => "client_truncated",
            Self::ServerTruncated => "server_truncated",
            Self::ClientTlsFault => "client_tls_fault",
            Self::ServerTlsFault => "server_tls_fault",
            Self::HandshakeFailed => "handshake_failed",
            Self::FastClose => "fast_close",
            Self::IdleTimeout => "idle_timeout",
            Self::HalfCloseTimeout => "half_close_timeout",
            Self::ClientDenied => "client_denied",
            Self::NoServer => "no_server",
            Self::Stubborn => "stubborn",
            Self::ClientSilent => "client_silent",
            Self::HelloTimeout => "hello_timeout",
            Self::NoRoute => "no_route",
            Self::ServiceFull => "service_full",
            Self::OverLimit => "over_limit",
            Self::ClientGone => "client_gone",
            Self::HeadTooLong => "head_too_long",
            Self::HeadTimeout => "head_timeout",
            Self::AmbiguousRequest => "ambiguous_request",
            Self::OutOfResources => "out_of_resources",
            Self::MemoryShort => "memory_short",
            Self::NotTransparent => "not_transparent",
            Self::Defect => "defect",
            Self::OperatorClosed => "operator_closed",
            Self::AddressLeft => "address_left",
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
    /// It cannot be shown the client's address (`transparent`): it is of the other family, is the
    /// client itself, or the client has none.
    NotTransparent,
}

impl Refusal {
    /// Every refusal, for tables and metrics.
    pub const ALL: [Self; 6] = [
        Self::Unset,
        Self::Blacklisted,
        Self::Full,
        Self::DeniedByAcl,
        Self::PendingShare,
        Self::NotTransparent,
    ];

    /// The word used in logs, metrics and tests.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Blacklisted => "blacklisted",
            Self::Full => "full",
            Self::DeniedByAcl => "denied_by_acl",
            Self::PendingShare => "pending_share",
            Self::NotTransparent => "not_transparent",
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
    /// The TLS handshake with the server failed; the server is blacklisted.
    TlsHandshake,
    /// The server's certificate was refused; the server is blacklisted.
    TlsCertificate,
    /// The server took the connection and reset it before it said anything. It answers, so it is not
    /// blacklisted; had the reset come a moment later, the connection would have been an open one.
    Reset,
    /// Pen has no descriptor, memory or source port left. Not the server's fault: it is not
    /// blacklisted.
    LocalResources,
    /// The kernel did not let the connection carry the client's address (`transparent`). Not the
    /// server's fault either.
    NotTransparent,
}

impl ConnectFailure {
    /// Every failure, for tables and metrics.
    pub const ALL: [Self; 8] = [
        Self::Refused,
        Self::TimedOut,
        Self::Unreachable,
        Self::TlsHandshake,
        Self::TlsCertificate,
        Self::Reset,
        Self::LocalResources,
        Self::NotTransparent,
    ];

    /// The word used in logs, metrics and tests.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
            Self::Unreachable => "unreachable",
            Self::TlsHandshake => "tls_handshake",
            Self::TlsCertificate => "tls_certificate",
            Self::Reset => "reset",
            Self::LocalResources => "local_resources",
            Self::NotTransparent => "not_transparent",
        }
    }

    /// Whether the server is to blame and gets blacklisted.
    #[must_use]
    pub fn blames_server(self) -> bool {
        !matches!(self, Self::Reset | Self::LocalResources | Self::NotTransparent)
    }
}

/// What went wrong between Pen and somebody who speaks TLS, or should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsFault {
    /// The first bytes are a plain HTTP request.
    PlainHttp,
    /// The first bytes are no TLS.
    NotTls,
    /// TLS that breaks the rules: a message that cannot be read, is out of place or was tampered
    /// with.
    Malformed,
    /// No version of TLS that both speak.
    NoCommonVersion,
    /// No cipher, key exchange or signature that both know.
    NothingInCommon,
    /// No protocol of the other side's ALPN list is spoken here.
    NoCommonProtocol,
    /// There is no certificate for the name that was asked for.
    NoCertificateForName,
    /// A certificate is required and none was sent.
    CertificateMissing,
    /// The certificate was not accepted.
    CertificateRefused,
    /// The other side gave up with an alert.
    AlertReceived,
    /// The other side closed or reset the connection in the middle.
    Left,
    /// The handshake was not over in time.
    TimedOut,
    /// Too many handshakes were unfinished; this one, the oldest, made room.
    MadeRoom,
    /// The client's address has too many unfinished handshakes.
    TooMany,
    /// Pen could not go on: no random numbers, settings that went away.
    Broken,
}

impl TlsFault {
    /// Every fault, for tables and metrics.
    pub const ALL: [Self; 15] = [
        Self::PlainHttp,
        Self::NotTls,
        Self::Malformed,
        Self::NoCommonVersion,
        Self::NothingInCommon,
        Self::NoCommonProtocol,
        Self::NoCertificateForName,
        Self::CertificateMissing,
        Self::CertificateRefused,
        Self::AlertReceived,
        Self::Left,
        Self::TimedOut,
        Self::MadeRoom,
        Self::TooMany,
        Self::Broken,
    ];

    /// The word used in logs, metrics and tests.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::PlainHttp => "plain_http",
            Self::NotTls => "not_tls",
            Self::Malformed => "malformed",
            Self::NoCommonVersion => "no_common_version",
            Self::NothingInCommon => "nothing_in_common",
            Self::NoCommonProtocol => "no_common_protocol",
            Self::NoCertificateForName => "no_certificate_for_name",
            Self::CertificateMissing => "certificate_missing",
            Self::CertificateRefused => "certificate_refused",
            Self::AlertReceived => "alert_received",
            Self::Left => "left",
            Self::TimedOut => "timed_out",
            Self::MadeRoom => "made_room",
            Self::TooMany => "too_many",
            Self::Broken => "broken",
        }
    }
}

/// Why a client's first bytes are no ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HelloFault {
    /// The first byte is not that of TLS: another protocol.
    NotTls,
    /// It is the hello of SSL 2, which nobody should speak.
    SslV2,
    /// A record of a wrong kind, version or length.
    BadRecord,
    /// Another handshake message than a ClientHello.
    NotHello,
    /// Lengths do not fit, or what may stand there once stands there twice.
    Malformed,
    /// The name that is asked for is not a host name.
    BadName,
    /// It is longer than Pen reads.
    TooLong,
}

impl HelloFault {
    /// The word used in logs, metrics and tests.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NotTls => "not_tls",
            Self::SslV2 => "ssl_v2",
            Self::BadRecord => "bad_record",
            Self::NotHello => "not_hello",
            Self::Malformed => "malformed",
            Self::BadName => "bad_name",
            Self::TooLong => "too_long",
        }
    }
}
