//! Frames of WebSockets as handlers see them: rendered as a server sends them (RFC 6455, section 5.2), and read from
//! what the server has taken out of a client's.
//!
//! A message of the method `WEBSOCKET` has the first byte of a frame in `FLAGS` and its payload as the body: the server
//! has unmasked it, joined its fragments and judged it.

use thiserror::Error;

/// A whole frame; a message that is not fragmented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A text message.
    Text(&'a str),
    /// A message of bytes.
    Binary(&'a [u8]),
    /// The end: nothing is sent behind it.
    Close(Option<Close<'a>>),
    /// Asks for a pong with the same bytes, at most 125.
    Ping(&'a [u8]),
    /// Answers a ping, at most 125 bytes.
    Pong(&'a [u8]),
}

/// Why a WebSocket is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close<'a> {
    /// One of those in RFC 6455, section 7.4, or from 3000 to 4999.
    pub code: u16,
    /// A text of at most 123 bytes; mostly empty.
    pub reason: &'a str,
}

/// Why a frame can't be sent, or what the server sent isn't one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The payload of Close, Ping or Pong is too long (section 5.5).
    #[error("a control frame of a WebSocket has at most 125 bytes, not {0}")]
    LongControl(usize),
    /// The code may not be in a Close frame (section 7.4).
    #[error("a WebSocket can't be closed with the code {0}")]
    CloseCode(u16),
    /// The payload of a Close frame has one byte.
    #[error("a Close frame has no code of one byte")]
    CloseLength,
    /// Text, or the reason of a Close frame, is not UTF-8.
    #[error("the text of a WebSocket is not UTF-8")]
    Text,
    /// The first byte is that of no whole frame.
    #[error("there is no frame of a WebSocket with the flags {0:#04x}")]
    Flags(u8),
}

const FIN: u8 = 0x80;

/// The longest payload of a control frame (section 5.5).
const LONGEST_CONTROL: usize = 125;

/// Appends a frame as a server sends it: whole, and not masked.
///
/// # Errors
/// The frame would break RFC 6455; nothing is appended.
pub fn render(out: &mut Vec<u8>, frame: &Frame<'_>) -> Result<(), FrameError> {
    match frame {
        Frame::Text(text) => payload(out, 0x1, text.as_bytes()),
        Frame::Binary(bytes) => payload(out, 0x2, bytes),
        Frame::Close(close) => control(out, 0x8, &close_payload(*close)?)?,
        Frame::Ping(bytes) => control(out, 0x9, bytes)?,
        Frame::Pong(bytes) => control(out, 0xa, bytes)?,
    }
    Ok(())
}

fn close_payload(close: Option<Close<'_>>) -> Result<Vec<u8>, FrameError> {
    match close {
        None => Ok(Vec::new()),
        Some(Close { code, .. }) if !may_close_with(code) => Err(FrameError::CloseCode(code)),
        Some(Close { code, reason }) => Ok([&code.to_be_bytes(), reason.as_bytes()].concat()),
    }
}

fn control(out: &mut Vec<u8>, opcode: u8, bytes: &[u8]) -> Result<(), FrameError> {
    if bytes.len() > LONGEST_CONTROL {
        return Err(FrameError::LongControl(bytes.len()));
    }
    payload(out, opcode, bytes);
    Ok(())
}

fn payload(out: &mut Vec<u8>, opcode: u8, bytes: &[u8]) {
    out.reserve(bytes.len() + 10);
    out.push(FIN | opcode);
    match bytes.len() {
        short @ 0..126 => out.push(u8::try_from(short).expect("it is below 126")),
        long => match u16::try_from(long) {
            Ok(long) => {
                out.push(126);
                out.extend_from_slice(&long.to_be_bytes());
            }
            Err(_) => {
                out.push(127);
                out.extend_from_slice(&(long as u64).to_be_bytes());
            }
        },
    }
    out.extend_from_slice(bytes);
}

/// What a message is, by its `FLAGS` and its body.
///
/// # Errors
/// It is nothing that a server passes on.
pub fn parse(flags: u8, body: &[u8]) -> Result<Frame<'_>, FrameError> {
    let is_control = flags & 0x08 != 0;
    if is_control && body.len() > LONGEST_CONTROL {
        return Err(FrameError::LongControl(body.len()));
    }
    match flags {
        0x81 => str::from_utf8(body).map(Frame::Text).map_err(|_| FrameError::Text),
        0x82 => Ok(Frame::Binary(body)),
        0x88 => parse_close(body).map(Frame::Close),
        0x89 => Ok(Frame::Ping(body)),
        0x8a => Ok(Frame::Pong(body)),
        _ => Err(FrameError::Flags(flags)),
    }
}

/// Reads the payload of a Close frame: nothing, or a code and a reason (section 5.5.1).
fn parse_close(body: &[u8]) -> Result<Option<Close<'_>>, FrameError> {
    match body {
        [] => Ok(None),
        [_] => Err(FrameError::CloseLength),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            let reason = str::from_utf8(reason).map_err(|_| FrameError::Text)?;
            if may_close_with(code) { Ok(Some(Close { code, reason })) } else { Err(FrameError::CloseCode(code)) }
        }
    }
}

/// Whether a code may be in a Close frame (section 7.4): those that are registered, but for those that stand for the
/// lack of one, and those that are free for use.  1012 to 1014 were registered later.
pub fn may_close_with(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rendered(frame: Frame<'_>) -> Result<Vec<u8>, FrameError> {
        let mut out = Vec::new();
        render(&mut out, &frame).map(|()| out)
    }

    #[test]
    fn frames() {
        // Section 5.7 has the first ones.
        for (frame, expected) in [
            (Frame::Text("Hello"), &b"\x81\x05Hello"[..]),
            (Frame::Ping(b"Hello"), b"\x89\x05Hello"),
            (Frame::Pong(b""), b"\x8a\x00"),
            (Frame::Binary(b"\0\xff"), b"\x82\x02\0\xff"),
            (Frame::Close(None), b"\x88\x00"),
            (Frame::Close(Some(Close { code: 1000, reason: "" })), b"\x88\x02\x03\xe8"),
            (Frame::Close(Some(Close { code: 4000, reason: "bye" })), b"\x88\x05\x0f\xa0bye"),
        ] {
            assert_eq!(rendered(frame).unwrap(), expected, "{frame:?}");
        }
    }

    #[test]
    fn lengths() {
        // Section 5.2: "the minimal number of bytes MUST be used".
        for (length, head) in [
            (0, &b"\x82\x00"[..]),
            (125, b"\x82\x7d"),
            (126, b"\x82\x7e\x00\x7e"),
            (65_535, b"\x82\x7e\xff\xff"),
            (65_536, b"\x82\x7f\0\0\0\0\0\x01\0\0"),
        ] {
            let payload = vec![7; length];
            assert_eq!(rendered(Frame::Binary(&payload)).unwrap(), [head, &payload].concat(), "{length}");
        }
    }

    #[test]
    fn what_breaks_the_protocol_is_not_rendered() {
        let long = "x".repeat(126);
        for (frame, expected) in [
            (Frame::Ping(long.as_bytes()), FrameError::LongControl(126)),
            (Frame::Pong(long.as_bytes()), FrameError::LongControl(126)),
            (Frame::Close(Some(Close { code: 1000, reason: &long[..124] })), FrameError::LongControl(126)),
            (Frame::Close(Some(Close { code: 1005, reason: "" })), FrameError::CloseCode(1005)),
        ] {
            assert_eq!(rendered(frame), Err(expected), "{frame:?}");
        }
        assert!(rendered(Frame::Ping(&long.as_bytes()[1..])).is_ok());
    }

    #[test]
    fn parsed() {
        for (flags, body, expected) in [
            (0x81, &b"gr\xc3\xbcn"[..], Ok(Frame::Text("gr\u{fc}n"))),
            (0x81, b"gr\xc3", Err(FrameError::Text)),
            (0x82, b"\xff", Ok(Frame::Binary(b"\xff"))),
            (0x88, b"", Ok(Frame::Close(None))),
            (0x88, b"\x03\xe8bye", Ok(Frame::Close(Some(Close { code: 1000, reason: "bye" })))),
            (0x88, b"\x03", Err(FrameError::CloseLength)),
            (0x88, b"\x03\xed", Err(FrameError::CloseCode(1005))),
            (0x88, b"\x03\xe8\xff", Err(FrameError::Text)),
            (0x89, b"", Ok(Frame::Ping(b""))),
            (0x8a, b"x", Ok(Frame::Pong(b"x"))),
            (0x89, &[0; 126], Err(FrameError::LongControl(126))),
            (0x01, b"", Err(FrameError::Flags(1))),
            (0x80, b"", Err(FrameError::Flags(0x80))),
            (0x83, b"", Err(FrameError::Flags(0x83))),
            (0xc1, b"", Err(FrameError::Flags(0xc1))),
        ] {
            assert_eq!(parse(flags, body), expected, "{flags:#x} {}", body.escape_ascii());
        }
    }

    #[test]
    fn codes() {
        // Sections 7.4.1 and 7.4.2.
        for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] {
            assert!(may_close_with(code), "{code}");
        }
        for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
            assert!(!may_close_with(code), "{code}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(flags: u8, body in prop::collection::vec(any::<u8>(), 0..130)) {
            if let Ok(frame) = parse(flags, &body) {
                let out = rendered(frame).unwrap();
                prop_assert_eq!(out[0], flags);
                prop_assert!(out.ends_with(&body));
            }
        }
    }
}
