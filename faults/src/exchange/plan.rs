//! What is to happen on one connection, derived from its number.

use crate::dice::Dice;

/// How it ends. Where one side finishes first, the other goes on sending after it has seen that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The client finishes, then the server.
    ClientFirst,
    /// The server finishes, then the client.
    ServerFirst,
    /// Both finish as soon as they have sent all.
    Together,
    /// The client aborts after that many bytes.
    ClientResets(usize),
    /// The server does.
    ServerResets(usize),
}

impl Ending {
    /// Whether one side aborts.
    pub fn is_abort(self) -> bool {
        matches!(self, Self::ClientResets(_) | Self::ServerResets(_))
    }
}

/// A connection from its first byte to its end.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Its number, from which everything follows.
    pub number: u64,
    /// Bytes from client to server.
    pub up: usize,
    /// Bytes from server to client.
    pub down: usize,
    /// How it ends.
    pub ending: Ending,
}

impl Plan {
    /// The plan of a number.
    pub fn of(number: u64) -> Self {
        let mut dice = Dice::new(number);
        let (up, down) = (size(&mut dice), size(&mut dice));
        let ending = match dice.below(10) {
            0..3 => Ending::ClientFirst,
            3..6 => Ending::ServerFirst,
            6..8 => Ending::Together,
            8 => Ending::ClientResets(dice.length(up + 1)),
            _ => Ending::ServerResets(dice.length(down + 1)),
        };
        Self { number, up, down, ending }
    }

    /// The same without an abort.
    pub fn clean(number: u64) -> Self {
        let plan = Self::of(number);
        match plan.ending.is_abort() {
            true => Self { ending: Ending::Together, ..plan },
            false => plan,
        }
    }

    /// The same of so many bytes that they are moved within the kernel, one way or both.
    pub fn bulky(number: u64) -> Self {
        let mut dice = Dice::new(!number);
        let plan = Self::of(number);
        let mut bulk = || BULK + dice.length(BULK);
        let (up, down) = match number % 3 {
            0 => (bulk(), plan.down),
            1 => (plan.up, bulk()),
            _ => (bulk(), bulk()),
        };
        let ending = match plan.ending {
            Ending::ClientResets(_) => Ending::ClientResets(dice.length(up + 1)),
            Ending::ServerResets(_) => Ending::ServerResets(dice.length(down + 1)),
            other => other,
        };
        Self { up, down, ending, ..plan }
    }

    /// What the client sends.
    pub fn stream_up(&self) -> Stream {
        Stream { seed: self.number, at: 0 }
    }

    /// What the server sends.
    pub fn stream_down(&self) -> Stream {
        Stream { seed: !self.number, at: 0 }
    }
}

/// The bytes of one direction: the same in whatever pieces they are taken.
#[derive(Clone, Debug)]
pub struct Stream {
    seed: u64,
    at: u64,
}

impl Stream {
    /// The next bytes.
    pub fn fill(&mut self, into: &mut [u8]) {
        let mut rest = into.iter_mut().peekable();
        while rest.peek().is_some() {
            let word = mixed(self.seed ^ (self.at / 8).wrapping_mul(STEP)).to_le_bytes();
            let skip = (self.at % 8) as usize;
            for (from, to) in word.into_iter().skip(skip).zip(&mut rest) {
                *to = from;
                self.at += 1;
            }
        }
    }
}

/// Bytes of a bulky stream, at least, and less than twice as many: a few times what makes Pen splice.
const BULK: usize = 4_000_000;
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// The end of splitmix64: neighbours become strangers.
fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Mostly small, at times larger than every buffer on the way.
fn size(dice: &mut Dice) -> usize {
    match dice.below(100) {
        0..5 => 0,
        5..35 => dice.length(100),
        35..75 => dice.length(10_000),
        75..97 => dice.length(200_000),
        _ => dice.length(2_000_000),
    }
}
