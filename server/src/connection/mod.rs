//! One client's connection: its requests, one after the other, until either side closes.
//!
//! [`Connection`] owns the socket and the bytes that have come.  While nothing happens it holds no buffer.
//! The next request is not looked at before the answer to the one before it is complete.

mod answer;
mod chunked;
mod files;
mod head;
mod line;
mod relay;
mod request;
mod respond;
mod stream;
mod track;

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use mongrel2::route::Found;
use tokio::net::TcpStream;

pub(crate) use line::Line;

use self::head::Framing;
use self::request::{Refusal, Request};
use self::stream::Stream;
use crate::log::Access;
use crate::site::{Host, Site};
use crate::target::Target;
use crate::worker::{Item, Worker};

/// Serves a connection to its end.
pub(crate) async fn serve(stream: TcpStream, peer: SocketAddr, worker: Rc<Worker>) {
    let mut connection = Connection { stream: Stream::new(stream), peer, worker, line: None };
    connection.worker.opened();
    while connection.has_request().await {
        // In a box of its own, so that an idle connection is small.
        if let After::Close = Box::pin(connection.exchanges()).await {
            break;
        }
    }
}

/// A client's connection.
struct Connection {
    stream: Stream,
    peer: SocketAddr,
    worker: Rc<Worker>,
    /// The connection's place in the registry, once a handler knows of it.
    line: Option<Rc<Line>>,
}

/// What becomes of a connection behind an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    KeepAlive,
    Close,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(line) = &self.line {
            self.worker.unregister(line);
        }
        self.worker.closed();
    }
}

impl Connection {
    /// Waits for the first byte of a request; gives whether one came.
    async fn has_request(&mut self) -> bool {
        if self.worker.is_draining() {
            return false;
        }
        let line = self.line.clone();
        let unexpected = async {
            match &line {
                Some(line) => line.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = unexpected => match line.and_then(|line| line.pop()) {
                Some(Item::Bytes(_)) => {
                    tracing::warn!("a handler replied to a connection that had no request open; it was closed");
                    false
                }
                Some(Item::Close) => false,
                // A request that has been answered after all.
                Some(Item::Unanswered) | None => true,
            },
            readable = self.stream.readable() => readable,
            () = self.worker.draining() => false,
        }
    }

    /// Answers requests until none is there.
    async fn exchanges(&mut self) -> After {
        loop {
            let request = match self.read_request().await {
                Ok(request) => request,
                Err((refusal, host)) => {
                    self.refuse(refusal, host.as_deref()).await;
                    return After::Close;
                }
            };
            let after = self.exchange(&request).await;
            self.worker.return_buffer(request.into_buffer());
            if after == After::Close || self.worker.is_draining() {
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
        let settings = self.worker.settings();
        let mut request = self.stream.read_head(buffer, &settings).await.map_err(|refusal| (refusal, None))?;
        if request.head.framing != Framing::Length(0) {
            let read = self.stream.read_body(&mut request, settings.content_length).await;
            read.map_err(|refusal| (refusal, request.host().map(<[u8]>::to_vec)))?;
        }
        Ok(request)
    }

    async fn exchange(&mut self, request: &Request) -> After {
        let site = self.worker.site();
        let host = Arc::clone(site.host(request.host()));
        let outcome = self.dispatch(request, &site, &host).await;
        self.worker.log(&Access {
            host: &host.name,
            peer: self.peer,
            time: self.worker.date().0,
            method: request.method(),
            path: request.path(),
            version: request.version(),
            status: outcome.status,
            bytes: outcome.bytes,
        });
        outcome.after
    }

    async fn dispatch(&mut self, request: &Request, site: &Site, host: &Host) -> Outcome {
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
                Target::Handler(handler) => self.ask(request, site, handler, &rule.path().text).await,
            },
        }
    }
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
