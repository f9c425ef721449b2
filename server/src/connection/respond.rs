//! Answers of the server's own, written to the client: errors, redirects, refusals.

use std::sync::Arc;
use std::time::Duration;

use mongrel2::redirect::{Asked, on_this_host};

use super::answer::{Answer, Persistence, error_page};
use super::request::{Refusal, Request};
use super::{Connection, Outcome};
use crate::log::Access;
use crate::site::Host;
use crate::target::redirect::Redirect;

/// How long a closed connection may go on sending before it is cut off.
const LINGER: Duration = Duration::from_secs(2);

impl Connection {
    pub(super) fn answer(&self, status: u16) -> Answer {
        Answer::new(status, &self.worker.date().1)
    }

    /// Writes an answer that is wholly in memory.
    pub(super) async fn send(&mut self, request: &Request, answer: Answer, body: &[u8]) -> Outcome {
        let status = answer.status;
        let mut bytes = answer.finish(request.persistence());
        if !request.is_head() {
            bytes.extend_from_slice(body);
        }
        let written = self.stream.write_all(&bytes).await;
        let size = if request.is_head() { 0 } else { body.len() as u64 };
        Outcome::new(status, size, written.is_ok() && request.head.keep_alive)
    }

    pub(super) async fn error(&mut self, request: &Request, status: u16) -> Outcome {
        let page = error_page(status);
        let mut answer = self.answer(status).header("Content-Type", "text/html").header("Content-Length", page.len());
        match status {
            405 => answer = answer.header("Allow", "GET, HEAD"),
            503 => answer = answer.header("Retry-After", 10),
            _ => {}
        }
        self.send(request, answer, page.as_bytes()).await
    }

    pub(super) async fn redirect(&mut self, request: &Request, host: &Host, redirect: &Redirect) -> Outcome {
        // Only HTTP/1.0 comes without a host.
        let name = request.host().unwrap_or(host.name.as_bytes());
        let location = redirect.location.render(Asked { path: request.path(), query: request.query(), host: name });
        let answer = self.answer(redirect.status).header("Location", location).header("Content-Length", 0);
        self.send(request, answer, b"").await
    }

    pub(super) async fn redirect_to_slash(&mut self, request: &Request) -> Outcome {
        let mut location = on_this_host(&(String::from_utf8_lossy(request.path()) + "/"));
        if let Some(query) = request.query() {
            location = location + "?" + &String::from_utf8_lossy(query);
        }
        let answer = self.answer(301).header("Location", location).header("Content-Length", 0);
        self.send(request, answer, b"").await
    }

    pub(super) async fn refuse(&mut self, refusal: Refusal) {
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
}
