//! WebSocket (RFC 6455), the server's side of what a client sends: the handshake, and messages out of frames.
//!
//! Pure.  The caller owns the buffer that it reads into and shows it to [`Decoder::next`], which unmasks in place.
//! It gives one message at a time and tells where in the buffer the bytes behind it begin; when it gives none, all
//! of the buffer is used up and may be filled again.  A message that lies whole in the buffer, in one frame, is
//! handed out as a part of it.  Any other is put together in the decoder, which holds no more than the limit allows
//! and what one control frame may have.  What a server sends are frames that handlers make, and [`close_frame`].

mod control;
mod fault;
mod frame;
mod handshake;
mod joined;
mod utf8;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;

pub(crate) use control::close_frame;
pub(crate) use fault::Fault;
pub(crate) use handshake::{Handshake, VERSION, asked};

use self::control::Control;
use self::frame::{Frame, Kind, Partial};
use self::joined::Joined;

/// A whole message, or a control frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    /// The first byte of its frame, as if it had come in one: FIN is set, and no reserved bit ever is.
    pub(crate) first: u8,
    /// Unmasked.  Text is UTF-8, and what is in a Close frame is allowed there.
    pub(crate) payload: Cow<'a, [u8]>,
    /// Where in the input the bytes behind it begin.
    pub(crate) end: usize,
}

/// The state of a client's frames being read.
#[derive(Debug)]
pub(crate) struct Decoder {
    state: State,
    joined: Joined,
    control: Control,
}

/// Where in the frames the next byte is.
#[derive(Debug)]
enum State {
    /// In a header, of which this has come.
    Header(Partial),
    /// In a payload.
    Payload(Frame),
    /// Behind a Close frame (section 1.4) or a fault: what comes is of no interest.
    End,
}

/// The whole payload of a message.
#[derive(Debug)]
enum Payload {
    /// It is a part of the input.
    Here(Range<usize>),
    Kept(Vec<u8>),
}

impl Decoder {
    /// Starts behind a handshake.  A message may have `limit` bytes, all its fragments together.
    pub(crate) fn new(limit: usize) -> Self {
        Self { state: State::Header(Partial::default()), joined: Joined::new(limit), control: Control::default() }
    }

    /// Takes the next message out of `input`.
    ///
    /// # Errors
    /// What came breaks the protocol or the limit: the connection has to be closed with the fault's code.  Nothing
    /// comes out any more.
    pub(crate) fn next<'a>(&mut self, input: &'a mut [u8]) -> Result<Option<Message<'a>>, Fault> {
        match self.read(input) {
            Ok(None) => Ok(None),
            Ok(Some((kind, Payload::Here(place), end))) => {
                Ok(Some(Message { first: kind.first(), payload: Cow::Borrowed(&input[place]), end }))
            }
            Ok(Some((kind, Payload::Kept(bytes), end))) => {
                Ok(Some(Message { first: kind.first(), payload: Cow::Owned(bytes), end }))
            }
            Err(fault) => {
                *self = Self { state: State::End, ..Self::new(0) };
                Err(fault)
            }
        }
    }

    /// Reads frames up to the end of the first that completes a message, and tells where that is.
    fn read(&mut self, input: &mut [u8]) -> Result<Option<(Kind, Payload, usize)>, Fault> {
        let mut at = 0;
        loop {
            let mut frame = match &mut self.state {
                State::End => return Ok(None),
                State::Payload(frame) => *frame,
                State::Header(partial) => {
                    let Some((frame, used)) = partial.add(&input[at..], self.joined.open(), self.joined.room())? else {
                        return Ok(None);
                    };
                    at += used;
                    frame
                }
            };
            let piece = at..at + frame.left.min(input.len() - at);
            frame.unmask(&mut input[piece.clone()]);
            at = piece.end;
            let payload = match frame.kind {
                Kind::Text | Kind::Binary => self.joined.take(&frame, input, piece)?,
                Kind::Close | Kind::Ping | Kind::Pong => self.control.take(&frame, input, piece)?,
            };
            self.state = match frame {
                Frame { left: 1.., .. } => State::Payload(frame),
                Frame { kind: Kind::Close, .. } => State::End,
                _ => State::Header(Partial::default()),
            };
            match payload {
                Some(payload) => return Ok(Some((frame.kind, payload, at))),
                None if frame.left > 0 => return Ok(None),
                None => {}
            }
        }
    }
}
