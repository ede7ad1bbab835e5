//! Why flows end and datagrams are dropped: closed lists, one word each.

/// Why a flow ended. Exactly one per flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlowEnd {
    /// Each datagram of the client has had `udp_answers` answers.
    Answered,
    /// No datagram came for `udp_timeout` seconds.
    IdleTimeout,
    /// It was quiet longest, and its place was needed for a new flow.
    Recycled,
    /// Its server is out or gone, and no other can be used.
    NoServer,
    /// Pen ran out of local ports or descriptors when it had to move.
    NoPort,
    /// The address that its client sends to is no longer listened on.
    ListenerClosed,
    /// `close N`.
    OperatorClosed,
    /// The address that its client sends to has left the machine (`leaving_addresses`).
    AddressLeft,
    /// It met a defect of Pen.
    Defect,
    /// The service was removed or the process ended.
    Shutdown,
}

impl FlowEnd {
    /// Every reason, in the order of their counters.
    pub const ALL: [Self; 10] = [
        Self::Answered,
        Self::IdleTimeout,
        Self::Recycled,
        Self::NoServer,
        Self::NoPort,
        Self::ListenerClosed,
        Self::OperatorClosed,
        Self::AddressLeft,
        Self::Defect,
        Self::Shutdown,
    ];

    /// The word used in logs, reports and tests.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::IdleTimeout => "idle_timeout",
            Self::Recycled => "recycled",
            Self::NoServer => "no_server",
            Self::NoPort => "no_port",
            Self::ListenerClosed => "listener_closed",
            Self::OperatorClosed => "operator_closed",
            Self::AddressLeft => "address_left",
            Self::Defect => "defect",
            Self::Shutdown => "shutdown",
        }
    }
}

/// Why a datagram was not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// `client_acl` denies the client and there is no abuse server.
    ClientDenied,
    /// The client's source has reached `limit_conn` or `limit_rate`.
    OverLimit,
    /// No server could be used, not even the emergency server.
    NoServer,
    /// The chosen server failed and the service is stubborn.
    Stubborn,
    /// No local port or descriptor was left for the flow.
    NoPort,
    /// No server that could be used could be shown the client's address (`transparent`).
    NotTransparent,
    /// It claims to come from Pen itself or from a place that cannot be answered: passed on it could
    /// go round for ever.
    ForgedSource,
    /// It came to a flow's local port, but not from the flow's server: forged, or later than the
    /// flow's end.
    ForeignAnswer,
    /// The system took no more datagrams towards the server.
    ServerQueueFull,
    /// The system took no more datagrams towards the client.
    ClientQueueFull,
    /// It is larger than the way to the other side takes.
    TooLarge,
    /// The system refused to send it (a firewall, no route).
    SendRefused,
    /// The server's system reported that nobody takes it there.
    ServerUnreachable,
    /// The kernel dropped it because Pen did not read it in time.
    ReceiveQueueFull,
    /// It met a defect of Pen.
    Defect,
}

impl DropReason {
    /// Every reason, in the order of their counters.
    pub const ALL: [Self; 15] = [
        Self::ClientDenied,
        Self::OverLimit,
        Self::NoServer,
        Self::Stubborn,
        Self::NoPort,
        Self::NotTransparent,
        Self::ForgedSource,
        Self::ForeignAnswer,
        Self::ServerQueueFull,
        Self::ClientQueueFull,
        Self::TooLarge,
        Self::SendRefused,
        Self::ServerUnreachable,
        Self::ReceiveQueueFull,
        Self::Defect,
    ];

    /// The word used in logs, reports and tests.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::ClientDenied => "client_denied",
            Self::OverLimit => "over_limit",
            Self::NoServer => "no_server",
            Self::Stubborn => "stubborn",
            Self::NoPort => "no_port",
            Self::NotTransparent => "not_transparent",
            Self::ForgedSource => "forged_source",
            Self::ForeignAnswer => "foreign_answer",
            Self::ServerQueueFull => "server_queue_full",
            Self::ClientQueueFull => "client_queue_full",
            Self::TooLarge => "too_large",
            Self::SendRefused => "send_refused",
            Self::ServerUnreachable => "server_unreachable",
            Self::ReceiveQueueFull => "receive_queue_full",
            Self::Defect => "defect",
        }
    }
}
