//! An answer's body on its way from one framing to another.
//!
//! Pure: bytes of the upstream in, bytes for the client out.

use super::answer::{BadAnswer, Framing};
use crate::connection::{Decoder, Step};

/// A body that is being passed on.
#[derive(Debug)]
pub(crate) struct Passage {
    from: From,
    /// Whether the client gets it in chunks.
    in_chunks: bool,
    /// How many bytes of it have been passed on.
    pub(crate) bytes: u64,
}

#[derive(Debug)]
enum From {
    Over,
    Length(u64),
    Chunked(Decoder),
    UntilClose,
}

impl Passage {
    pub(crate) fn new(framing: Framing, in_chunks: bool) -> Self {
        let from = match framing {
            Framing::Nothing | Framing::Length(0) => From::Over,
            Framing::Length(length) => From::Length(length),
            Framing::Chunked => From::Chunked(Decoder::new()),
            Framing::UntilClose => From::UntilClose,
        };
        Self { from, in_chunks, bytes: 0 }
    }

    /// Whether the last byte has been taken.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.from, From::Over)
    }

    /// How many bytes are to come, if that is known.
    pub(crate) fn left(&self) -> Option<u64> {
        match self.from {
            From::Over => Some(0),
            From::Length(left) => Some(left),
            From::Chunked(_) | From::UntilClose => None,
        }
    }

    /// Whether bytes go on as they come, so that they may be read where they are written from.
    pub(crate) fn is_plain(&self) -> bool {
        !self.in_chunks && !matches!(self.from, From::Chunked(_))
    }

    /// Takes note of so many bytes that came and go on as they are; gives how many of them belong to the body.
    pub(crate) fn take_plain(&mut self, count: usize) -> usize {
        let taken = match &mut self.from {
            From::Over => 0,
            From::Length(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(count);
                *left -= taken as u64;
                if *left == 0 {
                    self.from = From::Over;
                }
                taken
            }
            From::Chunked(_) | From::UntilClose => count,
        };
        self.bytes += taken as u64;
        taken
    }

    /// Passes on what has come; gives how many bytes of it belong to the body, which is all unless it is over.
    ///
    /// # Errors
    /// It is not framed as it says.
    pub(crate) fn pass(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, BadAnswer> {
        if self.is_over() {
            return Ok(0);
        }
        let From::Chunked(decoder) = &mut self.from else {
            let taken = self.take_plain(input.len());
            self.append(out, &[&input[..taken]]);
            return Ok(taken);
        };
        let (mut at, mut pieces) = (0, Vec::new());
        let end = loop {
            match decoder.next(input, at)? {
                Step::Data(range) => {
                    at = range.end;
                    pieces.push(&input[range]);
                }
                Step::More => break None,
                Step::End(at) => break Some(at),
            }
        };
        self.bytes += pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
        if end.is_some() {
            self.from = From::Over;
        }
        self.append(out, &pieces);
        Ok(end.unwrap_or(input.len()))
    }

    /// Takes note that the upstream has closed the connection.
    ///
    /// # Errors
    /// The body isn't over.
    pub(crate) fn close(&mut self, out: &mut Vec<u8>) -> Result<(), BadAnswer> {
        match self.from {
            From::Over => Ok(()),
            From::UntilClose => {
                self.from = From::Over;
                self.append(out, &[]);
                Ok(())
            }
            From::Length(_) | From::Chunked(_) => Err(BadAnswer::Short),
        }
    }

    /// Appends pieces, as one chunk if the client gets chunks, and the last chunk behind the last of them.
    fn append(&self, out: &mut Vec<u8>, pieces: &[&[u8]]) {
        let size: usize = pieces.iter().map(|piece| piece.len()).sum();
        let is_chunk = self.in_chunks && size > 0;
        if is_chunk {
            out.extend_from_slice(format!("{size:x}\r\n").as_bytes());
        }
        pieces.iter().for_each(|piece| out.extend_from_slice(piece));
        if is_chunk {
            out.extend_from_slice(b"\r\n");
        }
        if self.in_chunks && self.is_over() {
            out.extend_from_slice(b"0\r\n\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Passes a body on in pieces of `cut` bytes; gives what the client gets, and how much was left behind the end.
    fn pass(framing: Framing, in_chunks: bool, input: &[u8], cut: usize) -> Result<(String, usize), BadAnswer> {
        let (mut passage, mut out, mut left) = (Passage::new(framing, in_chunks), Vec::new(), 0);
        for piece in input.chunks(cut) {
            left += piece.len() - passage.pass(piece, &mut out)?;
        }
        if !passage.is_over() {
            passage.close(&mut out)?;
        }
        Ok((String::from_utf8(out).unwrap(), left))
    }

    #[test]
    fn from_one_framing_to_the_other() {
        let ok = |text: &str, left| Ok((text.to_owned(), left));
        for (framing, in_chunks, input, expected) in [
            (Framing::Length(5), false, "hello", ok("hello", 0)),
            (Framing::Length(5), false, "hello!!", ok("hello", 2)),
            (Framing::Length(5), false, "hell", Err(BadAnswer::Short)),
            (Framing::UntilClose, false, "hello", ok("hello", 0)),
            (Framing::UntilClose, true, "hello", ok("5\r\nhello\r\n0\r\n\r\n", 0)),
            (Framing::UntilClose, true, "", ok("0\r\n\r\n", 0)),
            (Framing::Chunked, true, "2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\nT: x\r\n\r\n", ok("5\r\nhello\r\n0\r\n\r\n", 0)),
            (Framing::Chunked, false, "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n+", ok("hello", 1)),
            (Framing::Chunked, true, "2\r\nhe\r\n3\r\nll", Err(BadAnswer::Short)),
        ] {
            assert_eq!(pass(framing, in_chunks, input.as_bytes(), 1000), expected, "{framing:?} {input}");
        }
        assert!(matches!(pass(Framing::Chunked, true, b"x\r\n", 9), Err(BadAnswer::Chunk(_))));
    }

    proptest! {
        #[test]
        fn wherever_it_is_cut(chunks in prop::collection::vec("[a-z]{1,9}", 0..6), cut in 1_usize..20) {
            let input: String = chunks.iter().map(|chunk| format!("{:x}\r\n{chunk}\r\n", chunk.len())).collect();
            let input = input + "0\r\n\r\n";
            prop_assert_eq!(pass(Framing::Chunked, false, input.as_bytes(), cut), Ok((chunks.concat(), 0)));
            let (again, _) = pass(Framing::Chunked, true, input.as_bytes(), cut).unwrap();
            prop_assert_eq!(pass(Framing::Chunked, false, again.as_bytes(), cut), Ok((chunks.concat(), 0)));
        }
    }
}
