//! An upstream: where it is, how many requests it has, and whether it has been failing.
//!
//! All workers share it, and it outlives reloads that keep it, so that what one worker finds out holds for all.
//! It is atomics only: a request takes no lock here.  What the error log is told of it goes through `news`.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::news::{News, more};

/// An HTTP server elsewhere.
#[derive(Debug)]
pub(crate) struct Upstream {
    /// Tells it from all others, of earlier sites too.
    pub(crate) number: u64,
    pub(crate) place: Place,
    pub(crate) port: u16,
    born: Instant,
    /// How many requests it has.
    load: AtomicUsize,
    /// Failures since the last success.
    failures: AtomicU32,
    /// Until when it is aside, in milliseconds since it was born.
    aside: AtomicU64,
    /// What is known of its failures.
    faults: News,
    /// What is known of answers that it has not brought to their end.
    cuts: News,
    /// What is known of sessions whose connections it has closed.
    losses: News,
}

/// How bad failures are.
const FAILS: u8 = 1;
const IS_ASIDE: u8 = 2;

/// Where an upstream is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Address(IpAddr),
    Name(Arc<str>),
}

/// When failures put an upstream aside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// How many in a row; 0: never.
    pub(crate) failures: u32,
    /// For how long.
    pub(crate) aside: Duration,
}

/// One request of an upstream's load.
#[derive(Debug)]
pub(crate) struct Load(Arc<Upstream>);

impl Upstream {
    pub(crate) fn new(number: u64, addr: &str, port: u16) -> Self {
        let place = addr.parse().map_or_else(|_| Place::Name(addr.to_ascii_lowercase().into()), Place::Address);
        Self {
            number,
            place,
            port,
            born: Instant::now(),
            load: AtomicUsize::new(0),
            failures: AtomicU32::new(0),
            aside: AtomicU64::new(0),
            faults: News::default(),
            cuts: News::default(),
            losses: News::default(),
        }
    }

    /// Takes on a request, until what is given is dropped.
    pub(crate) fn take_on(self: &Arc<Self>) -> Load {
        self.load.fetch_add(1, Ordering::Relaxed);
        Load(Arc::clone(self))
    }

    pub(crate) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// Until when the upstream is aside; the past if it isn't.
    pub(crate) fn aside_until(&self) -> Instant {
        self.born + Duration::from_millis(self.aside.load(Ordering::Relaxed))
    }

    /// Notes that it has answered.
    pub(crate) fn answered(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        if self.faults.end() {
            match self.faults.untold() {
                0 => tracing::info!("the upstream {self} answers again"),
                more => tracing::info!("the upstream {self} answers again, after {more} more failures"),
            }
        }
    }

    /// Notes that it has failed; gives whether it is put aside for that.
    pub(crate) fn failed(&self, patience: Patience, now: Instant) -> bool {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if patience.failures == 0 || failures < patience.failures {
            return false;
        }
        self.failures.store(0, Ordering::Relaxed);
        let until = now.saturating_duration_since(self.born) + patience.aside;
        self.aside.store(u64::try_from(until.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        true
    }

    /// Tells of a failure, and for how long the upstream is put aside for it.
    pub(super) fn tell_failure(&self, why: &dyn fmt::Display, aside: Option<Duration>) {
        let level = if aside.is_some() { IS_ASIDE } else { FAILS };
        let Some(more) = self.tell(&self.faults, level) else { return };
        match aside {
            Some(aside) => tracing::warn!("the upstream {self} is put aside for {} s: {why}{more}", aside.as_secs()),
            None => tracing::warn!("the upstream {self} has failed: {why}{more}"),
        }
    }

    /// Tells of something for which the upstream is not to blame.
    pub(super) fn tell_error(&self, why: &dyn fmt::Display) {
        if let Some(more) = self.tell(&self.faults, FAILS) {
            tracing::error!("cannot connect to the upstream {self}: {why}{more}");
        }
    }

    /// Tells that an answer has broken off.
    pub(crate) fn tell_cut(&self, why: &dyn fmt::Display) {
        if let Some(more) = self.tell(&self.cuts, FAILS) {
            tracing::warn!("an answer of the upstream {self} was cut short: {why}{more}");
        }
    }

    /// Tells that the upstream has closed the connection of a session.
    pub(crate) fn tell_loss(&self) {
        if let Some(more) = self.tell(&self.losses, FAILS) {
            tracing::info!("the upstream {self} has closed the connection of a session{more}");
        }
    }

    fn tell(&self, news: &News, level: u8) -> Option<String> {
        news.trouble(level, self.born.elapsed()).map(more)
    }
}

impl Load {
    pub(crate) fn upstream(&self) -> &Arc<Upstream> {
        &self.0
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.load.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            Place::Address(address) => write!(f, "{address}:{}", self.port),
            Place::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_put_aside() {
        let upstream = Upstream::new(1, "127.0.0.1", 80);
        let (now, patience) = (Instant::now(), Patience { failures: 2, aside: Duration::from_secs(10) });
        assert!(!upstream.failed(patience, now));
        upstream.answered();
        assert!(!upstream.failed(patience, now), "it has answered between");
        assert!(upstream.failed(patience, now));
        assert!(upstream.aside_until() > now + Duration::from_secs(9));
        assert!(!upstream.failed(patience, now), "a new row begins");
        assert!(!Upstream::new(1, "x", 1).failed(Patience { failures: 0, ..patience }, now));
    }

    #[test]
    fn load_is_what_is_held() {
        let upstream = Arc::new(Upstream::new(1, "::1", 80));
        let load = upstream.take_on();
        assert_eq!((upstream.load(), load.upstream().to_string().as_str()), (1, "[::1]:80"));
        drop(load);
        assert_eq!(upstream.load(), 0);
    }
}
