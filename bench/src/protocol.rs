//! What the load generator and the server say to each other, so that every byte can be checked.
//!
//! A request is [`REQUEST`] bytes: what is wanted, a number that no other request has, a length. An
//! answer is [`ANSWER`] bytes: the number and a known filling, so that bytes of another connection,
//! or bytes out of place, are noticed. Bulk bytes are a pattern that repeats at a length no buffer has.

/// Bytes of a request.
pub const REQUEST: usize = 64;
/// Bytes of an answer.
pub const ANSWER: usize = 256;
/// Bytes of the longest piece of the pattern that can be had at once.
pub const PIECE: usize = 256 * 1024;
/// The pattern repeats after this many bytes: a prime, so that no shift by a buffer's size hides.
const PERIOD: usize = 65_521;
const FILLING: u8 = 0x5a;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// An answer; the connection stays.
    Answer,
    /// An answer, then the server closes.
    AnswerAndClose,
    /// An answer once the client's end of stream was seen, then the server closes.
    AnswerAtEnd,
    /// So many bytes of the pattern; the connection stays.
    Send,
    /// So many bytes of the pattern follow; an answer once they were seen.
    Receive,
}

const WISHES: [(u8, Wish); 5] = [
    (b'P', Wish::Answer),
    (b'C', Wish::AnswerAndClose),
    (b'H', Wish::AnswerAtEnd),
    (b'D', Wish::Send),
    (b'U', Wish::Receive),
];

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// What it asks for.
    pub wish: Wish,
    /// Its number.
    pub id: u64,
    /// Bulk bytes.
    pub length: u64,
}

impl Request {
    /// As it is sent.
    pub fn bytes(&self) -> [u8; REQUEST] {
        let mut bytes = [FILLING; REQUEST];
        let letter = WISHES.iter().find(|(_, w)| *w == self.wish).map_or(0, |(l, _)| *l);
        bytes[0] = letter;
        bytes[8..16].copy_from_slice(&self.id.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.length.to_le_bytes());
        bytes
    }

    /// As it was received; `None` if a byte of it is wrong.
    pub fn parse(bytes: &[u8; REQUEST]) -> Option<Self> {
        let wish = WISHES.iter().find(|(l, _)| *l == bytes[0]).map(|(_, w)| *w)?;
        let mut number = [0; 8];
        number.copy_from_slice(&bytes[8..16]);
        let id = u64::from_le_bytes(number);
        number.copy_from_slice(&bytes[16..24]);
        let request = Self { wish, id, length: u64::from_le_bytes(number) };
        (request.bytes() == *bytes).then_some(request)
    }
}

/// The answer to a request.
pub fn answer(id: u64) -> [u8; ANSWER] {
    let mut bytes = [0; ANSWER];
    for (n, byte) in (0..=u8::MAX).zip(bytes.iter_mut()) {
        *byte = n ^ FILLING;
    }
    bytes[..8].copy_from_slice(&id.to_le_bytes());
    bytes
}

/// The bulk bytes.
pub struct Pattern {
    bytes: Box<[u8]>,
}

impl Pattern {
    /// Makes them.
    pub fn new() -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut once = Vec::with_capacity(PERIOD);
        for _ in 0..PERIOD {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            once.push(state.to_le_bytes()[0]);
        }
        Self { bytes: once.iter().copied().cycle().take(PERIOD + PIECE).collect() }
    }

    /// The bytes from position `at` of a transfer, `most` of them or [`PIECE`].
    pub fn piece(&self, at: u64, most: u64) -> &[u8] {
        let from = usize::try_from(at % PERIOD as u64).unwrap_or(0);
        let length = usize::try_from(most).unwrap_or(PIECE).min(PIECE);
        self.bytes.get(from..from + length).unwrap_or_default()
    }

    /// Whether these are the bytes from position `at`; at most [`PIECE`] of them.
    pub fn matches(&self, at: u64, bytes: &[u8]) -> bool {
        self.piece(at, bytes.len() as u64) == bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_survives_the_way_and_a_wrong_byte_does_not() {
        for (_, wish) in WISHES {
            let request = Request { wish, id: 7, length: 1 << 40 };
            let mut bytes = request.bytes();
            assert_eq!(Request::parse(&bytes), Some(request));
            bytes[63] ^= 1;
            assert_eq!(Request::parse(&bytes), None);
        }
    }

    #[test]
    fn the_pattern_is_the_same_from_everywhere_and_a_shift_is_noticed() {
        let pattern = Pattern::new();
        let far = 3 * PERIOD as u64 + 5;
        assert!(pattern.matches(far, pattern.piece(5, 1000)));
        assert!(!pattern.matches(far + 1, pattern.piece(5, 1000)));
        assert_eq!(pattern.piece(0, u64::MAX).len(), PIECE);
    }

    #[test]
    fn answers_differ_by_their_number_only() {
        let (a, b) = (answer(1), answer(2));
        assert_ne!(a, b);
        assert_eq!(a[8..], b[8..]);
    }
}
