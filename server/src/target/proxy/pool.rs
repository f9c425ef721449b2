//! The connections of one worker to upstreams that rest between requests.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use tokio::net::TcpStream;

use super::link::{Care, Link, is_quiet};
use super::upstream::Upstream;

/// How long a connection may rest: less than most upstreams keep it.
const REST: Duration = Duration::from_secs(30);

/// Resting connections by the numbers of their upstreams; the last is the one that has rested least.
#[derive(Debug, Default)]
pub(crate) struct Pool(RefCell<FxHashMap<u64, Vec<Resting>>>);

#[derive(Debug)]
struct Resting {
    socket: TcpStream,
    since: Instant,
}

impl Pool {
    /// A connection to an upstream that can be used again.
    pub(crate) fn take(&self, upstream: &Arc<Upstream>, care: Care) -> Option<Link> {
        let mut all = self.0.borrow_mut();
        let resting = all.get_mut(&upstream.number)?;
        std::iter::from_fn(|| resting.pop()).find_map(|resting| Link::resume(resting.socket, upstream, care))
    }

    /// Lets a connection rest from `now` on, unless `limit` do already.
    pub(crate) fn put(&self, link: Link, limit: usize, now: Instant) {
        let mut all = self.0.borrow_mut();
        let resting = all.entry(link.upstream().number).or_default();
        if resting.len() < limit {
            resting.push(Resting { socket: link.into_socket(), since: now });
        }
    }

    /// Closes those that have rested too long, or that their upstreams have closed.
    pub(crate) fn sweep(&self, now: Instant) {
        self.0.borrow_mut().retain(|_, resting| {
            resting.retain(|resting| now.duration_since(resting.since) < REST && is_quiet(&resting.socket));
            !resting.is_empty()
        });
    }

    /// Closes those of upstreams that nobody has any more.
    pub(crate) fn keep(&self, is_kept: impl Fn(u64) -> bool) {
        self.0.borrow_mut().retain(|number, _| is_kept(*number));
    }
}
