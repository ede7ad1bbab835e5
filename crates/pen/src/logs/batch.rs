//! Lines on their way to the log thread.

use pen_core::limits;

/// For which kind of target lines are formatted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Lines of a file.
    File,
    /// Datagrams, one line each.
    Datagrams,
}

impl Form {
    /// What the operator's word for a log asks for: with `/` first or without `:` it is a file.
    #[must_use]
    pub fn of(word: &str) -> Self {
        if word.starts_with('/') || !word.contains(':') { Self::File } else { Self::Datagrams }
    }
}

/// Formatted lines of one service, with their boundaries.
#[derive(Clone, Debug)]
pub struct Batch {
    form: Form,
    bytes: Vec<u8>,
    /// Where each line ends in `bytes`, ascending.
    ends: Vec<usize>,
}

impl Batch {
    /// No lines yet.
    #[must_use]
    pub fn new(form: Form) -> Self {
        Self { form, bytes: Vec::new(), ends: Vec::new() }
    }

    /// Adds what `write` appends to the bytes as one line; nothing appended is no line.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.bytes.len();
        write(&mut self.bytes);
        if self.bytes.len() > before {
            self.ends.push(self.bytes.len());
        }
    }

    /// Time to hand it over.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= limits::LOG_BATCH
    }

    /// There is no line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The lines so far, and an empty batch of the same form in their place.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new(self.form))
    }

    /// For which kind of target.
    #[must_use]
    pub fn form(&self) -> Form {
        self.form
    }

    /// How many lines.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.ends.len() as u64
    }

    /// All lines in one piece.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Line by line.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).filter_map(|(start, end)| self.bytes.get(start..*end))
    }
}
