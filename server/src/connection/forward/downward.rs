//! An upstream's answer on its way to the client: interim ones, the head, then the body as it comes.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use super::exchange::{End, Fault, Terms};
use super::upward::Upward;
use crate::connection::stream::Stream;
use crate::connection::{After, Outcome};
use crate::target::proxy::{AnswerHead, BadAnswer, Framing, Link, Onward, Passage, Room, read_answer};

/// How much is read at once.
const PIECE: usize = 64 * 1024;

/// How much is read at once of what may be short.
const FIRST: usize = 16 * 1024;

/// How many interim answers there may be.
const MOST_INTERIM: usize = 32;

/// The answer's half of an exchange.
#[derive(Debug, Default)]
pub(super) struct Downward {
    /// What has come and hasn't been looked at.
    incoming: Vec<u8>,
    /// What is to be written, and how much of it has been.
    out: Vec<u8>,
    written: usize,
    is_flushing: bool,
    state: State,
    interim: usize,
    /// The status of the final answer, once it has come.
    status: Option<u16>,
    /// Whether the client's connection stays open.
    keep_alive: bool,
    /// Whether the upstream's connection may be used again.
    is_clean: bool,
    /// Whether the length of the body is known.
    is_bounded: bool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Head,
    Body(Passage),
    Switched,
}

impl Downward {
    /// Whether the final head has gone to the client, or is about to.
    pub(super) fn has_begun(&self) -> bool {
        self.status.is_some()
    }

    /// Whether the upstream has said nothing at all.
    pub(super) fn is_untouched(&self) -> bool {
        self.status.is_none() && self.incoming.is_empty() && self.interim == 0
    }

    /// Whether the upstream's connection may be used again, now that the answer is complete.
    pub(super) fn is_clean(&self) -> bool {
        self.is_clean
    }

    /// Whether something waits to be taken by the client.
    pub(super) fn waits_for_client(&self) -> bool {
        self.written < self.out.len() || self.is_flushing
    }

    /// What the log says; 499 stands for a client that left before an answer came.
    pub(super) fn outcome(&self) -> Outcome {
        let bytes = if let State::Body(passage) = &self.state { passage.bytes } else { 0 };
        let after = if self.keep_alive { After::KeepAlive } else { After::Close };
        Outcome { status: self.status.unwrap_or(499), bytes, after }
    }

    /// What the log says of a client that seems to have left.  If it hasn't, the end of its connection must not be the
    /// end of the answer.
    pub(super) fn left(&self) -> Outcome {
        Outcome { after: if self.has_begun() { After::Abort } else { After::Close }, ..self.outcome() }
    }

    /// Whether the body's length is known, so that the client may be expected to wait for its end.
    pub(super) fn is_bounded(&self) -> bool {
        self.is_bounded
    }

    /// What came behind a 101.
    pub(super) fn into_rest(self) -> Vec<u8> {
        self.incoming
    }

    /// Passes on what can be passed on.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut Stream,
        link: &Link,
        (terms, up): (&Terms, &mut Upward),
        budget: &mut usize,
    ) -> Poll<End> {
        loop {
            if *budget == 0 {
                return Poll::Pending;
            }
            *budget -= 1;
            while self.written < self.out.len() {
                match ready!(stream.poll_write(context, &self.out[self.written..])) {
                    Ok(written) => self.written += written,
                    Err(_) => return Poll::Ready(End::Gone),
                }
            }
            self.is_flushing = true;
            if ready!(stream.poll_flush(context)).is_err() {
                return Poll::Ready(End::Gone);
            }
            self.is_flushing = false;
            self.out.clear();
            self.written = 0;
            match &self.state {
                State::Switched => return Poll::Ready(End::Switched),
                State::Body(passage) if passage.is_over() => return Poll::Ready(End::Complete),
                State::Body(_) => {}
                State::Head => match self.read_head(terms, up) {
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(bad) => return Poll::Ready(End::Fault(bad.into())),
                },
            }
            if let Err(fault) = ready!(self.poll_link(context, link)) {
                let begun = self.has_begun();
                return Poll::Ready(if begun { End::Cut(fault) } else { End::Fault(fault) });
            }
        }
    }

    /// Takes the rest of the answer without passing it on; gives whether it was there whole.
    pub(super) async fn discard(&mut self, link: &Link, terms: &Terms, up: &mut Upward) -> bool {
        loop {
            self.out.clear();
            let is_there = match &self.state {
                State::Body(passage) => passage.is_over(),
                State::Switched => return false,
                State::Head => match self.read_head(terms, up) {
                    Ok(true) => continue,
                    Ok(false) => false,
                    Err(_) => return false,
                },
            };
            if is_there || poll_fn(|context| self.poll_link(context, link)).await.is_err() {
                return is_there;
            }
        }
    }

    /// Lets the client send its body.
    pub(super) fn say_continue(&mut self) {
        self.out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
    }

    /// Looks for a head in what has come; gives whether there was one.
    fn read_head(&mut self, terms: &Terms, up: &mut Upward) -> Result<bool, BadAnswer> {
        let mut incoming = std::mem::take(&mut self.incoming);
        let used = self.look(&incoming, terms, up)?;
        incoming.drain(..used);
        self.incoming = incoming;
        Ok(used > 0)
    }

    /// Takes a head, and behind a final one what has come of the body; gives how many bytes it has used.
    fn look(&mut self, incoming: &[u8], terms: &Terms, up: &mut Upward) -> Result<usize, BadAnswer> {
        let mut room = Room::new();
        match read_answer(incoming, terms.expected, &mut room)? {
            None => Ok(0),
            Some(head) if head.is_interim() => self.interim(&head, terms, up).map(|()| head.length),
            Some(head) if head.status == 101 => {
                self.begin(&head, &[], terms, up)?;
                Ok(head.length)
            }
            Some(head) => self.begin(&head, &incoming[head.length..], terms, up).map(|()| incoming.len()),
        }
    }

    /// Passes an interim answer on (RFC 9110, section 15.2), unless it is for a client that has not asked.
    fn interim(&mut self, head: &AnswerHead<'_, '_>, terms: &Terms, up: &mut Upward) -> Result<(), BadAnswer> {
        self.interim += 1;
        if self.interim > MOST_INTERIM {
            return Err(BadAnswer::Interim);
        }
        let is_wanted = match head.status {
            100 => up.is_held(),
            _ => terms.manner.minor == 1,
        };
        if is_wanted {
            head.render_interim(&mut self.out, &terms.own_cookie);
        }
        if head.status == 100 && up.is_held() {
            up.release();
        }
        Ok(())
    }

    /// Begins the final answer, of whose body `body` has come.
    fn begin(&mut self, head: &AnswerHead<'_, '_>, body: &[u8], terms: &Terms, up: &Upward) -> Result<(), BadAnswer> {
        let minor = terms.manner.minor;
        // What is left of the request's body must not be taken for a request.
        let keep_alive = terms.manner.keep_alive && head.has_end(minor) && up.is_read();
        let Terms { date, lines, own_cookie, .. } = terms;
        head.render(&mut self.out, &Onward { minor, keep_alive, date, lines, own_cookie });
        if head.status == 101 {
            self.status = Some(101);
            self.state = State::Switched;
            return Ok(());
        }
        let mut passage = Passage::new(head.framing, head.goes_in_chunks(minor));
        if passage.pass(body, &mut self.out)? < body.len() {
            return Err(BadAnswer::Excess);
        }
        self.is_clean = head.keep_alive && head.framing != Framing::UntilClose;
        self.is_bounded = passage.left().is_some();
        (self.status, self.keep_alive) = (Some(head.status), keep_alive);
        self.state = State::Body(passage);
        Ok(())
    }

    /// Reads more, and makes of it what the client gets.
    fn poll_link(&mut self, context: &mut Context<'_>, link: &Link) -> Poll<Result<(), Fault>> {
        // There may be many that wait, which need no buffers for that.
        if ready!(link.poll_readable(context)).is_err() {
            return Poll::Ready(Err(BadAnswer::Short.into()));
        }
        let State::Body(passage) = &mut self.state else {
            self.incoming.reserve(FIRST);
            return Poll::Ready(match ready!(link.poll_read(context, &mut self.incoming)) {
                Ok(0) if self.incoming.is_empty() && self.interim == 0 => Err(Fault::Closed),
                Ok(0) => Err(BadAnswer::Short.into()),
                Ok(_) => Ok(()),
                Err(error) if self.is_untouched() => Err(Fault::Broken(error)),
                Err(_) => Err(BadAnswer::Short.into()),
            });
        };
        let most = passage.left().and_then(|left| usize::try_from(left).ok()).unwrap_or(PIECE).clamp(FIRST, PIECE);
        let is_plain = passage.is_plain();
        let buffer = if is_plain { &mut self.out } else { &mut self.incoming };
        buffer.clear();
        buffer.reserve(most);
        match ready!(link.poll_read(context, buffer)) {
            Ok(0) => passage.close(&mut self.out)?,
            Ok(count) => {
                let taken = match is_plain {
                    true => passage.take_plain(count),
                    false => passage.pass(&self.incoming, &mut self.out)?,
                };
                if is_plain {
                    self.out.truncate(taken);
                }
                self.is_clean &= taken == count;
            }
            Err(error) => return Poll::Ready(Err(Fault::Broken(error))),
        }
        Poll::Ready(Ok(()))
    }
}
