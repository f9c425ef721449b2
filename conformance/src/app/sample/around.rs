//! What stands around the sample: who tells how requests end, and filters, good and bad.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, HeaderValue};
use mongrel2::app::layers::{Answer, Events, Filter, Next, OnEnd, Outcome};
use mongrel2::app::{AppError, BoxFuture, Head, Request, Response, Sink, WebSocket, WriteError};

use super::board::{Board, value};

/// Notes how requests end that are of a run.
pub(super) struct Ends(pub(super) Arc<Board>);

impl Events for Ends {
    fn request_starts(&self, request: &mut Request) -> Option<OnEnd> {
        let (path, query) = (request.uri().path().to_owned(), request.uri().query().unwrap_or_default());
        // Who asks about a run isn't a part of it.
        let is_part = value(query, "run").is_some() && !["/said", "/ended", "/go"].contains(&path.as_str());
        let run = is_part.then(|| self.0.run(query))?;
        Some(Box::new(move |outcome| run.ended.push(format!("{path} {}", told(outcome)))))
    }
}

fn told(outcome: &Outcome) -> String {
    let how = match outcome.answer {
        Answer::Nothing => "nothing".to_owned(),
        Answer::Cut { status, bytes } => format!("cut {} {bytes}", status.as_u16()),
        Answer::Whole { status, bytes } => format!("whole {} {bytes}", status.as_u16()),
        Answer::WebSocket => "websocket".to_owned(),
    };
    let why = outcome.failure.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    how + &why
}

/// Does to each path of a filter what the filter is to do.
pub(super) struct Filters;

impl Filter for Filters {
    async fn filter(&self, request: Request, response: Response, next: Next<'_>) -> Result<(), AppError> {
        let response = match request.uri().path() {
            "/filter/error" => return Err("secret, thrown by a filter".into()),
            "/filter/panic" => panic!("secret, on purpose, by a filter"),
            "/filter/length" => response.wrap(|inner| Kept { inner, head: None, body: BytesMut::new() }),
            "/filter/loud" => response.wrap(Loud),
            _ => response,
        };
        next.call(request, response).await
    }
}

/// Keeps a body to tell its length in the head.
struct Kept {
    inner: Response,
    head: Option<Head>,
    body: BytesMut,
}

impl Sink for Kept {
    fn head(&mut self, head: Head) -> BoxFuture<'_, Result<(), WriteError>> {
        self.head = Some(head);
        Box::pin(async { Ok(()) })
    }

    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), WriteError>> {
        self.body.extend_from_slice(&bytes);
        Box::pin(async { Ok(()) })
    }

    fn finish(&mut self) -> BoxFuture<'_, Result<(), WriteError>> {
        Box::pin(async {
            let Head { status, mut headers } = self.head.take().ok_or(WriteError::NoHead)?;
            // How long it would be isn't known where there is none.
            if !self.inner.is_head() {
                headers.insert(CONTENT_LENGTH, self.body.len().into());
            }
            self.inner.write_head(status, headers).await?;
            self.inner.write(self.body.split().freeze()).await?;
            self.inner.finish().await
        })
    }

    fn accept(&mut self, headers: HeaderMap) -> BoxFuture<'_, Result<WebSocket, WriteError>> {
        Box::pin(self.inner.accept(headers))
    }
}

/// Passes everything on, in upper case.
struct Loud(Response);

impl Sink for Loud {
    fn head(&mut self, mut head: Head) -> BoxFuture<'_, Result<(), WriteError>> {
        head.headers.insert("x-filter", HeaderValue::from_static("loud"));
        Box::pin(self.0.write_head(head.status, head.headers))
    }

    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), WriteError>> {
        Box::pin(self.0.write(bytes.to_ascii_uppercase()))
    }

    fn finish(&mut self) -> BoxFuture<'_, Result<(), WriteError>> {
        Box::pin(self.0.finish())
    }

    fn accept(&mut self, headers: HeaderMap) -> BoxFuture<'_, Result<WebSocket, WriteError>> {
        Box::pin(self.0.accept(headers))
    }
}
