//! Connection numbers: a new connection takes the first free one searching upward, cyclically, from
//! the one used last. The size can grow, never shrink.
//!
//! A bit per number says whether it is taken; above it stand summaries, each with a bit per full
//! word of the level below. A search looks at two words per level, however full the table is.

#[cfg(test)]
mod tests;

const BITS: usize = u64::BITS as usize;

/// The numbers of one service.
#[derive(Debug)]
pub struct Slots {
    max: u32,
    used: u32,
    last: u32,
    /// `levels[0]` has a bit per number, the last level is one word. Bits beyond the end of a level
    /// are set: nothing is free there.
    levels: Vec<Vec<u64>>,
}

#[expect(clippy::indexing_slicing, reason = "every number below `max` has its bit in every level")]
impl Slots {
    /// Numbers 0 to `max` - 1, all free. `max` is at least 1.
    #[must_use]
    pub fn new(max: u32) -> Self {
        let max = max.max(1);
        let mut slots = Self { max, used: 0, last: 0, levels: vec![Vec::new()] };
        slots.extend(0);
        slots
    }

    /// Takes a number, or `None` when all are taken.
    pub fn take(&mut self) -> Option<u32> {
        let free = self.free_from(self.last as usize).or_else(|| self.free_from(0))?;
        let mut position = free;
        for level in &mut self.levels {
            let word = &mut level[position / BITS];
            *word |= 1 << (position % BITS);
            if *word != u64::MAX {
                break;
            }
            position /= BITS;
        }
        self.used += 1;
        // `free` is below `max`, which is a u32.
        self.last = free as u32;
        Some(self.last)
    }

    /// Gives a number back.
    pub fn release(&mut self, slot: u32) {
        let mut position = slot as usize;
        let taken =
            slot < self.max && self.levels[0][position / BITS] >> (position % BITS) & 1 == 1;
        debug_assert!(taken, "gave back number {slot}, which nobody had");
        if !taken {
            return;
        }
        for level in &mut self.levels {
            let word = &mut level[position / BITS];
            let was_full = *word == u64::MAX;
            *word &= !(1 << (position % BITS));
            if !was_full {
                break;
            }
            position /= BITS;
        }
        self.used -= 1;
    }

    /// Raises the size to `max`; a smaller value changes nothing.
    pub fn grow(&mut self, max: u32) {
        if max > self.max {
            let before = self.max as usize;
            self.max = max;
            self.extend(before);
        }
    }

    /// The size.
    #[must_use]
    pub fn max(&self) -> u32 {
        self.max
    }

    /// How many are taken.
    #[must_use]
    pub fn used(&self) -> u32 {
        self.used
    }

    /// The number taken last (0 before the first).
    #[must_use]
    pub fn last(&self) -> u32 {
        self.last
    }

    /// The first free number from `start` up.
    fn free_from(&self, start: usize) -> Option<usize> {
        let mut position = start;
        for (height, level) in self.levels.iter().enumerate() {
            let free = !*level.get(position / BITS)? & (u64::MAX << (position % BITS));
            if free != 0 {
                let mut found = first_bit(free) + position / BITS * BITS;
                for below in self.levels[..height].iter().rev() {
                    found = found * BITS + first_bit(!below[found]);
                }
                return Some(found);
            }
            // The rest of this word is full: go on with the words after it, one level up.
            position = position / BITS + 1;
        }
        None
    }

    /// Makes the numbers from `before` to `max` free and builds the summaries anew.
    fn extend(&mut self, before: usize) {
        let max = self.max as usize;
        self.levels.truncate(1);
        let numbers = &mut self.levels[0];
        numbers.resize(max.div_ceil(BITS), u64::MAX);
        for (word, first) in numbers.iter_mut().zip((0..).step_by(BITS)).skip(before / BITS) {
            *word &= !(bits_from(before.saturating_sub(first)) & !bits_from(max - first));
        }
        while let Some(below) = self.levels.last().filter(|level| level.len() > 1) {
            let summary = below.chunks(BITS).map(full_words).collect();
            self.levels.push(summary);
        }
    }
}

/// A bit per word that is full; bits without a word are set.
fn full_words(words: &[u64]) -> u64 {
    let open = (0..).zip(words).filter(|(_, word)| **word != u64::MAX);
    !open.fold(0, |bits, (n, _)| bits | 1u64 << n)
}

/// The bits of a word from `position` on.
fn bits_from(position: usize) -> u64 {
    u32::try_from(position).ok().and_then(|p| u64::MAX.checked_shl(p)).unwrap_or(0)
}

fn first_bit(word: u64) -> usize {
    word.trailing_zeros() as usize
}
