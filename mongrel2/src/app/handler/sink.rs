//! A response on its way to a server.

use std::sync::Arc;
use std::time::SystemTime;

use ::http::request::Parts;
use ::http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use bytes::Bytes;

use super::exchange::Exchange;
use super::read;
use super::render::{self, Framing, LAST_CHUNK};
use super::socket::{Inbox, Socket};
use crate::app::{BoxFuture, Head, Sink, WebSocket, WriteError};

/// A response.
pub(super) struct Outgoing {
    exchange: Arc<Exchange>,
    is_head: bool,
    version: Version,
    /// Whether the client has to be told that its connection is kept.
    says_kept: bool,
    /// What a client that asks for a WebSocket is told, and where its messages come in.
    handshake: Option<(HeaderValue, Inbox)>,
    state: State,
}

/// What has been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Nothing,
    /// A head, and perhaps a part of the body.
    Begun(Framing),
    /// All of it; or it is a WebSocket now.
    Whole,
}

impl Outgoing {
    /// The response to a request with this head.
    pub(super) fn new(exchange: Arc<Exchange>, head: &Parts) -> Self {
        let (is_head, version, says_kept) = (head.method == Method::HEAD, head.version, read::asks_to_keep(head));
        Self { exchange, is_head, version, says_kept, handshake: None, state: State::Nothing }
    }

    /// The same for a client that asks for a WebSocket.
    pub(super) fn with_handshake(mut self, accept: HeaderValue, inbox: Inbox) -> Self {
        self.handshake = Some((accept, inbox));
        self
    }
}

impl Sink for Outgoing {
    fn head(&mut self, head: Head) -> BoxFuture<'_, Result<(), WriteError>> {
        Box::pin(async move {
            let framing = render::framing(&head, self.is_head, self.version);
            self.state = State::Begun(framing);
            self.exchange.send(&render::head(head, framing, self.says_kept, SystemTime::now())).await
        })
    }

    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), WriteError>> {
        Box::pin(async move {
            let State::Begun(framing) = self.state else { return Err(WriteError::NoHead) };
            match framing {
                Framing::Chunked => self.exchange.send(&render::body(&bytes, framing)).await,
                Framing::Length | Framing::Close => self.exchange.send(&bytes).await,
            }
        })
    }

    fn finish(&mut self) -> BoxFuture<'_, Result<(), WriteError>> {
        Box::pin(async move {
            let State::Begun(framing) = self.state else { return Err(WriteError::NoHead) };
            if framing == Framing::Chunked {
                self.exchange.send(LAST_CHUNK).await?;
            }
            self.state = State::Whole;
            if framing == Framing::Close {
                self.exchange.close();
            }
            self.exchange.here()
        })
    }

    fn accept(&mut self, headers: HeaderMap) -> BoxFuture<'_, Result<WebSocket, WriteError>> {
        Box::pin(async move {
            let (accept, inbox) = self.handshake.take().ok_or(WriteError::NoWebSocket)?;
            self.state = State::Begun(Framing::Length);
            self.exchange.send(&render::switch(accept, headers)).await?;
            self.state = State::Whole;
            Ok(WebSocket::new(Socket::new(Arc::clone(&self.exchange), inbox)))
        })
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        match self.state {
            State::Nothing => {
                let answer = StatusCode::INTERNAL_SERVER_ERROR;
                self.exchange.say(&render::own(answer, self.is_head, false, SystemTime::now()));
            }
            State::Begun(Framing::Length | Framing::Chunked) => self.exchange.close(),
            State::Begun(Framing::Close) => self.exchange.reset(),
            State::Whole => {}
        }
    }
}
