//! Medians, with the least and the most.

use serde::{Deserialize, Serialize};

/// What several measurements of the same thing came to.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
}

impl Spread {
    /// Of all values; `None` without any.
    pub fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut all: Vec<f64> = values.filter(|v| v.is_finite()).collect();
        all.sort_by(f64::total_cmp);
        let middle = all.len() / 2;
        let upper = *all.get(middle)?;
        let odd = all.len() % 2 == 1;
        let lower = if odd { upper } else { *all.get(middle.checked_sub(1)?)? };
        Some(Self { median: f64::midpoint(lower, upper), min: *all.first()?, max: *all.last()? })
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn the_middle_is_found() {
        assert_eq!(Spread::of([].into_iter()), None);
        let odd = Spread::of([3.0, 1.0, 2.0].into_iter()).unwrap();
        assert_eq!(odd, Spread { median: 2.0, min: 1.0, max: 3.0 });
        let even = Spread::of([4.0, 1.0, 2.0, f64::NAN, 3.0].into_iter()).unwrap();
        assert_eq!(even.median, 2.5);
    }
}
