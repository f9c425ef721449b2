//! How a connection is doing, and when it is too slow to be kept (the manual, sections 3.8 and 3.10).
//!
//! Three things are measured: the time since anything moved (`limits.min_ping`), and the rates of reading and
//! writing.  A connection is dropped when `limits.kill_limit` of them are
//! exceeded.  Between requests and while a handler works nothing is to be transferred, so that the time alone
//! decides.  The fast path of a request only counts bytes and reads no clock: when they moved is noted by whoever
//! reads it next.

use std::cell::Cell;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use mongrel2::config::Settings;

use crate::statistics::Place;

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
    /// An upstream, which has its own limits.
    Forwarding,
}

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Http,
    Json,
    Xml,
    WebSocket,
}

/// Whether others can read along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrecy {
    /// They can, or it isn't settled yet.
    Clear,
    Tls12,
    Tls13,
}

impl Secrecy {
    /// Its name in the column `tls` of `status net`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Clear => "",
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
    }
}

impl Phase {
    /// Its name in the column `state` of `status net`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Reading => "reading",
            Self::Waiting => "waiting",
            Self::Writing => "writing",
            Self::Forwarding => "forwarding",
        }
    }
}

impl Kind {
    /// All of them, in their order.
    pub(crate) const ALL: [Self; 4] = [Self::Http, Self::Json, Self::Xml, Self::WebSocket];

    /// Its name in metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Json => "json",
            Self::Xml => "xml",
            Self::WebSocket => "websocket",
        }
    }

    /// Its number in the column `type` of `status net`.
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Http => 1,
            Self::Json | Self::Xml => 2,
            Self::WebSocket => 4,
        }
    }
}

/// Whose connection it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity {
    pub(crate) id: u64,
    /// The number of its socket.
    pub(crate) fd: i32,
    /// The client's address.
    pub(crate) peer: SocketAddr,
}

/// A point in time, in tenths of a second: a quarter of the size of an [`Instant`], which counts where there are many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// How a connection is doing; times are seconds ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Observed {
    pub(crate) kind: Kind,
    pub(crate) secrecy: Secrecy,
    pub(crate) phase: Phase,
    /// Since the connection was accepted.
    pub(crate) age: u64,
    /// Since the last sign of life; the age of one that speaks HTTP, where there are no pings.
    pub(crate) last_ping: u64,
    /// 0 if nothing has come yet.
    pub(crate) last_read: u64,
    /// 0 if nothing has gone yet.
    pub(crate) last_write: u64,
    pub(crate) bytes_read: u64,
    pub(crate) bytes_written: u64,
}

/// A client's address in little space.
#[derive(Debug, Clone, Copy)]
struct Peer {
    /// As of IPv6.
    address: [u8; 16],
    port: u16,
}

impl Peer {
    fn new(peer: SocketAddr) -> Self {
        let address = match peer.ip() {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        Self { address: address.octets(), port: peer.port() }
    }
}

/// What has gone one way.
#[derive(Debug)]
struct Traffic {
    bytes: Cell<u64>,
    last: Cell<Moment>,
    /// Whether bytes have moved since the clock was read.
    unnoted: Cell<bool>,
}

/// The measurements of one connection.
#[derive(Debug)]
pub(crate) struct Vitals {
    pub(crate) id: u64,
    pub(crate) fd: i32,
    peer: Peer,
    pub(crate) kind: Cell<Kind>,
    pub(crate) secrecy: Cell<Secrecy>,
    /// The route of the last request, in the site in force.
    pub(crate) place: Cell<Place>,
    opened: Moment,
    read: Traffic,
    written: Traffic,
    phase: Cell<Phase>,
    since: Cell<Moment>,
    /// When something last moved.
    moved: Cell<Moment>,
    /// Bytes that have moved in this phase.
    bytes: Cell<u64>,
}

impl Traffic {
    fn new(now: Moment) -> Self {
        Self { bytes: Cell::new(0), last: Cell::new(now), unnoted: Cell::new(false) }
    }

    fn add(&self, bytes: usize) {
        self.bytes.set(self.bytes.get() + bytes as u64);
        self.unnoted.set(true);
    }

    /// How many seconds ago bytes have moved, or 0 if none have.
    fn ago(&self, now: Moment) -> u64 {
        if self.bytes.get() == 0 { 0 } else { now.since(self.last.get()).as_secs() }
    }

    /// Whether bytes have moved since the last call.
    fn note(&self, now: Moment) -> bool {
        if self.unnoted.get() {
            self.last.set(now);
        }
        self.unnoted.take()
    }
}

impl Vitals {
    pub(crate) fn new(identity: Identity, now: Instant) -> Self {
        let now = Moment::of(now);
        let Identity { id, fd, peer } = identity;
        Self {
            id,
            fd,
            peer: Peer::new(peer),
            kind: Cell::new(Kind::Http),
            secrecy: Cell::new(Secrecy::Clear),
            place: Cell::new(Place::NOWHERE),
            opened: now,
            read: Traffic::new(now),
            written: Traffic::new(now),
            phase: Cell::new(Phase::Idle),
            since: Cell::new(now),
            moved: Cell::new(now),
            bytes: Cell::new(0),
        }
    }

    /// The client's address.
    pub(crate) fn peer(&self) -> SocketAddr {
        SocketAddr::new(Ipv6Addr::from(self.peer.address).to_canonical(), self.peer.port)
    }

    /// Counts bytes that have come.
    pub(crate) fn read(&self, bytes: usize) {
        self.read.add(bytes);
    }

    /// Counts bytes that have gone.
    pub(crate) fn wrote(&self, bytes: usize) {
        self.written.add(bytes);
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

    fn begin(&self, phase: Phase, now: Moment) {
        self.note(now);
        self.phase.set(phase);
        self.since.set(now);
        self.moved.set(now);
        self.bytes.set(0);
    }

    /// Notes that bytes have moved after a wait.
    pub(crate) fn moved(&self, bytes: usize) {
        let now = Moment::now();
        self.note(now);
        self.moved.set(now);
        self.bytes.set(self.bytes.get() + bytes as u64);
    }

    /// Notes that bytes have moved, if the connection has waited for that in this phase.
    pub(crate) fn moved_in(&self, phase: Phase, bytes: usize) {
        if self.phase.get() == phase {
            self.moved(bytes);
        }
    }

    /// Notes when the bytes moved that nobody has noted yet.
    fn note(&self, now: Moment) {
        let read = self.read.note(now);
        if self.written.note(now) || read {
            self.moved.set(now);
        }
    }

    /// Whose connection it is.
    pub(crate) fn identity(&self) -> Identity {
        Identity { id: self.id, fd: self.fd, peer: self.peer() }
    }

    /// How the connection is doing.
    pub(crate) fn observe(&self, now: Instant) -> Observed {
        let now = Moment::of(now);
        self.note(now);
        let kind = self.kind.get();
        let ping = if kind == Kind::Http { self.opened } else { self.moved.get() };
        Observed {
            kind,
            secrecy: self.secrecy.get(),
            phase: self.phase.get(),
            age: now.since(self.opened).as_secs(),
            last_ping: now.since(ping).as_secs(),
            last_read: self.read.ago(now),
            last_write: self.written.ago(now),
            bytes_read: self.read.bytes.get(),
            bytes_written: self.written.bytes.get(),
        }
    }

    /// The phase, if the connection is to be dropped; to be asked once a tick.
    pub(crate) fn fatal(&self, now: Instant, settings: &Settings) -> Option<Phase> {
        let (phase, now) = (self.phase.get(), Moment::of(now));
        self.note(now);
        let silent = exceeds(now.since(self.moved.get()), settings.min_ping);
        let (slow, other) = match phase {
            Phase::Forwarding => return None,
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

    fn vitals(now: Instant) -> Vitals {
        Vitals::new(Identity { id: 1, fd: 2, peer: SocketAddr::from(([127, 0, 0, 1], 3)) }, now)
    }

    /// After `seconds` in a phase in which `bytes` have moved, the last of them `silent` seconds ago.
    fn check(phase: Phase, seconds: u64, bytes: u64, silent: u64, given: &[(&str, &str)], dropped: bool) {
        let settings: BTreeMap<String, String> =
            given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let start = Instant::now() + Duration::from_secs(1);
        let now = start + Duration::from_secs(seconds);
        let vitals = vitals(start);
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
        let vitals = vitals(start);
        vitals.begin(Phase::Writing, Moment::of(start));
        vitals.bytes.set(10_000_000);
        assert_eq!(vitals.fatal(start + Duration::from_secs(60), &settings), None);
        assert_eq!(vitals.fatal(start + Duration::from_secs(110), &settings), None);
        assert_eq!(vitals.fatal(start + Duration::from_secs(120), &settings), Some(Phase::Writing));
    }

    #[test]
    fn what_moves_at_once_counts_too() {
        let settings = Settings::new(&BTreeMap::new());
        let start = Instant::now() + Duration::from_secs(1);
        let vitals = vitals(start);
        vitals.begin(Phase::Waiting, Moment::of(start));
        for seconds in [100, 200, 300] {
            vitals.wrote(10);
            assert_eq!(vitals.fatal(start + Duration::from_secs(seconds), &settings), None);
        }
        assert_eq!(vitals.written.bytes.get(), 30);
        assert_eq!(vitals.written.last.get(), Moment::of(start + Duration::from_secs(300)));
        assert_eq!(vitals.read.last.get(), Moment::of(start));
        assert_eq!(vitals.fatal(start + Duration::from_secs(421), &settings), Some(Phase::Waiting));
    }

    #[test]
    fn what_is_observed() {
        let start = Instant::now() + Duration::from_secs(1);
        let at = |seconds| start + Duration::from_secs(seconds);
        let vitals = vitals(start);
        let nothing = Observed {
            kind: Kind::Http,
            secrecy: Secrecy::Clear,
            phase: Phase::Idle,
            age: 3,
            last_ping: 3,
            last_read: 0,
            last_write: 0,
            bytes_read: 0,
            bytes_written: 0,
        };
        assert_eq!(vitals.observe(at(3)), nothing);
        vitals.read(39);
        vitals.begin(Phase::Waiting, Moment::of(at(4)));
        let waiting = Observed { phase: Phase::Waiting, age: 9, last_ping: 9, last_read: 5, bytes_read: 39, ..nothing };
        assert_eq!(vitals.observe(at(9)), waiting);
        vitals.kind.set(Kind::Json);
        assert_eq!(vitals.observe(at(9)), Observed { kind: Kind::Json, last_ping: 5, ..waiting });
    }

    #[test]
    fn many_fit_into_little() {
        assert!(size_of::<Vitals>() <= 96, "{}", size_of::<Vitals>());
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
