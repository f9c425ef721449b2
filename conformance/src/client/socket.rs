//! A WebSocket as a client has it (RFC 6455): frames, good ones and bad ones.

use super::{Answer, Client};
use crate::check::{Verdict, equal};

/// The headers that ask for one; the key and the value that accepts it are those of RFC 6455, section 1.3.
pub const HANDSHAKE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// What accepts the key of [`HANDSHAKE`].
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Any key will do, but for zeros, with which nobody would notice that it isn't applied.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A WebSocket.
#[derive(Debug)]
pub struct Socket(Client);

impl Socket {
    /// Sends a handshake for a path.
    ///
    /// # Errors
    /// The server takes nothing.
    pub fn ask(client: &mut Client, path: &str) -> Verdict {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{HANDSHAKE}\r\n"))
    }

    /// Takes the answer to [`Socket::ask`].
    ///
    /// # Errors
    /// It doesn't accept the WebSocket.
    pub fn accepted(mut client: Client) -> Verdict<(Self, Answer)> {
        let answer = client.answer(false)?;
        equal("the status", answer.status, 101)?;
        equal("Sec-WebSocket-Accept", answer.header("sec-websocket-accept"), Some(ACCEPT))?;
        Ok((Self(client), answer))
    }

    /// Sends a frame with that first byte, masked.
    ///
    /// # Errors
    /// The server takes no more.
    pub fn send(&mut self, first: u8, payload: impl AsRef<[u8]>) -> Verdict {
        self.0.send(frame(first, payload.as_ref()))
    }

    /// Sends any bytes.
    ///
    /// # Errors
    /// The server takes no more.
    pub fn send_raw(&mut self, bytes: impl AsRef<[u8]>) -> Verdict {
        self.0.send(bytes)
    }

    /// The next frame: its first byte, and its payload.
    ///
    /// # Errors
    /// None comes.
    pub fn recv(&mut self) -> Verdict<(u8, Vec<u8>)> {
        let head = self.0.take(2)?;
        let length = match head[1] {
            126 => self.0.take(2)?,
            127 => self.0.take(8)?,
            short => vec![short],
        };
        let length = length.iter().fold(0_u64, |length, byte| length << 8 | u64::from(*byte));
        crate::check::holds(length <= super::MAX_BODY, || format!("a frame of {length} bytes is announced"))?;
        Ok((head[0], self.0.take(usize::try_from(length).expect("it is not longer than that"))?))
    }

    /// That a close with this code comes, maybe behind other frames; answers it, and waits for the end.
    ///
    /// # Errors
    /// It doesn't come, or has another code.
    pub fn is_closed_with(&mut self, code: u16) -> Verdict {
        let close = loop {
            let (first, payload) = self.recv().map_err(|problem| problem.when(format!("waiting for close {code}")))?;
            if first == 0x88 {
                break payload;
            }
        };
        let found = close.first_chunk().map(|code| u16::from_be_bytes(*code));
        equal("the close's code", found, Some(code))?;
        // It may be over already.
        let _ = self.send(0x88, code.to_be_bytes());
        self.0.is_closed()
    }

    /// The connection below.
    pub fn client(&mut self) -> &mut Client {
        &mut self.0
    }
}

/// A frame with that first byte, masked as a client has to.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | u8::try_from(short).expect("it is below 126")),
        long => match u16::try_from(long) {
            Ok(long) => frame.extend([&[0x80 | 126][..], &long.to_be_bytes()].concat()),
            Err(_) => frame.extend([&[0x80 | 127][..], &(long as u64).to_be_bytes()].concat()),
        },
    }
    frame.extend(KEY);
    frame.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6455, section 5.7.
    #[test]
    fn a_frame_is_masked() {
        assert_eq!(frame(0x81, b"Hello"), b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
        assert_eq!(frame(0x82, &[0; 256])[..4], *b"\x82\xfe\x01\x00");
        assert_eq!(frame(0x82, &[0; 65_536])[..10], *b"\x82\xff\0\0\0\0\0\x01\0\0");
    }
}
