//! The chunked transfer coding (RFC 9112, section 7.1), decoded without copying.
//!
//! [`Decoder::next`] is given whatever bytes have come and says what they are: data, or nothing more until
//! more bytes come, or the end.  It keeps only its state, so that input may be split anywhere.  Extensions and
//! trailers are checked and dropped (RFC 9112, sections 7.1.1 and 7.1.2); a lone line feed ends no line here, not
//! even for a relaxed server.

use std::ops::Range;

use thiserror::Error;

use super::extension::Extension;
use super::token::{is_token_byte, is_value_byte};

/// A line with a chunk's size, its extensions included, is at most this long.
const MAX_SIZE_LINE: usize = 256;

/// The trailers are at most this long together.
const MAX_TRAILERS: usize = 8 * 1024;

/// A size has at most this many digits, leading zeros included.
const MAX_DIGITS: u8 = 16;

/// Where in a chunked body the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In the line with a chunk's size; `digits` and `length` of the line so far.
    Size { size: u64, digits: u8, length: usize },
    /// Behind the size.
    Extension { size: u64, length: usize, extension: Extension },
    /// Before the line feed of the size line.
    SizeEnd { size: u64 },
    /// In a chunk's data.
    Data { left: u64 },
    /// Before the carriage return behind the data.
    DataReturn,
    /// Before the line feed behind the data.
    DataEnd,
    /// In the trailers, which have had `length` bytes so far.
    Trailer { part: Part, length: usize },
    /// Before the line feed of a trailer.
    TrailerEnd { length: usize },
    /// Before the line feed of the empty line.
    LastEnd,
    /// Behind the last byte.
    End,
}

/// Where in the line of a trailer the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Start,
    Name,
    Value,
}

/// Why bytes are no chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum ChunkError {
    #[error("a chunk's size is not a hexadecimal number")]
    Size,
    #[error("a chunk's size line is longer than {MAX_SIZE_LINE} bytes")]
    SizeLine,
    #[error("a chunk's extension is malformed")]
    Extension,
    #[error("a chunk does not end where its size says")]
    End,
    #[error("a trailer is malformed")]
    Trailer,
    #[error("the trailers are longer than {MAX_TRAILERS} bytes")]
    Trailers,
}

/// What the bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// These of them are data; go on behind them.
    Data(Range<usize>),
    /// All of them are used up and more have to come.
    More,
    /// The body ends before this one.
    End(usize),
}

/// The state of a chunked body being read.
#[derive(Debug, Clone)]
pub(crate) struct Decoder(State);

impl Decoder {
    pub(crate) fn new() -> Self {
        Self(State::Size { size: 0, digits: 0, length: 0 })
    }

    /// How many bytes of data are known to come before anything else.
    pub(crate) fn left(&self) -> u64 {
        if let State::Data { left } = self.0 { left } else { 0 }
    }

    /// Looks at `bytes` from `start` on.
    ///
    /// # Errors
    /// The bytes are no chunked body; the decoder must not be used any more.
    pub(crate) fn next(&mut self, bytes: &[u8], start: usize) -> Result<Step, ChunkError> {
        for (at, &byte) in bytes.iter().enumerate().skip(start) {
            match self.0 {
                State::End => return Ok(Step::End(at)),
                State::Data { left } => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                    self.0 = match left - here as u64 {
                        0 => State::DataReturn,
                        left => State::Data { left },
                    };
                    return Ok(Step::Data(at..at + here));
                }
                state => self.0 = after(state, byte)?,
            }
        }
        Ok(if self.0 == State::End { Step::End(bytes.len()) } else { Step::More })
    }
}

/// The state behind one byte that isn't data.
fn after(state: State, byte: u8) -> Result<State, ChunkError> {
    Ok(match (state, byte) {
        (State::Size { size, digits, length }, byte) => size_after(size, digits, length, byte)?,
        (State::Extension { size, extension, .. }, b'\r') if extension.may_end() => State::SizeEnd { size },
        (State::Extension { length, .. }, _) if length >= MAX_SIZE_LINE => return Err(ChunkError::SizeLine),
        (State::Extension { size, length, extension }, _) => {
            let extension = extension.after(byte).ok_or(ChunkError::Extension)?;
            State::Extension { size, length: length + 1, extension }
        }
        (State::SizeEnd { size: 0 }, b'\n') => State::Trailer { part: Part::Start, length: 0 },
        (State::SizeEnd { size }, b'\n') => State::Data { left: size },
        (State::SizeEnd { .. }, _) => return Err(ChunkError::Size),
        (State::DataReturn, b'\r') => State::DataEnd,
        (State::DataEnd, b'\n') => State::Size { size: 0, digits: 0, length: 0 },
        (State::DataReturn | State::DataEnd, _) => return Err(ChunkError::End),
        (State::Trailer { part, length }, byte) => trailer_after(part, length, byte)?,
        (State::TrailerEnd { length }, b'\n') => State::Trailer { part: Part::Start, length: length + 1 },
        (State::LastEnd, b'\n') => State::End,
        (State::TrailerEnd { .. } | State::LastEnd, _) => return Err(ChunkError::Trailer),
        (State::Data { .. } | State::End, _) => state,
    })
}

/// The state behind a byte of a size: digits, at least one, and a number that fits 63 bits.
fn size_after(size: u64, digits: u8, length: usize, byte: u8) -> Result<State, ChunkError> {
    if let Some(digit) = char::from(byte).to_digit(16) {
        if digits == MAX_DIGITS || size >> 59 != 0 {
            return Err(ChunkError::Size);
        }
        return Ok(State::Size { size: size * 16 + u64::from(digit), digits: digits + 1, length: length + 1 });
    }
    match byte {
        _ if digits == 0 => Err(ChunkError::Size),
        b'\r' => Ok(State::SizeEnd { size }),
        _ => {
            let extension = Extension::new(byte).ok_or(ChunkError::Size)?;
            Ok(State::Extension { size, length: length + 1, extension })
        }
    }
}

/// The state behind a byte of a trailer, which is a header line (RFC 9112, section 5) or the empty line.
fn trailer_after(part: Part, length: usize, byte: u8) -> Result<State, ChunkError> {
    let part = match (part, byte) {
        (Part::Start, b'\r') => return Ok(State::LastEnd),
        (Part::Value, b'\r') => return Ok(State::TrailerEnd { length: length + 1 }),
        _ if length >= MAX_TRAILERS => return Err(ChunkError::Trailers),
        (Part::Name, b':') => Part::Value,
        (Part::Start | Part::Name, byte) if is_token_byte(byte) => Part::Name,
        (Part::Value, byte) if is_value_byte(byte) => Part::Value,
        _ => return Err(ChunkError::Trailer),
    };
    Ok(State::Trailer { part, length: length + 1 })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Decodes pieces; gives the data, and what follows the body if it ended.
    fn decode(pieces: &[&[u8]]) -> Result<(Vec<u8>, Option<Vec<u8>>), ChunkError> {
        let (mut decoder, mut data, mut rest) = (Decoder::new(), Vec::new(), None);
        for piece in pieces {
            let mut start = 0;
            loop {
                match decoder.next(piece, start)? {
                    Step::Data(range) => {
                        data.extend_from_slice(&piece[range.clone()]);
                        start = range.end;
                    }
                    Step::More => break,
                    Step::End(at) => {
                        rest.get_or_insert_with(Vec::new).extend_from_slice(&piece[at..]);
                        break;
                    }
                }
            }
        }
        Ok((data, rest))
    }

    #[test]
    fn whole_bodies() {
        for (body, data, rest) in [
            ("0\r\n\r\n", "", Some("")),
            ("5\r\nhello\r\n0\r\n\r\n", "hello", Some("")),
            ("5;x=y\r\nhello\r\n0\r\n\r\nGET /", "hello", Some("GET /")),
            ("5 ;x=\"y\\\"\" ;z\r\nhello\r\n0;end\r\n\r\n", "hello", Some("")),
            ("0000000000000005\r\nhello\r\n0\r\n\r\n", "hello", Some("")),
            ("0\r\nA: b\tc\u{e4}\r\nB:\r\n\r\nx", "", Some("x")),
            ("7fffffffffffffff\r\nhello", "hello", None),
            ("A\r\n0123456789\r\n000\r\nTrailer: x\r\n\r\n", "0123456789", Some("")),
            ("5\r\nhello\r\n", "hello", None),
            ("5\r\nhel", "hel", None),
        ] {
            let (got, left) = decode(&[body.as_bytes()]).unwrap();
            assert_eq!((got.as_slice(), left.as_deref()), (data.as_bytes(), rest.map(str::as_bytes)), "{body:?}");
        }
    }

    #[test]
    fn faults() {
        let long = format!("1;{}\r\n", "x".repeat(300));
        let trailers = format!("0\r\n{}\r\n", "x".repeat(9000));
        let many = format!("0\r\n{}\r\n", "x:\r\n".repeat(3000));
        for (body, expected) in [
            ("\r\n", ChunkError::Size),
            ("x\r\n", ChunkError::Size),
            ("-1\r\n", ChunkError::Size),
            ("+1\r\n", ChunkError::Size),
            ("0x5\r\nhello\r\n", ChunkError::Size),
            ("5\nhello\n", ChunkError::Size),
            ("5\rhello", ChunkError::Size),
            ("5;a\nhello", ChunkError::Extension),
            ("5;\r\nhello\r\n", ChunkError::Extension),
            ("5 \r\nhello\r\n", ChunkError::Extension),
            ("5 5\r\nhello\r\n", ChunkError::Extension),
            ("5;a=\"\r\n\"\r\nhello\r\n", ChunkError::Extension),
            ("5\u{b}\r\nhello\r\n", ChunkError::Size),
            (" 5\r\nhello\r\n", ChunkError::Size),
            (";a\r\n", ChunkError::Size),
            ("8000000000000000\r\n", ChunkError::Size),
            ("ffffffffffffffff\r\n", ChunkError::Size),
            ("10000000000000005\r\nhello\r\n", ChunkError::Size),
            ("00000000000000005\r\nhello\r\n", ChunkError::Size),
            ("5\r\nhelloX\r\n", ChunkError::End),
            ("5\r\nhello\n", ChunkError::End),
            ("0\r\n\n", ChunkError::Trailer),
            ("0\r\n\rx", ChunkError::Trailer),
            ("0\r\nA\r\n\r\n", ChunkError::Trailer),
            ("0\r\nA : b\r\n\r\n", ChunkError::Trailer),
            ("0\r\n: b\r\n\r\n", ChunkError::Trailer),
            ("0\r\nA: b\n\r\n", ChunkError::Trailer),
            ("0\r\nA: b\rc\r\n\r\n", ChunkError::Trailer),
            ("0\r\nA: b\0\r\n\r\n", ChunkError::Trailer),
            ("0\r\nA: b\r\n c\r\n\r\n", ChunkError::Trailer),
            ("0\r\nGET / HTTP/1.1\r\n\r\n", ChunkError::Trailer),
            (many.as_str(), ChunkError::Trailers),
            (long.as_str(), ChunkError::SizeLine),
            (trailers.as_str(), ChunkError::Trailers),
        ] {
            assert_eq!(decode(&[body.as_bytes()]), Err(expected), "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn splitting_changes_nothing(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..5),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
            garbage in prop::collection::vec(any::<u8>(), 0..4),
            place in any::<prop::sample::Index>(),
        ) {
            let mut body: Vec<u8> = chunks.iter().flat_map(|chunk| {
                [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat()
            }).collect();
            body.extend_from_slice(b"0;a=\"b\"\r\nA: b\r\n\r\nrest");
            let at = place.index(body.len());
            body.splice(at..at, garbage);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
            cuts.extend([0, body.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &body[cut[0]..cut[1]]).collect();
            prop_assert_eq!(decode(&pieces), decode(&[&body]));
        }
    }
}
