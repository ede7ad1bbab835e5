//! Merging web logs: in which order, and whose client a line gets.
//!
//! [`Heads`] orders the next lines of all logs. [`Servers`] knows which server a log and an entry of
//! Pen's log belong to. [`Window`] keeps the entries near the time of the line at hand; [`Batch`]
//! takes many lines through all of Pen's log. Deliberately not here: reading and writing.

mod batch;
mod servers;
mod window;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::net::IpAddr;

pub use batch::Batch;
pub use servers::{ServerId, Servers};
pub use window::Window;

use crate::moment::WallSeconds;

/// The next line of each log: the earliest comes first, of several the one whose log was named
/// first. Each log keeps its own order, even where its times go backwards.
#[derive(Debug, Default)]
pub struct Heads {
    heap: BinaryHeap<Reverse<(WallSeconds, usize)>>,
}

impl Heads {
    /// The next line of log `input` is of this time.
    pub fn push(&mut self, time: WallSeconds, input: usize) {
        self.heap.push(Reverse((time, input)));
    }

    /// The log whose line is next.
    pub fn pop(&mut self) -> Option<usize> {
        self.heap.pop().map(|Reverse((_, input))| input)
    }
}

/// A client as an entry names it, in little space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Client {
    /// An address in its usual form.
    Ip(IpAddr),
    /// Anything else.
    Word(Box<str>),
}

impl Client {
    /// From an entry.
    #[must_use]
    pub fn new(word: &str) -> Self {
        match word.parse::<IpAddr>() {
            Ok(ip) if ip.to_string() == word => Self::Ip(ip),
            _ => Self::Word(word.into()),
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Word(word) => f.write_str(word),
        }
    }
}
