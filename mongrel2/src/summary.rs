//! What many samples come to: their number, sum, sum of squares, least and greatest, and from these mean and
//! deviation.
//!
//! Pure.  Summaries of parts are merged into that of the whole, in any order, so that each thread, minute and run
//! counts for itself.

/// A summary of samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// How many there are.
    pub n: u64,
    /// Their sum.
    pub sum: f64,
    /// The sum of their squares.
    pub sumsq: f64,
    /// The least; infinity while there is none.
    pub min: f64,
    /// The greatest; negative infinity while there is none.
    pub max: f64,
}

impl Default for Summary {
    fn default() -> Self {
        Self { n: 0, sum: 0.0, sumsq: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY }
    }
}

impl Summary {
    /// The summary of `n` samples that are all the same.
    pub fn repeated(sample: f64, n: u64) -> Self {
        match n {
            0 => Self::default(),
            _ => Self { n, sum: sample * n as f64, sumsq: sample * sample * n as f64, min: sample, max: sample },
        }
    }

    /// Adds a sample.
    pub fn add(&mut self, sample: f64) {
        self.merge(&Self { n: 1, sum: sample, sumsq: sample * sample, min: sample, max: sample });
    }

    /// Adds the samples of another summary.
    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.sum += other.sum;
        self.sumsq += other.sumsq;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// The mean; 0 of no samples.
    pub fn mean(&self) -> f64 {
        if self.n == 0 { 0.0 } else { self.sum / self.n as f64 }
    }

    /// The standard deviation of a population of which these are samples; 0 of fewer than two.
    pub fn sd(&self) -> f64 {
        if self.n < 2 {
            return 0.0;
        }
        let squares = self.sumsq - self.sum * self.sum / self.n as f64;
        // Samples that are almost the same can make it a little less than nothing.
        (squares.max(0.0) / (self.n - 1) as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn summary(samples: &[f64]) -> Summary {
        let mut summary = Summary::default();
        samples.iter().for_each(|sample| summary.add(*sample));
        summary
    }

    /// By the definition, in two passes.
    fn naive_sd(samples: &[f64]) -> f64 {
        if samples.len() < 2 {
            return 0.0;
        }
        let mean = samples.iter().sum::<f64>() / samples.len() as f64;
        let squares: f64 = samples.iter().map(|sample| (sample - mean).powi(2)).sum();
        (squares / (samples.len() - 1) as f64).sqrt()
    }

    #[test]
    fn a_few_samples() {
        let few = summary(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert_eq!((few.n, few.sum, few.sumsq, few.min, few.max, few.mean()), (8, 40.0, 232.0, 2.0, 9.0, 5.0));
        assert!((few.sd() - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
        assert_eq!((summary(&[]).mean(), summary(&[]).sd(), summary(&[3.0]).sd()), (0.0, 0.0, 0.0));
        assert!(summary(&[0.1; 1000]).sd() < 1e-6);
    }

    #[test]
    fn repeated_samples_need_no_loop() {
        assert_eq!(Summary::repeated(3.0, 4), summary(&[3.0; 4]));
        assert_eq!(Summary::repeated(3.0, 0), Summary::default());
    }

    proptest! {
        #[test]
        fn parts_make_the_whole(samples in prop::collection::vec(0.0..1e3f64, 0..50), cut in any::<prop::sample::Index>()) {
            let (first, second) = samples.split_at(cut.index(samples.len() + 1));
            let mut merged = summary(second);
            merged.merge(&summary(first));
            let whole = summary(&samples);
            prop_assert_eq!((merged.n, merged.min, merged.max), (whole.n, whole.min, whole.max));
            // Equal samples differ by what rounding leaves of their squares.
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-6 * a.abs().max(1e3);
            prop_assert!(close(merged.sum, whole.sum) && close(merged.sumsq, whole.sumsq));
            prop_assert!(close(merged.sd(), naive_sd(&samples)));
        }
    }
}
