//! Chance that is the same for the same seed.

use pen_test::Pattern;

/// A row of numbers without an end.
#[derive(Clone, Debug)]
pub struct Dice(Pattern);

impl Dice {
    /// Those of `seed`.
    pub fn new(seed: u64) -> Self {
        // The first numbers of small seeds are near each other.
        let mut dice = Self(Pattern::new(seed));
        for _ in 0..8 {
            dice.roll();
        }
        dice
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A number below `sides`; 0 if there are none.
    pub fn below(&mut self, sides: u64) -> u64 {
        self.roll() % sides.max(1)
    }

    /// The same for lengths.
    pub fn length(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap_or(0)
    }

    /// Whether something that happens to this share (0 to 1) happens now.
    pub fn happens(&mut self, share: f64) -> bool {
        // 53 bits: what an f64 can tell apart.
        (self.roll() >> 11) as f64 / ((1_u64 << 53) as f64) < share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_kept_and_seeds_repeat() {
        let mut dice = Dice::new(5);
        let count = (0..100_000).filter(|_| dice.happens(0.02)).count();
        assert!((1_800..2_200).contains(&count), "{count}");
        assert!((0..1_000).all(|_| !dice.happens(0.0)));
        assert!((0..1_000).all(|_| dice.happens(1.0)));
        assert!((0..1_000).all(|_| dice.below(3) < 3));
        assert_eq!(Dice::new(9).roll(), Dice::new(9).roll());
        assert_ne!(Dice::new(9).roll(), Dice::new(10).roll());
    }
}
