//! A pinned session: a client's own connection to an upstream, and whose turn it is to use it.
//!
//! The connection lies in its session between requests.  A request waits for its [`Turn`], in the order in which
//! requests came, from whichever worker; what it takes out is [`Held`] together with the turn and can only go back to
//! where it came from, or be closed.  What a connection is, is left to the caller: one that is parked must not belong
//! to a worker's event loop.  Which sessions there are is left to `sessions`.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OwnedMutexGuard;

use super::link::Parked;

/// A session, with room for a connection that is parked as a `P`.
#[derive(Debug)]
pub(crate) struct Session<P = Parked> {
    /// What people call it.  It is no secret, and opens nothing.
    pub(crate) number: u64,
    created: Instant,
    life: Mutex<Life>,
    /// In an `Arc` of its own so that a guard can be kept beside the session.
    slot: Arc<tokio::sync::Mutex<Option<P>>>,
}

/// How long a session lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Behind its last request.
    pub(crate) idle: Duration,
    /// At all.
    pub(crate) max: Option<Duration>,
}

/// What is told of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) number: u64,
    /// The client of the last request.
    pub(crate) address: Option<IpAddr>,
    /// Where its connection leads, while there is one.
    pub(crate) upstream: Option<SocketAddr>,
    pub(crate) requests: u64,
    pub(crate) age: Duration,
    /// How long ago its last request ended; `None` while there is one.
    pub(crate) idle: Option<Duration>,
}

/// A request's time with the session: no other request has its connection meanwhile.
#[derive(Debug)]
pub(crate) struct Turn<P = Parked> {
    visit: Visit<P>,
    /// None only while this is being dropped.
    guard: Option<OwnedMutexGuard<Option<P>>>,
}

/// The session's connection in use.  Dropping it closes the connection and gives the turn to the next request.
#[derive(Debug)]
pub(crate) struct Held<C, P = Parked> {
    connection: C,
    turn: Turn<P>,
}

/// What changes.
#[derive(Debug)]
struct Life {
    /// It has ended: whoever still has it must not use it any more.
    is_over: bool,
    last_used: Instant,
    /// How many requests have it or wait for it.
    users: usize,
    requests: u64,
    address: Option<IpAddr>,
    upstream: Option<SocketAddr>,
}

impl<P> Session<P> {
    /// A session without a connection.
    pub(super) fn new(number: u64, now: Instant) -> Self {
        let life = Life { is_over: false, last_used: now, users: 0, requests: 0, address: None, upstream: None };
        Self { number, created: now, life: Mutex::new(life), slot: Arc::default() }
    }

    /// Waits until all requests that asked before are done; `None` if the session has ended.
    ///
    /// Nothing is lost if this is dropped.
    pub(crate) async fn turn(self: &Arc<Self>, client: IpAddr) -> Option<Turn<P>> {
        let visit = Visit::begin(self, client)?;
        let guard = Arc::clone(&self.slot).lock_owned().await;
        let turn = Turn { visit, guard: Some(guard) };
        let is_over = self.life().is_over;
        // A turn that is dropped closes what has been left.
        (!is_over).then_some(turn)
    }

    /// When it will be over if nothing happens; `None` is not because of time.
    pub(super) fn ends(&self, span: Span) -> Option<Instant> {
        let life = self.life();
        let idle = (life.users == 0).then(|| life.last_used + span.idle);
        let max = span.max.map(|max| self.created + max);
        idle.into_iter().chain(max).min()
    }

    /// Makes it last until the request that has found it has its turn.
    pub(super) fn touch(&self, now: Instant) {
        let mut life = self.life();
        life.last_used = life.last_used.max(now);
    }

    /// Ends it: a request in progress goes on, then the connection is closed; one that waits gets no turn.
    pub(super) fn end(&self) {
        self.life().is_over = true;
        self.close_if_over();
    }

    pub(super) fn seen(&self, now: Instant) -> Seen {
        let life = self.life();
        Seen {
            number: self.number,
            address: life.address,
            upstream: life.upstream,
            requests: life.requests,
            age: now.saturating_duration_since(self.created),
            idle: (life.users == 0).then(|| now.saturating_duration_since(life.last_used)),
        }
    }

    /// Closes the connection of a session that is over, unless a request has it.
    ///
    /// It is called both when a session ends and when a turn does, so that one of the two finds the other done.
    fn close_if_over(&self) {
        if !self.life().is_over {
            return;
        }
        let parked = self.slot.try_lock().ok().and_then(|mut slot| slot.take());
        if parked.is_some() {
            self.life().upstream = None;
        }
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P> Turn<P> {
    /// Takes the connection that is parked here, and brings it back to life; gives the turn back if there is none or
    /// if that fails.
    ///
    /// # Errors
    /// The turn, for a new connection.
    pub(crate) fn resume<C, E>(mut self, wake: impl FnOnce(P) -> Result<C, E>) -> Result<Held<C, P>, Self> {
        match self.slot().take().map(wake) {
            Some(Ok(connection)) => Ok(Held { connection, turn: self }),
            _ => Err(self),
        }
    }

    /// Gives the session a new connection.
    pub(crate) fn fill<C>(self, connection: C, upstream: Option<SocketAddr>) -> Held<C, P> {
        self.visit.session.life().upstream = upstream;
        Held { connection, turn: self }
    }

    fn slot(&mut self) -> &mut Option<P> {
        self.guard.as_mut().expect("only taken by drop")
    }
}

impl<P> Drop for Turn<P> {
    fn drop(&mut self) {
        let session = &self.visit.session;
        if let Some(guard) = self.guard.take() {
            if guard.is_none() {
                session.life().upstream = None;
            }
            drop(guard);
        }
        session.close_if_over();
    }
}

impl<C, P> Held<C, P> {
    /// The connection, which stays the session's.
    pub(crate) fn connection(&mut self) -> &mut C {
        &mut self.connection
    }

    /// Leaves the connection to the session's next request, unless it can't be parked; gives the turn to that request.
    pub(crate) fn park(self, park: impl FnOnce(C) -> Option<P>) {
        let Self { connection, mut turn } = self;
        *turn.slot() = park(connection);
    }
}

/// A request that has the session, or waits for it.
#[derive(Debug)]
struct Visit<P> {
    session: Arc<Session<P>>,
}

impl<P> Visit<P> {
    fn begin(session: &Arc<Session<P>>, client: IpAddr) -> Option<Self> {
        let mut life = session.life();
        if life.is_over {
            return None;
        }
        life.users += 1;
        life.requests += 1;
        life.address = Some(client);
        drop(life);
        Some(Self { session: Arc::clone(session) })
    }
}

impl<P> Drop for Visit<P> {
    // The one time that nobody can pass in: a request may also end because its future is dropped.
    fn drop(&mut self) {
        let mut life = self.session.life();
        life.users -= 1;
        life.last_used = life.last_used.max(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::net::Ipv4Addr;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const UPSTREAM: SocketAddr = SocketAddr::new(CLIENT, 80);
    const SPAN: Span = Span { idle: Duration::from_secs(1000), max: Some(Duration::from_secs(5000)) };

    /// Something that tells whether it has been dropped.
    type Connection = Arc<()>;

    fn session() -> Arc<Session<Connection>> {
        Arc::new(Session::new(1, Instant::now()))
    }

    /// What is there at once.
    fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    fn turn(session: &Arc<Session<Connection>>) -> Option<Turn<Connection>> {
        now(session.turn(CLIENT)).expect("nobody has it")
    }

    fn wake(connection: Connection) -> Result<Connection, Infallible> {
        Ok(connection)
    }

    fn is_closed(connection: &Connection) -> bool {
        Arc::strong_count(connection) == 1
    }

    /// A session with a connection parked in it, and that connection.
    fn parked() -> (Arc<Session<Connection>>, Connection) {
        let (session, connection) = (session(), Connection::default());
        turn(&session).unwrap().fill(Arc::clone(&connection), Some(UPSTREAM)).park(Some);
        (session, connection)
    }

    #[test]
    fn a_connection_goes_from_request_to_request() {
        let (session, connection) = parked();
        for requests in 2..5 {
            let mut held = turn(&session).unwrap().resume(wake).unwrap();
            assert!(Arc::ptr_eq(held.connection(), &connection));
            let seen = session.seen(Instant::now());
            assert_eq!((seen.requests, seen.upstream, seen.idle), (requests, Some(UPSTREAM), None));
            held.park(Some);
            assert!(session.seen(Instant::now()).idle.is_some());
        }
        assert!(!is_closed(&connection));
    }

    #[test]
    fn what_is_not_parked_is_closed() {
        let (session, connection) = parked();
        drop(turn(&session).unwrap().resume(wake).unwrap());
        assert!(is_closed(&connection));
        assert_eq!(session.seen(Instant::now()).upstream, None);
        let turn = turn(&session).unwrap().resume(wake).unwrap_err();
        turn.fill(Connection::default(), Some(UPSTREAM)).park(|_| None);
        assert_eq!(session.seen(Instant::now()).upstream, None);
    }

    #[test]
    fn what_does_not_wake_is_closed_and_the_turn_stays() {
        let (session, connection) = parked();
        let turn = turn(&session).unwrap().resume::<(), _>(Err).unwrap_err();
        assert!(is_closed(&connection));
        assert!(now(session.turn(CLIENT)).is_none());
        drop(turn);
    }

    #[test]
    fn who_waits_has_its_turn_in_the_order_of_coming() {
        let session = session();
        let first = turn(&session);
        let mut waiting: Vec<_> = (0..10).map(|_| Box::pin(session.turn(CLIENT))).collect();
        let mut context = Context::from_waker(Waker::noop());
        assert!(waiting.iter_mut().all(|turn| turn.as_mut().poll(&mut context).is_pending()));
        // One gives up.
        drop(waiting.remove(3));
        drop(first);
        while !waiting.is_empty() {
            let ready: Vec<_> = waiting.iter_mut().map(|turn| turn.as_mut().poll(&mut context)).collect();
            assert!(ready[0].is_ready() && ready[1..].iter().all(Poll::is_pending));
            drop(ready);
            drop(waiting.remove(0));
        }
        assert!(session.seen(Instant::now()).idle.is_some());
    }

    #[test]
    fn one_that_ends_while_nobody_has_it_is_closed_at_once() {
        let (session, connection) = parked();
        session.end();
        assert!(is_closed(&connection));
        assert!(turn(&session).is_none());
        assert_eq!(session.seen(Instant::now()).upstream, None);
    }

    #[test]
    fn one_that_ends_in_a_request_is_closed_behind_it() {
        let (session, connection) = parked();
        let held = turn(&session).unwrap().resume(wake).unwrap();
        let mut waits = Box::pin(session.turn(CLIENT));
        assert!(now(&mut waits).is_none());
        session.end();
        assert!(!is_closed(&connection));
        held.park(Some);
        assert!(now(waits).expect("it is free").is_none());
        assert!(is_closed(&connection) && turn(&session).is_none());
    }

    #[test]
    fn times() {
        let (session, created) = (session(), Instant::now());
        let forever = Span { max: None, ..SPAN };
        let in_seconds = |end: Option<Instant>| end.map(|end| (end - created).as_secs().next_multiple_of(100));
        session.touch(created + Duration::from_secs(100));
        assert_eq!(in_seconds(session.ends(SPAN)), Some(1100));
        session.touch(created);
        assert_eq!(in_seconds(session.ends(forever)), Some(1100));
        session.touch(created + Duration::from_secs(4500));
        assert_eq!(in_seconds(session.ends(SPAN)), Some(5000));
        assert_eq!(in_seconds(session.ends(forever)), Some(5500));
        let turn = turn(&session);
        assert_eq!(in_seconds(session.ends(SPAN)), Some(5000));
        assert_eq!(session.ends(forever), None);
        drop(turn);
        assert!(session.ends(forever).is_some());
    }
}
