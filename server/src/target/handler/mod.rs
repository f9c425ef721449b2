//! Handlers: requests go out as ZeroMQ messages, replies come back for any number of connections.
//!
//! Every address has one socket and one task, which lives on one of the workers; connections reach it through
//! a bounded queue ([`outlet`]) and are reached through the registry of their own worker ([`inlet`]).  Nothing
//! here waits for ZeroMQ.  A reload carries the sockets over whose addresses stay.

mod inlet;
mod outgoing;
mod outlet;
mod sender;
mod sendfile;
mod sockets;

use std::path::PathBuf;
use std::sync::Arc;

use mongrel2::config::Protocol;
use mongrel2::wire::request::{self, Envelope, Headers, Prepared};

pub(crate) use inlet::Inlet;
pub(crate) use outlet::{Outlet, Room};
pub(crate) use sendfile::SentFile;
pub(crate) use sockets::{Pollable, Socket, SocketError, Sockets, address};

/// The target of a route.
#[derive(Debug)]
pub(crate) struct Handler {
    /// Where requests go.
    pub(crate) dispatch: Arc<Dispatch>,
    /// Where replies come from.
    pub(crate) inlet: Arc<Inlet>,
    /// Whether replies to JSON and XML sockets go out as they are.
    pub(crate) raw_payload: bool,
    /// Below which folder the files lie that the handler may have sent.
    pub(crate) sendfile_root: Option<PathBuf>,
}

/// The outgoing half of a handler.
#[derive(Debug)]
pub(crate) struct Dispatch {
    send_ident: Arc<str>,
    protocol: Protocol,
    outlet: Arc<Outlet>,
}

/// A message of a client that may have many behind it, and waits until there is room.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Message<'a> {
    /// Of a WebSocket.
    Frame { path: &'a [u8], headers: &'a Prepared, first: u8, body: &'a [u8] },
    /// Of a JSON or XML socket.
    Socket { path: &'a [u8], client: &'a [(&'a [u8], &'a [u8])], server: &'a [(&'a str, &'a [u8])], body: &'a [u8] },
    /// A further piece of a request's body.
    Piece { path: &'a [u8], server: &'a [(&'a str, &'a [u8])], body: &'a [u8] },
}

/// So many requests wait for the handler that there is no room for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

impl Dispatch {
    /// Queues a request of connection `id`.
    ///
    /// # Errors
    /// No handler has taken messages for so long that `limits.handler_queue` of them wait.
    pub(crate) fn request(&self, id: u64, path: &[u8], headers: Headers<'_>, body: &[u8]) -> Result<(), Busy> {
        self.outlet.request(id, request::render(self.protocol, &self.envelope(id, path), headers, body))
    }

    /// Queues a message of connection `id`.
    pub(crate) fn message(&self, room: Room, id: u64, message: &Message<'_>) {
        let rendered = match *message {
            Message::Frame { path, headers, first, body } => headers.render(&self.envelope(id, path), first, body),
            Message::Socket { path, client, server, body } => {
                let headers = Headers { client, server };
                request::render(self.protocol, &self.envelope(id, path), headers, body)
            }
            Message::Piece { path, server, body } => {
                request::render_piece(self.protocol, &self.envelope(id, path), server, body)
            }
        };
        self.outlet.message(room, id, rendered);
    }

    /// Renders the headers of messages to come.
    pub(crate) fn prepare(&self, path: &[u8], headers: Headers<'_>) -> Prepared {
        Prepared::new(self.protocol, path, headers)
    }

    /// Room for a message, if there is any now.
    pub(crate) fn try_room(&self) -> Option<Room> {
        self.outlet.try_room()
    }

    /// Waits for room for a message.
    pub(crate) async fn room(&self) -> Room {
        self.outlet.room().await
    }

    /// Queues the notice that connection `id` is gone.
    pub(crate) fn disconnect(&self, id: u64) {
        self.outlet.gone(id, &self.send_ident, request::render_disconnect(self.protocol, &self.send_ident, id));
    }

    /// Queues the notice that there is no connection `id`.
    pub(crate) fn unknown(&self, id: u64) {
        self.outlet.unknown(id, &self.send_ident, request::render_disconnect(self.protocol, &self.send_ident, id));
    }

    /// Queues the notice that the client of connection `id` has taken so many bytes.
    pub(crate) fn credits(&self, id: u64, bytes: u64) {
        self.outlet.credits(id, request::render_credits(self.protocol, &self.send_ident, id, bytes));
    }

    fn envelope<'a>(&'a self, id: u64, path: &'a [u8]) -> Envelope<'a> {
        Envelope { sender: &self.send_ident, id, path }
    }
}

impl Handler {
    /// Whether both are the same for a handler program, even if a reload lies between them.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.dispatch.outlet, &other.dispatch.outlet)
            && Arc::ptr_eq(&self.inlet, &other.inlet)
            && self.dispatch.send_ident == other.dispatch.send_ident
    }

    /// Whether both have the same name: what a handler that has moved to other addresses keeps.
    pub(crate) fn has_name_of(&self, other: &Self) -> bool {
        self.dispatch.send_ident == other.dispatch.send_ident
    }
}
