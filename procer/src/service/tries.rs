//! How often a service has been started again, and when the next time is.

use std::collections::VecDeque;
use std::time::Duration;

use super::Now;
use crate::profile::Restart;

/// The restarts so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tries {
    /// Since it was stable last.
    attempt: u32,
    /// When they were, as far as the limit counts them.
    times: VecDeque<Duration>,
    /// All of them.
    total: u64,
}

impl Tries {
    /// How many restarts there have been.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Somebody has started it: it gets all its chances again.
    pub(super) fn forget(&mut self) {
        self.attempt = 0;
        self.times.clear();
    }

    /// How long to wait for the next one; `None` if there were too many.
    pub(super) fn next(&mut self, restart: &Restart, uptime: Duration, now: &Now) -> Option<Duration> {
        if !restart.stable.is_zero() && uptime >= restart.stable {
            self.attempt = 0;
        }
        while self.times.front().is_some_and(|time| *time + restart.window < now.time) {
            self.times.pop_front();
        }
        if restart.limit > 0 {
            if self.times.len() >= restart.limit as usize {
                return None;
            }
            self.times.push_back(now.time);
        }
        self.attempt = self.attempt.saturating_add(1);
        self.total += 1;
        Some(restart.wait(self.attempt, now.chance))
    }
}
