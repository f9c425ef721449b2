//! The server's side of the handler protocol, for tests of handlers: PUSH and SUB on ports of their own.
//!
//! Replies are received on a thread: a SUB socket tells a newly connected handler what it subscribes to only
//! while somebody is receiving from it, as a real server always is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use crate::wait;

/// How long the receiving thread may need to see that it shall end, in milliseconds.
const TICK: i32 = 10;

/// Plays the server.
pub struct FakeServer {
    context: zmq::Context,
    topic: Vec<u8>,
    requests_from: String,
    replies_to: String,
    running: Option<Running>,
}

impl FakeServer {
    /// Binds two free TCP ports and subscribes to all replies.
    ///
    /// # Panics
    /// If it can't.
    pub fn start() -> Self {
        Self::subscribed_to(b"")
    }

    /// Binds two free TCP ports and subscribes to replies that start with `topic` (a `recv_ident`).
    ///
    /// # Panics
    /// If it can't.
    pub fn subscribed_to(topic: &[u8]) -> Self {
        let context = zmq::Context::new();
        let push = push(&context, "tcp://127.0.0.1:*");
        let sub = sub(&context, topic, "tcp://127.0.0.1:*");
        let (requests_from, replies_to) = (endpoint(&push), endpoint(&sub));
        let running = Some(Running::start(push, sub));
        Self { context, topic: topic.to_vec(), requests_from, replies_to, running }
    }

    /// Where handlers get requests: the `send_spec`.
    pub fn requests_from(&self) -> &str {
        &self.requests_from
    }

    /// Where handlers send replies: the `recv_spec`.
    pub fn replies_to(&self) -> &str {
        &self.replies_to
    }

    /// Sends a message to a handler, once one is there.
    ///
    /// # Panics
    /// When none is by the deadline.
    pub fn send(&self, message: impl AsRef<[u8]>) {
        self.running().push.send(message.as_ref(), 0).expect("a handler comes for the message");
    }

    /// The next message from a handler.
    ///
    /// # Panics
    /// When there is none by the deadline.
    pub fn recv(&self) -> Vec<u8> {
        self.running().replies.recv_timeout(wait::DEADLINE).expect("a handler sends a message")
    }

    /// Closes both sockets, as a server that stops.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// Binds the same ports again, after closing them.
    ///
    /// # Panics
    /// If they aren't free by the deadline.
    pub fn restart(&mut self) {
        self.stop();
        let sub = sub(&self.context, &self.topic, &self.replies_to);
        self.running = Some(Running::start(push(&self.context, &self.requests_from), sub));
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the server has not been stopped")
    }
}

struct Running {
    push: zmq::Socket,
    replies: Receiver<Vec<u8>>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(push: zmq::Socket, sub: zmq::Socket) -> Self {
        let (sender, replies) = mpsc::channel();
        let end = Arc::<AtomicBool>::default();
        let thread = thread::spawn({
            let end = Arc::clone(&end);
            move || receive(&sub, &sender, &end)
        });
        Self { push, replies, end, thread: Some(thread) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        // If the thread has panicked, the test has missed a message and said so.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn receive(sub: &zmq::Socket, sender: &Sender<Vec<u8>>, end: &AtomicBool) {
    while !end.load(Ordering::Relaxed) {
        match sub.recv_bytes(0) {
            // Nobody listens any more only when the thread is about to end anyway.
            Ok(message) => drop(sender.send(message)),
            Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => {}
            Err(error) => panic!("the SUB socket failed: {error}"),
        }
    }
}

fn push(context: &zmq::Context, address: &str) -> zmq::Socket {
    let deadline = i32::try_from(wait::DEADLINE.as_millis()).expect("it fits");
    let socket = context.socket(zmq::PUSH).expect("there are sockets");
    socket.set_linger(0).and(socket.set_sndtimeo(deadline)).expect("these options exist");
    bind(&socket, address);
    socket
}

fn sub(context: &zmq::Context, topic: &[u8], address: &str) -> zmq::Socket {
    let socket = context.socket(zmq::SUB).expect("there are sockets");
    let set = socket.set_linger(0).and(socket.set_rcvtimeo(TICK)).and(socket.set_subscribe(topic));
    set.expect("these options exist");
    bind(&socket, address);
    socket
}

/// ZeroMQ closes in the background: an address can still be in use after its socket is gone.
fn bind(socket: &zmq::Socket, address: &str) {
    wait::until(&format!("`{address}` to be free"), || socket.bind(address).ok());
}

fn endpoint(socket: &zmq::Socket) -> String {
    socket.get_last_endpoint().expect("it is bound").expect("an address is text")
}
