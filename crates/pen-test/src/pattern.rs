//! Bytes that look random but are the same each time, and a fingerprint to compare long streams
//! without keeping them.

use std::hash::{DefaultHasher, Hasher};

/// An endless stream of bytes that depends on its seed only.
#[derive(Clone, Debug)]
pub struct Pattern {
    state: u64,
}

impl Pattern {
    /// The stream of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 }
    }

    /// The next bytes.
    pub fn fill(&mut self, into: &mut [u8]) {
        for chunk in into.chunks_mut(8) {
            // xorshift64: no statistics are asked of it, only that neighbours differ.
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            let bytes = self.state.to_le_bytes();
            for (to, from) in chunk.iter_mut().zip(bytes) {
                *to = from;
            }
        }
    }

    /// The next `count` bytes.
    #[must_use]
    pub fn take(mut self, count: usize) -> Vec<u8> {
        let mut all = vec![0; count];
        self.fill(&mut all);
        all
    }
}

/// A fingerprint over a stream given in any pieces.
#[must_use]
pub fn fingerprint() -> Fingerprint {
    Fingerprint(DefaultHasher::new(), 0)
}

/// See [`fingerprint`].
#[derive(Clone, Debug)]
pub struct Fingerprint(DefaultHasher, u64);

impl Fingerprint {
    /// The next piece.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
        self.1 += bytes.len() as u64;
    }

    /// Number of bytes and their hash.
    #[must_use]
    pub fn value(&self) -> (u64, u64) {
        (self.1, self.0.finish())
    }
}
