//! What a run of the load generator is to do.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::protocol::Wish;
use crate::tls::Clients;

/// What an operation is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Connect, ask, answer; the server closes first.
    ShortServer,
    /// Connect, ask, answer; the client closes first.
    ShortClient,
    /// Connect, ask, end the stream; the answer comes after that.
    HalfClose,
    /// Ask and answer on a connection that stays.
    Keep,
    /// As `Keep`, so many per second, whether the answers come or not.
    Paced(f64),
    /// So many bytes from the server.
    Down(u64),
    /// So many bytes to the server.
    Up(u64),
}

impl Kind {
    /// What the server is asked for.
    pub(super) fn wish(self) -> Wish {
        match self {
            Kind::ShortServer => Wish::AnswerAndClose,
            Kind::ShortClient | Kind::Keep | Kind::Paced(_) => Wish::Answer,
            Kind::HalfClose => Wish::AnswerAtEnd,
            Kind::Down(_) => Wish::Send,
            Kind::Up(_) => Wish::Receive,
        }
    }

    /// Whether it moves bytes rather than requests.
    pub fn is_bulk(self) -> bool {
        self.length() > 0
    }

    /// Bulk bytes of one operation.
    pub(super) fn length(self) -> u64 {
        match self {
            Kind::Down(length) | Kind::Up(length) => length,
            _ => 0,
        }
    }
}

/// Which source addresses clients have: so many from 127.64.0.0 on.
#[derive(Clone, Copy, Debug)]
pub struct Sources {
    /// How many.
    pub count: u32,
    /// One after the other; or else mixed, so that no two neighbours follow each other.
    pub in_order: bool,
}

impl Sources {
    /// The most there can be.
    pub const MOST: u32 = 1 << 23;

    /// The address of the connection with this number.
    pub(super) fn address(self, number: u64) -> Ipv4Addr {
        let number = if self.in_order { number } else { mix(number) };
        let n = u32::try_from(number % u64::from(self.count.max(1))).unwrap_or(0);
        Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 64, 0, 0)) + n)
    }
}

fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// A run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where to, one after the other.
    pub targets: Vec<SocketAddr>,
    /// Where from, if it matters.
    pub sources: Option<Sources>,
    /// Over TLS.
    pub tls: Option<Clients>,
    /// What an operation is.
    pub kind: Kind,
    /// Connections at once.
    pub connections: usize,
    /// Not measured.
    pub warm_up: Duration,
    /// Measured.
    pub window: Duration,
    /// So many operations instead of a time; all of them are measured.
    pub operations: Option<u64>,
}
