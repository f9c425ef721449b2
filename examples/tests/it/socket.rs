//! A WebSocket's client that says no more than it is told to, right or wrong.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use testkit::wait;

/// A WebSocket.
#[derive(Debug)]
pub(super) struct Socket(TcpStream);

impl Socket {
    /// Asks for one with these headers, each with its line's end; gives the answer's head, too, which alone is there if
    /// it is refused.
    pub(super) fn ask(address: SocketAddr, target: &str, headers: &str) -> (Self, String) {
        let socket = Self::begin(address, target, headers);
        socket.answered()
    }

    /// The same, without waiting for the answer.
    pub(super) fn begin(address: SocketAddr, target: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(address).expect("somebody listens");
        stream.set_read_timeout(Some(wait::DEADLINE)).expect("the time is not zero");
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n"
        );
        stream.write_all(request.as_bytes()).expect("somebody reads");
        Self(stream)
    }

    /// Waits for the answer's head.
    pub(super) fn answered(mut self) -> (Self, String) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).expect("the handshake is answered");
            head.push(byte[0]);
        }
        (self, String::from_utf8(head).expect("a head is text"))
    }

    /// Sends bytes that need not be a frame.
    pub(super) fn send_raw(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("somebody reads");
    }

    /// Sends a frame with that first byte, masked with zeros.
    pub(super) fn send(&mut self, first: u8, payload: &[u8]) {
        self.send_raw(&frame(first, payload));
    }

    /// The same to somebody who need not read any more; gives whether it could be sent.
    pub(super) fn offer(&mut self, first: u8, payload: &[u8]) -> bool {
        self.0.write_all(&frame(first, payload)).is_ok()
    }

    /// The next frame: its first byte, and its payload; `None` at the end.
    pub(super) fn recv(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        if self.0.read_exact(&mut head).is_err() {
            return None;
        }
        let mut length = [0; 8];
        match head[1] {
            126 => self.0.read_exact(&mut length[6..]).ok()?,
            127 => self.0.read_exact(&mut length).ok()?,
            short => length[7] = short,
        }
        let mut payload = vec![0; usize::try_from(u64::from_be_bytes(length)).expect("it is short")];
        self.0.read_exact(&mut payload).ok()?;
        Some((head[0], payload))
    }

    /// Waits for a close with this code, answers it, and waits for the end.
    pub(super) fn is_closed_with(&mut self, code: u16) {
        let close = std::iter::from_fn(|| self.recv()).find(|frame| frame.0 == 0x88).expect("it is closed");
        assert_eq!(close.1.first_chunk(), Some(&code.to_be_bytes()), "{close:?}");
        // It may be over already.
        let _ = self.0.write_all(&frame(0x88, &code.to_be_bytes()));
        assert_eq!(self.recv(), None);
    }
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let mut frame = vec![first];
    match u16::try_from(length) {
        Ok(short @ 0..126) => frame.push(0x80 | short.to_le_bytes()[0]),
        Ok(long) => frame.extend([&[0x80 | 126][..], &long.to_be_bytes()].concat()),
        Err(_) => frame.extend([&[0x80 | 127][..], &(length as u64).to_be_bytes()].concat()),
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}
