//! How long a client has said nothing: one that is there answers when it is asked.  Pure.

use std::time::{Duration, Instant};

/// What is known of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// It was heard then.
    Since(Instant),
    /// It was asked then, and has not been heard since.
    Asked(Instant),
}

impl Silence {
    /// How much longer it may last, at most `limit`; zero if it has lasted too long.
    pub(super) fn left(self, limit: Duration, now: Instant) -> Duration {
        let (Self::Since(then) | Self::Asked(then)) = self;
        limit.saturating_sub(now.saturating_duration_since(then))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_from_what_was_last() {
        let then = Instant::now();
        for (limit, passed, expected) in
            [(50, 0, 50), (50, 49, 1), (50, 50, 0), (50, 1000, 0), (u64::MAX, 1, u64::MAX - 1)]
        {
            let [limit, passed, expected] = [limit, passed, expected].map(Duration::from_secs);
            for silence in [Silence::Since(then), Silence::Asked(then)] {
                assert_eq!(silence.left(limit, then + passed), expected);
            }
        }
        assert_eq!(Silence::Since(then + Duration::from_secs(1)).left(Duration::MAX, then), Duration::MAX);
    }
}
