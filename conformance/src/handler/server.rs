//! A server that is played: PUSH and SUB at their addresses, opened and closed as a case wants it.
//!
//! Replies are received on a thread: a SUB socket tells a newly connected handler what it subscribes to only while
//! somebody is receiving from it, as a real server always is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use thiserror::Error;

/// Where it binds if nobody says where: a free port of this machine.
const ANYWHERE: &str = "tcp://127.0.0.1:*";

/// Between two looks at what else may have happened, in milliseconds.
const TICK: i32 = 20;

/// Replies that nobody has taken yet; behind them the handler has to wait.
const MAX_KEPT: usize = 4096;

/// The longest reply that is taken, in bytes.
const MAX_REPLY: i64 = 64 * 1024 * 1024;

/// Why there is no server; fits after "cannot …:".
#[derive(Debug, Error)]
pub enum ServerError {
    /// An address can't be bound.
    #[error("`{0}`: {1}")]
    Address(String, zmq::Error),
    /// Both addresses are the same; ZeroMQ itself would take a file's name from the first socket.
    #[error("`{0}` can't be for requests and for replies")]
    Both(String),
    /// The system has no room for another socket.
    #[error("{0}")]
    Socket(#[from] zmq::Error),
}

/// Where a server is, or is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// Where handlers get requests: its `send_spec`.
    pub requests: String,
    /// Where they send replies: its `recv_spec`.
    pub replies: String,
}

/// A server.
pub struct Server {
    context: zmq::Context,
    addresses: Addresses,
    requests: Option<zmq::Socket>,
    replies: Option<Replies>,
}

impl Server {
    /// Binds the address of requests, and finds out that the one of replies can be bound; what isn't given is a free port.
    ///
    /// # Errors
    /// One of them can't be.
    pub fn bind(requests: Option<&str>, replies: Option<&str>) -> Result<Self, ServerError> {
        if let Some(both) = requests.filter(|address| *address != ANYWHERE && replies == Some(address)) {
            return Err(ServerError::Both(both.to_owned()));
        }
        let context = zmq::Context::new();
        let (push, requests) = bound(push(&context)?, requests.unwrap_or(ANYWHERE))?;
        let replies = tried(replies.unwrap_or(ANYWHERE))?;
        Ok(Self { context, addresses: Addresses { requests, replies }, requests: Some(push), replies: None })
    }

    /// Where it is.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Binds what isn't bound.  ZeroMQ closes in the background: an address may be in use for some time after its socket
    /// is gone.
    pub(super) fn open(&mut self, patience: Duration) -> Result<(), ServerError> {
        if self.replies.is_none() {
            let socket = bound_in_time(|| sub(&self.context), &self.addresses.replies, patience)?;
            self.replies = Some(Replies::of(socket));
        }
        if self.requests.is_none() {
            self.requests = Some(bound_in_time(|| push(&self.context), &self.addresses.requests, patience)?);
        }
        Ok(())
    }

    /// Closes both sockets.
    pub(super) fn close(&mut self) {
        (self.requests, self.replies) = (None, None);
    }

    /// Gives a message to a handler, if there is one that takes it within a tick.
    pub(super) fn offer(&self, message: &[u8]) -> zmq::Result<bool> {
        match self.requests.as_ref().map_or(Err(zmq::Error::ENOTSOCK), |socket| socket.send(message, 0)) {
            Ok(()) => Ok(true),
            Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The next message of a handler, if one comes within a tick.
    pub(super) fn receive(&self) -> zmq::Result<Option<Vec<u8>>> {
        let tick = Duration::from_millis(TICK.unsigned_abs().into());
        let replies = self.replies.as_ref().ok_or(zmq::Error::ENOTSOCK)?;
        match replies.received.as_ref().map(|received| received.recv_timeout(tick)) {
            Some(Ok(reply)) => Ok(Some(reply)),
            Some(Err(RecvTimeoutError::Timeout)) => Ok(None),
            Some(Err(RecvTimeoutError::Disconnected)) | None => Err(zmq::Error::ENOTSOCK),
        }
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Server").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// What comes from a SUB socket, and the thread that receives it.
struct Replies {
    /// `None` while it is being dropped.
    received: Option<Receiver<Vec<u8>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Replies {
    fn of(socket: zmq::Socket) -> Self {
        let (sender, received) = sync_channel(MAX_KEPT);
        let is_over = Arc::<AtomicBool>::default();
        let thread = thread::spawn({
            let is_over = Arc::clone(&is_over);
            move || receive(&socket, &sender, &is_over)
        });
        Self { received: Some(received), is_over, thread: Some(thread) }
    }
}

impl Drop for Replies {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // The thread may wait for room: without the other end it doesn't.
        self.received = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Ends when it is told to, or when the socket fails: then whoever wants a reply sees that none can come.
fn receive(socket: &zmq::Socket, sender: &SyncSender<Vec<u8>>, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        match socket.recv_bytes(0) {
            Ok(message) => {
                if sender.send(message).is_err() {
                    return;
                }
            }
            Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => {}
            Err(_) => return,
        }
    }
}

fn push(context: &zmq::Context) -> zmq::Result<zmq::Socket> {
    let socket = context.socket(zmq::PUSH)?;
    socket.set_linger(0)?;
    socket.set_sndtimeo(TICK)?;
    // What a case sends at once shall be on its way at once.
    socket.set_sndhwm(0)?;
    Ok(socket)
}

fn sub(context: &zmq::Context) -> zmq::Result<zmq::Socket> {
    let socket = context.socket(zmq::SUB)?;
    socket.set_linger(0)?;
    socket.set_rcvtimeo(TICK)?;
    socket.set_maxmsgsize(MAX_REPLY)?;
    socket.set_subscribe(b"")?;
    Ok(socket)
}

/// Binds a socket; gives it, and where that is.
fn bound(socket: zmq::Socket, address: &str) -> Result<(zmq::Socket, String), ServerError> {
    let failed = |error| ServerError::Address(address.to_owned(), error);
    socket.bind(address).map_err(failed)?;
    let endpoint = socket.get_last_endpoint().map_err(failed)?;
    // Only what is no text has no endpoint, and that couldn't be given.
    Ok((socket, endpoint.unwrap_or_else(|_| address.to_owned())))
}

/// Where an address of replies is bound.  When this has ended it is free again: a handler that finds it bound would take that
/// for the server, and send what nobody gets.
fn tried(address: &str) -> Result<String, ServerError> {
    // A context ends when its sockets are really closed.
    let context = zmq::Context::new();
    bound(sub(&context)?, address).map(|(_, address)| address)
}

fn bound_in_time(
    socket: impl Fn() -> zmq::Result<zmq::Socket>,
    address: &str,
    patience: Duration,
) -> Result<zmq::Socket, ServerError> {
    let began = Instant::now();
    loop {
        match bound(socket()?, address) {
            Err(ServerError::Address(_, zmq::Error::EADDRINUSE)) if began.elapsed() < patience => {
                thread::sleep(Duration::from_millis(TICK.unsigned_abs().into()));
            }
            other => return other.map(|(socket, _)| socket),
        }
    }
}
