//! A request's body that is taken in pieces while it comes, in either framing.
//!
//! Pure: whoever has it reads into [`Body::buffer`] when more has to come.

use std::ops::Range;

use super::chunked::{ChunkError, Decoder, Step};
use super::fields::Framing;

/// A body and the bytes of it that have come.
#[derive(Debug)]
pub(super) struct Body {
    left: Left,
    bytes: Vec<u8>,
    /// Where in `bytes` goes on what hasn't been taken.
    start: usize,
}

#[derive(Debug)]
enum Left {
    Length(u64),
    Chunked(Decoder),
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// These bytes, see [`Body::data`].
    Data(Range<usize>),
    /// Data, of which none may be taken.
    Blocked,
    /// Nothing before more has been read.
    More,
    /// Nothing: that was all.
    End,
}

impl Body {
    /// Begins with the bytes that have come behind the head.
    pub(super) fn new(framing: Framing, bytes: Vec<u8>) -> Self {
        let left = match framing {
            Framing::Length(length) => Left::Length(length),
            Framing::Chunked => Left::Chunked(Decoder::new()),
        };
        Self { left, bytes, start: 0 }
    }

    /// Takes at most `most` bytes of data.
    ///
    /// # Errors
    /// The bytes are no chunked body.
    pub(super) fn next(&mut self, most: usize) -> Result<Piece, ChunkError> {
        match &mut self.left {
            Left::Length(0) => Ok(Piece::End),
            Left::Length(left) => {
                let here = (self.bytes.len() - self.start).min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= here.min(most) as u64;
                Ok(self.take(self.start..self.start + here, most))
            }
            Left::Chunked(decoder) => {
                let mut ahead = decoder.clone();
                match ahead.next(&self.bytes, self.start)? {
                    Step::Data(range) => {
                        // The decoder follows only as far as the data is taken.
                        let end = range.start + range.len().min(most);
                        decoder.next(&self.bytes[..end], self.start)?;
                        Ok(self.take(range, most))
                    }
                    Step::More => {
                        *decoder = ahead;
                        self.start = self.bytes.len();
                        Ok(Piece::More)
                    }
                    Step::End(at) => {
                        *decoder = ahead;
                        self.start = at;
                        Ok(Piece::End)
                    }
                }
            }
        }
    }

    fn take(&mut self, here: Range<usize>, most: usize) -> Piece {
        let taken = here.start..here.start + here.len().min(most);
        self.start = taken.end;
        match (here.is_empty(), taken.is_empty()) {
            (true, _) => Piece::More,
            (false, true) => Piece::Blocked,
            (false, false) => Piece::Data(taken),
        }
    }

    /// The bytes of a piece, until the next is taken.
    pub(super) fn data(&self, piece: Range<usize>) -> &[u8] {
        &self.bytes[piece]
    }

    /// Whether nothing is left, as far as the framing tells in advance.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.left, Left::Length(0))
    }

    /// Whether only its end will tell how long it is.
    pub(super) fn is_chunked(&self) -> bool {
        matches!(self.left, Left::Chunked(_))
    }

    /// Where to read more into, once everything has been taken.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        self.bytes.drain(..self.start);
        self.start = 0;
        &mut self.bytes
    }

    /// What came behind the body.
    pub(super) fn into_rest(mut self) -> Vec<u8> {
        self.bytes.split_off(self.start)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Takes a body in pieces of at most `most` bytes, reading `bytes` cut at random; gives data and rest.
    fn read(framing: Framing, mut bytes: &[u8], most: usize, cut: usize) -> Result<(Vec<u8>, Vec<u8>), ChunkError> {
        let mut body = Body::new(framing, Vec::new());
        let mut data = Vec::new();
        loop {
            match body.next(most)? {
                Piece::Data(piece) => {
                    assert!(piece.len() <= most);
                    data.extend_from_slice(body.data(piece));
                    // Nothing may be taken now, and nothing is lost by trying.
                    let blocked = body.next(0)?;
                    assert!(!matches!(blocked, Piece::Data(_)));
                }
                Piece::Blocked => unreachable!("{most} may be taken"),
                Piece::More => {
                    let (now, later) = bytes.split_at(cut.min(bytes.len()));
                    assert!(!now.is_empty(), "the body ends");
                    body.buffer().extend_from_slice(now);
                    bytes = later;
                }
                Piece::End => return Ok((data, [body.into_rest(), bytes.to_vec()].concat())),
            }
        }
    }

    #[test]
    fn a_blocked_body_goes_on() {
        for (framing, bytes) in
            [(Framing::Length(5), &b"helloGET"[..]), (Framing::Chunked, b"5\r\nhello\r\n0\r\n\r\nGET")]
        {
            let mut body = Body::new(framing, bytes.to_vec());
            assert_eq!(body.next(0), Ok(Piece::Blocked));
            let Ok(Piece::Data(piece)) = body.next(2) else { panic!() };
            assert_eq!(body.data(piece), b"he");
            assert_eq!(body.next(0), Ok(Piece::Blocked));
            let Ok(Piece::Data(piece)) = body.next(9) else { panic!() };
            assert_eq!(body.data(piece), b"llo");
            assert_eq!(body.next(0), Ok(Piece::End), "the end needs no room");
            assert_eq!(body.into_rest(), b"GET");
        }
    }

    proptest! {
        #[test]
        fn both_framings_give_what_was_sent(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..8),
            most in 1_usize..40,
            cut in 1_usize..40,
        ) {
            let data = chunks.concat();
            let plain = [&data[..], b"next"].concat();
            let expected = Ok((data.clone(), b"next".to_vec()));
            prop_assert_eq!(read(Framing::Length(data.len() as u64), &plain, most, cut), expected.clone());
            let mut chunked = Vec::new();
            for chunk in &chunks {
                chunked.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                chunked.extend_from_slice(chunk);
                chunked.extend_from_slice(b"\r\n");
            }
            chunked.extend_from_slice(b"0\r\n\r\nnext");
            prop_assert_eq!(read(Framing::Chunked, &chunked, most, cut), expected);
        }
    }
}
