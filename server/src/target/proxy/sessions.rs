//! The pinned sessions of a proxy, by their tokens: found, opened, listed, and ended when their time is up.
//!
//! A browser's connections come to different workers, so that all of them share this.  The map is in pieces, each under
//! a lock of its own that is held for a look and never while anything is waited for.  Times come in.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;

use super::link::Parked;
use super::news::{News, more};
use super::session::{Seen, Session, Span};
use super::token::Token;

/// How many pieces the map has.
const SHARDS: usize = 32;

/// One piece.
///
/// Whoever tries tokens learns nothing from how long that takes: the hash has a random key.
type Shard<P> = HashMap<Token, Arc<Session<P>>>;

/// The sessions of one proxy, with connections that are parked as `P`.
#[derive(Debug)]
pub(crate) struct Sessions<P = Parked> {
    shards: [Mutex<Shard<P>>; SHARDS],
    count: AtomicUsize,
    limits: Standing,
    /// What is known of clients for whom there was no room, with times since it was made.
    refusals: News,
    made: Instant,
    numbers: Numbers,
}

/// What bounds the sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) span: Span,
    /// How many there may be.
    pub(crate) count: usize,
}

/// The numbers of all sessions of a server, from 1.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers(Arc<AtomicU64>);

/// There are as many sessions as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("there are as many sessions as there may be")]
pub(crate) struct Full;

impl<P> Sessions<P> {
    pub(crate) fn new(limits: Limits, numbers: Numbers) -> Self {
        let shards = std::array::from_fn(|_| Mutex::default());
        let (count, limits) = (AtomicUsize::new(0), Standing::new(limits));
        Self { shards, count, limits, refusals: News::default(), made: Instant::now(), numbers }
    }

    /// The session of a token, unless it has never been or is over.
    pub(crate) fn find(&self, token: &Token, now: Instant) -> Option<Arc<Session<P>>> {
        let mut shard = self.shard(token);
        let session = shard.get(token)?;
        if session.ends(self.limits.span()).is_none_or(|end| now < end) {
            session.touch(now);
            return Some(Arc::clone(session));
        }
        let session = shard.remove(token);
        drop(shard);
        self.removed(session);
        None
    }

    /// A new session, with the token that only its client may know.
    ///
    /// # Errors
    /// There are too many.
    pub(crate) fn open(&self, now: Instant) -> Result<(Token, Arc<Session<P>>), Full> {
        self.count_in()?;
        let token = Token::random();
        let mut shard = self.shard(&token);
        // Looked at under the lock, for `close` empties each shard once.
        if self.limits.is_closed() {
            self.count.fetch_sub(1, Ordering::Relaxed);
            return Err(Full);
        }
        let session = Arc::new(Session::new(self.numbers.next(), now));
        shard.insert(token, Arc::clone(&session));
        Ok((token, session))
    }

    /// Tells that a client was refused, since there are too many; `cookie` is the name of theirs.
    pub(crate) fn tell_refusal(&self, cookie: &str, now: Instant) {
        if let Some(untold) = self.refusals.trouble(1, now.saturating_duration_since(self.made)) {
            let (more, limit) = (more(untold), self.limits.count());
            tracing::warn!("clients without the cookie `{cookie}` are refused: limits.sessions is {limit}{more}");
        }
    }

    /// Ends the session of that number, if there is one.
    pub(crate) fn end(&self, number: u64) -> bool {
        self.remove_if(|session| session.number == number) > 0
    }

    /// Ends the session of a token, if there is one.
    pub(crate) fn forget(&self, token: &Token) {
        let session = self.shard(token).remove(token);
        self.removed(session);
    }

    /// Ends all of them, and lets nobody open another until there are new limits.
    pub(crate) fn close(&self) {
        self.limits.close();
        self.remove_if(|_| true);
    }

    /// Bounds the sessions anew.  Those that are too many stay.
    pub(crate) fn limit(&self, limits: Limits) {
        self.limits.set(limits);
    }

    /// All sessions, by number.
    pub(crate) fn list(&self, now: Instant) -> Vec<Seen> {
        let mut list = Vec::with_capacity(self.len());
        for shard in &self.shards {
            list.extend(lock(shard).values().map(|session| session.seen(now)));
        }
        list.sort_unstable_by_key(|seen| seen.number);
        list
    }

    /// Ends the sessions that are over; gives how long from now none can be.
    ///
    /// The connection of one that a request has is closed behind that request.
    pub(crate) fn sweep(&self, now: Instant) -> Duration {
        let span = self.limits.span();
        // Also for those that come later, or end their requests.
        let mut next = span.max.map_or(span.idle, |max| max.min(span.idle));
        self.remove_if(|session| match session.ends(span) {
            Some(end) if end <= now => true,
            end => {
                next = end.map_or(next, |end| next.min(end - now));
                false
            }
        });
        next
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    fn shard(&self, token: &Token) -> MutexGuard<'_, Shard<P>> {
        lock(&self.shards[token.place(SHARDS)])
    }

    fn count_in(&self) -> Result<(), Full> {
        let limit = self.limits.count();
        let more = |count: usize| (count < limit).then_some(count + 1);
        self.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).map(drop).map_err(|_| Full)
    }

    /// Ends the sessions that are chosen; gives how many.
    fn remove_if(&self, mut chosen: impl FnMut(&Session<P>) -> bool) -> usize {
        let mut count = 0;
        for shard in &self.shards {
            // Connections are closed when the lock is not held any more.
            let removed: Vec<_> = lock(shard).extract_if(|_, session| chosen(session)).collect();
            count += removed.len();
            removed.into_iter().for_each(|(_, session)| self.removed(Some(session)));
        }
        count
    }

    fn removed(&self, session: Option<Arc<Session<P>>>) {
        if let Some(session) = session {
            self.count.fetch_sub(1, Ordering::Relaxed);
            self.refusals.end();
            session.end();
        }
    }
}

impl Numbers {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

fn lock<P>(shard: &Mutex<Shard<P>>) -> MutexGuard<'_, Shard<P>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The limits in force, which a reload changes while workers look at them.
#[derive(Debug)]
struct Standing {
    /// In seconds.
    idle: AtomicU64,
    /// In seconds; 0 is none.
    max: AtomicU64,
    /// 0 lets nobody in.
    count: AtomicUsize,
}

impl Standing {
    fn new(limits: Limits) -> Self {
        let standing = Self { idle: AtomicU64::new(0), max: AtomicU64::new(0), count: AtomicUsize::new(0) };
        standing.set(limits);
        standing
    }

    fn set(&self, Limits { span, count }: Limits) {
        self.idle.store(span.idle.as_secs(), Ordering::Relaxed);
        self.max.store(span.max.map_or(0, |max| max.as_secs()), Ordering::Relaxed);
        self.count.store(count, Ordering::Relaxed);
    }

    fn close(&self) {
        self.count.store(0, Ordering::Relaxed);
    }

    fn is_closed(&self) -> bool {
        self.count() == 0
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    fn span(&self) -> Span {
        let max = Duration::from_secs(self.max.load(Ordering::Relaxed));
        Span { idle: Duration::from_secs(self.idle.load(Ordering::Relaxed)), max: (!max.is_zero()).then_some(max) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::convert::Infallible;
    use std::io::Read as _;
    use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use tokio::io::AsyncWriteExt as _;

    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const UPSTREAM: SocketAddr = SocketAddr::new(CLIENT, 80);

    const LIMITS: Limits =
        Limits { span: Span { idle: Duration::from_secs(1000), max: Some(Duration::from_secs(5000)) }, count: 100_000 };

    /// A connection that knows whose it is, and notices if two have it at once.
    #[derive(Debug)]
    struct Connection {
        owner: u64,
        in_use: Arc<AtomicBool>,
        requests: u64,
    }

    impl Connection {
        fn of(owner: u64) -> Self {
            Self { owner, in_use: Arc::default(), requests: 0 }
        }
    }

    type Pool = Sessions<Connection>;

    fn pool() -> Pool {
        Sessions::new(LIMITS, Numbers::default())
    }

    fn later(now: Instant, seconds: u64) -> Instant {
        now + Duration::from_secs(seconds)
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    /// A request in a session, from the beginning to the end.
    async fn request(session: &Arc<Session<Connection>>) -> Option<u64> {
        let turn = session.turn(CLIENT).await?;
        let mut held = match turn.resume(Ok::<_, Infallible>) {
            Ok(held) => held,
            Err(turn) => turn.fill(Connection::of(session.number), Some(UPSTREAM)),
        };
        let connection = held.connection();
        assert_eq!(connection.owner, session.number);
        let in_use = Arc::clone(&connection.in_use);
        assert!(!in_use.swap(true, Ordering::SeqCst), "two have it");
        tokio::task::yield_now().await;
        assert!(in_use.swap(false, Ordering::SeqCst));
        held.connection().requests += 1;
        let requests = held.connection().requests;
        held.park(Some);
        Some(requests)
    }

    #[test]
    fn only_what_was_given_out_is_found() {
        let (pool, now) = (pool(), Instant::now());
        let (token, session) = pool.open(now).unwrap();
        assert!(Arc::ptr_eq(&pool.find(&token, now).unwrap(), &session));
        assert!(pool.find(&Token::random(), now).is_none());
        assert_eq!((session.number, pool.len()), (1, 1));
    }

    #[test]
    fn sessions_expire() {
        // Opened, asked for and looked at after so many seconds.
        for (asked, looked, expected) in [
            (&[][..], 0, true),
            (&[], 999, true),
            (&[], 1000, false),
            (&[900], 1899, true),
            (&[900], 1900, false),
            (&[900, 1800, 2700, 3600, 4500], 4999, true),
            (&[900, 1800, 2700, 3600, 4500], 5000, false),
        ] {
            for swept in [false, true] {
                let (pool, began) = (pool(), Instant::now());
                let (token, _) = pool.open(began).unwrap();
                for &asked in asked {
                    assert!(pool.find(&token, later(began, asked)).is_some(), "{asked}");
                }
                let now = later(began, looked);
                if swept {
                    let next = pool.sweep(now);
                    assert!(next > Duration::ZERO && next <= LIMITS.span.idle, "{next:?}");
                    assert_eq!(pool.len(), usize::from(expected), "{asked:?} {looked}");
                }
                assert_eq!(pool.find(&token, now).is_some(), expected, "{asked:?} {looked}");
                assert_eq!(pool.len(), usize::from(expected), "{asked:?} {looked}");
                // Whoever is over comes back at no time.
                assert_eq!(pool.find(&token, began).is_some(), expected);
            }
        }
    }

    #[test]
    fn a_request_keeps_its_session_but_not_beyond_its_age() {
        let (pool, began) = (pool(), Instant::now());
        let (token, session) = pool.open(began).unwrap();
        let held = block_on(session.turn(CLIENT)).unwrap().fill(Connection::of(1), Some(UPSTREAM));
        pool.sweep(later(began, 4900));
        assert!(pool.find(&token, later(began, 4900)).is_some());
        pool.sweep(later(began, 5000));
        assert!(pool.find(&token, began).is_none());
        // The request that has it goes on; nothing else does.
        held.park(Some);
        assert!(block_on(session.turn(CLIENT)).is_none());
        assert_eq!(session.seen(began).upstream, None);
    }

    #[test]
    fn there_are_not_more_than_may_be() {
        let (pool, now) = (pool(), Instant::now());
        pool.limit(Limits { count: 2, ..LIMITS });
        let (first, _) = pool.open(now).unwrap();
        pool.open(now).unwrap();
        assert_eq!(pool.open(now).unwrap_err(), Full);
        assert!(pool.end(1) && !pool.end(1) && !pool.end(7));
        assert!(pool.find(&first, now).is_none());
        assert_eq!(pool.open(now).unwrap().1.number, 3);
        assert_eq!(pool.len(), 2);
    }

    #[test]
    fn all_end_when_it_is_closed() {
        let (pool, now) = (pool(), Instant::now());
        let (token, session) = pool.open(now).unwrap();
        block_on(request(&session)).unwrap();
        pool.close();
        assert!(pool.find(&token, now).is_none() && pool.open(now).is_err());
        assert!(block_on(request(&session)).is_none());
        assert_eq!((pool.len(), session.seen(now).upstream), (0, None));
        pool.limit(LIMITS);
        assert_eq!(pool.open(now).unwrap().1.number, 2);
    }

    #[test]
    fn the_list() {
        let (pool, now) = (pool(), Instant::now());
        let (_, first) = pool.open(now).unwrap();
        let _second = pool.open(later(now, 5)).unwrap();
        block_on(request(&first)).unwrap();
        let _busy = block_on(first.turn(CLIENT)).unwrap();
        let list = pool.list(later(now, 10));
        let unused = Seen {
            number: 2,
            address: None,
            upstream: None,
            requests: 0,
            age: Duration::from_secs(5),
            idle: Some(Duration::from_secs(5)),
        };
        let used = Seen {
            number: 1,
            address: Some(CLIENT),
            upstream: Some(UPSTREAM),
            requests: 2,
            age: Duration::from_secs(10),
            idle: None,
        };
        assert_eq!(list, [used, unused]);
    }

    #[test]
    fn numbers_are_the_servers() {
        let (numbers, now) = (Numbers::default(), Instant::now());
        let pools = [Pool::new(LIMITS, numbers.clone()), Pool::new(LIMITS, numbers)];
        let opened = [0, 1, 1, 0].map(|pool| pools[pool].open(now).unwrap().1.number);
        assert_eq!(opened, [1, 2, 3, 4]);
    }

    /// Workers with their own event loops use the same sessions, each with several requests at once, while others are
    /// opened, ended and swept.
    #[test]
    fn no_connection_is_ever_two_sessions() {
        const WORKERS: usize = 4;
        const SESSIONS: usize = 50;
        const ROUNDS: u64 = 20;
        let (pool, now) = (Arc::new(pool()), Instant::now());
        let tokens: Vec<Token> = (0..SESSIONS).map(|_| pool.open(now).unwrap().0).collect();
        let work = || {
            let (pool, tokens) = (Arc::clone(&pool), tokens.clone());
            move || {
                let tasks = tokio::task::LocalSet::new();
                for token in tokens {
                    let pool = Arc::clone(&pool);
                    tasks.spawn_local(async move {
                        for round in 0..ROUNDS {
                            let session = pool.find(&token, now).unwrap();
                            assert!(request(&session).await.unwrap() > round);
                            // One more that comes and goes, and whoever still has it gets nothing.
                            let (_, brief) = pool.open(now).unwrap();
                            request(&brief).await.unwrap();
                            pool.sweep(now);
                            assert!(pool.end(brief.number) && request(&brief).await.is_none());
                        }
                    });
                }
                block_on(tasks);
            }
        };
        let threads: Vec<_> = (0..WORKERS).map(|_| thread::spawn(work())).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let list = pool.list(now);
        assert_eq!((list.len(), pool.len()), (SESSIONS, SESSIONS));
        for seen in list {
            assert_eq!((seen.requests, seen.idle.is_some()), (WORKERS as u64 * ROUNDS, true));
        }
    }

    #[test]
    fn a_connection_goes_from_one_event_loop_to_another() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, now) = (listener.local_addr().unwrap(), Instant::now());
        let upstream = thread::spawn(move || listener.accept().unwrap().0);
        let pool = Sessions::<TcpStream>::new(LIMITS, Numbers::default());
        let (token, _) = pool.open(now).unwrap();
        let mut connected = 0;
        for byte in 0..3 {
            // A worker.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
            runtime.block_on(async {
                let session = pool.find(&token, now).unwrap();
                let mut held = match session.turn(CLIENT).await.unwrap().resume(tokio::net::TcpStream::from_std) {
                    Ok(held) => held,
                    Err(turn) => {
                        connected += 1;
                        turn.fill(tokio::net::TcpStream::connect(address).await.unwrap(), Some(address))
                    }
                };
                held.connection().write_all(&[byte]).await.unwrap();
                held.park(|stream| stream.into_std().ok());
            });
        }
        assert!(pool.end(1));
        let mut received = Vec::new();
        upstream.join().unwrap().read_to_end(&mut received).unwrap();
        assert_eq!((connected, received), (1, vec![0, 1, 2]));
    }

    #[test]
    fn an_idle_session_is_small() {
        let (pool, now) = (Sessions::<TcpStream>::new(LIMITS, Numbers::default()), Instant::now());
        let tokens: HashSet<Token> = (0..10_000).map(|_| pool.open(now).unwrap().0).collect();
        assert_eq!((tokens.len(), pool.len()), (10_000, 10_000));
        // One byte of each entry says what it is.
        let entry = size_of::<(Token, Arc<Session>)>() + 1;
        let room: usize = pool.shards.iter().map(|shard| lock(shard).capacity() * 8 / 7 * entry).sum();
        let counts = 2 * size_of::<usize>();
        let own = size_of::<Session>() + size_of::<tokio::sync::Mutex<Option<Parked>>>() + 2 * counts;
        assert!(room / pool.len() + own <= 512, "{} in the map and {own}", room / pool.len());
    }
}
