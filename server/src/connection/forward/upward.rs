//! A request on its way to an upstream: its head, then its body as it comes.

use std::task::{Context, Poll};
use std::time::Instant;

use crate::connection::body::{Body, Piece};
use crate::connection::fields::Framing;
use crate::connection::request::{Refusal, Request};
use crate::connection::stream::Stream;
use crate::target::proxy::Link;

/// How much of a body is sent at once.
const PIECE: usize = 64 * 1024;

/// How much longer than it came a head mostly becomes.
const ROOM: usize = 512;

/// The request's half of an exchange.
#[derive(Debug)]
pub(super) struct Upward {
    /// What is to be written, and how much of it has been.
    out: Vec<u8>,
    written: usize,
    body: Body,
    in_chunks: bool,
    state: State,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The client waits for `100 Continue` since then.
    Held(Instant),
    Sending,
    /// The last byte is in `out`.
    Ending,
    /// The upstream takes no more.
    Broken,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    Client,
    Upstream,
    /// Word from the upstream that it wants the body.
    Leave,
    /// Nothing more.
    Nothing,
}

impl Upward {
    /// Begins a request, of whose body `bytes` have come.
    pub(super) fn new(request: &Request, bytes: Vec<u8>) -> Self {
        let framing = request.head.framing;
        let waits = request.head.expects_continue && bytes.is_empty() && framing != Framing::Length(0);
        let state = if waits { State::Held(Instant::now()) } else { State::Sending };
        let in_chunks = framing == Framing::Chunked;
        let out = Vec::with_capacity(request.head.length + ROOM);
        Self { out, written: 0, body: Body::new(framing, bytes), in_chunks, state }
    }

    /// Puts the head in front of what has come of the body; a request that is sent again has none.
    pub(super) fn start(&mut self, render: impl FnOnce(&mut Vec<u8>)) {
        self.out.clear();
        self.written = 0;
        render(&mut self.out);
        if matches!(self.state, State::Ending | State::Broken) {
            self.state = State::Sending;
        }
    }

    /// Whether the client still waits for `100 Continue`.
    pub(super) fn is_held(&self) -> bool {
        matches!(self.state, State::Held(_))
    }

    /// Since when it has waited.
    pub(super) fn held_since(&self) -> Option<Instant> {
        if let State::Held(since) = self.state { Some(since) } else { None }
    }

    /// Lets the body come.
    pub(super) fn release(&mut self) {
        self.state = State::Sending;
    }

    /// One of which nothing is left to be sent.
    pub(super) fn spent() -> Self {
        let body = Body::new(Framing::Length(0), Vec::new());
        Self { out: Vec::new(), written: 0, body, in_chunks: false, state: State::Ending }
    }

    /// Whether the client has sent all of it, so that what comes next is the next request.
    pub(super) fn is_read(&self) -> bool {
        self.state == State::Ending || self.body.is_over()
    }

    /// Whether all has been read and written.
    pub(super) fn is_done(&self) -> bool {
        self.state == State::Ending && self.written == self.out.len()
    }

    /// Takes what came behind the body.
    pub(super) fn take_rest(&mut self) -> Vec<u8> {
        std::mem::replace(&mut self.body, Body::new(Framing::Length(0), Vec::new())).into_rest()
    }

    /// Sends what can be sent; gives what is waited for.
    ///
    /// # Errors
    /// The client has left, or its body is malformed.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut Stream,
        link: &Link,
        budget: &mut usize,
    ) -> Result<Wait, Refusal> {
        loop {
            if *budget == 0 {
                return Ok(Wait::Client);
            }
            *budget -= 1;
            self.fill(context, stream)?;
            if self.written == self.out.len() {
                return Ok(match self.state {
                    State::Held(_) => Wait::Leave,
                    State::Sending => Wait::Client,
                    State::Ending | State::Broken => Wait::Nothing,
                });
            }
            match link.poll_write(context, &self.out[self.written..]) {
                Poll::Ready(Ok(written)) => self.written += written,
                Poll::Ready(Err(_)) => {
                    // It may have answered before.
                    self.state = State::Broken;
                    self.written = self.out.len();
                }
                Poll::Pending => return Ok(Wait::Upstream),
            }
        }
    }

    /// Adds what has come of the body; reads more only when everything has been written.
    fn fill(&mut self, context: &mut Context<'_>, stream: &mut Stream) -> Result<(), Refusal> {
        if self.written == self.out.len() && self.state != State::Ending {
            self.out.clear();
            self.written = 0;
        }
        while self.state == State::Sending && self.out.len() < PIECE {
            match self.body.next(PIECE)? {
                Piece::Data(range) => self.add(range),
                Piece::End => self.end(),
                Piece::More | Piece::Blocked if !self.out.is_empty() => return Ok(()),
                Piece::More | Piece::Blocked => match stream.poll_read(context, self.body.buffer()) {
                    Poll::Ready(read) => read?,
                    Poll::Pending => return Ok(()),
                },
            }
        }
        Ok(())
    }

    fn add(&mut self, range: std::ops::Range<usize>) {
        if self.in_chunks {
            self.out.extend_from_slice(format!("{:x}\r\n", range.len()).as_bytes());
        }
        self.out.extend_from_slice(self.body.data(range));
        if self.in_chunks {
            self.out.extend_from_slice(b"\r\n");
        } else if self.body.is_over() {
            self.end();
        }
    }

    fn end(&mut self) {
        if self.in_chunks {
            self.out.extend_from_slice(b"0\r\n\r\n");
        }
        self.state = State::Ending;
    }
}
