//! What the error log is told of trouble with an upstream: what changes, and how often it has been since.
//!
//! An upstream that is down fails once for each request.  It is told when that begins, when it gets worse, once a minute
//! while it lasts, and when it is over; what goes to and fro is told no more often than every ten seconds.  Pure: the
//! time comes in.  It is atomics only, as all workers share it.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

/// How long nothing is told of what goes on as it was.
const SAME: Duration = Duration::from_secs(60);

/// How long nothing is told of what has been over in between.
const AGAIN: Duration = Duration::from_secs(10);

/// What the log knows of one kind of trouble.
#[derive(Debug, Default)]
pub(super) struct News {
    /// How bad it is, as far as that has been told; 0 if it is over.
    known: AtomicU8,
    /// When it was told last, in milliseconds, and 1; 0 if it never was.
    told: AtomicU64,
    /// How many times it has happened since.
    untold: AtomicU64,
}

impl News {
    /// Notes that it has happened, so many seconds after some moment; how bad it is is above 0.
    ///
    /// Gives how many times it has happened without being told, if it has to be told.
    pub(super) fn trouble(&self, level: u8, now: Duration) -> Option<u64> {
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        let (known, told) = (self.known.load(Ordering::Relaxed), self.told.load(Ordering::Relaxed));
        let pause = match known {
            0 => AGAIN,
            known if known < level => Duration::ZERO,
            _ => SAME,
        };
        let is_due = told == 0 || u128::from(now.saturating_sub(told)) >= pause.as_millis();
        // Of several workers to which it happens at once one tells it.
        let tells = is_due && self.told.compare_exchange(told, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if !tells {
            self.untold.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.known.fetch_max(level, Ordering::Relaxed);
        Some(self.untold())
    }

    /// Notes that it is over; gives whether it was known, so that this is worth telling, too.
    pub(super) fn end(&self) -> bool {
        // Mostly nothing is written that other workers read.
        self.known.load(Ordering::Relaxed) != 0 && self.known.swap(0, Ordering::Relaxed) != 0
    }

    /// How many times it has happened without being told, which is told now.
    pub(super) fn untold(&self) -> u64 {
        self.untold.swap(0, Ordering::Relaxed)
    }
}

/// The end of a line that tells of something that has happened more often.
pub(super) fn more(count: u64) -> String {
    match count {
        0 => String::new(),
        1 => " (and once since the last line about it)".into(),
        count => format!(" (and {count} times since the last line about it)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trouble of a level at a time in seconds, or the end of it, and what is told.
    fn check(events: &[(Option<u8>, u64, Option<u64>)]) {
        let news = News::default();
        for (number, (level, seconds, expected)) in events.iter().enumerate() {
            let told = match level {
                Some(level) => news.trouble(*level, Duration::from_secs(*seconds)),
                None => news.end().then(|| news.untold()),
            };
            assert_eq!(told, *expected, "event {number}");
        }
    }

    #[test]
    fn what_goes_on_is_told_once_a_minute() {
        check(&[(Some(1), 0, Some(0)), (Some(1), 0, None), (Some(1), 59, None), (Some(1), 60, Some(2))]);
        check(&[(Some(1), 0, Some(0)), (Some(1), 119, Some(0)), (Some(1), 121, None), (None, 122, Some(1))]);
    }

    #[test]
    fn what_gets_worse_is_told_at_once() {
        check(&[
            (Some(1), 0, Some(0)),
            (Some(1), 0, None),
            (Some(2), 1, Some(1)),
            (Some(2), 2, None),
            (Some(1), 3, None),
        ]);
    }

    #[test]
    fn what_is_over_is_told_once() {
        check(&[(None, 0, None), (Some(1), 1, Some(0)), (Some(1), 1, None), (None, 2, Some(1)), (None, 3, None)]);
    }

    #[test]
    fn what_goes_to_and_fro_is_told_every_ten_seconds() {
        check(&[
            (Some(1), 0, Some(0)),
            (None, 1, Some(0)),
            (Some(1), 2, None),
            (None, 3, None),
            (Some(2), 4, None),
            (Some(1), 10, Some(2)),
            (None, 11, Some(0)),
            (Some(1), 20, Some(0)),
        ]);
    }

    #[test]
    fn counts() {
        assert_eq!(
            [0, 1, 2].map(more),
            ["", " (and once since the last line about it)", " (and 2 times since the last line about it)"]
        );
    }
}
