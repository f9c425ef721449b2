//! A WebSocket: messages both ways.  Pings are answered and closes echoed by the host, while somebody receives.

use std::fmt;

use bytes::Bytes;
use thiserror::Error;

use super::BoxFuture;

/// The longest reason of a close, in bytes (RFC 6455, section 5.5).
const LONGEST_REASON: usize = 123;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Bytes),
}

/// Why messages don't come or go any more; fits after "cannot …:".
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SocketError {
    /// The client has left without a word.
    #[error("the client has left")]
    Gone,
    /// The WebSocket was closed, by the client or by the application.
    #[error("the WebSocket is closed")]
    Closed,
    /// What came isn't the protocol.
    #[error("the client has broken the protocol")]
    Protocol,
    /// The code can't be sent, or the reason has more than 123 bytes.
    #[error("a WebSocket can't be closed like that")]
    Close,
}

/// Where messages come from and go to; a host has one.
///
/// One that is dropped without having been closed closes with 1011: the application has ended unexpectedly;
/// or with 1001 if the host stops.
pub trait Duplex: Send {
    /// The next message; `None` once the client has closed.  May be given up while it waits: nothing is lost.
    fn recv(&mut self) -> BoxFuture<'_, Result<Option<Message>, SocketError>>;
    /// Sends a message; waits while the client is slow.
    fn send(&mut self, message: Message) -> BoxFuture<'_, Result<(), SocketError>>;
    /// Says that nothing more comes, and why.  The code is one that may be sent.
    fn close(&mut self, code: u16, reason: String) -> BoxFuture<'_, Result<(), SocketError>>;
}

/// A WebSocket that was accepted.
pub struct WebSocket(Box<dyn Duplex>);

impl WebSocket {
    /// A WebSocket, as hosts and filters make it.
    pub fn new(duplex: impl Duplex + 'static) -> Self {
        Self(Box::new(duplex))
    }

    /// The next message; `None` once the client has closed, or the host is about to stop.
    ///
    /// May be given up while it waits, in a `select!`: nothing is lost.
    ///
    /// # Errors
    /// The client has left without a word, or what comes isn't the protocol.
    pub async fn recv(&mut self) -> Result<Option<Message>, SocketError> {
        self.0.recv().await
    }

    /// Sends a message; waits while the client is slow.
    ///
    /// # Errors
    /// Nobody is there any more.
    pub async fn send(&mut self, message: impl Into<Message> + Send) -> Result<(), SocketError> {
        self.0.send(message.into()).await
    }

    /// Closes; `code` is 1000 if all is well, or one from 3000 to 4999 (RFC 6455, section 7.4).
    ///
    /// # Errors
    /// Code or reason can't be sent, or nobody is there any more.
    pub async fn close(&mut self, code: u16, reason: &str) -> Result<(), SocketError> {
        if !crate::wire::websocket::may_close_with(code) || reason.len() > LONGEST_REASON {
            return Err(SocketError::Close);
        }
        self.0.close(code, reason.to_owned()).await
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WebSocket")
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}
