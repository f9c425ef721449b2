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

/// How many samples two means need to be compared.
const ENOUGH: u64 = 30;

/// The quantile of the normal distribution that chance exceeds once in a thousand times.
const CLEAR: f64 = 3.09;

/// A rise by less than that is of no interest, however certain it is.
const WORTH: f64 = 1.1;

/// How many samples have to be 1 before their share is judged.
const SEVERAL: f64 = 5.0;

impl Summary {
    /// Whether the mean has risen from what it was before, by a tenth at least, and not by chance: Welch's t-test,
    /// one-sided, at 0.001, of no fewer than 30 samples each.
    pub fn has_risen_from(&self, before: &Self) -> bool {
        if self.n.min(before.n) < ENOUGH || self.mean() < WORTH * before.mean() {
            return false;
        }
        let error = |summary: &Self| summary.sd().powi(2) / summary.n as f64;
        let (ours, theirs) = (error(self), error(before));
        let part = |error: f64, n: u64| error * error / (n - 1) as f64;
        // Welch and Satterthwaite; not a number if nothing varies.
        let freedom = (ours + theirs).powi(2) / (part(ours, self.n) + part(theirs, before.n));
        let quantile = if freedom.is_nan() { CLEAR } else { CLEAR + (CLEAR.powi(3) + CLEAR) / (4.0 * freedom) };
        self.mean() - before.mean() > quantile * (ours + theirs).sqrt()
    }

    /// The same for the share of 1 among samples that are 0 or 1: the test of two proportions with a correction for
    /// continuity, one-sided, at 0.001, of no fewer than 5 that are 1.
    pub fn share_has_risen_from(&self, before: &Self) -> bool {
        if self.n.min(before.n) == 0 || self.sum < SEVERAL || self.mean() < WORTH * before.mean() {
            return false;
        }
        let share = (self.sum + before.sum) / (self.n + before.n) as f64;
        let parts = 1.0 / self.n as f64 + 1.0 / before.n as f64;
        let error = (share * (1.0 - share) * parts).max(0.0).sqrt();
        self.mean() - before.mean() - parts / 2.0 > CLEAR * error
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

    /// As many samples of that mean and deviation.
    fn spread(n: u64, mean: f64, sd: f64) -> Summary {
        let sumsq = sd * sd * (n - 1) as f64 + mean * mean * n as f64;
        Summary { n, sum: mean * n as f64, sumsq, min: 0.0, max: mean }
    }

    fn shares(n: u64, ones: u64) -> Summary {
        let mut summary = Summary::repeated(1.0, ones);
        summary.merge(&Summary::repeated(0.0, n - ones));
        summary
    }

    #[test]
    fn a_mean_that_has_risen() {
        let before = spread(1000, 0.010, 0.010);
        for (after, expected, why) in [
            (spread(1000, 0.012, 0.010), true, "4.5 standard errors"),
            (spread(1000, 0.0112, 0.010), false, "2.7 of them"),
            (spread(100, 0.012, 0.010), false, "1.9 of them"),
            (spread(1000, 0.008, 0.010), false, "it has fallen"),
            (spread(1_000_000, 0.0105, 0.001), false, "less than a tenth"),
            (spread(29, 10.0, 0.1), false, "too few"),
            (Summary::default(), false, "none"),
        ] {
            assert_eq!(after.has_risen_from(&before), expected, "{why}");
        }
        assert!(Summary::repeated(2.0, 50).has_risen_from(&Summary::repeated(1.0, 50)), "nothing varies");
        // 30 samples each, 3.2 standard errors: beyond the normal distribution's quantile, not beyond Student's.
        let (before, after) = (spread(30, 1.0, 0.5), spread(30, 1.0 + 3.2 * 0.5 * (2.0_f64 / 30.0).sqrt(), 0.5));
        assert!(!after.has_risen_from(&before));
    }

    #[test]
    fn a_share_that_has_risen() {
        for (before, after, expected) in [
            ((10_000, 10), (10_000, 40), true),
            ((10_000, 10), (10_000, 20), false),
            ((100_000, 0), (10, 5), true),
            ((100_000, 0), (100_000, 5), false),
            ((100_000, 10), (10_000, 5), false),
            ((1000, 0), (100, 4), false),
            ((1000, 1000), (1000, 1000), false),
            ((0, 0), (1000, 1000), false),
            ((1000, 40), (1000, 10), false),
        ] {
            let found = shares(after.0, after.1).share_has_risen_from(&shares(before.0, before.1));
            assert_eq!(found, expected, "{before:?} {after:?}");
        }
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
