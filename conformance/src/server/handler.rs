//! A handler that is played: messages are taken by what they are about, so that one of an earlier case disturbs nobody.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use mongrel2::wire::extended::Extended;
use mongrel2::wire::{reply, request};

use super::site::Place;
use crate::check::{Problem, Verdict, equal, escaped};

/// Messages that nobody has taken yet; more are those of a server that has gone mad.
const MAX_KEPT: usize = 10_000;

/// A message from the server.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its bytes.
    pub raw: Vec<u8>,
    /// What they say.
    pub request: request::Request,
}

/// A handler.
pub struct Handler {
    requests: zmq::Socket,
    replies: zmq::Socket,
    kept: RefCell<VecDeque<Message>>,
    patience: Duration,
    /// What the server has subscribed to.
    pub subscription: Vec<u8>,
}

impl Handler {
    /// Connects, and waits until the server has said what it subscribes to.
    ///
    /// # Errors
    /// It doesn't.
    pub fn connect(context: &zmq::Context, place: &Place, patience: Duration) -> Verdict<Self> {
        let (requests, replies) = (context.socket(zmq::PULL)?, context.socket(zmq::XPUB)?);
        for socket in [&requests, &replies] {
            socket.set_linger(0)?;
            socket.set_rcvtimeo(i32::try_from(patience.as_millis()).unwrap_or(i32::MAX))?;
        }
        replies.set_sndhwm(0)?;
        requests.set_rcvhwm(0)?;
        requests.connect(&place.send_spec)?;
        replies.connect(&place.recv_spec)?;
        let subscription = replies.recv_bytes(0).map_err(|error| {
            Problem::wrong(format!("the server doesn't subscribe at `{}`: {error}", place.recv_spec))
        })?;
        let kept = RefCell::default();
        Ok(Self { requests, replies, kept, patience, subscription })
    }

    /// Forgets what nobody has taken.
    pub fn forget(&self) {
        self.kept.borrow_mut().clear();
        while self.requests.recv_bytes(zmq::DONTWAIT).is_ok() {}
    }

    /// Waits for a message.
    ///
    /// # Errors
    /// It doesn't come, or one that can't be read.
    pub fn take(&self, what: &str, wanted: impl Fn(&request::Request) -> bool) -> Verdict<Message> {
        let mut kept = self.kept.borrow_mut();
        let found = kept.iter().position(|message| wanted(&message.request));
        if let Some(message) = found.and_then(|index| kept.remove(index)) {
            return Ok(message);
        }
        let began = Instant::now();
        while began.elapsed() < self.patience && kept.len() < MAX_KEPT {
            let message = match self.requests.recv_bytes(0) {
                Ok(raw) => parse(raw)?,
                Err(zmq::Error::EAGAIN) => break,
                Err(zmq::Error::EINTR) => continue,
                Err(error) => return Err(error.into()),
            };
            if wanted(&message.request) {
                return Ok(message);
            }
            kept.push_back(message);
        }
        Err(Problem::wrong(format!("the handler gets no {what}; what it got: {}", listed(&kept))))
    }

    /// Waits for a request for a path.
    ///
    /// # Errors
    /// It doesn't come.
    pub fn request(&self, path: &str) -> Verdict<Message> {
        self.take(&format!("request for `{path}`"), |request| request.path == path)
    }

    /// Waits for the notice that a connection is gone.
    ///
    /// # Errors
    /// It doesn't come.
    pub fn disconnect(&self, id: u64) -> Verdict<Message> {
        self.take(&format!("notice that {id} is gone"), |request| request.id == id && request.is_disconnect())
    }

    /// That there is no such message up to now.
    ///
    /// Messages come in the order in which the server sends them: whoever has taken one has all that were sent before.
    ///
    /// # Errors
    /// There is.
    pub fn has_none(&self, what: &str, wanted: impl Fn(&request::Request) -> bool) -> Verdict {
        let kept = self.kept.borrow();
        let count = kept.iter().filter(|message| wanted(&message.request)).count();
        equal(format!("the number of messages that are {what}"), count, 0)
    }

    /// Sends bytes to connections.
    ///
    /// # Errors
    /// What ZeroMQ says.
    pub fn reply(&self, to: &request::Request, ids: &[u64], body: impl AsRef<[u8]>) -> Verdict {
        let mut message = Vec::new();
        reply::render(&mut message, to.sender.as_bytes(), ids, body.as_ref());
        self.send(message)
    }

    /// Sends a whole HTTP answer to who has asked.
    ///
    /// # Errors
    /// What ZeroMQ says.
    pub fn answer(&self, to: &request::Request, body: &str) -> Verdict {
        self.reply(to, &[to.id], format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
    }

    /// Lets so many more bytes of a streamed body come.
    ///
    /// # Errors
    /// What ZeroMQ says.
    pub fn credit(&self, to: &request::Request, credits: u64) -> Verdict {
        self.extended(to, &Extended::Control { keep_alive: false, credits: Some(credits), cancel: false })
    }

    /// Has a connection dropped.
    ///
    /// # Errors
    /// What ZeroMQ says.
    pub fn cancel(&self, to: &request::Request) -> Verdict {
        self.extended(to, &Extended::Control { keep_alive: false, credits: None, cancel: true })
    }

    /// Has a file sent.
    ///
    /// # Errors
    /// What ZeroMQ says.
    pub fn send_file(&self, to: &request::Request, path: &str) -> Verdict {
        self.extended(to, &Extended::SendFile(path.into()))
    }

    fn extended(&self, to: &request::Request, extended: &Extended) -> Verdict {
        let mut message = Vec::new();
        reply::render_extended(&mut message, to.sender.as_bytes(), &[to.id], extended);
        self.send(message)
    }

    /// Sends any bytes.
    ///
    /// # Errors
    /// What ZeroMQ says.
    pub fn send(&self, message: impl AsRef<[u8]>) -> Verdict {
        Ok(self.replies.send(message.as_ref(), 0)?)
    }
}

impl std::fmt::Debug for Handler {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Handler").field("subscription", &self.subscription).finish_non_exhaustive()
    }
}

fn parse(raw: Vec<u8>) -> Verdict<Message> {
    match request::parse(&raw) {
        Ok(request) => Ok(Message { raw, request }),
        Err(error) => Err(Problem::wrong(format!("the handler gets `{}`: {error}", escaped(&raw)))),
    }
}

fn listed(kept: &VecDeque<Message>) -> String {
    let texts: Vec<String> = kept.iter().rev().take(5).map(|message| escaped(&message.raw)).collect();
    if texts.is_empty() { "nothing".to_owned() } else { texts.join("; ") }
}
