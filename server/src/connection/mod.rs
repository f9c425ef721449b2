//! One client's connection: its requests, one after the other, until either side closes.
//!
//! [`Connection`] owns the socket and the bytes that have come.  While nothing happens it holds no buffer.
//! The next request is not looked at before the answer to the one before it is complete.

mod answer;
mod bad;
mod chunked;
mod ending;
mod extension;
mod fields;
mod files;
mod head;
mod host;
mod line;
mod relay;
mod request;
mod respond;
mod span;
mod startline;
mod stream;
mod target;
mod token;
mod track;
mod vitals;

use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use mongrel2::route::Found;
use tokio::net::TcpStream;

pub(crate) use line::Line;
pub(crate) use vitals::{Identity, Phase, Vitals};

use self::fields::Framing;
use self::request::{Refusal, Request};
use self::stream::Stream;
use crate::addresses::Counted;
use crate::log::{Access, Asked};
use crate::site::{Host, Site};
use crate::target::Target;
use crate::worker::{Item, Worker};

/// A connection that has just come.
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) counted: Option<Counted>,
}

/// A client's connection.
pub(crate) struct Connection {
    stream: Stream,
    worker: Rc<Worker>,
    /// The connection's place among those of the worker.
    key: usize,
    /// The connection's place in the registry, once a handler knows of it.
    line: Option<Rc<Line>>,
    /// Keeps the connection counted as one of its address.
    _counted: Option<Box<Counted>>,
}

/// What becomes of a connection behind an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    KeepAlive,
    Close,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.unregister();
        self.worker.closed(self.key);
    }
}

impl Connection {
    /// Makes a connection of a worker's, with its place among the others.
    ///
    /// In a box, since a future would hold what it is given twice.
    pub(crate) fn new(accepted: Accepted, worker: Rc<Worker>, key: usize, vitals: Rc<Vitals>) -> Box<Self> {
        let Accepted { stream, counted } = accepted;
        let stream = Stream::new(stream, vitals);
        Box::new(Self { stream, worker, key, line: None, _counted: counted.map(Box::new) })
    }

    /// Serves the connection to its end.
    pub(crate) async fn serve(mut self: Box<Self>) {
        while self.has_request().await {
            if let After::Close = self.active().await {
                break;
            }
        }
    }

    /// The client's address.
    fn peer(&self) -> SocketAddr {
        self.stream.vitals().peer
    }

    /// [`exchanges`](Self::exchanges) in a box of its own, so that an idle connection is small.
    fn active(&mut self) -> Pin<Box<dyn Future<Output = After> + '_>> {
        Box::pin(self.exchanges())
    }

    /// Waits for the first byte of a request; gives whether one came.
    ///
    /// Most connections spend most of their time here, so that this future is kept small.
    async fn has_request(&mut self) -> bool {
        if self.worker.is_draining() {
            return false;
        }
        self.stream.vitals().rest();
        match &self.line {
            None => self.stream.readable().await,
            Some(line) => quiet(Rc::clone(line), &self.stream).await,
        }
    }

    /// Tells handlers that the connection is gone, which they need not wait for a lingering client to hear.
    fn unregister(&mut self) {
        if let Some(line) = self.line.take() {
            self.worker.unregister(&line);
        }
    }

    /// Answers requests until none is there.
    async fn exchanges(&mut self) -> After {
        loop {
            let request = match self.read_request().await {
                Ok(request) => request,
                Err((refusal, host)) => {
                    Box::pin(self.refuse(refusal, host.as_deref())).await;
                    return After::Close;
                }
            };
            let after = self.exchange(&request).await;
            self.worker.return_buffer(request.into_buffer());
            if after == After::Close || self.worker.is_draining() {
                self.unregister();
                self.stream.linger_if_unread().await;
                return After::Close;
            }
            if !self.stream.has_bytes() {
                return After::KeepAlive;
            }
        }
    }

    /// A request, or why there is none and which host it was for, if its head could be read.
    async fn read_request(&mut self) -> Result<Request, (Refusal, Option<Vec<u8>>)> {
        let buffer = self.worker.take_buffer();
        let site = self.worker.site();
        let mut request = self.stream.read_head(buffer, &site.settings).await.map_err(|refusal| (refusal, None))?;
        if request.head.framing != Framing::Length(0) {
            let read = self.stream.read_body(&mut request, site.settings.content_length).await;
            read.map_err(|refusal| (refusal, request.host().map(<[u8]>::to_vec)))?;
        }
        Ok(request)
    }

    async fn exchange(&mut self, request: &Request) -> After {
        let site = self.worker.site();
        let host = Arc::clone(site.host(request.host()));
        let outcome = self.dispatch(request, &site, &host).await;
        if self.worker.keeps_log() {
            self.worker.log(&Access {
                host: &host.name,
                peer: self.peer(),
                time: self.worker.date().0,
                asked: Some(asked(request, &site)),
                status: outcome.status,
                bytes: outcome.bytes,
            });
        }
        outcome.after
    }

    async fn dispatch(&mut self, request: &Request, site: &Site, host: &Host) -> Outcome {
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
        match host.route(request.path()) {
            Found::Nothing => self.error(request, 404).await,
            Found::Slash(_) => self.redirect_to_slash(request).await,
            Found::Rule(rule) => match &rule.value {
                Target::Redirect(redirect) => self.redirect(request, host, redirect).await,
                Target::Proxy => self.error(request, 501).await,
                Target::Directory(directory) => {
                    self.file(request, site, directory, rule.path().rest(request.path())).await
                }
                // In a box, as it would make the future of every request larger.
                Target::Handler(handler) => Box::pin(self.ask(request, site, handler, &rule.path().text)).await,
            },
        }
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

/// Waits for a request on a connection that handlers know; gives whether the connection goes on.
fn quiet(line: Rc<Line>, stream: &Stream) -> Pin<Box<dyn Future<Output = bool> + '_>> {
    Box::pin(async move {
        tokio::select! {
            biased;
            () = line.changed() => match line.pop() {
                Some(Item::Bytes(_)) => {
                    tracing::warn!("a handler replied to connection {} when it had no request open; it was closed", line.id());
                    false
                }
                Some(Item::Close) => false,
                // A request that has been answered after all.
                Some(Item::Unanswered) | None => true,
            },
            readable = stream.readable() => readable,
        }
    })
}

/// What came of a request.
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
