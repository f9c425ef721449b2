//! The ZeroMQ sockets of the server: bound once per address, kept as long as anything uses them.
//!
//! libzmq closes sockets in the background, so that an address can't be bound again right after it was let
//! go.  That is why a reload looks here first: what exists is used on.

use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use mongrel2::config::paths::inside_chroot;
use mongrel2::config::{self, SendType, Settings};
use thiserror::Error;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::inlet::{Inlet, Receiving};
use super::outlet::{Outlet, Sending};
use super::sender::{self, Unwatched};
use super::{Dispatch, Handler};
use crate::statistics::Queues;
use crate::worker::Worker;

/// How long libzmq may take to let go of an address.
const REBIND: Duration = Duration::from_secs(1);

/// How long messages may take to get out when the server ends, in milliseconds.
const LINGER: i32 = 1000;

/// An address that can't be bound.
#[derive(Debug, Error)]
#[error("cannot bind the handler address `{spec}`: {error}")]
pub(crate) struct SocketError {
    pub(crate) spec: String,
    pub(crate) error: zmq::Error,
}

/// All sockets, by address.
pub(crate) struct Sockets {
    context: zmq::Context,
    outlets: HashMap<String, (SendType, Weak<Outlet>)>,
    inlets: HashMap<String, Weak<Inlet>>,
    fresh: Vec<Socket>,
}

/// A new socket with its task, to be run by a worker.
pub(crate) enum Socket {
    Sending(Sending),
    Receiving(Receiving),
}

impl Socket {
    pub(crate) async fn run(self, worker: Rc<Worker>) {
        match self {
            Self::Sending(task) => task.run(worker).await,
            Self::Receiving(task) => task.run(worker).await,
        }
    }
}

impl Sockets {
    pub(crate) fn new(settings: &Settings) -> Result<Self, zmq::Error> {
        let context = zmq::Context::new();
        context.set_io_threads(settings.zeromq_threads)?;
        Ok(Self { context, outlets: HashMap::new(), inlets: HashMap::new(), fresh: Vec::new() })
    }

    /// A handler's sockets: those that exist, or new ones.
    ///
    /// # Errors
    /// The address that can't be bound.
    pub(crate) fn handler(&mut self, handler: &config::Handler, settings: &Settings) -> Result<Handler, SocketError> {
        let outlet = self.outlet(&handler.send_spec, handler.send_type, settings)?;
        let inlet = self.inlet(&handler.recv_spec)?;
        let dispatch = Dispatch { send_ident: handler.send_ident.as_str().into(), protocol: handler.protocol, outlet };
        let root = Some(&handler.sendfile_root).filter(|root| !root.is_empty());
        Ok(Handler {
            dispatch: Arc::new(dispatch),
            inlet,
            raw_payload: handler.raw_payload,
            sendfile_root: root.map(|root| inside_chroot(root)),
        })
    }

    fn outlet(&mut self, spec: &str, kind: SendType, settings: &Settings) -> Result<Arc<Outlet>, SocketError> {
        // A socket can't change its kind, and its address takes a moment to become free.
        let known = self.outlets.get(spec).filter(|(known, _)| *known == kind);
        if let Some(outlet) = known.and_then(|(_, outlet)| outlet.upgrade()) {
            return Ok(outlet);
        }
        let sender = match kind {
            SendType::Push => Unwatched { socket: self.bind(zmq::PUSH, spec)?, kind: sender::Kind::Push },
            SendType::Pub => {
                let socket = self.bind(zmq::XPUB, spec)?;
                Unwatched { socket, kind: sender::Kind::Publish(Vec::new()) }
            }
        };
        let (outlet, task) = Outlet::new(sender, settings.handler_queue);
        let outlet = Arc::new(outlet);
        self.outlets.insert(spec.to_owned(), (kind, Arc::downgrade(&outlet)));
        self.fresh.push(Socket::Sending(task));
        Ok(outlet)
    }

    fn inlet(&mut self, spec: &str) -> Result<Arc<Inlet>, SocketError> {
        if let Some(inlet) = self.inlets.get(spec).and_then(Weak::upgrade) {
            return Ok(inlet);
        }
        let (inlet, task) = Inlet::new(spec, self.bind(zmq::SUB, spec)?);
        self.inlets.insert(spec.to_owned(), Arc::downgrade(&inlet));
        self.fresh.push(Socket::Receiving(task));
        Ok(inlet)
    }

    fn bind(&self, kind: zmq::SocketType, spec: &str) -> Result<zmq::Socket, SocketError> {
        let fault = |error| SocketError { spec: spec.to_owned(), error };
        let socket = self.context.socket(kind).map_err(fault)?;
        socket.set_linger(LINGER).map_err(fault)?;
        let address = address(spec);
        // Only an address that this process had may be about to become free.
        let ours = self.outlets.contains_key(spec) || self.inlets.contains_key(spec);
        let deadline = Instant::now() + if ours { REBIND } else { Duration::ZERO };
        loop {
            match socket.bind(&address) {
                Ok(()) => return Ok(socket),
                Err(zmq::Error::EADDRINUSE) if Instant::now() < deadline => std::thread::yield_now(),
                Err(error) => return Err(fault(error)),
            }
        }
    }

    /// A socket that answers, not bound to anything yet.
    pub(crate) fn reply(&self) -> Result<zmq::Socket, zmq::Error> {
        let socket = self.context.socket(zmq::REP)?;
        socket.set_linger(LINGER)?;
        Ok(socket)
    }

    /// The addresses in use, sorted, with the number of messages that wait to be sent; `None` receives.
    pub(crate) fn addresses(&self) -> Vec<(&str, Option<usize>)> {
        let sends =
            self.outlets.iter().filter_map(|(spec, (_, outlet))| Some((spec, Some(outlet.upgrade()?.waiting()))));
        let receives = self.inlets.iter().filter_map(|(spec, inlet)| inlet.upgrade().map(|_| (spec, None)));
        let mut addresses: Vec<_> = sends.chain(receives).map(|(spec, waiting)| (spec.as_str(), waiting)).collect();
        addresses.sort_unstable();
        addresses
    }

    /// The queues of the addresses that send, by `send_spec`.
    pub(crate) fn queues(&self) -> Queues {
        let used = self.outlets.iter().filter(|(_, (_, outlet))| outlet.strong_count() > 0);
        used.map(|(spec, (_, outlet))| (spec.clone(), Weak::clone(outlet))).collect()
    }

    /// The sockets that are new since the last call.
    pub(crate) fn take_fresh(&mut self) -> Vec<Socket> {
        std::mem::take(&mut self.fresh)
    }

    /// Closes the sockets that are new since the last [`take_fresh`](Self::take_fresh): their site didn't come
    /// to be.
    pub(crate) fn drop_fresh(&mut self) {
        self.fresh.clear();
    }
}

/// The server's working directory is the chroot, so that paths in it become relative.
pub(crate) fn address(spec: &str) -> String {
    match spec.strip_prefix("ipc://") {
        Some(path) => format!("ipc://{}", path.trim_start_matches('/')),
        None => spec.to_owned(),
    }
}

/// A ZeroMQ socket in a tokio event loop.
///
/// libzmq tells of changes through one descriptor, by edges: after [`changed`](Self::changed) everything that
/// is there has to be taken before waiting again.
pub(crate) struct Pollable {
    socket: AsyncFd<zmq::Socket>,
}

impl Pollable {
    pub(crate) fn new(socket: zmq::Socket) -> io::Result<Self> {
        // SAFETY: a socket keeps one descriptor (ZMQ_FD) from its creation until it is closed, and it is closed
        // when it is dropped, which `AsyncFd` does after it has stopped watching the descriptor.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?;
        Ok(Self { socket })
    }

    /// Sends a message; gives whether there was room for it.
    pub(crate) fn send(&mut self, message: &[u8]) -> Result<bool, zmq::Error> {
        self.send_with(|socket| match socket.send(message, zmq::DONTWAIT) {
            Err(zmq::Error::EAGAIN) => Ok(false),
            result => result.map(|()| true),
        })
    }

    /// Sends by a call that gives whether there was room.
    pub(super) fn send_with(
        &mut self,
        mut send: impl FnMut(&mut zmq::Socket) -> Result<bool, zmq::Error>,
    ) -> Result<bool, zmq::Error> {
        let socket = self.socket.get_mut();
        // libzmq looks for changes only now and then, unless it is asked for its events.
        Ok(send(socket)? || (socket.get_events()?.contains(zmq::POLLOUT) && send(socket)?))
    }

    /// Whether a message can be sent now.
    pub(crate) fn has_room(&self) -> Result<bool, zmq::Error> {
        Ok(self.socket.get_ref().get_events()?.contains(zmq::POLLOUT))
    }

    /// The next message, if one is there.
    pub(super) fn receive(&mut self) -> Result<Option<Bytes>, zmq::Error> {
        match self.socket.get_ref().recv_msg(zmq::DONTWAIT) {
            Ok(message) => Ok(Some(Bytes::from_owner(Owned(message)))),
            Err(zmq::Error::EAGAIN) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The first part of the next message, if one is there; other parts are dropped.
    pub(crate) fn receive_first(&mut self) -> Result<Option<Bytes>, zmq::Error> {
        let first = self.receive()?;
        while first.is_some() && self.socket.get_ref().get_rcvmore()? {
            self.receive()?;
        }
        Ok(first)
    }

    pub(super) fn subscribe(&self, ident: &str) {
        if let Err(error) = self.socket.get_ref().set_subscribe(ident.as_bytes()) {
            tracing::error!("cannot subscribe to `{ident}`: {error}");
        }
    }

    pub(super) fn unsubscribe(&self, ident: &str) {
        if let Err(error) = self.socket.get_ref().set_unsubscribe(ident.as_bytes()) {
            tracing::error!("cannot unsubscribe from `{ident}`: {error}");
        }
    }

    /// Waits until something may have changed.
    pub(crate) async fn changed(&mut self) {
        if let Ok(mut guard) = self.socket.readable().await {
            guard.clear_ready();
        }
    }
}

/// A message as the owner of its bytes, so that they reach their clients without being copied.
struct Owned(zmq::Message);

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
