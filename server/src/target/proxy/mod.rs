//! Proxies: requests that HTTP servers elsewhere answer (the manual, section 3.4.5).
//!
//! Pure: `request` and `answer` are heads in either direction, `passage` the body of an answer, `fields` what both have to
//! know by name.  `upstream` is one of the servers, `link` a connection to it, `pool` a worker's connections that rest,
//! `reach` how a request gets one.  A client that is pinned to a connection has a `session`, one of the proxy's `sessions`, which it
//! finds by the `token` in its `cookie`.  What outlives a reload is in `proxies` and `register`.  The exchange itself is in
//! `connection::forward`.

mod answer;
mod cookie;
mod fields;
mod link;
mod names;
mod news;
mod passage;
mod pool;
mod proxies;
mod reach;
mod register;
mod request;
mod session;
mod sessions;
mod token;
mod upstream;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mongrel2::config::{self, Balance};
use smallvec::SmallVec;

use self::upstream::{Patience, Upstream};
use super::directory::Directory;
use super::redirect::Redirect;

pub(crate) use self::answer::{BadAnswer, Expected, Framing, Head as AnswerHead, Onward, Room, read as read_answer};
pub(crate) use self::cookie::{set as set_cookie, values as cookies, without as without_cookie};
pub(crate) use self::link::{Care, Link};
pub(crate) use self::names::{Names, System};
pub(crate) use self::passage::Passage;
pub(crate) use self::pool::Pool;
pub(crate) use self::proxies::{Proxies, Routed};
pub(crate) use self::reach::Tried;
pub(crate) use self::request::{Asked, Hop, hops, render as render_request};
pub(crate) use self::session::{Held, Seen, Session};
pub(crate) use self::sessions::Sessions;
pub(crate) use self::token::Token;

/// The upstreams of a route, and how they are asked.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) config: config::Proxy,
    upstreams: Vec<Arc<Upstream>>,
    /// Whose turn it is, if the upstreams have turns.
    turn: AtomicUsize,
    balance: Balance,
    patience: Patience,
    names: Names,
    /// The Host header for upstreams, if it isn't the client's.
    pub(crate) host: Option<Box<[u8]>>,
    connect_timeout: Duration,
    pub(crate) first_byte_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) fallback: Option<Fallback>,
    /// None if it has no `session_cookie`.
    pub(crate) sessions: Option<Arc<Sessions>>,
}

/// Who answers when no upstream does.
#[derive(Debug, Clone)]
pub(crate) enum Fallback {
    Directory(Arc<Directory>),
    Redirect(Arc<Redirect>),
}

impl Proxy {
    /// The upstream that gets the next request, of those whose numbers are not in `tried`.
    fn choose(&self, tried: &[u64], now: Instant) -> Option<&Arc<Upstream>> {
        if let [only] = &self.upstreams[..] {
            return Some(only).filter(|only| !tried.contains(&only.number));
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let count = self.upstreams.len();
        let in_turn = (0..count).map(|offset| &self.upstreams[(turn.wrapping_add(offset)) % count]);
        let left: SmallVec<[&Arc<Upstream>; 4]> =
            in_turn.filter(|upstream| !tried.contains(&upstream.number)).collect();
        let mut sound = left.iter().filter(|upstream| upstream.aside_until() <= now).copied();
        let chosen = match self.balance {
            Balance::RoundRobin => sound.next(),
            Balance::LeastConnections => sound.min_by_key(|upstream| upstream.load()),
        };
        // If all are aside, the one that has been longest is the best guess.
        chosen.or_else(|| left.into_iter().min_by_key(|upstream| upstream.aside_until()))
    }

    /// Notes that an upstream has failed, in the way that `why` says.
    pub(crate) fn failed(&self, upstream: &Upstream, why: &dyn std::fmt::Display) {
        let aside = self.upstreams.len() > 1 && upstream.failed(self.patience, Instant::now());
        upstream.tell_failure(why, aside.then_some(self.patience.aside));
    }

    /// Whether there are upstreams whose numbers are not in `tried`.
    pub(crate) fn has_others(&self, tried: &[u64]) -> bool {
        self.numbers().any(|number| !tried.contains(&number))
    }

    /// The numbers of its upstreams.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.upstreams.iter().map(|upstream| upstream.number)
    }
}

/// The addresses of an upstream.
type Addresses = SmallVec<[SocketAddr; 2]>;

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(balance: Balance, count: u64) -> Proxy {
        Proxy {
            upstreams: (0..count).map(|number| Arc::new(Upstream::new(number, "127.0.0.1", 80))).collect(),
            turn: AtomicUsize::new(0),
            balance,
            patience: Patience { failures: 1, aside: Duration::from_secs(10) },
            names: Names::start(&System::read(), &[]),
            host: None,
            connect_timeout: Duration::from_secs(1),
            first_byte_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(1),
            fallback: None,
            config: config::Proxy::default(),
            sessions: None,
        }
    }

    fn chosen(proxy: &Proxy, tried: &[u64], now: Instant) -> Option<u64> {
        proxy.choose(tried, now).map(|upstream| upstream.number)
    }

    #[test]
    fn one_after_the_other() {
        let (proxy, now) = (proxy(Balance::RoundRobin, 3), Instant::now());
        let turns: Vec<_> = (0..5).filter_map(|_| chosen(&proxy, &[], now)).collect();
        assert_eq!(turns, [0, 1, 2, 0, 1]);
        assert_eq!(chosen(&proxy, &[2], now), Some(0), "it is the turn of 2, which was tried");
        assert_eq!(chosen(&proxy, &[0, 1, 2], now), None);
    }

    #[test]
    fn the_least_busy() {
        let (proxy, now) = (proxy(Balance::LeastConnections, 3), Instant::now());
        let _loads = [proxy.upstreams[0].take_on(), proxy.upstreams[0].take_on(), proxy.upstreams[2].take_on()];
        assert_eq!((0..3).filter_map(|_| chosen(&proxy, &[], now)).collect::<Vec<_>>(), [1, 1, 1]);
        assert_eq!(chosen(&proxy, &[1], now), Some(2));
    }

    #[test]
    fn who_is_aside_is_asked_only_if_all_are() {
        let (proxy, now) = (proxy(Balance::RoundRobin, 2), Instant::now());
        proxy.failed(&proxy.upstreams[0], &"it is ill");
        assert_eq!((0..3).filter_map(|_| chosen(&proxy, &[], now)).collect::<Vec<_>>(), [1, 1, 1]);
        assert_eq!(chosen(&proxy, &[1], now), Some(0), "nobody else is left");
        assert!(chosen(&proxy, &[], now + Duration::from_secs(11)).is_some());
    }
}
