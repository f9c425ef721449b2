//! A request on its way to a handler, and the answer on its way back.

use std::rc::Rc;
use std::sync::Arc;

use mongrel2::wire::request::Headers;

use super::line::Line;
use super::request::Request;
use super::track::Tracker;
use super::vitals::Phase;
use super::{Connection, Outcome};
use crate::site::Site;
use crate::target::handler::Handler;
use crate::worker::Item;

impl Connection {
    /// Sends a request to a handler and its answer to the client.
    pub(super) async fn ask(
        &mut self,
        request: &Request,
        site: &Site,
        handler: &Arc<Handler>,
        pattern: &str,
    ) -> Outcome {
        let line = Rc::clone(self.line.get_or_insert_with(|| self.worker.register(self.stream.vitals().id)));
        // What came since the last answer isn't for this request, and may be the wish to close.
        if std::iter::from_fn(|| line.pop()).any(|item| !matches!(item, Item::Unanswered)) {
            tracing::info!("connection {} was closed: a handler has replied to it between two requests", line.id());
            return Outcome::new(499, 0, false);
        }
        let peer = self.peer().ip().to_string();
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
            self.stream.vitals().enter(Phase::Waiting);
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
                tracing::info!("{} reads too slowly; the connection was closed", self.peer());
                false
            }
        }
    }
}

impl Outcome {
    /// Of a handler's answer; 200 stands for one that isn't HTTP, 499 for a client that left before any came.
    fn of(tracker: &Tracker, keep_alive: bool) -> Self {
        let fallback = if tracker.is_untouched() { 499 } else { 200 };
        Self::new(tracker.status.unwrap_or(fallback), tracker.bytes, keep_alive)
    }
}
