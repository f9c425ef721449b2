//! Requests that an upstream answers: the client's goes out and the answer comes back, both while they come.
//!
//! Here is who is asked, what is tried again, and what the client is told if nobody answers.  `exchange` carries out one
//! try, of which `upward` is the request's half and `downward` the answer's; `tunnel` is what follows a 101, `pinned` what is
//! different for clients with a connection of their own.

mod downward;
mod exchange;
mod pinned;
mod tunnel;
mod upward;

use std::sync::Arc;
use std::time::Instant;

use self::exchange::{End, Exchange, Fault, Terms};
use self::pinned::Pin;
use self::upward::Upward;
use super::fields::Framing;
use super::request::{Manner, Refusal, Request};
use super::token::has_token;
use super::vitals::{Kind, Phase};
use super::{After, Aim, Connection, Outcome};
use crate::target::proxy::{Asked, Care, Expected, Fallback, Hop, Link, Proxy, Tried, hops, render_request};

/// How often a request may have been forwarded: more often it is on its way in a circle.
const MOST_HOPS: usize = 16;

/// A request that an upstream is to answer.
#[derive(Clone, Copy)]
struct Errand<'a> {
    request: &'a Request,
    aim: &'a Aim<'a>,
    proxy: &'a Proxy,
    /// The path behind the route's prefix.
    rest: &'a [u8],
}

impl Connection {
    /// Has a request answered by an upstream; `rest` is the path behind the route's prefix.
    pub(super) async fn forward(
        &mut self,
        request: &Request,
        aim: &Aim<'_>,
        proxy: &Arc<Proxy>,
        rest: &[u8],
    ) -> Result<Outcome, Refusal> {
        let errand = Errand { request, aim, proxy, rest };
        self.stream.vitals().enter(Phase::Forwarding);
        let mut up = Upward::new(request, self.stream.take_rest());
        let outcome = match &proxy.sessions {
            _ if hops(request.headers()) > MOST_HOPS => Ok(Box::pin(self.failure(&errand, &up, 508)).await),
            Some(sessions) => Box::pin(self.run_pinned(&errand, &mut up, sessions)).await,
            None => self.run(&errand, &mut up).await,
        };
        if up.is_read() {
            self.stream.put_back(up.take_rest());
            return outcome;
        }
        outcome.map(|outcome| match outcome.after {
            After::Close => Outcome { after: After::Linger, ..outcome },
            _ => outcome,
        })
    }

    async fn run(&mut self, errand: &Errand<'_>, up: &mut Upward) -> Result<Outcome, Refusal> {
        let (mut tried, mut fresh) = (Tried::new(), false);
        loop {
            let is_first = !fresh && tried.is_empty();
            let care = if is_repeatable(errand.request) { Care::Heard } else { Care::Looked };
            let resting = if is_first { errand.proxy.resting(self.worker.pool(), care) } else { None };
            // What is rare has futures of its own, which would make this one larger for all.
            let reached = match resting {
                Some(link) => Ok(link),
                None => Box::pin(errand.proxy.reach(self.worker.pool(), &mut tried, fresh)).await,
            };
            let link = match reached {
                Ok(link) => link,
                Err(why) => {
                    tracing::debug!("cannot forward a request of {}: {why}", self.peer());
                    return Ok(Box::pin(self.unanswered(errand, up, why.status())).await);
                }
            };
            let was_used = link.is_used;
            let upstream = Arc::clone(link.upstream());
            self.start(errand, up, None);
            let mut exchange = Exchange::new(self.terms(errand, None), &link, up);
            let end = exchange.run(&mut self.stream).await;
            let Exchange { down, moved, .. } = exchange;
            if down.has_begun() {
                upstream.answered();
            }
            match end {
                End::Complete => {
                    if down.is_clean() && up.is_done() {
                        self.let_rest(link, errand, moved);
                    }
                    return Ok(down.outcome());
                }
                End::Switched => {
                    let said = (up.take_rest(), down.into_rest());
                    return Ok(Box::pin(self.switched(errand, said, &link)).await);
                }
                End::Gone => return Ok(down.left()),
                End::Refused(refusal) => return Err(refusal),
                End::Cut(why) => {
                    upstream.tell_cut(&why);
                    return Ok(Outcome { after: After::Abort, ..down.outcome() });
                }
                // It has closed the connection while it rested, which is no failure.
                End::Fault(fault) if was_used && may_repeat(errand, &fault) => fresh = true,
                End::Fault(fault) => {
                    errand.proxy.failed(&upstream, &fault);
                    tried.push(upstream.number);
                    if !may_repeat(errand, &fault) || !errand.proxy.has_others(&tried) {
                        return Ok(Box::pin(self.unanswered(errand, up, fault.status())).await);
                    }
                }
            }
        }
    }

    /// Keeps an upstream's connection for the next request, unless a reload has removed the upstream meanwhile.
    fn let_rest(&self, link: Link, errand: &Errand<'_>, now: Instant) {
        let site = self.worker.site();
        if std::ptr::eq(&*site, errand.aim.site) || site.has_upstream(link.upstream().number) {
            self.worker.pool().put(link, site.settings.proxy_idle, now);
        }
    }

    /// Renders the head for the upstream.
    fn start(&self, errand: &Errand<'_>, up: &mut Upward, pin: Option<&Pin<'_>>) {
        let Errand { request, aim, proxy, .. } = errand;
        let cookies = pin.map(|pin| pinned::cookies_for(errand, pin));
        let asked = Asked {
            method: request.method(),
            path: request.path(),
            query: request.query(),
            host: request.host(),
            minor: request.head.minor,
            is_chunked: request.head.framing == Framing::Chunked,
        };
        let hop = Hop {
            peer: self.peer().ip(),
            scheme: self.scheme(),
            host: proxy.host.as_deref(),
            trusts_client: aim.site.settings.no_clobber_xff,
            upgrades: pin.is_none() && upgrades(request),
            expects_continue: up.is_held(),
            cookies: cookies.as_deref(),
        };
        up.start(|out| render_request(out, &asked, request.headers(), &hop));
    }

    fn terms(&self, errand: &Errand<'_>, pin: Option<&Pin<'_>>) -> Terms {
        let Errand { request, proxy, .. } = errand;
        let name = &proxy.config.session_cookie;
        Terms {
            expected: Expected { to_head: request.is_head(), upgrades: pin.is_none() && upgrades(request) },
            manner: request.manner(),
            date: self.worker.date().1,
            lines: self.hsts_line() + &pin.map_or_else(String::new, |pin| pin.line(name, self.stream.is_tls())),
            own_cookie: name.clone(),
            first_byte: proxy.first_byte_timeout,
            idle: proxy.idle_timeout,
        }
    }

    /// Answers in the place of upstreams.
    async fn unanswered(&mut self, errand: &Errand<'_>, up: &Upward, status: u16) -> Outcome {
        let Errand { request, aim, proxy, rest } = errand;
        let is_plain = matches!(request.method(), b"GET" | b"HEAD") && request.head.framing == Framing::Length(0);
        match &proxy.fallback {
            Some(Fallback::Directory(directory)) if is_plain => self.file(request, aim.site, directory, rest).await,
            Some(Fallback::Redirect(redirect)) if is_plain => self.redirect(request, aim.host, redirect).await,
            _ => self.failure(errand, up, status).await,
        }
    }

    /// Answers with an error.
    async fn failure(&mut self, errand: &Errand<'_>, up: &Upward, status: u16) -> Outcome {
        // What is left of a body must not be taken for a request.
        let manner = errand.request.manner();
        let manner = Manner { keep_alive: manner.keep_alive && up.is_read(), ..manner };
        self.error_of(manner, status, errand.aim.host).await
    }

    /// Passes on what both sides say, until they have nothing more to say; client and upstream have `said` something.
    async fn switched(&mut self, errand: &Errand<'_>, said: (Vec<u8>, Vec<u8>), link: &Link) -> Outcome {
        if errand.request.header("upgrade").is_some_and(|list| has_token(list, b"websocket")) {
            self.stream.vitals().kind.set(Kind::WebSocket);
        }
        let bytes = tunnel::run(&mut self.stream, link, said).await;
        Outcome::new(101, bytes, false)
    }
}

/// Whether the client asks for another protocol; with a body it can't (RFC 9110, section 7.8, would have it wait).
fn upgrades(request: &Request) -> bool {
    request.head.minor == 1
        && request.head.framing == Framing::Length(0)
        && request.header("upgrade").is_some()
        && request.header("connection").is_some_and(|list| has_token(list, b"upgrade"))
}

/// Whether a request may be sent again (RFC 9110, section 9.2.2): nothing has come of it, and twice is as good as once.
fn may_repeat(errand: &Errand<'_>, fault: &Fault) -> bool {
    is_repeatable(errand.request) && matches!(fault, Fault::Closed | Fault::Broken(_))
}

fn is_repeatable(request: &Request) -> bool {
    let is_idempotent = matches!(request.method(), b"GET" | b"HEAD" | b"OPTIONS" | b"PUT" | b"DELETE");
    is_idempotent && request.head.framing == Framing::Length(0)
}
