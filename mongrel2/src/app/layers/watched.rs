//! A response that notes what becomes of it, and tells when nobody can do anything for it any more.
//!
//! The call, the response and the WebSocket made of it may end in any order: the last one tells.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::http::HeaderMap;
use bytes::Bytes;

use super::events::{Answer, Events, OnEnd, Outcome};
use crate::app::{
    AppError, BoxFuture, Duplex, Head, Message, Request, Response, Sink, SocketError, WebSocket, WriteError,
};

/// What is known of a request; tells those who wait for its end when it is dropped.
pub(super) struct Watch {
    outcome: Mutex<Outcome>,
    waiting: Mutex<Vec<OnEnd>>,
}

/// The call of the application.
pub(super) struct Call {
    watch: Arc<Watch>,
    has_returned: bool,
}

impl Watch {
    /// Says that a request starts.
    pub(super) fn start(events: &[Box<dyn Events>], request: &mut Request) -> (Arc<Self>, Call) {
        let outcome = Mutex::new(Outcome { answer: Answer::Nothing, failure: None });
        let watch = Arc::new(Self { outcome, waiting: Mutex::default() });
        for events in events {
            // One after the other: should a later one panic, the earlier ones hear of the end.
            let on_end = catch_unwind(AssertUnwindSafe(|| events.request_starts(request))).ok().flatten();
            watch.waiting.lock().unwrap_or_else(PoisonError::into_inner).extend(on_end);
        }
        (Arc::clone(&watch), Call { watch, has_returned: false })
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, answer: Answer) {
        self.outcome().answer = answer;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let outcome = self.outcome().clone();
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        // As they came, so they go: the last first.
        for on_end in waiting.into_iter().rev() {
            // This may be in the middle of a panic, in which a second one would end the program.
            if catch_unwind(AssertUnwindSafe(|| on_end(&outcome))).is_err() {
                tracing::error!("what was to be done at the end of a request has panicked");
            }
        }
    }
}

impl Call {
    /// The application has returned.
    pub(super) fn returned(mut self, result: &Result<(), AppError>) {
        self.has_returned = true;
        self.watch.outcome().failure = result.as_ref().err().map(ToString::to_string);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.has_returned {
            let what = if std::thread::panicking() { "it has panicked" } else { "it was given up" };
            self.watch.outcome().failure = Some(what.to_owned());
        }
    }
}

/// The response.
pub(super) struct Watched {
    inner: Response,
    watch: Arc<Watch>,
}

impl Watched {
    pub(super) fn new(inner: Response, watch: Arc<Watch>) -> Self {
        Self { inner, watch }
    }
}

impl Sink for Watched {
    fn head(&mut self, head: Head) -> BoxFuture<'_, Result<(), WriteError>> {
        Box::pin(async move {
            let status = head.status;
            self.inner.write_head(status, head.headers).await?;
            self.watch.set(Answer::Cut { status, bytes: 0 });
            Ok(())
        })
    }

    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), WriteError>> {
        Box::pin(async move {
            let more = bytes.len() as u64;
            self.inner.write(bytes).await?;
            if let Answer::Cut { bytes, .. } = &mut self.watch.outcome().answer {
                *bytes += more;
            }
            Ok(())
        })
    }

    fn finish(&mut self) -> BoxFuture<'_, Result<(), WriteError>> {
        Box::pin(async move {
            self.inner.finish().await?;
            let mut outcome = self.watch.outcome();
            if let Answer::Cut { status, bytes } = outcome.answer {
                outcome.answer = Answer::Whole { status, bytes };
            }
            Ok(())
        })
    }

    fn accept(&mut self, headers: HeaderMap) -> BoxFuture<'_, Result<WebSocket, WriteError>> {
        Box::pin(async move {
            let inner = self.inner.accept(headers).await?;
            self.watch.set(Answer::WebSocket);
            Ok(WebSocket::new(WatchedSocket { inner, _watch: Arc::clone(&self.watch) }))
        })
    }
}

/// A WebSocket: the request has not ended while it is there.
struct WatchedSocket {
    inner: WebSocket,
    _watch: Arc<Watch>,
}

impl Duplex for WatchedSocket {
    fn recv(&mut self) -> BoxFuture<'_, Result<Option<Message>, SocketError>> {
        Box::pin(self.inner.recv())
    }

    fn send(&mut self, message: Message) -> BoxFuture<'_, Result<(), SocketError>> {
        Box::pin(self.inner.send(message))
    }

    fn close(&mut self, code: u16, reason: String) -> BoxFuture<'_, Result<(), SocketError>> {
        Box::pin(async move { self.inner.close(code, &reason).await })
    }
}
