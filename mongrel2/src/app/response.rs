//! The response: a head, then bytes, then its end, in this order and no other.
//!
//! What may come next is a [`State`]; what a sink gets has been judged.

use std::fmt;

use ::http::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use ::http::{HeaderMap, Method, StatusCode};
use bytes::Bytes;
use thiserror::Error;

use super::BoxFuture;
use super::head::{Head, Headers, Room};
use super::websocket::WebSocket;

/// Where a response goes: a host has one, and a filter may put its own around it ([`Response::wrap`]).
///
/// It gets a head, bytes, none of them empty and as many as the head says, and the end; or `accept`, alone.  One that is
/// dropped without its end is the sink of an answer that was cut, or, without a head, of none.
pub trait Sink: Send {
    /// Takes the head.
    fn head(&mut self, head: Head) -> BoxFuture<'_, Result<(), WriteError>>;
    /// Takes bytes of the body; waits while the client is slow.
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), WriteError>>;
    /// Takes the end.
    fn finish(&mut self) -> BoxFuture<'_, Result<(), WriteError>>;
    /// Makes a WebSocket of the connection.
    fn accept(&mut self, headers: HeaderMap) -> BoxFuture<'_, Result<WebSocket, WriteError>>;
}

/// Why a part of a response was not sent; nothing of it has reached the client.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WriteError {
    /// Bytes, or the end, came before the head.
    #[error("the response has no head yet")]
    NoHead,
    /// There was a head already.
    #[error("the response has a head already")]
    SecondHead,
    /// The response had ended.
    #[error("the response is finished")]
    Finished,
    /// Something else failed before, or was given up in the middle.
    #[error("the response is broken")]
    Broken,
    /// An answer to HEAD, or with the status 204 or 304, has no body.
    #[error("this response has no body")]
    NoBody,
    /// There are more bytes than `Content-Length` has left.
    #[error("the response has room for {left} bytes, not for {given}")]
    TooMany {
        /// How many bytes are missing.
        left: u64,
        /// How many came.
        given: u64,
    },
    /// The end came before `Content-Length` bytes had.
    #[error("the response ends {0} bytes early")]
    TooFew(u64),
    /// The status hasn't three digits, or is that of an interim response.
    #[error("a response can't have this status")]
    Status,
    /// The name or the value of the header isn't HTTP.
    #[error("`{}` can't be a header", .0.escape_default())]
    Header(String),
    /// The header tells where the response ends, which is the host's to say, or isn't a length.
    #[error("the response can't have this `{0}`")]
    Framing(HeaderName),
    /// The client has not asked for a WebSocket.
    #[error("the client has not asked for a WebSocket")]
    NoWebSocket,
    /// The client has left.
    #[error("the client has left")]
    Gone,
}

/// The answer to a request.
///
/// A part that can't be sent is an error, and what was sent before stays good.
pub struct Response {
    state: State,
    is_head: bool,
    sink: Box<dyn Sink>,
}

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A head.
    Fresh,
    /// So much of a body.
    Body(Room),
    /// Nothing.
    Finished,
    /// Nothing: a part was given up in the middle, or the client is gone.
    Broken,
}

impl Response {
    /// An answer to a request with that method.
    pub fn new(method: &Method, sink: impl Sink + 'static) -> Self {
        Self { state: State::Fresh, is_head: method == Method::HEAD, sink: Box::new(sink) }
    }

    /// The response that an application gets behind a filter: what is written to it goes to the filter's sink.
    #[must_use]
    pub fn wrap<S: Sink + 'static>(self, sink: impl FnOnce(Self) -> S) -> Self {
        let is_head = self.is_head;
        Self { state: State::Fresh, is_head, sink: Box::new(sink(self)) }
    }

    /// Whether it is in answer to HEAD, and so has no body.
    pub fn is_head(&self) -> bool {
        self.is_head
    }

    /// Sends the head.
    ///
    /// With a `Content-Length` as many bytes have to follow; without, any number may.  How the client is told where the
    /// body ends is the host's business.
    ///
    /// # Errors
    /// Why it was not sent.
    pub async fn write_head(
        &mut self,
        status: impl TryInto<StatusCode>,
        headers: impl Headers,
    ) -> Result<(), WriteError> {
        let status = status.try_into().map_err(|_| WriteError::Status)?;
        self.head(Head { status, headers: headers.into_map()? }).await
    }

    /// Sends bytes of the body, and waits while the client is slow.
    ///
    /// # Errors
    /// Why they were not sent.
    pub async fn write(&mut self, bytes: impl Into<Bytes>) -> Result<(), WriteError> {
        let bytes = bytes.into();
        let next = self.state.written(bytes.len() as u64)?;
        if bytes.is_empty() {
            return Ok(());
        }
        // Whoever gives this up in the middle has half of it sent, perhaps.
        self.state = State::Broken;
        self.sink.write(bytes).await?;
        self.state = next;
        Ok(())
    }

    /// Ends the response.
    ///
    /// # Errors
    /// Why it can't end here.
    pub async fn finish(&mut self) -> Result<(), WriteError> {
        let next = self.state.finished()?;
        self.state = State::Broken;
        self.sink.finish().await?;
        self.state = next;
        Ok(())
    }

    /// Sends a whole response with its `Content-Length`; where there is no body, none.
    ///
    /// # Errors
    /// Why it was not sent.
    pub async fn send(
        &mut self,
        status: impl TryInto<StatusCode>,
        headers: impl Headers,
        body: impl Into<Bytes>,
    ) -> Result<(), WriteError> {
        let (status, body) = (status.try_into().map_err(|_| WriteError::Status)?, body.into());
        let mut head = Head { status, headers: headers.into_map()? };
        if !head.is_bodiless() {
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        let has_body = head.room(self.is_head)? != Room::None;
        self.head(head).await?;
        if has_body {
            self.write(body).await?;
        }
        self.finish().await
    }

    /// Makes a WebSocket of the connection of a client that [asks for one](super::Request::is_websocket).
    ///
    /// `headers` may have a `Sec-WebSocket-Protocol`, one of those that the client offers.
    ///
    /// # Errors
    /// The client has not asked for one, or has left; a response was begun.
    pub async fn accept(&mut self, headers: impl Headers) -> Result<WebSocket, WriteError> {
        if self.state != State::Fresh {
            return Err(self.state.no_head());
        }
        let socket = self.sink.accept(headers.into_map()?).await?;
        self.state = State::Finished;
        Ok(socket)
    }

    async fn head(&mut self, head: Head) -> Result<(), WriteError> {
        if self.state != State::Fresh {
            return Err(self.state.no_head());
        }
        let next = State::Body(head.room(self.is_head)?);
        self.state = State::Broken;
        self.sink.head(head).await?;
        self.state = next;
        Ok(())
    }
}

impl State {
    /// Why there can't be a head any more.
    fn no_head(self) -> WriteError {
        match self {
            Self::Fresh | Self::Body(_) => WriteError::SecondHead,
            Self::Finished => WriteError::Finished,
            Self::Broken => WriteError::Broken,
        }
    }

    /// Behind so many bytes.
    fn written(self, given: u64) -> Result<Self, WriteError> {
        match self {
            Self::Fresh => Err(WriteError::NoHead),
            Self::Body(Room::None) if given > 0 => Err(WriteError::NoBody),
            Self::Body(Room::Exactly(left)) if given > left => Err(WriteError::TooMany { left, given }),
            Self::Body(Room::Exactly(left)) => Ok(Self::Body(Room::Exactly(left - given))),
            Self::Body(_) => Ok(self),
            Self::Finished => Err(WriteError::Finished),
            Self::Broken => Err(WriteError::Broken),
        }
    }

    fn finished(self) -> Result<Self, WriteError> {
        match self {
            Self::Fresh => Err(WriteError::NoHead),
            Self::Body(Room::Exactly(left @ 1..)) => Err(WriteError::TooFew(left)),
            Self::Body(_) => Ok(Self::Finished),
            Self::Finished => Err(WriteError::Finished),
            Self::Broken => Err(WriteError::Broken),
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Response").field("state", &self.state).finish_non_exhaustive()
    }
}

/// A sink that notes what it gets, for tests.
#[cfg(test)]
pub(super) mod recorded {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What has come.
    #[derive(Debug, Clone, Default)]
    pub(in crate::app) struct Record(Arc<Mutex<Vec<String>>>);

    impl Record {
        pub(in crate::app) fn note(&self, line: impl Into<String>) {
            self.0.lock().unwrap().push(line.into());
        }

        pub(in crate::app) fn lines(&self) -> Vec<String> {
            self.0.lock().unwrap().clone()
        }
    }

    impl Sink for Record {
        fn head(&mut self, head: Head) -> BoxFuture<'_, Result<(), WriteError>> {
            let headers: Vec<_> = head.headers.iter().map(|(n, v)| format!(" {n}={}", v.to_str().unwrap())).collect();
            self.note(format!("head {}{}", head.status.as_u16(), headers.concat()));
            Box::pin(async { Ok(()) })
        }

        fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), WriteError>> {
            self.note(format!("write {}", bytes.escape_ascii()));
            let stalls = &bytes[..] == b"stall";
            Box::pin(async move { if stalls { std::future::pending().await } else { Ok(()) } })
        }

        fn finish(&mut self) -> BoxFuture<'_, Result<(), WriteError>> {
            self.note("finish");
            Box::pin(async { Ok(()) })
        }

        fn accept(&mut self, _: HeaderMap) -> BoxFuture<'_, Result<WebSocket, WriteError>> {
            Box::pin(async { Err(WriteError::NoWebSocket) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::recorded::Record;
    use super::*;

    fn response(method: Method) -> (Response, Record) {
        let record = Record::default();
        (Response::new(&method, record.clone()), record)
    }

    #[tokio::test]
    async fn in_order() {
        let (mut response, record) = response(Method::GET);
        response.write_head(200, [("A", "b")]).await.unwrap();
        response.write("one").await.unwrap();
        response.write("").await.unwrap();
        response.write("two").await.unwrap();
        response.finish().await.unwrap();
        assert_eq!(record.lines(), ["head 200 a=b", "write one", "write two", "finish"]);
    }

    #[tokio::test]
    async fn out_of_order_never_reaches_the_wire() {
        let (mut response, record) = response(Method::GET);
        assert_eq!(response.write("early").await, Err(WriteError::NoHead));
        assert_eq!(response.finish().await, Err(WriteError::NoHead));
        assert_eq!(response.write_head(99, ()).await, Err(WriteError::Status));
        assert_eq!(response.write_head(1000, ()).await, Err(WriteError::Status));
        assert_eq!(response.write_head(101, ()).await, Err(WriteError::Status));
        assert_eq!(response.write_head(200, [("a", "\n")]).await, Err(WriteError::Header("a".into())));
        response.write_head(StatusCode::OK, ()).await.unwrap();
        assert_eq!(response.write_head(200, ()).await, Err(WriteError::SecondHead));
        assert_eq!(response.send(500, (), "x").await, Err(WriteError::SecondHead));
        assert_eq!(response.accept(()).await.err(), Some(WriteError::SecondHead));
        response.finish().await.unwrap();
        assert_eq!(response.write_head(200, ()).await, Err(WriteError::Finished));
        assert_eq!(response.write("late").await, Err(WriteError::Finished));
        assert_eq!(response.write("").await, Err(WriteError::Finished));
        assert_eq!(response.finish().await, Err(WriteError::Finished));
        assert_eq!(record.lines(), ["head 200", "finish"]);
    }

    #[tokio::test]
    async fn as_many_bytes_as_the_length_says() {
        let (mut response, record) = response(Method::GET);
        response.write_head(200, [("Content-Length", "3")]).await.unwrap();
        assert_eq!(response.write("four").await, Err(WriteError::TooMany { left: 3, given: 4 }));
        response.write("on").await.unwrap();
        assert_eq!(response.finish().await, Err(WriteError::TooFew(1)));
        assert_eq!(response.write("ee").await, Err(WriteError::TooMany { left: 1, given: 2 }));
        response.write("e").await.unwrap();
        response.finish().await.unwrap();
        assert_eq!(record.lines(), ["head 200 content-length=3", "write on", "write e", "finish"]);
    }

    #[tokio::test]
    async fn no_body() {
        for (method, status) in [(Method::HEAD, 200), (Method::GET, 204), (Method::GET, 304)] {
            let (mut response, record) = response(method);
            response.write_head(status, ()).await.unwrap();
            response.write("").await.unwrap();
            assert_eq!(response.write("body").await, Err(WriteError::NoBody));
            response.finish().await.unwrap();
            assert_eq!(record.lines(), [format!("head {status}"), "finish".into()]);
        }
    }

    #[tokio::test]
    async fn whole() {
        for (method, status, expected) in [
            (Method::GET, 200, &["head 200 content-length=2", "write hi", "finish"][..]),
            (Method::HEAD, 200, &["head 200 content-length=2", "finish"]),
            (Method::GET, 204, &["head 204", "finish"]),
        ] {
            let (mut response, record) = response(method);
            response.send(status, (), "hi").await.unwrap();
            assert_eq!(record.lines(), expected);
        }
    }

    #[tokio::test]
    async fn a_write_that_was_given_up_breaks_the_response() {
        let (mut response, record) = response(Method::GET);
        response.write_head(200, ()).await.unwrap();
        tokio::select! { biased; _ = response.write("stall") => {}, () = async {} => {} }
        assert_eq!(response.write("more").await, Err(WriteError::Broken));
        assert_eq!(response.finish().await, Err(WriteError::Broken));
        assert_eq!(record.lines(), ["head 200", "write stall"]);
    }
}
