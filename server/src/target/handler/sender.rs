//! The socket that requests leave through: PUSH for one of the connected handlers, XPUB for all of them.
//!
//! A PUB socket throws away what nobody has subscribed to.  XPUB is the same to handlers, but hears of their
//! subscriptions, so that a request waits until somebody wants it.

use std::io;

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

/// What became of a message.
pub(super) enum Sent {
    Yes,
    /// Nobody is there to take it; here it is.
    No(Vec<u8>),
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
    /// Sends a message, if somebody takes it.
    ///
    /// # Errors
    /// What ZeroMQ says.
    pub(super) fn send(&mut self, message: Vec<u8>) -> Result<Sent, zmq::Error> {
        if !self.is_wanted(&message)? {
            return Ok(Sent::No(message));
        }
        if message.len() < LARGE {
            return Ok(if self.socket.send(&message)? { Sent::Yes } else { Sent::No(message) });
        }
        if self.socket.has_room()? {
            self.socket.give(message)?;
            return Ok(Sent::Yes);
        }
        Ok(Sent::No(message))
    }

    /// Waits until it may be worth another try.
    pub(super) async fn changed(&mut self) {
        self.socket.changed().await;
    }

    fn is_wanted(&mut self, message: &[u8]) -> Result<bool, zmq::Error> {
        let Kind::Publish(topics) = &mut self.kind else { return Ok(true) };
        while let Some(news) = self.socket.receive()? {
            match news.split_first() {
                Some((1, topic)) => topics.push(topic.to_vec()),
                Some((0, topic)) => topics.retain(|known| known != topic),
                // A message that isn't about subscriptions is no business of ours.
                _ => {}
            }
        }
        Ok(topics.iter().any(|topic| message.starts_with(topic)))
    }
}
