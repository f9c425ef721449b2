//! A handler's two sockets, as one thing that gives requests and takes replies.
//!
//! Messages are parsed and rendered by [`wire`](crate::wire), HTTP heads by `response`; that no reply gets
//! lost on the way is the business of `publisher`.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use super::error::HandlerError;
use super::publisher::Publisher;
use super::{response, socket};
use crate::wire::extended::Extended;
use crate::wire::reply;
use crate::wire::request::{self, Request};

/// How many connections one message can be for: the default of the server's `limits.handler_targets`.
pub const MAX_IDS: usize = 128;

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

    /// Sends bytes as they are to the client that asked.  Without any bytes: closes its connection.
    ///
    /// # Errors
    /// [`HandlerError::NoServer`] or [`HandlerError::Send`].
    pub fn reply(&mut self, request: &Request, body: &[u8]) -> Result<(), HandlerError> {
        self.send(&request.sender, &[request.id], body)
    }

    /// Answers with an HTTP response; `Content-Length` is added, and a HEAD request gets no body.
    ///
    /// # Errors
    /// [`HandlerError::Response`] if it can't be sent as it is meant; then nothing is sent.  Those of
    /// [`reply`](Self::reply).
    pub fn reply_http(
        &mut self,
        request: &Request,
        status: u16,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<(), HandlerError> {
        let response = match request.header("METHOD") {
            Some("HEAD") => response::head(status, headers, body.len())?,
            _ => response::render(status, headers, body)?,
        };
        self.reply(request, &response)
    }

    /// Closes the connection of the client that asked, once all that was sent to it before is written.
    ///
    /// # Errors
    /// Those of [`reply`](Self::reply).
    pub fn close(&mut self, request: &Request) -> Result<(), HandlerError> {
        self.reply(request, b"")
    }

    /// Sends the same bytes to any number of a server's connections, [`MAX_IDS`] with each message.
    ///
    /// `server_uuid` is the [`sender`](Request::sender) of the requests that came from there.
    ///
    /// # Errors
    /// Those of [`reply`](Self::reply); the messages before the failing one have been sent.
    pub fn deliver(&mut self, server_uuid: &str, ids: &[u64], body: &[u8]) -> Result<(), HandlerError> {
        ids.chunks(MAX_IDS).try_for_each(|ids| self.send(server_uuid, ids, body))
    }

    /// Sends the same HTTP response to any number of a server's connections.
    ///
    /// # Errors
    /// Those of [`reply_http`](Self::reply_http) and [`deliver`](Self::deliver).
    pub fn deliver_http(
        &mut self,
        server_uuid: &str,
        ids: &[u64],
        status: u16,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<(), HandlerError> {
        self.deliver(server_uuid, ids, &response::render(status, headers, body)?)
    }

    /// Tells the server that the connection of the client that asked is alive, so that it isn't closed for being
    /// quiet.
    ///
    /// # Errors
    /// Those of [`reply`](Self::reply).
    pub fn keep_alive(&mut self, request: &Request) -> Result<(), HandlerError> {
        self.tell(request, &Extended::Control { keep_alive: true, credits: None, cancel: false })
    }

    /// Lets `bytes` more of an upload come that the server streams (`upload.stream`).
    ///
    /// The first message of an upload comes on its own, every further byte needs a credit.  Credits add up.
    ///
    /// # Errors
    /// Those of [`reply`](Self::reply).
    pub fn credits(&mut self, request: &Request, bytes: u64) -> Result<(), HandlerError> {
        self.tell(request, &Extended::Control { keep_alive: false, credits: Some(bytes), cancel: false })
    }

    /// Drops the connection of the client that asked, at once: what hasn't been written is lost.  No notice says that
    /// it is gone.
    ///
    /// # Errors
    /// Those of [`reply`](Self::reply).
    pub fn cancel(&mut self, request: &Request) -> Result<(), HandlerError> {
        self.tell(request, &Extended::Control { keep_alive: false, credits: None, cancel: true })
    }

    /// Has the server send the bytes of a file to the client that asked.
    ///
    /// `path` is one below the `sendfile_root` that the handler has in the server's configuration.  Only bytes are
    /// sent: the head of an HTTP response, with the file's length, is a [`reply`](Self::reply) of its own before it.
    ///
    /// # Errors
    /// Those of [`reply`](Self::reply).
    pub fn send_file(&mut self, request: &Request, path: impl AsRef<Path>) -> Result<(), HandlerError> {
        self.tell(request, &Extended::SendFile(path.as_ref().as_os_str().as_bytes().to_vec()))
    }

    fn tell(&mut self, request: &Request, extended: &Extended) -> Result<(), HandlerError> {
        let mut message = Vec::new();
        reply::render_extended(&mut message, request.sender.as_bytes(), &[request.id], extended);
        self.replies.send(message)
    }

    fn send(&mut self, server_uuid: &str, ids: &[u64], body: &[u8]) -> Result<(), HandlerError> {
        let mut message = Vec::new();
        reply::render(&mut message, server_uuid.as_bytes(), ids, body);
        self.replies.send(message)
    }
}

fn parse(message: Vec<u8>) -> Result<Request, HandlerError> {
    request::parse(&message).map_err(|reason| HandlerError::Message { reason, message })
}
