//! One client's connection: its requests, one after the other, until either side closes.
//!
//! [`Connection`] owns the socket and the bytes that have come.  While it waits, for a request or for an answer,
//! it holds no buffer and no more state than [`Open`]; what happens then is a turn, in a future of its own.
//! The next request is not looked at before the answer to the one before it is complete.

mod answer;
mod ask;
mod bad;
mod body;
mod chunked;
mod clear;
mod duplex;
mod ending;
mod extension;
mod fields;
mod files;
mod forward;
mod head;
mod host;
mod hsts;
mod line;
mod message;
mod pending;
mod relay;
mod request;
mod respond;
mod serving;
mod socket;
mod span;
mod startline;
mod stream;
mod target;
mod tempfile;
mod tls;
mod token;
mod track;
mod upload;
mod vitals;
mod websocket;

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use mongrel2::route::Found;
use tokio::net::TcpStream;

pub(crate) use answer::{Answer, Persistence, error_page};
pub(crate) use ask::Address;
pub(crate) use chunked::{ChunkError, Decoder, Step};
pub(crate) use head::{Parsed, parse as parse_head};
pub(crate) use line::Line;
pub(crate) use message::encode;
pub(crate) use serving::Serving;
pub(crate) use socket::read_now;
pub(crate) use token::{decimal, elements, has_token};
pub(crate) use vitals::{Identity, Kind, Observed, Phase, Vitals};

use self::ask::Route;
use self::duplex::Duplex;
use self::pending::Pending;
use self::request::{Refusal, Request};
use self::stream::{Incoming, Spoken, Stream};
use crate::addresses::Counted;
use crate::log::{Access, Asked};
use crate::site::{Destination, Host, Site};
use crate::statistics::{Begun, Place};
use crate::target::Target;
use crate::tls::Terms;
use crate::worker::{Item, Worker};

/// A connection that has just come.
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) counted: Option<Counted>,
    /// TLS, if it is spoken.
    pub(crate) terms: Option<Arc<Terms>>,
}

/// A client's connection.
pub(crate) struct Connection {
    stream: Stream,
    worker: Rc<Worker>,
    /// The connection's place among those of the worker.
    key: usize,
    /// The connection's place in the registry, once a handler knows of it.
    line: Option<Rc<Line>>,
    open: Open,
    /// Whether the client is told in its own way when the connection ends for no reason of its own.
    says_goodbye: bool,
    /// Keeps the connection counted as one of its address.
    _counted: Option<Box<Counted>>,
}

/// What is open on a connection that waits.
#[derive(Debug, Default)]
enum Open {
    /// Nothing: the next request may come.
    #[default]
    Nothing,
    /// A request whose answer a handler owes.
    Request(Box<Pending>),
    /// A WebSocket, or a JSON or XML socket.
    Duplex(Box<Duplex>),
}

/// What becomes of a connection behind an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// The next request may come.
    KeepAlive,
    /// Something is [`Open`].
    Wait,
    Close,
    /// The same, for a client that may still be sending.
    Linger,
    /// The connection is cut, so that a part of an answer can't be taken for the whole.
    Abort,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.says_goodbye {
            self.stream.write_last(&websocket::close_frame(duplex::GOING_AWAY));
        }
        // Whoever is in the middle of something shall see that it was cut short.
        if self.stream.vitals().is_idle() {
            self.stream.end_now();
        }
        self.unregister();
        self.worker.closed(self.key);
    }
}

impl Connection {
    /// Makes a connection of a worker's, with its place among the others.
    ///
    /// In a box, since a future would hold what it is given twice.
    pub(crate) fn new(accepted: Accepted, worker: Rc<Worker>, key: usize, vitals: Rc<Vitals>) -> Box<Self> {
        let Accepted { stream, counted, terms } = accepted;
        let stream = Stream::new(stream, vitals, terms.as_deref());
        let counted = counted.map(Box::new);
        Box::new(Self { stream, worker, key, line: None, open: Open::Nothing, says_goodbye: false, _counted: counted })
    }

    /// The client's address.
    fn peer(&self) -> SocketAddr {
        self.stream.vitals().peer()
    }

    /// How the client has come, in handlers' URL_SCHEME.
    fn scheme(&self) -> &'static str {
        if self.stream.is_tls() { "https" } else { "http" }
    }

    /// The header line that an answer to the last request has to have beside its own, with its end; mostly none.
    fn hsts_line(&self) -> String {
        hsts::line(self.stream.hsts())
    }

    /// Begins to wait; gives whether there is anything to wait for.
    fn rest(&self) -> bool {
        match self.open {
            Open::Nothing | Open::Duplex(_) if self.worker.is_draining() => return false,
            // One that has not waited for anything reads no clock: that its bytes have moved is noted by the sweep.
            Open::Nothing => self.stream.vitals().enter(Phase::Idle),
            Open::Request(_) => self.stream.vitals().enter(Phase::Waiting),
            Open::Duplex(_) => self.stream.vitals().enter(Phase::Idle),
        }
        true
    }

    /// Waits for something to do; gives whether the connection goes on.
    fn poll_work(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        while let Some(line) = &self.line
            && line.poll_changed(context).is_ready()
        {
            match self.open {
                Open::Nothing if !is_noise(line) => return Poll::Ready(false),
                Open::Nothing => {}
                _ => return Poll::Ready(true),
            }
        }
        match self.open {
            Open::Nothing | Open::Duplex(_) => self.stream.poll_readable(context),
            Open::Request(_) => {
                ready!(self.stream.poll_finished(context));
                Poll::Ready(true)
            }
        }
    }

    async fn work(&mut self) -> After {
        let mut after = match std::mem::take(&mut self.open) {
            Open::Nothing => self.exchange().await,
            Open::Request(pending) => self.relay(pending).await,
            Open::Duplex(duplex) => Box::pin(self.converse(duplex)).await,
        };
        loop {
            match after {
                After::Wait => return After::Wait,
                After::Abort => {
                    self.unregister();
                    self.stream.abort();
                    return After::Close;
                }
                After::KeepAlive if !self.worker.is_draining() => {
                    if !self.stream.has_bytes() {
                        return After::KeepAlive;
                    }
                }
                After::Linger => {
                    self.unregister();
                    self.stream.linger().await;
                    return After::Close;
                }
                _ => {
                    self.unregister();
                    self.stream.end().await;
                    self.stream.linger_if_unread().await;
                    return After::Close;
                }
            }
            after = self.exchange().await;
        }
    }

    /// Tells handlers that the connection is gone, which they need not wait for a lingering client to hear.
    fn unregister(&mut self) {
        if let Some(line) = self.line.take() {
            self.worker.unregister(&line);
        }
    }

    /// Takes a request, and answers it or has it answered.
    async fn exchange(&mut self) -> After {
        if self.stream.is_handshaking() {
            match Box::pin(self.stream.shake_hands()).await {
                Ok(Spoken::Expected) => {}
                Ok(Spoken::Plain) => return Box::pin(self.answer_in_the_clear()).await,
                Err(_) => return After::Close,
            }
        }
        let mut buffer = self.worker.take_buffer();
        match self.stream.begin(&mut buffer) {
            Ok(true) => {}
            Ok(false) => {
                self.worker.return_buffer(buffer);
                return After::KeepAlive;
            }
            Err(_) => return After::Close,
        }
        let site = self.worker.site();
        let mut request = match self.stream.read_head(buffer, &site.settings).await {
            Ok(Incoming::Request(request)) => request,
            Ok(Incoming::Messages(bytes)) => return Box::pin(self.start_messages(bytes)).await,
            Err(refusal) => {
                self.stream.set_hsts(site.default_host().hsts);
                Box::pin(self.refuse(refusal, site.default_host(), Begun::now(Place::NOWHERE))).await;
                return After::Close;
            }
        };
        let host = Arc::clone(site.host(request.host()));
        self.stream.set_hsts(host.hsts);
        let aim = Aim::of(&request, &site, &host);
        self.worker.note_place(self.stream.vitals(), &host.places, aim.begun.place());
        let after = match self.dispatch(&mut request, &aim).await {
            Ok(Some(outcome)) => {
                self.record(&host, aim.begun, self.worker.keeps_log().then(|| asked(&request, &site)), &outcome);
                outcome.after
            }
            Ok(None) => After::Wait,
            Err(refusal) => {
                Box::pin(self.refuse(refusal, &host, aim.begun)).await;
                After::Close
            }
        };
        self.worker.return_buffer(request.into_buffer());
        after
    }

    /// Counts an exchange that has ended, and writes the access log's line of it.
    fn record(&self, host: &Host, begun: Begun, asked: Option<Asked<'_>>, outcome: &Outcome) {
        self.worker.count(&host.places, &begun.end(outcome.status, outcome.bytes));
        if asked.is_some() {
            self.worker.log(&Access {
                host: &host.name,
                peer: self.peer(),
                time: self.worker.date().0,
                asked,
                status: outcome.status,
                bytes: outcome.bytes,
            });
        }
    }

    /// Reads the body and answers; `None` if a handler will.
    async fn dispatch(&mut self, request: &mut Request, aim: &Aim<'_>) -> Result<Option<Outcome>, Refusal> {
        let Aim { site, host, ref found, begun } = *aim;
        if let Found::Rule(rule) = found
            && let Target::Handler(handler) = &rule.value.target
        {
            let route = Route { site, host, handler, pattern: &rule.path().text, begun };
            if let Some(store) = route.store(request) {
                return Box::pin(self.upload(request, &route, store)).await;
            }
            self.stream.read_body(request, site.settings.content_length).await?;
            return Ok(self.ask(request, &route).await);
        }
        if let Found::Rule(rule) = found
            && let Target::Proxy(proxy) = &rule.value.target
        {
            let rest = rule.path().rest(request.path());
            return Box::pin(self.forward(request, aim, proxy, rest)).await.map(Some);
        }
        self.stream.read_body(request, site.settings.content_length).await?;
        Ok(Some(self.answer_itself(request, aim).await))
    }

    /// Answers what no handler has to.
    async fn answer_itself(&mut self, request: &Request, aim: &Aim<'_>) -> Outcome {
        let Aim { site, host, ref found, .. } = *aim;
        if request.path() == b"*" {
            return self.options(request).await;
        }
        if request.method() == b"TRACE" {
            // It would show an attacker's script what proxies and browsers add (RFC 9110, section 9.3.8).
            return self.error(request, 405).await;
        }
        if host.maintenance {
            return self.maintenance(request, site, host).await;
        }
        match found {
            Found::Nothing => self.error(request, 404).await,
            Found::Slash(_) => self.redirect_to_slash(request).await,
            Found::Rule(rule) => match &rule.value.target {
                Target::Redirect(redirect) => self.redirect(request, host, redirect).await,
                Target::Directory(directory) => {
                    self.file(request, site, directory, rule.path().rest(request.path())).await
                }
                Target::Proxy(_) | Target::Handler(_) => unreachable!("they have been asked"),
            },
        }
    }
}

/// Whom a request is for.
struct Aim<'a> {
    site: &'a Site,
    host: &'a Arc<Host>,
    found: Found<'a, Destination>,
    begun: Begun,
}

impl<'a> Aim<'a> {
    fn of(request: &Request, site: &'a Site, host: &'a Arc<Host>) -> Self {
        let served = !host.maintenance && request.path() != b"*" && request.method() != b"TRACE";
        let found = if served { host.route(request.path()) } else { Found::Nothing };
        let place = match &found {
            Found::Rule(rule) | Found::Slash(rule) => rule.value.place,
            Found::Nothing => host.place,
        };
        Self { site, host, found, begun: Begun::now(place) }
    }
}

/// What the access log says of a request.
fn asked<'a>(request: &'a Request, site: &Site) -> Asked<'a> {
    let told = site.settings.access_log_format.has_client_headers();
    let header = |name| told.then(|| request.header(name)).flatten();
    Asked {
        method: request.method(),
        uri: request.uri(),
        path: request.path(),
        version: request.version(),
        referer: header("referer"),
        user_agent: header("user-agent"),
    }
}

/// Takes what came for a connection that has nothing open; gives whether the connection goes on.
fn is_noise(line: &Line) -> bool {
    match line.pop() {
        Some(Item::Bytes(_) | Item::File(_)) => {
            tracing::warn!("a handler replied to connection {} when it had no request open; it was closed", line.id());
            false
        }
        Some(Item::Close) => false,
        // A request that has been answered after all, or another handler's end.
        Some(Item::Unanswered | Item::Removed) => true,
        None => !line.has_ended(),
    }
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outcome {
    status: u16,
    /// Bytes of the answer's body.
    bytes: u64,
    after: After,
}

impl Outcome {
    fn new(status: u16, bytes: u64, keep_alive: bool) -> Self {
        Self { status, bytes, after: if keep_alive { After::KeepAlive } else { After::Close } }
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    /// What a connection that waits at a handler takes, besides its socket and its task; there may be very many.
    #[test]
    fn many_fit_into_little() {
        let sizes = [size_of::<Connection>(), size_of::<Vitals>(), size_of::<Line>(), size_of::<Pending>()];
        assert!(sizes.iter().sum::<usize>() <= 400, "{sizes:?}");
        // The allocator has blocks of 112 and 128 bytes, and then of 160; an Rc has two counts beside its value.
        assert!(size_of::<Connection>() <= 128 && size_of::<Vitals>() + 16 <= 112, "{sizes:?}");
    }
}
