//! Why a frame goes nowhere.

use serde::Serialize;

/// Why a frame was not passed on and not answered. Exactly one per frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// It is not for the service: another address, or another kind of packet.
    Elsewhere,
    /// A neighbour told its address; it was noted.
    Heard,
    /// It is not what it claims to be.
    Malformed,
    /// It is our own, come back.
    Echo,
    /// It comes from the very server it would go to.
    FromServer,
    /// For the service's address, but not its protocol.
    OtherProtocol,
    /// For the service's address, but not its port.
    OtherPort,
    /// `client_acl` denies the client.
    Denied,
    /// No server can be used.
    NoServer,
    /// The server has not told its hardware address yet.
    ServerUnknown,
    /// The middle of a packet whose beginning was not seen.
    LoneFragment,
    /// For a tarpit address, and nothing that it answers.
    TarpitSilent,
    /// For a tarpit address of which is not known yet whether it exists.
    TarpitWaiting,
    /// For an address of the tarpit's list that exists.
    TarpitExists,
    /// The tarpit has answered often enough for now.
    TarpitRate,
    /// It does not fit into the interface or into what is kept of a frame.
    TooBig,
    /// The kernel did not take it: its queue is full, or the interface is down.
    NotSent,
    /// It met a defect of Pen.
    Defect,
}

impl DropReason {
    /// Every reason, for tables and metrics, in the order of their numbers.
    pub const ALL: [Self; 18] = [
        Self::Elsewhere,
        Self::Heard,
        Self::Malformed,
        Self::Echo,
        Self::FromServer,
        Self::OtherProtocol,
        Self::OtherPort,
        Self::Denied,
        Self::NoServer,
        Self::ServerUnknown,
        Self::LoneFragment,
        Self::TarpitSilent,
        Self::TarpitWaiting,
        Self::TarpitExists,
        Self::TarpitRate,
        Self::TooBig,
        Self::NotSent,
        Self::Defect,
    ];

    /// The word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Elsewhere => "elsewhere",
            Self::Heard => "heard",
            Self::Malformed => "malformed",
            Self::Echo => "echo",
            Self::FromServer => "from_server",
            Self::OtherProtocol => "other_protocol",
            Self::OtherPort => "other_port",
            Self::Denied => "denied",
            Self::NoServer => "no_server",
            Self::ServerUnknown => "server_unknown",
            Self::LoneFragment => "lone_fragment",
            Self::TarpitSilent => "tarpit_silent",
            Self::TarpitWaiting => "tarpit_waiting",
            Self::TarpitExists => "tarpit_exists",
            Self::TarpitRate => "tarpit_rate",
            Self::TooBig => "too_big",
            Self::NotSent => "not_sent",
            Self::Defect => "defect",
        }
    }
}
