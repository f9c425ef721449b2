//! What can go wrong for a handler.

use thiserror::Error;

use crate::wire::request::RequestError;
use crate::wire::websocket::FrameError;

/// Why a handler got no request, or could not send a reply.
#[derive(Debug, Error)]
pub enum HandlerError {
    /// The address is malformed, or the socket can't be made.
    #[error("there is no way to connect to `{address}`: {reason}")]
    Connect {
        /// As given.
        address: String,
        /// ZeroMQ's reason.
        reason: zmq::Error,
    },
    /// The system has no more room for descriptors that an event loop watches.
    #[error("cannot watch a socket: {0}")]
    Watch(std::io::Error),
    /// A message arrived that isn't a request; the next one may well be.
    #[error("cannot use a request: {reason}")]
    Message {
        /// What is wrong with it.
        reason: RequestError,
        /// All of its bytes.
        message: Vec<u8>,
    },
    /// The socket for requests failed.
    #[error("cannot receive requests: {0}")]
    Receive(zmq::Error),
    /// No server has subscribed to replies that start with this UUID, so nobody would have got this one.
    #[error("no server has subscribed to replies for `{0}`")]
    NoServer(String),
    /// The socket for replies failed.
    #[error("cannot send replies: {0}")]
    Send(zmq::Error),
    /// The value can't be JSON: a key of a map is no text, or its own `Serialize` says so.
    #[error("cannot make JSON of a value: {0}")]
    Json(serde_json::Error),
    /// The frame would break the protocol of WebSockets.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The request doesn't ask for a WebSocket, so it can't become one.
    #[error("the request is no handshake of a WebSocket")]
    NoHandshake,
    /// The HTTP response isn't one.
    #[error(transparent)]
    Response(#[from] ResponseError),
}

/// Why an HTTP response can't be sent as it is meant.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ResponseError {
    /// The status hasn't three digits.
    #[error("`{0}` is not an HTTP status")]
    Status(u16),
    /// The name of a header is empty or has characters that end it.
    #[error("`{}` is not a header name", .0.escape_default())]
    Name(String),
    /// The value of a header has a line break or another control character in it, so that the client could
    /// be made to see headers, or a second response, that the handler didn't write.
    #[error("the value of the header `{0}` has control characters in it")]
    Value(String),
    /// The header tells where the response ends, which is added and must not be there twice.
    #[error("the header `{0}` is not the handler's to set here")]
    Framing(String),
}
