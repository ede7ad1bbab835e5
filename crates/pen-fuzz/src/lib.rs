//! What must hold whatever bytes a reader of Pen is given.
//!
//! A [`Target`] takes any bytes, hands them to a reader of `pen-core` and panics when a promise is
//! broken: not only that nothing panics, but what comes out, how much of it, and that it reads back.
//! The same functions are run by fuzzers (folder `fuzz`, a workspace of its own), by plain tests over
//! the committed corpora, and over a million mutated frames. What is right is worked out here a second
//! time, from the bytes, in the plainest way. The product does not know this crate.
#![forbid(unsafe_code)]

pub mod corpus;
pub mod dice;
pub mod draft;
pub mod segment;
mod targets;

pub use targets::{TARGETS, frames};

/// A reader and what must hold of it.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of the fuzz target, and of the folder of its corpus.
    pub name: &'static str,
    /// Takes any bytes; panics when a promise is broken.
    pub run: fn(&[u8]),
    /// Names and bytes to begin with.
    pub seeds: fn() -> Vec<(String, Vec<u8>)>,
}

/// The target with this name.
///
/// # Panics
/// There is none.
#[must_use]
pub fn target(name: &str) -> Target {
    let found = TARGETS.iter().find(|t| t.name == name);
    *found.unwrap_or_else(|| panic!("there is no target {name}"))
}

/// Bytes that are taken piece by piece; where they end, zeros follow.
#[derive(Clone, Copy, Debug)]
pub struct Choices<'a>(pub &'a [u8]);

impl<'a> Choices<'a> {
    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// The next two, as a number.
    pub fn short(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// Up to so many bytes.
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// What follows a length of two bytes.
    pub fn record(&mut self) -> &'a [u8] {
        let length = usize::from(self.short());
        self.take(length)
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A record as [`Choices::record`] takes it.
#[must_use]
pub fn record(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    let mut record = length.to_be_bytes().to_vec();
    record.extend(bytes.iter().take(usize::from(length)));
    record
}
