//! How a service is stopped: the file `stop`.

use std::time::Duration;

use super::lines::Lines;
use super::{Trouble, value};
use crate::signal::Signal;

/// The signal that asks, and how long procer waits before SIGKILL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// What the process group is sent first.
    pub signal: Signal,
    /// After that time what is left is killed.
    pub timeout: Duration,
}

impl Default for Stop {
    fn default() -> Self {
        Self { signal: Signal::TERM, timeout: Duration::from_secs(10) }
    }
}

impl Stop {
    pub(super) fn parse(text: &str, troubles: &mut Vec<Trouble>) -> Self {
        let mut stop = Self::default();
        Lines::of("stop", text).each(&["signal", "timeout"], troubles, |key, text| {
            Some(match key {
                "signal" => value::signal(text).map(|signal| stop.signal = signal),
                "timeout" => value::time(text).map(|time| stop.timeout = time),
                _ => return None,
            })
        });
        stop
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signal_and_timeout() {
        let mut troubles = Vec::new();
        assert_eq!(Stop::parse("", &mut troubles), Stop::default());
        let stop = Stop::parse("signal SIGINT\ntimeout 1m", &mut troubles);
        assert_eq!((stop.signal.to_string().as_str(), stop.timeout), ("SIGINT", Duration::from_secs(60)));
        assert_eq!(troubles, []);
        Stop::parse("signal PLEASE\ntimeout soon\nkill yes", &mut troubles);
        assert_eq!(troubles.len(), 3);
    }
}
