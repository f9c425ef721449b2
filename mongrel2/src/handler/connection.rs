//! A handler's two sockets, as one thing that gives requests and takes replies.
//!
//! What it sends is said in `replies` and made by `message`; that no reply gets lost on the way is the business of
//! `publisher`.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::error::HandlerError;
use super::publisher::Publisher;
use super::replies::replies;
use super::{message, response, socket};
use crate::wire::extended::Extended;
use crate::wire::request::{self, Request};
use crate::wire::websocket::Frame;

/// A handler's connection with a server, or with all the servers that bind these addresses over time.
///
/// A reply waits up to two seconds for the server's subscription, see [`HandlerError::NoServer`].  Dropping
/// the connection waits up to one second for replies that are still on their way.
pub struct Connection {
    requests: zmq::Socket,
    replies: Publisher,
}

impl Connection {
    /// Connects to a server, whether it is there already or not.
    ///
    /// `sender_id` names the handler itself, by custom with a UUID; it may be empty.  `requests_from` is the
    /// server's `send_spec`, `replies_to` its `recv_spec`.
    ///
    /// # Errors
    /// [`HandlerError::Connect`] if an address is malformed or `sender_id` has more than 255 bytes.
    pub fn connect(sender_id: &str, requests_from: &str, replies_to: &str) -> Result<Self, HandlerError> {
        let context = zmq::Context::new();
        let replies = Publisher::connect(&context, sender_id, replies_to)?;
        let requests = socket::connect(&context, zmq::PULL, requests_from, |_| Ok(()))?;
        Ok(Self { requests, replies })
    }

    /// Waits for the next request or notice.
    ///
    /// # Errors
    /// [`HandlerError::Message`] for a message that isn't a request: it has been taken, and the next call
    /// gives the next one.  [`HandlerError::Receive`] if the socket fails.
    pub fn recv(&mut self) -> Result<Request, HandlerError> {
        loop {
            match self.requests.recv_bytes(0) {
                Ok(message) => return parse(message),
                Err(zmq::Error::EINTR) => {}
                Err(error) => return Err(HandlerError::Receive(error)),
            }
        }
    }

    /// Waits for the next request or notice, but no longer than `timeout`: then it's `None`.
    ///
    /// This is how a handler that has more to do than to answer gets to do it, and how it can be stopped.
    ///
    /// # Errors
    /// Those of [`recv`](Self::recv).
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Option<Request>, HandlerError> {
        if socket::wait_readable(&self.requests, timeout).map_err(HandlerError::Receive)? {
            self.recv().map(Some)
        } else {
            Ok(None)
        }
    }

    fn send(&mut self, messages: impl IntoIterator<Item = Vec<u8>>) -> Result<(), HandlerError> {
        messages.into_iter().try_for_each(|message| self.replies.send(message))
    }
}

replies!(Connection, [], []);

/// A message as a request.
pub(super) fn parse(message: Vec<u8>) -> Result<Request, HandlerError> {
    request::parse(&message).map_err(|reason| HandlerError::Message { reason, message })
}
