//! A ZeroMQ socket in a tokio event loop.
//!
//! libzmq tells of changes through one descriptor, by edges: after `changed` everything that is there has to be taken
//! before waiting again.

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::error::HandlerError;

pub(super) struct Pollable {
    socket: AsyncFd<zmq::Socket>,
}

impl Pollable {
    /// Has the event loop of this task watch a socket.
    ///
    /// # Errors
    /// The system has no room for another descriptor that is watched.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub(super) fn new(socket: zmq::Socket) -> Result<Self, HandlerError> {
        // SAFETY: a socket keeps one descriptor (ZMQ_FD) from its creation until it is closed, and it is closed
        // when it is dropped, which `AsyncFd` does after it has stopped watching the descriptor.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) };
        socket.map(|socket| Self { socket }).map_err(|error| HandlerError::Watch(error.into()))
    }

    /// Sends a message; gives whether there was room for it.
    pub(super) fn send(&mut self, message: &[u8]) -> Result<bool, zmq::Error> {
        let socket = self.socket.get_ref();
        // libzmq looks for changes only now and then, unless it is asked for its events.
        Ok(sent(socket, message)? || (socket.get_events()?.contains(zmq::POLLOUT) && sent(socket, message)?))
    }

    /// The next message, if one is there.
    pub(super) fn receive(&mut self) -> Result<Option<Vec<u8>>, zmq::Error> {
        loop {
            match self.socket.get_ref().recv_bytes(zmq::DONTWAIT) {
                Ok(message) => return Ok(Some(message)),
                Err(zmq::Error::EAGAIN) => return Ok(None),
                Err(zmq::Error::EINTR) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until something may have changed.  May be given up at any time.
    pub(super) async fn changed(&mut self) {
        if let Ok(mut guard) = self.socket.readable_mut().await {
            guard.clear_ready();
        }
    }
}

fn sent(socket: &zmq::Socket, message: &[u8]) -> Result<bool, zmq::Error> {
    loop {
        match socket.send(message, zmq::DONTWAIT) {
            Ok(()) => return Ok(true),
            Err(zmq::Error::EAGAIN) => return Ok(false),
            Err(zmq::Error::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
}
