//! One request with its answer, as it is counted.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use super::places::Place;

/// A request that is being answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun {
    place: Place,
    /// Nanoseconds since the first one: half as large as an [`Instant`], which counts where many wait.
    at: u64,
}

/// A request with its answer, when both are over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exchange {
    pub(crate) place: Place,
    pub(crate) status: u16,
    /// Bytes of the answer's body.
    pub(crate) bytes: u64,
    /// From when the head of the request had been read until the answer was written.
    pub(crate) took: Duration,
}

impl Begun {
    /// Begins now.
    pub(crate) fn now(place: Place) -> Self {
        Self { place, at: clock() }
    }

    /// Where it is counted.
    pub(crate) fn place(self) -> Place {
        self.place
    }

    /// Ends now.
    pub(crate) fn end(self, status: u16, bytes: u64) -> Exchange {
        let took = Duration::from_nanos(clock().saturating_sub(self.at));
        Exchange { place: self.place, status, bytes, took }
    }
}

fn clock() -> u64 {
    static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
    // Enough for five centuries.
    u64::try_from(FIRST.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
