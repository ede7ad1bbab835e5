//! What there is to answer: the rule, what the client gets, and how each server stands.

use crate::arrivals::Excess;
use crate::dsr;
use crate::reasons::{CloseReason, Refusal};
use crate::select::Rule;
use crate::servers::ServerRef;

/// What proposes the first server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A rule of the service.
    Rule(Rule),
    /// `client_acl` denies the client, so that only the abuse server is left.
    Denied,
    /// A route names one server.
    Route,
    /// The table of direct server return, by the client's address, and its port if `port`.
    Maglev {
        /// The port counts.
        port: bool,
    },
    /// Nothing: no server could be proposed, so that only the emergency server is left.
    Nothing,
    /// Pen serves the client itself (`dummy`).
    Dummy,
    /// The client's source has reached this limit.
    Limit(Excess),
}

/// What the client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This server.
    Server(ServerRef),
    /// It is closed, or its datagrams are dropped, for this reason.
    Closed(CloseReason),
    /// Its frames are dropped for this reason.
    Dropped(dsr::DropReason),
    /// That depends on its port, which is not known.
    ByPort,
    /// Pen's own answer.
    Dummy,
}

/// Why a server is not even asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// The service is stubborn: the first server is the only one.
    Stubborn,
    /// `client_acl` denies the client.
    ClientDenied,
    /// It is for clients that `client_acl` denies.
    NotDenied,
    /// The route names another one.
    Route,
    /// Its weight is 0.
    Weightless,
    /// Pen serves the client itself.
    Dummy,
    /// It is for clients that no other server can take.
    Last,
    /// It does not answer on the segment (direct server return).
    Silent,
    /// Frames are passed on to servers of the table only (direct server return).
    NoFrames,
    /// The client's source has reached a limit.
    OverLimit,
}

/// How a server stands to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The n-th to be tried, from 1, if those before it fail.
    Tried {
        /// n.
        turn: u32,
        /// It was passed over before, because of its pending connects, and its turn is after the
        /// others for that.
        crowded: bool,
    },
    /// It would take the client; which turn it has is not known.
    Possible,
    /// It is passed over.
    Refused(Refusal),
    /// It is not asked.
    Skipped(Skip),
}

/// A server in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Which.
    pub server: ServerRef,
    /// How it stands.
    pub standing: Standing,
}

/// The answer for one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What proposes the first server.
    pub by: By,
    /// What the client gets.
    pub outcome: Outcome,
    /// Every server there is: in the order of the search, then those it does not come to.
    pub trials: Vec<Trial>,
    /// What becomes of the client if all that are tried fail, where that is known.
    pub at_last: Option<CloseReason>,
}

impl By {
    /// The word used in replies.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Rule(Rule::Remembered) => "remembered",
            Self::Rule(Rule::Prio) => "prio",
            Self::Rule(Rule::Weight) => "weight",
            Self::Rule(Rule::Hash) => "hash",
            Self::Rule(Rule::HashPort) => "hash_port",
            Self::Rule(Rule::Roundrobin) => "roundrobin",
            Self::Denied => "client_acl",
            Self::Route => "route",
            Self::Maglev { port: false } => "maglev",
            Self::Maglev { port: true } => "maglev_port",
            Self::Nothing => "nothing",
            Self::Dummy => "dummy",
            Self::Limit(excess) => excess.word(),
        }
    }
}

impl Skip {
    /// The word used in replies.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Stubborn => "stubborn",
            Self::ClientDenied => "client_denied",
            Self::NotDenied => "not_denied",
            Self::Route => "route",
            Self::Weightless => "weightless",
            Self::Dummy => "dummy",
            Self::Last => "last",
            Self::Silent => "silent",
            Self::NoFrames => "no_frames",
            Self::OverLimit => "over_limit",
        }
    }
}
