//! Clients that are pinned: each has an upstream's connection of its own, told by a cookie, for as long as its session
//! lives (the founding text on proxies that keep "a remote connection permanently open").
//!
//! Nothing is ever sent twice, and nothing goes over another connection than the session's, for the upstream may know
//! the client by its connection.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Errand;
use super::downward::Downward;
use super::exchange::{End, Exchange, Terms};
use super::upward::Upward;
use crate::connection::request::Refusal;
use crate::connection::{After, Connection, Outcome};
use crate::target::proxy::{Held, Link, Session, Sessions, Token, Tried, cookies, set_cookie, without_cookie};

/// How long the rest of an answer may take that nobody waits for any more.
const REST: Duration = Duration::from_secs(10);

/// A request's session.
pub(super) struct Pin<'a> {
    sessions: &'a Sessions,
    session: Arc<Session>,
    token: Token,
    /// Whether the client has to be told of it.  If that comes to nothing, it ends with this.
    is_new: bool,
}

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        if self.is_new {
            self.sessions.forget(&self.token);
        }
    }
}

impl Pin<'_> {
    /// The line that gives the client its cookie, if it hasn't got it.
    pub(super) fn line(&self, name: &str, is_tls: bool) -> String {
        match self.is_new {
            true => format!("Set-Cookie: {}\r\n", set_cookie(name, &self.token, is_tls)),
            false => String::new(),
        }
    }
}

/// The Cookie headers for the upstream.
pub(super) fn cookies_for(errand: &Errand<'_>, pin: &Pin<'_>) -> Vec<Vec<u8>> {
    let config = &errand.proxy.config;
    let name = &config.session_cookie;
    let mut cookies: Vec<Vec<u8>> =
        cookie_headers(errand).filter_map(|header| without_cookie(header, name)).map(Cow::into_owned).collect();
    if config.session_forward {
        // There should be one header only (RFC 6265, section 5.4).
        cookies.push(format!("{name}={}", pin.token.text()).into_bytes());
        cookies = vec![cookies.join(&b"; "[..])];
    }
    cookies
}

fn cookie_headers<'a>(errand: &Errand<'a>) -> impl Iterator<Item = &'a [u8]> {
    errand.request.headers().filter(|header| header.0.eq_ignore_ascii_case(b"cookie")).map(|header| header.1)
}

impl Connection {
    /// Has a request answered over its session's connection.
    pub(super) async fn run_pinned(
        &mut self,
        errand: &Errand<'_>,
        up: &mut Upward,
        sessions: &Sessions,
    ) -> Result<Outcome, Refusal> {
        let minor = errand.request.head.minor;
        let (pin, turn) = loop {
            let Some(pin) = find(errand, sessions, Instant::now()) else {
                return Ok(self.unavailable(errand, up, sessions).await);
            };
            let turn = tokio::select! {
                biased;
                turn = pin.session.turn(self.stream.vitals().peer().ip()) => turn,
                () = self.stream.gone(minor == 1, true) => return Ok(Outcome::new(499, 0, false)),
            };
            // One that has ended meanwhile is not found again.
            if let Some(turn) = turn {
                break (pin, turn);
            }
        };
        let mut lost = None;
        let resumed = turn.resume(|parked| Link::unpark(parked).map_err(|upstream| lost = Some(upstream)));
        let mut held = match (resumed, lost) {
            (Ok(held), _) => held,
            (Err(_), Some(upstream)) => {
                upstream.tell_loss();
                return Ok(self.unanswered(errand, up, 502).await);
            }
            (Err(turn), None) => match errand.proxy.reach(self.worker.pool(), &mut Tried::new(), true).await {
                Ok(link) => {
                    let address = link.address();
                    turn.fill(link, address)
                }
                Err(why) => {
                    tracing::debug!("cannot forward a request of {}: {why}", self.peer());
                    drop(pin);
                    return Ok(self.unanswered(errand, up, why.status()).await);
                }
            },
        };
        self.start(errand, up, Some(&pin));
        let mut exchange = Exchange::new(self.terms(errand, Some(&pin)), held.connection(), up);
        let end = exchange.run(&mut self.stream).await;
        let Exchange { down, terms, .. } = exchange;
        self.end_pinned(errand, (pin, held), (up, down, terms), end).await
    }

    async fn end_pinned(
        &mut self,
        errand: &Errand<'_>,
        (mut pin, mut held): (Pin<'_>, Held<Link>),
        (up, down, terms): (&Upward, Downward, Terms),
        end: End,
    ) -> Result<Outcome, Refusal> {
        let upstream = Arc::clone(held.connection().upstream());
        if down.has_begun() {
            upstream.answered();
            pin.is_new = false;
        }
        let (outcome, left) = (down.outcome(), down.left());
        match end {
            End::Complete => {
                if down.is_clean() && up.is_done() {
                    held.park(Link::park);
                }
                Ok(outcome)
            }
            End::Switched => unreachable!("nobody has asked for it"),
            End::Refused(refusal) => Err(refusal),
            End::Gone => {
                // Whoever comes back finds the connection as it would be, had the client waited.
                if up.is_done() && !pin.is_new {
                    tokio::task::spawn_local(discard(held, down, terms));
                }
                Ok(left)
            }
            End::Cut(why) => {
                upstream.tell_cut(&why);
                Ok(Outcome { after: After::Abort, ..outcome })
            }
            End::Fault(fault) => {
                errand.proxy.failed(&upstream, &fault);
                drop((pin, held));
                Ok(self.unanswered(errand, up, fault.status()).await)
            }
        }
    }

    /// Answers a client for whom there is no room.
    async fn unavailable(&mut self, errand: &Errand<'_>, up: &Upward, sessions: &Sessions) -> Outcome {
        sessions.tell_refusal(&errand.proxy.config.session_cookie, Instant::now());
        self.failure(errand, up, 503).await
    }
}

/// The session of a request: the one of its cookie, or a new one; `None` if there are too many.
fn find<'a>(errand: &Errand<'_>, sessions: &'a Sessions, now: Instant) -> Option<Pin<'a>> {
    let tokens = cookies(cookie_headers(errand), &errand.proxy.config.session_cookie).filter_map(Token::parse);
    for token in tokens {
        if let Some(session) = sessions.find(&token, now) {
            return Some(Pin { sessions, session, token, is_new: false });
        }
    }
    let (token, session) = sessions.open(now).ok()?;
    Some(Pin { sessions, session, token, is_new: true })
}

/// Reads the rest of an answer that nobody waits for, so that the connection may stay.
async fn discard(mut held: Held<Link>, mut down: Downward, terms: Terms) {
    let mut up = Upward::spent();
    let rest = down.discard(held.connection(), &terms, &mut up);
    if tokio::time::timeout(REST, rest).await.is_ok_and(|complete| complete) && down.is_clean() {
        held.park(Link::park);
    }
}
