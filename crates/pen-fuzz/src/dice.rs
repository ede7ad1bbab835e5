//! Chance that is the same in every run, and what it does to frames.

/// Numbers that are different each time, the same in every run.
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// A number below `sides`; 0 if there are none.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap_or_default() % sides.max(1)
    }

    /// One of `all`, cut, lengthened, mixed and flipped, up to three times.
    pub fn mutate(&mut self, all: &[Vec<u8>]) -> Vec<u8> {
        let mut one = all.get(self.roll(all.len())).cloned().unwrap_or_default();
        for _ in 0..self.roll(4) {
            let at = self.roll(one.len());
            match self.roll(4) {
                0 => one.truncate(self.roll(one.len() + 1)),
                1 => one.extend(all.get(self.roll(all.len())).into_iter().flatten()),
                2 => {
                    let bit = 1 << self.roll(8);
                    one.get_mut(at).into_iter().for_each(|b| *b ^= bit);
                }
                _ => {
                    let [byte, ..] = self.roll(256).to_le_bytes();
                    one.get_mut(at).into_iter().for_each(|b| *b = byte);
                }
            }
        }
        one
    }
}
