//! Histograms with fixed steps: what is noted falls into the first step that is not below it.

use std::ops::AddAssign;

use super::Count;

/// Steps of a scale.
pub const STEPS: usize = 14;

/// The upper ends of a histogram's steps, ascending; above the last there is one more without end.
pub type Scale = [u64; STEPS];

/// Milliseconds a client waits: for a connect, for the first byte.
pub const WAITS: Scale = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000];

/// Milliseconds that connections last: from an exchange of a moment to a day.
pub const TIMES: Scale = [
    5, 10, 50, 100, 500, 1_000, 5_000, 10_000, 60_000, 300_000, 1_800_000, 3_600_000, 21_600_000,
    86_400_000,
];

/// Bytes that connections move: from a greeting to 4 GiB.
pub const SIZES: Scale = [
    1 << 6,
    1 << 8,
    1 << 10,
    1 << 12,
    1 << 14,
    1 << 16,
    1 << 18,
    1 << 20,
    1 << 22,
    1 << 24,
    1 << 26,
    1 << 28,
    1 << 30,
    1 << 32,
];

/// How often which sizes occurred; one thread writes it.
#[derive(Debug)]
pub struct Histogram {
    scale: &'static Scale,
    steps: [Count; STEPS + 1],
    sum: Count,
}

impl Histogram {
    /// Nothing noted yet.
    #[must_use]
    pub fn new(scale: &'static Scale) -> Self {
        Self { scale, steps: std::array::from_fn(|_| Count::default()), sum: Count::default() }
    }

    /// Something of this size occurred.
    pub fn note(&self, value: u64) {
        let step = self.scale.partition_point(|end| *end < value);
        if let Some(count) = self.steps.get(step) {
            count.add(1);
        }
        self.sum.add(value);
    }

    /// The numbers now.
    #[must_use]
    pub fn read(&self) -> Readings {
        Readings { steps: self.steps.each_ref().map(Count::get), sum: self.sum.get() }
    }
}

/// The numbers of a histogram at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readings {
    /// How much fell into each step, not added up; the last one is without end.
    pub steps: [u64; STEPS + 1],
    /// Everything that was noted, added up, in the scale's unit.
    pub sum: u64,
}

impl Readings {
    /// How often something was noted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.steps.iter().sum()
    }
}

impl AddAssign<&Self> for Readings {
    fn add_assign(&mut self, other: &Self) {
        for (sum, n) in self.steps.iter_mut().zip(other.steps) {
            *sum += n;
        }
        self.sum = self.sum.wrapping_add(other.sum);
    }
}
