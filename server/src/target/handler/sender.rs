//! The socket that requests leave through: PUSH for one of the connected handlers, XPUB for all of them.
//!
//! A PUB socket throws away what nobody has subscribed to.  XPUB is the same to handlers, but hears of their
//! subscriptions, so that a request waits until somebody wants it.

use std::io;

use super::outgoing::Outgoing;
use super::sockets::Pollable;

/// From which size on a message is handed to ZeroMQ as it is: copying a smaller one is cheaper.
const LARGE: usize = 2048;

/// A bound socket that no event loop watches yet.
pub(crate) struct Unwatched {
    pub(super) socket: zmq::Socket,
    pub(super) kind: Kind,
}

/// Who gets a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// One of those that are connected.
    Push,
    /// All that have subscribed to the beginning of the message.
    Publish(Vec<Vec<u8>>),
}

/// A message that is to be sent.
pub(super) enum Message {
    Small(Vec<u8>),
    Large { start: Vec<u8>, message: Outgoing },
}

impl Message {
    /// Takes a message's bytes.
    ///
    /// # Errors
    /// There is no memory.
    pub(super) fn new(bytes: Vec<u8>) -> Result<Self, zmq::Error> {
        if bytes.len() < LARGE {
            return Ok(Self::Small(bytes));
        }
        // Subscriptions are to the first word, or to less.
        let start = bytes.split_inclusive(|byte| *byte == b' ').next().unwrap_or_default().to_vec();
        Ok(Self::Large { start, message: Outgoing::new(bytes)? })
    }

    /// Whether a subscription is for it, as far as its start tells.
    fn is_for(&self, topic: &[u8]) -> bool {
        match self {
            Self::Small(bytes) => bytes.starts_with(topic),
            Self::Large { start, .. } => start.starts_with(topic) || topic.starts_with(start),
        }
    }
}

impl Unwatched {
    /// Has the socket watched by the event loop of this thread.
    pub(super) fn watch(self) -> io::Result<Sender> {
        Ok(Sender { socket: Pollable::new(self.socket)?, kind: self.kind })
    }
}

/// A socket in an event loop.
pub(super) struct Sender {
    socket: Pollable,
    kind: Kind,
}

impl Sender {
    /// Sends a message, if somebody takes it; gives whether somebody did.
    ///
    /// # Errors
    /// What ZeroMQ says.
    pub(super) fn send(&mut self, message: &mut Message) -> Result<bool, zmq::Error> {
        if !self.is_wanted(message)? {
            return Ok(false);
        }
        match message {
            Message::Small(bytes) => self.socket.send(bytes),
            Message::Large { message, .. } => self.socket.send_with(|socket| message.send(socket)),
        }
    }

    /// Waits until it may be worth another try.
    pub(super) async fn changed(&mut self) {
        self.socket.changed().await;
    }

    fn is_wanted(&mut self, message: &Message) -> Result<bool, zmq::Error> {
        let Kind::Publish(topics) = &mut self.kind else { return Ok(true) };
        while let Some(news) = self.socket.receive()? {
            match news.split_first() {
                Some((1, topic)) => topics.push(topic.to_vec()),
                Some((0, topic)) => topics.retain(|known| known != topic),
                // A message that isn't about subscriptions is no business of ours.
                _ => {}
            }
        }
        Ok(topics.iter().any(|topic| message.is_for(topic)))
    }
}
