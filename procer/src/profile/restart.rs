//! When a service is started again, and how soon: the file `restart`.

use std::time::Duration;

use super::lines::Lines;
use super::{Trouble, value};

/// What is done when a service has ended by itself.  An empty file has the defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Restart {
    /// Which ends are followed by a start.
    pub when: When,
    /// How long the second attempt waits; the first one waits for nothing.
    pub delay: Duration,
    /// By how much each further attempt waits longer.
    pub factor: f64,
    /// The longest wait.
    pub max_delay: Duration,
    /// By how many percent a wait is made shorter or longer at random.
    pub jitter: u32,
    /// A service that has run for so long counts as well again.
    pub stable: Duration,
    /// How many restarts there may be within `window`, before it has failed; 0 is any number.
    pub limit: u32,
    /// The time in which restarts are counted.
    pub window: Duration,
}

/// Which ends are followed by a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// All.
    Always,
    /// All but those with exit status 0.
    Failure,
}

impl Default for Restart {
    fn default() -> Self {
        Self {
            when: When::Always,
            delay: Duration::from_millis(200),
            factor: 2.0,
            max_delay: Duration::from_secs(60),
            jitter: 10,
            stable: Duration::from_secs(10),
            limit: 0,
            window: Duration::from_secs(60),
        }
    }
}

const KNOWN: [&str; 8] = ["when", "delay", "factor", "max_delay", "jitter", "stable", "limit", "window"];

impl Restart {
    pub(super) fn parse(text: &str, troubles: &mut Vec<Trouble>) -> Self {
        let mut restart = Self::default();
        Lines::of("restart", text).each(&KNOWN, troubles, |key, text| restart.set(key, text));
        restart
    }

    fn set(&mut self, key: &str, text: &str) -> Option<Result<(), String>> {
        Some(match key {
            "when" => when(text).map(|when| self.when = when),
            "delay" => value::time(text).map(|time| self.delay = time),
            "factor" => value::number(text, 1.0, 100.0).map(|factor| self.factor = factor),
            "max_delay" => value::time(text).map(|time| self.max_delay = time),
            "jitter" => value::percent(text).map(|share| self.jitter = share),
            "stable" => value::time(text).map(|time| self.stable = time),
            "limit" => value::number(text, 0, 1000).map(|limit| self.limit = limit),
            "window" => value::time(text).map(|time| self.window = time),
            _ => return None,
        })
    }

    /// How long the attempt of that number waits, where 1 is the first; `chance` is from 0 to 1.
    pub fn wait(&self, attempt: u32, chance: f64) -> Duration {
        if attempt < 2 {
            return Duration::ZERO;
        }
        let longest = self.max_delay.as_secs_f64();
        let exponent = i32::try_from(attempt - 2).unwrap_or(i32::MAX);
        let wait = (self.delay.as_secs_f64() * self.factor.powi(exponent)).min(longest);
        let swing = f64::from(self.jitter) / 100.0 * (2.0 * chance.clamp(0.0, 1.0) - 1.0);
        Duration::from_secs_f64((wait * (1.0 + swing)).min(longest))
    }
}

fn when(text: &str) -> Result<When, String> {
    match text {
        "always" => Ok(When::Always),
        "failure" => Ok(When::Failure),
        _ => Err(format!("`{text}` is neither `always` nor `failure`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest() {
        let restart = Restart { max_delay: Duration::from_secs(1), jitter: 0, ..Restart::default() };
        let waits: Vec<u128> = (1..7).map(|attempt| restart.wait(attempt, 0.9).as_millis()).collect();
        assert_eq!(waits, [0, 200, 400, 800, 1000, 1000]);
        assert_eq!(restart.wait(u32::MAX, 0.5), Duration::from_secs(1));
    }

    #[test]
    fn chance_makes_waits_shorter_and_longer() {
        let restart = Restart { delay: Duration::from_secs(10), ..Restart::default() };
        assert_eq!(restart.wait(2, 0.0), Duration::from_secs(9));
        assert_eq!(restart.wait(2, 1.0), Duration::from_secs(11));
        assert_eq!(restart.wait(30, 1.0), Duration::from_secs(60), "never longer than the longest");
    }

    #[test]
    fn files_have_settings() {
        let mut troubles = Vec::new();
        assert_eq!(Restart::parse("", &mut troubles), Restart::default());
        let restart = Restart::parse("when failure\nlimit 5\nwindow 10s\ndelay 0\n", &mut troubles);
        assert_eq!(troubles, []);
        assert_eq!((restart.when, restart.limit, restart.delay), (When::Failure, 5, Duration::ZERO));
        Restart::parse("when never\nfactor 0.5\nfactor nan", &mut troubles);
        assert_eq!(troubles.len(), 3);
    }
}
