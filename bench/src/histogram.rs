//! Times in nanoseconds, counted in buckets that are exact to about 3 %.

/// Buckets per doubling.
const PARTS: u64 = 32;

/// Counted times.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    /// Counts one.
    pub fn add(&mut self, nanoseconds: u64) {
        let bucket = bucket_of(nanoseconds);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.total += 1;
    }

    /// The time, in microseconds, that a share of all (0 to 1) did not exceed. `None` if empty.
    pub fn quantile_us(&self, share: f64) -> Option<f64> {
        let wanted = (share * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Some(middle_of(bucket) / 1000.0);
            }
        }
        None
    }
}

fn bucket_of(value: u64) -> usize {
    if value < PARTS {
        return value as usize;
    }
    let shift = u64::from(value.ilog2() - PARTS.ilog2());
    (shift * PARTS + (value >> shift)) as usize
}

fn middle_of(bucket: usize) -> f64 {
    let bucket = bucket as u64;
    if bucket < 2 * PARTS {
        return bucket as f64;
    }
    let shift = bucket / PARTS - 1;
    let low = (bucket % PARTS + PARTS) << shift;
    low as f64 + (1_u64 << shift) as f64 / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_near_the_truth() {
        let mut times = Histogram::default();
        assert_eq!(times.quantile_us(0.5), None);
        for n in 1..=10_000_u64 {
            times.add(n * 1000);
        }
        for (share, truth) in [(0.5, 5_000.0), (0.99, 9_900.0), (0.999, 9_990.0)] {
            let found = times.quantile_us(share).unwrap();
            assert!((found - truth).abs() / truth < 0.04, "{share}: {found}");
        }
    }

    #[test]
    fn every_value_has_a_bucket_and_buckets_grow_with_values() {
        let mut last = 0;
        for value in (0..100_000).chain([u64::MAX / 2, u64::MAX]) {
            let bucket = bucket_of(value);
            assert!(bucket >= last);
            last = bucket;
        }
    }
}
