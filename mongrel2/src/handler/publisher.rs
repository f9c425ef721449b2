//! The socket that replies leave through.
//!
//! A PUB socket throws away what nobody has subscribed to, and the server's subscription arrives only some
//! time after `connect` has returned, perhaps after the first request: its answer would be lost without a
//! word.  An XPUB socket is the same to the server, but hears of subscriptions, so that a reply can wait for
//! the one that it matches.  Once a server has subscribed, ZeroMQ keeps replies for it while it is away, up
//! to `QUEUE`, and sends them when it is back.

use std::time::{Duration, Instant};

use super::error::HandlerError;
use super::socket;
use super::topics::{Topics, first_word};

/// How long a reply waits for a subscription: long enough for a server that is being restarted.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// For how long dropping the socket waits for replies still on their way, in milliseconds.
const LINGER: i32 = 1000;

/// How many replies may wait for a slow or absent server; ZeroMQ's 1,000 are soon gone with a broadcast.
const QUEUE: i32 = 10_000;

/// Connects a socket for replies.
pub(super) fn connect(context: &zmq::Context, identity: &str, address: &str) -> Result<zmq::Socket, HandlerError> {
    socket::connect(context, zmq::XPUB, address, |socket| {
        socket.set_linger(LINGER)?;
        socket.set_sndhwm(QUEUE)?;
        if identity.is_empty() { Ok(()) } else { socket.set_identity(identity.as_bytes()) }
    })
}

pub(super) struct Publisher {
    socket: zmq::Socket,
    topics: Topics,
}

impl Publisher {
    pub(super) fn connect(context: &zmq::Context, identity: &str, address: &str) -> Result<Self, HandlerError> {
        Ok(Self { socket: connect(context, identity, address)?, topics: Topics::default() })
    }

    /// Sends a message to the servers that have subscribed to its beginning.
    pub(super) fn send(&mut self, message: Vec<u8>) -> Result<(), HandlerError> {
        if !self.await_subscriber(&message).map_err(HandlerError::Send)? {
            return Err(HandlerError::NoServer(first_word(&message)));
        }
        self.socket.send(message, 0).map_err(HandlerError::Send)
    }

    fn await_subscriber(&mut self, message: &[u8]) -> zmq::Result<bool> {
        let start = Instant::now();
        loop {
            self.note_subscriptions()?;
            if self.topics.want(message) {
                return Ok(true);
            }
            if !socket::wait_readable(&self.socket, PATIENCE.saturating_sub(start.elapsed()))? {
                return Ok(false);
            }
        }
    }

    fn note_subscriptions(&mut self) -> zmq::Result<()> {
        loop {
            match self.socket.recv_bytes(zmq::DONTWAIT) {
                Ok(notice) => self.topics.note(&notice),
                Err(zmq::Error::EAGAIN) => return Ok(()),
                Err(zmq::Error::EINTR) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
