//! One client's connection: its requests, one after the other, until either side closes.
//!
//! [`Connection`] owns the socket and the bytes that have come.  While nothing happens it holds no buffer.
//! The next request is not looked at before the answer to the one before it is complete.

mod answer;
mod chunked;
mod head;
mod line;
mod request;
mod stream;
mod track;

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mongrel2::route::Found;
use mongrel2::wire::request::Headers;
use tokio::net::TcpStream;

pub(crate) use line::Line;

use self::answer::{Answer, Persistence, error_page};
use self::head::Framing;
use self::request::{Refusal, Request};
use self::stream::Stream;
use self::track::Tracker;
use crate::log::Access;
use crate::site::{Host, Site};
use crate::target::Target;
use crate::target::directory::{self, Directory, Served};
use crate::target::handler::Handler;
use crate::worker::{Item, Worker};

/// How long a closed connection may go on sending before it is cut off.
const LINGER: Duration = Duration::from_secs(2);

/// Files up to this size are written together with their head.
const SMALL_FILE: u64 = 64 * 1024;

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
                Err(refusal) => {
                    self.refuse(refusal).await;
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

    async fn read_request(&mut self) -> Result<Request, Refusal> {
        let buffer = self.worker.take_buffer();
        let settings = self.worker.settings();
        let mut request = self.stream.read_head(buffer, &settings).await?;
        if request.head.framing != Framing::Length(0) {
            self.stream.read_body(&mut request, settings.content_length).await?;
        }
        Ok(request)
    }

    async fn refuse(&mut self, refusal: Refusal) {
        let Refusal::Bad { status, reason } = refusal else {
            return;
        };
        tracing::info!("refused a request from {}: {reason}", self.peer);
        let head = self.answer(status).header("Content-Type", "text/html");
        let page = error_page(status);
        let bytes = [head.header("Content-Length", page.len()).finish(Persistence::Close), page.into_bytes()].concat();
        let host = Arc::clone(self.worker.site().host(None));
        self.worker.log(&Access {
            host: &host.name,
            peer: self.peer,
            time: self.worker.date().0,
            method: b"-",
            path: b"-",
            version: "-",
            status,
            bytes: 0,
        });
        if self.stream.write_all(&bytes).await.is_ok() {
            // Without this the client might lose the answer: unread input makes the kernel reset the connection.
            self.stream.linger(LINGER).await;
        }
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
            return self.error(request, 503).await;
        }
        match host.route(request.path()) {
            Found::Nothing => self.error(request, 404).await,
            Found::Slash(_) => self.redirect_to_slash(request).await,
            Found::Rule(rule) => match &rule.value {
                Target::Proxy => self.error(request, 501).await,
                Target::Directory(directory) => {
                    let rest = &request.path()[rule.path().fixed.len()..];
                    self.file(request, site, directory, rest).await
                }
                Target::Handler(handler) => self.ask(request, site, handler, &rule.path().text).await,
            },
        }
    }

    fn answer(&self, status: u16) -> Answer {
        Answer::new(status, &self.worker.date().1)
    }

    /// Writes an answer that is wholly in memory.
    async fn send(&mut self, request: &Request, answer: Answer, body: &[u8]) -> Outcome {
        let status = answer.status;
        let mut bytes = answer.finish(request.persistence());
        if !request.is_head() {
            bytes.extend_from_slice(body);
        }
        let written = self.stream.write_all(&bytes).await;
        let size = if request.is_head() { 0 } else { body.len() as u64 };
        Outcome::new(status, size, written.is_ok() && request.head.keep_alive)
    }

    async fn error(&mut self, request: &Request, status: u16) -> Outcome {
        let page = error_page(status);
        let mut answer = self.answer(status).header("Content-Type", "text/html").header("Content-Length", page.len());
        match status {
            405 => answer = answer.header("Allow", "GET, HEAD"),
            503 => answer = answer.header("Retry-After", 10),
            _ => {}
        }
        self.send(request, answer, page.as_bytes()).await
    }

    async fn redirect_to_slash(&mut self, request: &Request) -> Outcome {
        let mut location = String::from_utf8_lossy(request.path()).into_owned() + "/";
        // Two slashes at the start would name another host.
        location.replace_range(..location.len() - location.trim_start_matches('/').len(), "/");
        if let Some(query) = request.query() {
            location = location + "?" + &String::from_utf8_lossy(query);
        }
        let answer = self.answer(301).header("Location", location).header("Content-Length", 0);
        self.send(request, answer, b"").await
    }

    async fn file(&mut self, request: &Request, site: &Site, directory: &Directory, rest: &[u8]) -> Outcome {
        if !matches!(request.method(), b"GET" | b"HEAD") {
            return self.error(request, 405).await;
        }
        let served = match directory.find(rest) {
            Ok(directory::Found::File(served)) => served,
            Ok(directory::Found::Slash) => return self.redirect_to_slash(request).await,
            Ok(directory::Found::Nothing) => return self.error(request, 404).await,
            Ok(directory::Found::Forbidden) => return self.error(request, 403).await,
            Ok(directory::Found::Malformed) => return self.error(request, 400).await,
            Err(error) => {
                tracing::error!("cannot serve `{}`: {error}", request.path().escape_ascii());
                return self.error(request, 500).await;
            }
        };
        let unchanged = served.is_unchanged(request.header("if-none-match"), request.header("if-modified-since"));
        let mut answer = self
            .answer(if unchanged { 304 } else { 200 })
            .header("Last-Modified", httpdate::fmt_http_date(served.modified))
            .header("ETag", &served.etag);
        if !directory.cache_ttl.is_zero() {
            answer = answer.header("Cache-Control", format_args!("max-age={}", directory.cache_ttl.as_secs()));
        }
        if unchanged {
            return self.send(request, answer, b"").await;
        }
        let fallback = match directory.default_ctype.as_str() {
            "" => "application/octet-stream",
            default => default,
        };
        let answer = answer
            .header("Content-Type", site.mimetype(&served.extension).unwrap_or(fallback))
            .header("Content-Length", served.size);
        self.send_file(request, answer, &served).await
    }

    async fn send_file(&mut self, request: &Request, answer: Answer, served: &Served) -> Outcome {
        if request.is_head() {
            return self.send(request, answer, b"").await;
        }
        let sent = if served.size <= SMALL_FILE {
            self.stream.write_with_file(answer.finish(request.persistence()), served).await
        } else {
            self.stream.write_and_send_file(&answer.finish(request.persistence()), served).await
        };
        match sent {
            Ok(()) => Outcome::new(200, served.size, request.head.keep_alive),
            Err(error) => {
                // The client left, or the file became shorter; either way the promised length can't be kept.
                tracing::debug!("cannot send `{}`: {error}", request.path().escape_ascii());
                Outcome::new(200, 0, false)
            }
        }
    }

    /// Sends a request to a handler and its answer to the client.
    async fn ask(&mut self, request: &Request, site: &Site, handler: &Arc<Handler>, pattern: &str) -> Outcome {
        let line = Rc::clone(self.line.get_or_insert_with(|| self.worker.register()));
        while line.pop().is_some() {
            tracing::warn!("a handler replied to connection {} when it had no request open", line.id());
        }
        let peer = self.peer.ip().to_string();
        let forwarded = (&b"x-forwarded-for"[..], peer.as_bytes());
        let keep_forwarded = site.settings.no_clobber_xff && request.header("x-forwarded-for").is_some();
        let mut client: Vec<(&[u8], &[u8])> = if keep_forwarded { Vec::new() } else { vec![forwarded] };
        client.extend(request.headers().filter(|(name, _)| keep_forwarded || !name.eq_ignore_ascii_case(forwarded.0)));
        let mut server: Vec<(&str, &[u8])> = vec![
            ("METHOD", request.method()),
            ("VERSION", request.version().as_bytes()),
            ("URI", request.uri()),
            ("PATTERN", pattern.as_bytes()),
            ("URL_SCHEME", b"http"),
            ("REMOTE_ADDR", peer.as_bytes()),
        ];
        if let Some(query) = request.query() {
            server.insert(3, ("QUERY", query));
        }
        line.introduce(handler);
        let headers = Headers { client: &client, server: &server };
        match handler.dispatch.request(line.id(), request.path(), headers, &request.body) {
            Ok(()) => self.relay(request, &line).await,
            Err(_) => self.error(request, 503).await,
        }
    }

    /// Passes on what handlers send until the answer is complete.
    async fn relay(&mut self, request: &Request, line: &Line) -> Outcome {
        let mut tracker = Tracker::new(request.is_head());
        loop {
            match line.pop() {
                Some(Item::Bytes(bytes)) => {
                    let used = tracker.feed(&bytes);
                    if !self.write_unless_overflown(&bytes[..used], line).await {
                        return Outcome::of(&tracker, false);
                    }
                    if used < bytes.len() {
                        tracing::warn!(
                            "a handler sent more than its answer to connection {}; it was closed",
                            line.id()
                        );
                        return Outcome::of(&tracker, false);
                    }
                }
                Some(Item::Close) => return Outcome::of(&tracker, false),
                Some(Item::Unanswered) if tracker.is_untouched() => return self.error(request, 503).await,
                Some(Item::Unanswered) => {}
                None if tracker.is_complete() => {
                    let keep_alive = request.head.keep_alive && !tracker.says_close;
                    return Outcome::of(&tracker, keep_alive);
                }
                None if line.has_overflown() => return Outcome::of(&tracker, false),
                None => {
                    let may_probe = request.head.minor == 1 && tracker.is_untouched();
                    tokio::select! {
                        biased;
                        () = line.changed() => {}
                        () = self.stream.gone(may_probe, tracker.is_untouched()) => return Outcome::of(&tracker, false),
                    }
                }
            }
        }
    }

    async fn write_unless_overflown(&mut self, bytes: &[u8], line: &Line) -> bool {
        tokio::select! {
            biased;
            written = self.stream.write_all(bytes) => written.is_ok(),
            () = line.overflow() => {
                tracing::info!("{} reads too slowly; the connection was closed", self.peer);
                false
            }
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

    /// Of a handler's answer; 200 stands for one that isn't HTTP, 499 for a client that left before any came.
    fn of(tracker: &Tracker, keep_alive: bool) -> Self {
        let fallback = if tracker.is_untouched() { 499 } else { 200 };
        Self::new(tracker.status.unwrap_or(fallback), tracker.bytes, keep_alive)
    }
}
