//! The same as `connection` under tokio: who waits lets others go on.

use std::path::Path;

use serde::Serialize;

use super::connection::parse;
use super::error::HandlerError;
use super::pollable::Pollable;
use super::publisher::{self, PATIENCE};
use super::replies::replies;
use super::topics::{Topics, first_word};
use super::{message, response, socket};
use crate::wire::extended::Extended;
use crate::wire::request::Request;
use crate::wire::websocket::Frame;

/// A handler's connection with a server, or with all the servers that bind these addresses over time, under tokio.
///
/// It has the methods of [`Connection`](super::Connection); instead of `recv_timeout` there is `tokio::time::timeout`.
/// Unlike there, a reply for which ZeroMQ's queue has no room waits for room and is never thrown away.  The runtime needs
/// its I/O and its time driver.
pub struct AsyncConnection {
    requests: Requests,
    replies: Replies,
}

impl AsyncConnection {
    /// Connects to a server, whether it is there already or not.  To be called in a tokio runtime.
    ///
    /// `sender_id` names the handler itself, by custom with a UUID; it may be empty.  `requests_from` is the
    /// server's `send_spec`, `replies_to` its `recv_spec`.
    ///
    /// # Errors
    /// [`HandlerError::Connect`] if an address is malformed or `sender_id` has more than 255 bytes.
    /// [`HandlerError::Watch`] if the system has no more room.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn connect(sender_id: &str, requests_from: &str, replies_to: &str) -> Result<Self, HandlerError> {
        let context = zmq::Context::new();
        let replies = publisher::connect(&context, sender_id, replies_to)?;
        let replies = Replies { socket: keeping(replies, replies_to)?, topics: Topics::default() };
        let requests = socket::connect(&context, zmq::PULL, requests_from, |_| Ok(()))?;
        Ok(Self { requests: Requests(Pollable::new(requests)?), replies })
    }

    /// Waits for the next request or notice.  May be given up at any time: nothing is lost.
    ///
    /// # Errors
    /// [`HandlerError::Message`] for a message that isn't a request: it has been taken, and the next call
    /// gives the next one.  [`HandlerError::Receive`] if the socket fails.
    pub async fn recv(&mut self) -> Result<Request, HandlerError> {
        self.requests.recv().await
    }

    /// Its two halves, for tasks of their own.
    #[cfg(feature = "app")]
    pub(crate) fn split(self) -> (Requests, Replies) {
        (self.requests, self.replies)
    }

    async fn send(
        &mut self,
        messages: impl IntoIterator<Item = Vec<u8>, IntoIter: Send> + Send,
    ) -> Result<(), HandlerError> {
        for message in messages {
            self.replies.send(&message).await?;
        }
        Ok(())
    }
}

replies!(AsyncConnection, [async], [.await]);

/// The socket that requests come from.
pub(crate) struct Requests(Pollable);

impl Requests {
    pub(crate) async fn recv(&mut self) -> Result<Request, HandlerError> {
        loop {
            match self.0.receive().map_err(HandlerError::Receive)? {
                Some(message) => return parse(message),
                None => self.0.changed().await,
            }
        }
    }
}

/// The socket that replies leave through; see `publisher`.
pub(crate) struct Replies {
    socket: Pollable,
    topics: Topics,
}

impl Replies {
    /// Sends a message to the servers that have subscribed to its beginning; waits for one, and for room.
    pub(crate) async fn send(&mut self, message: &[u8]) -> Result<(), HandlerError> {
        match tokio::time::timeout(PATIENCE, self.send_when_wanted(message)).await {
            Ok(result) => result.map_err(HandlerError::Send),
            Err(_) if self.topics.want(message) => Err(HandlerError::Send(zmq::Error::EAGAIN)),
            Err(_) => Err(HandlerError::NoServer(first_word(message))),
        }
    }

    async fn send_when_wanted(&mut self, message: &[u8]) -> zmq::Result<()> {
        loop {
            while let Some(notice) = self.socket.receive()? {
                self.topics.note(&notice);
            }
            if self.topics.want(message) && self.socket.send(message)? {
                return Ok(());
            }
            self.socket.changed().await;
        }
    }
}

/// Has a socket for replies refuse a message that it has no room for, instead of throwing it away.
fn keeping(mut socket: zmq::Socket, address: &str) -> Result<Pollable, HandlerError> {
    let (on, size) = (1i32, size_of::<i32>());
    let option = zmq_sys::ZMQ_XPUB_NODROP as i32;
    // SAFETY: the socket is open, and the option is an `int`, which libzmq copies before it returns.
    let set = unsafe { zmq_sys::zmq_setsockopt(socket.as_mut_ptr(), option, (&raw const on).cast(), size) };
    if set != 0 {
        return Err(HandlerError::Connect { address: address.to_owned(), reason: zmq::Error::EINVAL });
    }
    Pollable::new(socket)
}
