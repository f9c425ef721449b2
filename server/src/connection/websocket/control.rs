//! Control frames (RFC 6455, section 5.5): their payload, and what may be in a Close frame.

use std::mem;
use std::ops::Range;

use mongrel2::wire::websocket::may_close_with;

use super::frame::{Frame, Kind};
use super::{Fault, Payload};

/// What has come of a control frame's payload in earlier inputs.
#[derive(Debug, Default)]
pub(super) struct Control(Vec<u8>);

impl Control {
    /// Takes a piece of a control frame's payload, already unmasked; gives all of it if it ends here.
    ///
    /// # Errors
    /// What is wrong with a Close frame.
    pub(super) fn take(&mut self, frame: &Frame, input: &[u8], piece: Range<usize>) -> Result<Option<Payload>, Fault> {
        let bytes = &input[piece.clone()];
        if frame.left == 0 && self.0.is_empty() {
            check(frame.kind, bytes)?;
            return Ok(Some(Payload::Here(piece)));
        }
        self.0.extend_from_slice(bytes);
        if frame.left > 0 {
            return Ok(None);
        }
        check(frame.kind, &self.0)?;
        Ok(Some(Payload::Kept(mem::take(&mut self.0))))
    }
}

/// The payload of a Close frame is empty, or a code and a reason in UTF-8 (section 5.5.1).
fn check(kind: Kind, payload: &[u8]) -> Result<(), Fault> {
    match payload {
        _ if kind != Kind::Close => Ok(()),
        [] => Ok(()),
        [_] => Err(Fault::CloseLength),
        [high, low, reason @ ..] => match u16::from_be_bytes([*high, *low]) {
            code if !may_close_with(code) => Err(Fault::CloseCode(code)),
            _ if str::from_utf8(reason).is_err() => Err(Fault::Text),
            _ => Ok(()),
        },
    }
}

/// The frame with which a server says why it closes.
pub(crate) fn close_frame(code: u16) -> [u8; 4] {
    let [high, low] = code.to_be_bytes();
    [Kind::Close.first(), 2, high, low]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_of_close_frames() {
        for (payload, expected) in [
            (&b""[..], Ok(())),
            (b"\x03\xe8", Ok(())),
            (b"\x03\xe8bye", Ok(())),
            (b"\x03\xe8gr\xc3\xbcn", Ok(())),
            (b"\x03", Err(Fault::CloseLength)),
            (b"\x03\xed", Err(Fault::CloseCode(1005))),
            (b"\x03\xed\xff", Err(Fault::CloseCode(1005))),
            (b"\x03\xe8\xff", Err(Fault::Text)),
            (b"\x03\xe8gr\xc3", Err(Fault::Text)),
        ] {
            assert_eq!(check(Kind::Close, payload), expected, "{}", payload.escape_ascii());
            assert_eq!(check(Kind::Ping, payload), Ok(()));
        }
    }

    #[test]
    fn what_a_server_closes_with() {
        assert_eq!(close_frame(1002), [0x88, 0x02, 0x03, 0xea]);
    }
}
