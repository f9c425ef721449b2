//! One frame: its header (RFC 6455, section 5.2) and the mask on its payload (section 5.3).
//!
//! Each part of a header is judged as soon as it is there, so that where the bytes are split changes nothing.

use super::Fault;

/// The longest header: two bytes, a length of eight and the mask.
const LONGEST_HEADER: usize = 14;

/// The longest payload of a control frame (section 5.5).
const LONGEST_CONTROL: usize = 125;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;

/// What a frame is, or is a fragment of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xa,
}

impl Kind {
    /// The first byte of a frame that is not fragmented.
    pub(super) fn first(self) -> u8 {
        FIN | self as u8
    }

    fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// A frame whose payload is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    /// Whether it is the last of its message.
    pub(super) is_last: bool,
    /// How many bytes of the payload have to come.
    pub(super) left: usize,
    /// The mask, turned so that its first byte is for the next of the payload.
    mask: [u8; 4],
}

impl Frame {
    /// Unmasks the next bytes of the payload, a word at a time.
    pub(super) fn unmask(&mut self, payload: &mut [u8]) {
        let [a, b, c, d] = self.mask;
        let mask = [a, b, c, d, a, b, c, d];
        let (words, rest) = payload.as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_ne_bytes(*word) ^ u64::from_ne_bytes(mask)).to_ne_bytes();
        }
        rest.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        self.left -= payload.len();
        self.mask.rotate_left(payload.len() % 4);
    }
}

/// The bytes of a header that isn't whole.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Partial {
    bytes: [u8; LONGEST_HEADER],
    length: usize,
}

impl Partial {
    /// Takes the next bytes; once the header is whole, gives its frame and how many of them it took.
    ///
    /// `open` is the message that has begun and not ended, `room` how many bytes there may still be in a message.
    ///
    /// # Errors
    /// What is wrong with the header.
    pub(super) fn add(
        &mut self,
        input: &[u8],
        open: Option<Kind>,
        room: usize,
    ) -> Result<Option<(Frame, usize)>, Fault> {
        let had = self.length;
        let taken = input.len().min(LONGEST_HEADER - had);
        self.length += taken;
        self.bytes[had..self.length].copy_from_slice(&input[..taken]);
        let header = parse(&self.bytes[..self.length], open, room)?;
        Ok(header.map(|(frame, length)| (frame, length - had)))
    }
}

/// Parses the header at the start of `bytes`: its frame, and its length.
fn parse(bytes: &[u8], open: Option<Kind>, room: usize) -> Result<Option<(Frame, usize)>, Fault> {
    let [first, rest @ ..] = bytes else {
        return Ok(None);
    };
    let kind = kind(*first, open)?;
    let [second, rest @ ..] = rest else {
        return Ok(None);
    };
    if second & MASKED == 0 {
        return Err(Fault::Unmasked);
    }
    if kind.is_control() && usize::from(second & !MASKED) > LONGEST_CONTROL {
        return Err(Fault::LongControl);
    }
    let Some((length, rest)) = length(second & !MASKED, rest)? else {
        return Ok(None);
    };
    let longest = if kind.is_control() { LONGEST_CONTROL } else { room };
    let left = usize::try_from(length).ok().filter(|length| *length <= longest).ok_or(Fault::TooLong)?;
    let Some((mask, rest)) = rest.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let frame = Frame { kind, is_last: first & FIN != 0, left, mask: *mask };
    Ok(Some((frame, bytes.len() - rest.len())))
}

/// What a frame with that first byte is (sections 5.2, 5.4 and 5.5).
fn kind(first: u8, open: Option<Kind>) -> Result<Kind, Fault> {
    if first & RESERVED != 0 {
        return Err(Fault::ReservedBit);
    }
    let kind = match first & OPCODE {
        0x0 => return open.ok_or(Fault::NothingToContinue),
        0x1 => Kind::Text,
        0x2 => Kind::Binary,
        0x8 => Kind::Close,
        0x9 => Kind::Ping,
        0xa => Kind::Pong,
        opcode => return Err(Fault::ReservedOpcode(opcode)),
    };
    match (kind.is_control(), first & FIN != 0) {
        (true, false) => Err(Fault::FragmentedControl),
        (false, _) if open.is_some() => Err(Fault::Interrupted),
        _ => Ok(kind),
    }
}

/// The length of a payload, and what follows it; `short` is the length in the second byte, or says how many bytes
/// the real one has (section 5.2).
fn length(short: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, Fault> {
    let (length, least, rest) = match short {
        126 => match rest.split_first_chunk::<2>() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), 126, rest),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk::<8>() {
            Some((length, rest)) => (u64::from_be_bytes(*length), 1 << 16, rest),
            None => return Ok(None),
        },
        _ => (u64::from(short), 0, rest),
    };
    match length {
        _ if length < least => Err(Fault::LengthForm),
        _ if length >> 63 != 0 => Err(Fault::LengthSign),
        _ => Ok(Some((length, rest))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MASK: [u8; 4] = [1, 2, 3, 4];

    /// A header with a mask, parsed with room for 70,000 bytes.
    fn parse_with_mask(start: &[u8], open: Option<Kind>) -> Result<Option<(Kind, bool, usize)>, Fault> {
        let bytes = [start, &MASK, b"payload"].concat();
        Ok(parse(&bytes, open, 70_000)?.map(|(frame, length)| {
            assert_eq!((frame.mask, length), (MASK, start.len() + 4), "{start:x?}");
            (frame.kind, frame.is_last, frame.left)
        }))
    }

    #[test]
    fn headers() {
        for (start, open, expected) in [
            (&[0x81, 0x80][..], None, (Kind::Text, true, 0)),
            (&[0x82, 0xfd], None, (Kind::Binary, true, 125)),
            (&[0x01, 0x85], None, (Kind::Text, false, 5)),
            (&[0x00, 0x85], Some(Kind::Text), (Kind::Text, false, 5)),
            (&[0x80, 0x85], Some(Kind::Binary), (Kind::Binary, true, 5)),
            (&[0x88, 0x80], None, (Kind::Close, true, 0)),
            (&[0x89, 0xfd], Some(Kind::Text), (Kind::Ping, true, 125)),
            (&[0x8a, 0x81], Some(Kind::Binary), (Kind::Pong, true, 1)),
            (&[0x82, 0xfe, 0, 126], None, (Kind::Binary, true, 126)),
            (&[0x82, 0xfe, 0xff, 0xff], None, (Kind::Binary, true, 65_535)),
            (&[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0], None, (Kind::Binary, true, 65_536)),
        ] {
            assert_eq!(parse_with_mask(start, open), Ok(Some(expected)), "{start:x?}");
        }
    }

    #[test]
    fn faults() {
        for (start, open, expected) in [
            // Section 5.2: reserved bits without an extension, reserved opcodes.
            (&[0xc1][..], None, Fault::ReservedBit),
            (&[0xa1], None, Fault::ReservedBit),
            (&[0x91], None, Fault::ReservedBit),
            (&[0xf8], None, Fault::ReservedBit),
            (&[0x83], None, Fault::ReservedOpcode(3)),
            (&[0x07], None, Fault::ReservedOpcode(7)),
            (&[0x8b], None, Fault::ReservedOpcode(11)),
            (&[0x0f], Some(Kind::Text), Fault::ReservedOpcode(15)),
            // Section 5.1: a client masks.
            (&[0x81, 0x00], None, Fault::Unmasked),
            (&[0x89, 0x7e], None, Fault::Unmasked),
            // Section 5.4.
            (&[0x80], None, Fault::NothingToContinue),
            (&[0x00], None, Fault::NothingToContinue),
            (&[0x81], Some(Kind::Text), Fault::Interrupted),
            (&[0x02], Some(Kind::Text), Fault::Interrupted),
            // Section 5.5.
            (&[0x08], None, Fault::FragmentedControl),
            (&[0x09], Some(Kind::Text), Fault::FragmentedControl),
            (&[0x88, 0xfe], None, Fault::LongControl),
            (&[0x8a, 0xff], None, Fault::LongControl),
            // Section 5.2: "the minimal number of bytes MUST be used", "the most significant bit MUST be 0".
            (&[0x82, 0xfe, 0, 125], None, Fault::LengthForm),
            (&[0x82, 0xfe, 0, 0], None, Fault::LengthForm),
            (&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], None, Fault::LengthForm),
            (&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], None, Fault::LengthSign),
            (&[0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], None, Fault::LengthSign),
            // Section 10.4: limits of our own.
            (&[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0x11, 0x71], None, Fault::TooLong),
            (&[0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], None, Fault::TooLong),
        ] {
            // The bytes at fault are enough to tell.
            assert_eq!(parse(start, open, 70_000), Err(expected), "{start:x?}");
            assert_eq!(parse_with_mask(start, open), Err(expected), "{start:x?}");
        }
    }

    #[test]
    fn control_frames_need_no_room() {
        let (frame, _) = parse(&[0x89, 0xfd, 1, 2, 3, 4], None, 0).unwrap().unwrap();
        assert_eq!(frame.left, 125);
        assert_eq!(parse(&[0x82, 0x81], None, 0), Err(Fault::TooLong));
        assert!(parse(&[0x82, 0x80, 1, 2, 3, 4], None, 0).unwrap().is_some());
    }

    proptest! {
        #[test]
        fn unmasking_in_pieces(payload in prop::collection::vec(any::<u8>(), 0..100), mask: [u8; 4], cut: prop::sample::Index) {
            // Section 5.3: octet i is XORed with octet i modulo 4 of the mask.
            let expected: Vec<u8> = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
            let mut frame = Frame { kind: Kind::Binary, is_last: true, left: payload.len(), mask };
            let mut got = payload;
            let cut = cut.index(got.len() + 1);
            frame.unmask(&mut got[..cut]);
            frame.unmask(&mut got[cut..]);
            prop_assert_eq!((got, frame.left), (expected, 0));
        }

        #[test]
        fn headers_in_pieces(bytes: [u8; LONGEST_HEADER], open in prop::option::of(Just(Kind::Text)), cut in 0..LONGEST_HEADER) {
            let mut partial = Partial::default();
            let pieces = match partial.add(&bytes[..cut], open, 70_000) {
                Ok(None) => partial.add(&bytes[cut..], open, 70_000).map(|found| found.map(|(frame, used)| (frame, cut + used))),
                decided => decided,
            };
            prop_assert_eq!(pieces, parse(&bytes, open, 70_000));
        }
    }
}
