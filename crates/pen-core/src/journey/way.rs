//! How a client is served by its service.

use super::{Journey, Step};
use crate::moment::Moment;
use crate::reasons::Refusal;
use crate::select::{Cursor, Visitor};
use crate::servers::ServerRef;
use crate::service::Live;

/// How a client is served by its service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// As any client of that service.
    #[default]
    Free,
    /// By this server.
    Server(u32),
    /// The service does not let it in.
    Denied,
}

impl Way {
    /// `client_acl` says whether a client is permitted.
    #[must_use]
    pub fn of(permitted: bool) -> Self {
        if permitted { Self::Free } else { Self::Denied }
    }
}

impl Journey {
    /// The journey of a client that is served this way.
    pub fn along(
        way: Way,
        live: &Live,
        cursor: &Cursor,
        visitor: &Visitor,
        now: Moment,
        passed: impl FnMut(ServerRef, Refusal),
    ) -> (Self, Step) {
        match way {
            Way::Free => Self::start(live, cursor, visitor, now, passed),
            Way::Server(n) => Self::only(live, visitor, n, now, passed),
            Way::Denied => Self::denied(live, visitor, now, passed),
        }
    }
}
