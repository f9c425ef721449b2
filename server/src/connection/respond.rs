//! Answers of the server's own, written to the client: errors, redirects, refusals.

use std::sync::Arc;

use mongrel2::redirect::{Asked, on_this_host};

use super::answer::{Answer, Persistence, error_page};
use super::request::{Manner, Refusal, Request};
use super::{Connection, Outcome, hsts, websocket};
use crate::log::Access;
use crate::site::{Host, Site};
use crate::statistics::Begun;
use crate::target::redirect::Redirect;

/// What the server itself answers for its own targets (RFC 9110, section 10.2.1).
const ALLOW: &str = "GET, HEAD, OPTIONS";

impl Connection {
    pub(super) fn answer(&self, status: u16) -> Answer {
        let answer = Answer::new(status, &self.worker.date().1);
        match self.stream.hsts() {
            0 => answer,
            seconds => answer.header(hsts::NAME, hsts::value(seconds)),
        }
    }

    /// Writes an answer that is wholly in memory.
    pub(super) async fn send(&mut self, manner: Manner, answer: Answer, body: &[u8]) -> Outcome {
        let status = answer.status;
        let mut bytes = answer.finish(manner.persistence());
        if !manner.is_head {
            bytes.extend_from_slice(body);
        }
        let written = self.stream.write_all(&bytes).await;
        let size = if manner.is_head { 0 } else { body.len() as u64 };
        Outcome::new(status, size, written.is_ok() && manner.keep_alive)
    }

    /// Answers with an error, and the page that the host has for it in the site in force now.
    pub(super) async fn error(&mut self, request: &Request, status: u16) -> Outcome {
        let host = Arc::clone(self.worker.site().host(request.host()));
        self.error_of(request.manner(), status, &host).await
    }

    /// Answers with an error, and the page that the host has for it.
    pub(super) async fn error_of(&mut self, manner: Manner, status: u16, host: &Host) -> Outcome {
        let answer = match status {
            405 => self.answer(405).header("Allow", ALLOW),
            // Whoever comes back earlier finds the handler as it was.
            503 => self.answer(503).header("Retry-After", self.worker.site().settings.handler_wait.as_secs().max(1)),
            // RFC 6455, section 4.4, and RFC 9110, sections 7.8 and 15.5.22.
            426 => self
                .answer(426)
                .header("Upgrade", "websocket")
                .header("Connection", "Upgrade")
                .header("Sec-WebSocket-Version", websocket::VERSION),
            _ => self.answer(status),
        };
        self.send_page(manner, answer, host).await
    }

    pub(super) async fn maintenance(&mut self, request: &Request, site: &Site, host: &Host) -> Outcome {
        let answer = self.answer(503).header("Retry-After", site.settings.retry_after.as_secs());
        self.send_page(request.manner(), answer, host).await
    }

    /// Adds the page of an error and sends it.
    pub(super) async fn send_page(&mut self, manner: Manner, answer: Answer, host: &Host) -> Outcome {
        let (ctype, page) = page(host, answer.status);
        let answer = answer.header("Content-Type", ctype).header("Content-Length", page.len());
        self.send(manner, answer, &page).await
    }

    pub(super) async fn redirect(&mut self, request: &Request, host: &Host, redirect: &Redirect) -> Outcome {
        // Only HTTP/1.0 comes without a host.
        let name = request.host().unwrap_or(host.name.as_bytes());
        let location = redirect.location.render(Asked { path: request.path(), query: request.query(), host: name });
        let answer = self.answer(redirect.status).header("Location", location).header("Content-Length", 0);
        self.send(request.manner(), answer, b"").await
    }

    /// Says what may be asked (RFC 9110, section 9.3.7), of a directory or of the server as a whole.
    pub(super) async fn options(&mut self, request: &Request) -> Outcome {
        let answer = self.answer(204).header("Allow", ALLOW);
        self.send(request.manner(), answer, b"").await
    }

    pub(super) async fn redirect_to_slash(&mut self, request: &Request) -> Outcome {
        let mut location = on_this_host(&(String::from_utf8_lossy(request.path()) + "/"));
        if let Some(query) = request.query() {
            location = location + "?" + &String::from_utf8_lossy(query);
        }
        let answer = self.answer(301).header("Location", location).header("Content-Length", 0);
        self.send(request.manner(), answer, b"").await
    }

    /// Refuses what came; `host` is the one that it was for, as far as that is known.
    pub(super) async fn refuse(&mut self, refusal: Refusal, host: &Host, begun: Begun) {
        let Refusal::Bad { status, reason } = refusal else {
            return;
        };
        tracing::info!("refused a request from {}: {reason}", self.peer());
        let (ctype, page) = page(host, status);
        let head = self.answer(status).header("Content-Type", ctype).header("Content-Length", page.len());
        let bytes = [head.finish(Persistence::Close), page].concat();
        self.worker.count(&host.places, &begun.end(status, 0));
        self.worker.log(&Access {
            host: &host.name,
            peer: self.peer(),
            time: self.worker.date().0,
            asked: None,
            status,
            bytes: 0,
        });
        if self.stream.write_all(&bytes).await.is_ok() {
            self.stream.linger().await;
        }
    }
}

/// Media type and bytes of the page that a host has for an error.
fn page(host: &Host, status: u16) -> (&str, Vec<u8>) {
    host.pages.read(status).unwrap_or_else(|| ("text/html", error_page(status).into_bytes()))
}
