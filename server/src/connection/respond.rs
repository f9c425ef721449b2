//! Answers of the server's own, written to the client: errors, redirects, refusals.

use std::sync::Arc;
use std::time::Duration;

use super::answer::{Answer, Persistence, error_page};
use super::request::{Refusal, Request};
use super::{Connection, Outcome};
use crate::log::Access;

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
        let answer = self.answer(status);
        let answer = match status {
            405 => answer.header("Allow", "GET, HEAD"),
            503 => answer.header("Retry-After", 10),
            _ => answer,
        };
        self.send_error(request, answer).await
    }

    /// Adds the page of an error and sends it.
    pub(super) async fn send_error(&mut self, request: &Request, answer: Answer) -> Outcome {
        let page = error_page(answer.status);
        let answer = answer.header("Content-Type", "text/html").header("Content-Length", page.len());
        self.send(request, answer, page.as_bytes()).await
    }

    pub(super) async fn redirect_to_slash(&mut self, request: &Request) -> Outcome {
        let mut location = String::from_utf8_lossy(request.path()).into_owned() + "/";
        // Two slashes at the start would name another host.
        location.replace_range(..location.len() - location.trim_start_matches('/').len(), "/");
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
            asked: None,
            status,
            bytes: 0,
        });
        if self.stream.write_all(&bytes).await.is_ok() {
            // Without this the client might lose the answer: unread input makes the kernel reset the connection.
            self.stream.linger(LINGER).await;
        }
    }
}
