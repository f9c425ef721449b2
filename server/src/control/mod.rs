//! The control port: where operators ask a running server what it does, and tell it what to do.
//!
//! Requests come one at a time, and each gets its answer before the next is looked at.  What is said is in
//! `mongrel2::wire::control`; what is done in `run`.  Here are the socket and what the answers are made of.

mod ask;
mod port;
mod tables;

use bytes::Bytes;

use crate::target::handler::Pollable;

pub(crate) use ask::ask;
pub(crate) use port::{Port, PortError, file};
pub(crate) use tables::{About, Task, about, late, net, sessions, tasks};

use self::port::SocketFile;

/// The control port of a running server.
pub(crate) struct Control {
    open: Option<Open>,
    /// Where it goes once the request that is being served has its answer.
    next: Option<Open>,
}

struct Open {
    spec: String,
    // Removed before the socket is closed, so that it can't be another server's by then.
    file: Option<SocketFile>,
    socket: Pollable,
}

impl Open {
    fn new(port: Port) -> std::io::Result<Self> {
        let Port { spec, file, socket } = port;
        Ok(Self { spec, file, socket: Pollable::new(socket)? })
    }
}

impl Control {
    /// Serves a port; must be called within a tokio runtime.
    ///
    /// # Errors
    /// The system can't watch it.
    pub(crate) fn new(port: Port) -> std::io::Result<Self> {
        Ok(Self { open: Some(Open::new(port)?), next: None })
    }

    /// Its address, unless it has been closed.
    pub(crate) fn spec(&self) -> Option<&str> {
        self.open.as_ref().map(|open| open.spec.as_str())
    }

    /// Waits for a request, for ever if the port is closed.
    ///
    /// Each has to be answered before the next can come.
    pub(crate) async fn request(&mut self) -> Bytes {
        loop {
            let Some(open) = &mut self.open else {
                return std::future::pending().await;
            };
            match open.socket.receive_first() {
                Ok(Some(request)) => return request,
                Ok(None) => open.socket.changed().await,
                Err(error) => {
                    tracing::error!("cannot receive at the control port, which is closed: {error}");
                    self.close();
                }
            }
        }
    }

    /// Answers the request; whoever asked may be gone.
    pub(crate) fn reply(&mut self, answer: &[u8]) {
        if let Some(open) = &mut self.open {
            // A client for which too much waits gets nothing.  How much that is libzmq looks up only now and then, unless
            // it is asked for its events.
            let sent = open.socket.has_room().and_then(|_| open.socket.send(answer));
            if let Err(error) = sent {
                tracing::error!("cannot answer at the control port: {error}");
            }
        }
        self.settle();
    }

    /// Prepares to go to another address.
    ///
    /// # Errors
    /// The system can't watch it.
    pub(crate) fn prepare(&mut self, port: Port) -> std::io::Result<()> {
        self.next = Some(Open::new(port)?);
        Ok(())
    }

    /// Goes to the address that was prepared, if one was.
    pub(crate) fn settle(&mut self) {
        if let Some(next) = self.next.take() {
            tracing::info!("the control port is now {}", next.spec);
            self.open = Some(next);
        }
    }

    /// Takes the socket's file away, so that nobody else comes; who is there gets answers.
    pub(crate) fn conceal(&mut self) {
        if let Some(open) = &mut self.open {
            open.file = None;
        }
    }

    /// Closes the port, for good.
    pub(crate) fn close(&mut self) {
        self.open = None;
        self.next = None;
    }
}
