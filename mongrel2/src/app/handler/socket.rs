//! A WebSocket behind a server, which has unmasked, joined and judged what comes; pings and closes are ours to answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, error::TryRecvError, unbounded_channel};

use super::exchange::Exchange;
use super::hub::GOING_AWAY;
use super::silence::Silence;
use crate::app::{BoxFuture, Duplex, Message, SocketError, WriteError};
use crate::wire::websocket::{self, Close, Frame};

/// How many bytes may wait for an application that doesn't receive.
const LONGEST_QUEUE: usize = 1024 * 1024;

/// What a waiting message costs beside its bytes.
const OVERHEAD: usize = 64;

/// How long a client may take to answer a close.
const PATIENCE: Duration = Duration::from_secs(5);

/// The application has ended without closing (RFC 6455, section 7.4.1, and what was registered later).
const UNEXPECTED: u16 = 1011;

/// Messages of a client that wait for the application.
pub(super) struct Inbox {
    messages: UnboundedReceiver<Incoming>,
    waiting: Arc<AtomicUsize>,
}

/// The way there.
pub(super) struct Entrance {
    messages: UnboundedSender<Incoming>,
    waiting: Arc<AtomicUsize>,
}

/// The first byte of a frame, and its payload.
type Incoming = (u8, Vec<u8>);

/// An inbox, empty.
pub(super) fn inbox() -> (Entrance, Inbox) {
    let ((sender, messages), waiting) = (unbounded_channel(), Arc::<AtomicUsize>::default());
    (Entrance { messages: sender, waiting: Arc::clone(&waiting) }, Inbox { messages, waiting })
}

impl Entrance {
    /// Takes a message; gives whether there was room for it.
    pub(super) fn push(&self, flags: u8, body: Vec<u8>) -> bool {
        let size = body.len() + OVERHEAD;
        if self.waiting.fetch_add(size, Ordering::Relaxed) + size > LONGEST_QUEUE {
            return false;
        }
        // An application that has ended its WebSocket doesn't want it any more.
        let _ = self.messages.send((flags, body));
        true
    }

    /// Closes as if the client had, with that code.
    pub(super) fn close(&self, code: u16) {
        let body = code.to_be_bytes().to_vec();
        self.waiting.fetch_add(body.len() + OVERHEAD, Ordering::Relaxed);
        let _ = self.messages.send((0x88, body));
    }
}

impl Inbox {
    async fn next(&mut self) -> Option<Incoming> {
        self.messages.recv().await.map(|message| self.taken(message))
    }

    /// What `next` gives, if it is there already.
    fn waiting(&mut self) -> Option<Option<Incoming>> {
        match self.messages.try_recv() {
            Ok(message) => Some(Some(self.taken(message))),
            Err(TryRecvError::Disconnected) => Some(None),
            Err(TryRecvError::Empty) => None,
        }
    }

    fn taken(&self, message: Incoming) -> Incoming {
        self.waiting.fetch_sub(message.1.len().saturating_add(OVERHEAD), Ordering::Relaxed);
        message
    }
}

/// A WebSocket.
pub(super) struct Socket {
    exchange: Arc<Exchange>,
    inbox: Inbox,
    state: State,
    /// Kept from one call to the next: whoever receives may give that up as often as there is something to send.
    silence: Silence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// A message was given up in the middle: nothing can be sent behind it.
    Sending,
    /// Our close has been sent.
    Closing,
    Closed,
}

impl Socket {
    pub(super) fn new(exchange: Arc<Exchange>, inbox: Inbox) -> Self {
        Self { exchange, inbox, state: State::Open, silence: Silence::Since(Instant::now()) }
    }

    async fn next_message(&mut self) -> Result<Option<Message>, SocketError> {
        loop {
            if self.state != State::Open {
                return Err(SocketError::Closed);
            }
            let Some((flags, body)) = self.next_frame().await else {
                self.state = State::Closed;
                return Err(SocketError::Gone);
            };
            match websocket::parse(flags, &body) {
                Ok(Frame::Text(text)) => return Ok(Some(Message::Text(text.to_owned()))),
                Ok(Frame::Binary(_)) => return Ok(Some(Message::Binary(body.into()))),
                Ok(Frame::Ping(bytes)) => self.say(&Frame::Pong(bytes)),
                Ok(Frame::Pong(_)) => {}
                Ok(close @ Frame::Close(_)) => {
                    self.say(&close);
                    self.end();
                    return Ok(None);
                }
                Err(_) => {
                    self.say(&Frame::Close(Some(Close { code: 1002, reason: "" })));
                    self.end();
                    return Err(SocketError::Protocol);
                }
            }
        }
    }

    /// The next frame.  A client that is silent is pinged, as the server drops those; one that doesn't answer has left, and
    /// the server can't know, for which pings move, too.
    async fn next_frame(&mut self) -> Option<Incoming> {
        let Some(limit) = self.exchange.ping() else { return self.inbox.next().await };
        loop {
            let left = self.silence.left(limit, Instant::now());
            let next = match left.is_zero() {
                // What came while nobody received was said in time.
                true => self.inbox.waiting(),
                false => tokio::time::timeout(left, self.inbox.next()).await.ok(),
            };
            match next {
                Some(next) => {
                    self.silence = Silence::Since(Instant::now());
                    return next;
                }
                None if left.is_zero() => self.ask()?,
                None => {}
            }
        }
    }

    /// Asks a client that has been silent for too long whether it is there; `None` if it was asked already.
    fn ask(&mut self) -> Option<()> {
        match self.silence {
            Silence::Since(_) => {
                self.silence = Silence::Asked(Instant::now());
                self.say(&Frame::Ping(b""));
                Some(())
            }
            Silence::Asked(_) => {
                self.exchange.reset();
                None
            }
        }
    }

    async fn send_frame(&mut self, frame: &Frame<'_>) -> Result<(), SocketError> {
        if self.state != State::Open {
            return Err(SocketError::Closed);
        }
        let mut bytes = Vec::new();
        websocket::render(&mut bytes, frame).map_err(|_| SocketError::Close)?;
        self.state = State::Sending;
        let sent = self.exchange.send(&bytes).await;
        self.state = State::Open;
        sent.map_err(|_: WriteError| SocketError::Gone)
    }

    async fn await_close(&mut self) {
        while let Some((flags, _)) = self.inbox.next().await {
            if flags == 0x88 {
                return;
            }
        }
    }

    /// Says a few bytes at once: whoever receives may give that up.
    fn say(&self, frame: &Frame<'_>) {
        let mut bytes = Vec::new();
        if websocket::render(&mut bytes, frame).is_ok() {
            self.exchange.say(&bytes);
        }
    }

    fn end(&mut self) {
        self.state = State::Closed;
        self.exchange.close();
    }
}

impl Duplex for Socket {
    fn recv(&mut self) -> BoxFuture<'_, Result<Option<Message>, SocketError>> {
        Box::pin(self.next_message())
    }

    fn send(&mut self, message: Message) -> BoxFuture<'_, Result<(), SocketError>> {
        Box::pin(async move {
            match &message {
                Message::Text(text) => self.send_frame(&Frame::Text(text)).await,
                Message::Binary(bytes) => self.send_frame(&Frame::Binary(bytes)).await,
            }
        })
    }

    fn close(&mut self, code: u16, reason: String) -> BoxFuture<'_, Result<(), SocketError>> {
        Box::pin(async move {
            self.send_frame(&Frame::Close(Some(Close { code, reason: &reason }))).await?;
            self.state = State::Closing;
            // A client that doesn't answer has had its chance.
            let _ = tokio::time::timeout(PATIENCE, self.await_close()).await;
            self.end();
            Ok(())
        })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        match self.state {
            State::Open => {
                let code = if self.exchange.is_stopping() { GOING_AWAY } else { UNEXPECTED };
                self.say(&Frame::Close(Some(Close { code, reason: "" })));
                self.end();
            }
            State::Sending | State::Closing => self.end(),
            State::Closed => {}
        }
    }
}
