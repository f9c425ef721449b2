//! How a connection is doing, and when it is too slow to be kept (the manual, section 3.10).
//!
//! Three things are measured: the time since anything moved (`limits.min_ping`), and the rates of reading and
//! writing.  A connection is dropped when `limits.kill_limit` of them are
//! exceeded.  Between requests and while a handler works nothing is to be transferred, so that the time alone
//! decides.  The fast path of a request never touches this: only who has to wait is measured.

use std::cell::Cell;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use mongrel2::config::Settings;

/// Over how many ticks the rate of writing is taken.  The kernel's buffers take megabytes at once, which says
/// nothing about the client; and a client may pause for a moment.
const WINDOW: u32 = 6;

/// What a connection is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The client's next request.
    Idle,
    /// The rest of a head or a body.
    Reading,
    /// A handler.
    Waiting,
    /// Room for more of an answer.
    Writing,
}

/// A point in time, in tenths of a second: a quarter of the size of an [`Instant`], which counts where there are many.
#[derive(Debug, Clone, Copy)]
struct Moment(u32);

impl Moment {
    fn of(instant: Instant) -> Self {
        static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
        let tenths = instant.saturating_duration_since(*FIRST).as_millis() / 100;
        Self(u32::try_from(tenths).unwrap_or(u32::MAX))
    }

    fn now() -> Self {
        Self::of(Instant::now())
    }

    fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::from(self.0.saturating_sub(earlier.0)) * 100)
    }
}

/// The measurements of one connection.
#[derive(Debug)]
pub(crate) struct Vitals {
    phase: Cell<Phase>,
    since: Cell<Moment>,
    /// When something last moved.
    moved: Cell<Moment>,
    /// Bytes that have moved in this phase.
    bytes: Cell<u64>,
}

impl Vitals {
    pub(crate) fn new(now: Instant) -> Self {
        let now = Moment::of(now);
        Self { phase: Cell::new(Phase::Idle), since: Cell::new(now), moved: Cell::new(now), bytes: Cell::new(0) }
    }

    /// Begins a phase, unless the connection is in it.
    pub(crate) fn enter(&self, phase: Phase) {
        if self.phase.get() != phase {
            self.begin(phase, Moment::now());
        }
    }

    /// Whether the connection waits for the next request.
    pub(crate) fn is_idle(&self) -> bool {
        self.phase.get() == Phase::Idle
    }

    /// Begins to wait for the next request.
    pub(crate) fn rest(&self) {
        self.begin(Phase::Idle, Moment::now());
    }

    fn begin(&self, phase: Phase, now: Moment) {
        self.phase.set(phase);
        self.since.set(now);
        self.moved.set(now);
        self.bytes.set(0);
    }

    /// Notes that bytes have moved after a wait.
    pub(crate) fn moved(&self, bytes: usize) {
        self.moved.set(Moment::now());
        self.bytes.set(self.bytes.get() + bytes as u64);
    }

    /// The phase, if the connection is to be dropped; to be asked once a tick.
    pub(crate) fn fatal(&self, now: Instant, settings: &Settings) -> Option<Phase> {
        let (phase, now) = (self.phase.get(), Moment::of(now));
        let silent = exceeds(now.since(self.moved.get()), settings.min_ping);
        let (slow, other) = match phase {
            Phase::Idle | Phase::Waiting => return silent.then_some(phase),
            Phase::Reading => (self.reads_slowly(now, settings), settings.min_write_rate),
            Phase::Writing => (self.writes_slowly(now, settings), settings.min_read_rate),
        };
        // The direction that isn't used has no rate to speak of, but ends nobody by itself.
        let exceeded = usize::from(silent) + usize::from(slow) + usize::from(other > 0);
        ((silent || slow) && exceeded >= settings.kill_limit).then_some(phase)
    }

    /// Whether too few bytes have come since the phase began, a tick ago or longer.
    fn reads_slowly(&self, now: Moment, settings: &Settings) -> bool {
        now.since(self.since.get()) >= settings.tick_timer && self.falls_short(now, settings.min_read_rate)
    }

    /// Whether too few bytes have gone in a whole window; if not, the next window begins.
    fn writes_slowly(&self, now: Moment, settings: &Settings) -> bool {
        if now.since(self.since.get()) < settings.tick_timer * WINDOW {
            return false;
        }
        let slow = self.falls_short(now, settings.min_write_rate);
        if !slow {
            self.since.set(now);
            self.bytes.set(0);
        }
        slow
    }

    fn falls_short(&self, now: Moment, wanted: u64) -> bool {
        (self.bytes.get() as f64) < wanted as f64 * now.since(self.since.get()).as_secs_f64()
    }
}

/// Whether a time is longer than a limit; a limit of nothing is none.
fn exceeds(time: Duration, limit: Duration) -> bool {
    !limit.is_zero() && time > limit
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// After `seconds` in a phase in which `bytes` have moved, the last of them `silent` seconds ago.
    fn check(phase: Phase, seconds: u64, bytes: u64, silent: u64, given: &[(&str, &str)], dropped: bool) {
        let settings: BTreeMap<String, String> =
            given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let start = Instant::now() + Duration::from_secs(1);
        let now = start + Duration::from_secs(seconds);
        let vitals = Vitals::new(start);
        vitals.begin(phase, Moment::of(start));
        vitals.bytes.set(bytes);
        vitals.moved.set(Moment::of(now - Duration::from_secs(silent)));
        let fatal = vitals.fatal(now, &Settings::new(&settings));
        assert_eq!(fatal, dropped.then_some(phase), "{phase:?} for {seconds} s, {bytes} bytes, silent {silent} s");
    }

    #[test]
    fn silence_ends_who_has_nothing_to_do() {
        for phase in [Phase::Idle, Phase::Waiting] {
            check(phase, 100, 0, 100, &[], false);
            check(phase, 121, 0, 121, &[], true);
            check(phase, 1000, 0, 1000, &[("limits.min_ping", "0")], false);
        }
    }

    #[test]
    fn a_burst_at_the_beginning_is_soon_forgotten() {
        let settings = Settings::new(&BTreeMap::new());
        let start = Instant::now() + Duration::from_secs(1);
        let vitals = Vitals::new(start);
        vitals.begin(Phase::Writing, Moment::of(start));
        vitals.bytes.set(10_000_000);
        assert_eq!(vitals.fatal(start + Duration::from_secs(60), &settings), None);
        assert_eq!(vitals.fatal(start + Duration::from_secs(110), &settings), None);
        assert_eq!(vitals.fatal(start + Duration::from_secs(120), &settings), Some(Phase::Writing));
    }

    #[test]
    fn slowness_ends_who_reads_or_writes() {
        for phase in [Phase::Reading, Phase::Writing] {
            check(phase, 5, 1, 1, &[], false);
            check(phase, 61, 20, 1, &[], true);
            check(phase, 1000, 300_001, 1, &[], false);
            check(phase, 1000, 300_001, 121, &[], true);
            check(phase, 61, 20, 1, &[("limits.kill_limit", "3")], false);
            check(phase, 200, 20, 121, &[("limits.kill_limit", "3")], true);
        }
        check(Phase::Reading, 11, 20, 1, &[], true);
        check(Phase::Writing, 11, 20, 1, &[], false);
        let off = [("limits.min_read_rate", "0"), ("limits.min_write_rate", "0"), ("limits.min_ping", "0")];
        check(Phase::Reading, 10_000, 1, 10_000, &off, false);
        check(Phase::Writing, 10_000, 1, 10_000, &off, false);
        // The direction that isn't used doesn't end a quick transfer, however low the limit.
        check(Phase::Reading, 1000, 1_000_000, 1, &[("limits.kill_limit", "1")], false);
    }
}
