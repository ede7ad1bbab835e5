//! What is known of a server's hardware address, and when it is asked for.
//!
//! A server that is silent is asked every [`limits::DSR_ASK_MS`], one that answers every
//! [`limits::DSR_REFRESH_MS`]; one that leaves [`limits::DSR_UNANSWERED`] questions in a row unanswered
//! is down until it speaks again.

use crate::frames::Mac;
use crate::limits;
use crate::moment::Moment;

/// One server on the segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    mac: Option<Mac>,
    asked: Option<Moment>,
    heard: Option<Moment>,
    unanswered: u32,
    lost: bool,
}

/// What there is to do about a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing.
    Rest,
    /// Ask for its hardware address.
    Ask,
    /// It has just become down; ask on. Said once, until it speaks again.
    Lost,
    /// It is still down; ask on.
    StillLost,
}

/// What a server's word has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Nothing.
    None,
    /// It has spoken for the first time.
    Learnt,
    /// It has spoken again after it was down.
    Back,
    /// It has another hardware address; this was the former.
    Moved(Mac),
}

impl Contact {
    /// Its hardware address, if it has told one and is not down.
    #[must_use]
    pub fn mac(&self) -> Option<Mac> {
        self.mac.filter(|_| !self.lost)
    }

    /// It is down.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// What is to be done at `now`. A question that is due counts as asked.
    pub fn turn(&mut self, now: Moment) -> Turn {
        let since = |at: Option<Moment>| at.map_or(u64::MAX, |at| now.since_ms(at));
        let quiet = if self.unanswered == 0 { limits::DSR_REFRESH_MS } else { 0 };
        if since(self.asked) < limits::DSR_ASK_MS || since(self.heard) < quiet {
            return Turn::Rest;
        }
        self.asked = Some(now);
        self.unanswered = self.unanswered.saturating_add(1);
        match (self.unanswered > limits::DSR_UNANSWERED, self.lost) {
            (false, _) => Turn::Ask,
            (true, true) => Turn::StillLost,
            (true, false) => {
                self.lost = true;
                Turn::Lost
            }
        }
    }

    /// The interface was away: what was not answered meanwhile is nobody's fault.
    pub fn excuse(&mut self) {
        (self.asked, self.unanswered) = (None, self.unanswered.min(1));
    }

    /// The server has told its hardware address.
    pub fn hear(&mut self, mac: Mac, now: Moment) -> News {
        let (before, lost) = (self.mac.replace(mac), self.lost);
        (self.heard, self.unanswered, self.lost) = (Some(now), 0, false);
        match before {
            None if lost => News::Back,
            None => News::Learnt,
            Some(before) if before != mac => News::Moved(before),
            Some(_) if lost => News::Back,
            Some(_) => News::None,
        }
    }
}
