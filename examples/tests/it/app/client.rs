//! A client that sees whether an answer is whole.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use testkit::wait;

pub(super) use crate::socket::Socket;

/// An answer as far as it came before the connection ended.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
    /// Whether a client could know that nothing is missing.
    pub(super) is_whole: bool,
}

/// Connects and sends.
pub(super) fn send(address: SocketAddr, request: impl AsRef<[u8]>) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    stream.set_read_timeout(Some(wait::DEADLINE)).expect("the time is not zero");
    stream.write_all(request.as_ref()).expect("somebody reads");
    stream
}

/// Sends a request, to be the connection's last, and takes what comes.
pub(super) fn ask(address: SocketAddr, line: &str, headers: &str, body: &[u8]) -> Answer {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let head = format!("{line}\r\nHost: localhost\r\nConnection: close\r\n{length}{headers}\r\n");
    let mut stream = send(address, head);
    // An answer may come before all of the body has gone.
    let _ = stream.write_all(body);
    answer(stream, line.starts_with("HEAD "))
}

/// Takes an answer, up to the end of the connection.
pub(super) fn answer(mut stream: TcpStream, is_head: bool) -> Answer {
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes);
    let is_reset = match end {
        Ok(_) => false,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => true,
        Err(error) => panic!("{error} after {}", bytes.escape_ascii()),
    };
    if bytes.is_empty() {
        return Answer { head: String::new(), body: bytes, is_whole: false };
    }
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("there is no head in `{}`", bytes.escape_ascii()));
    let head = String::from_utf8(bytes[..end].to_vec()).expect("a head is text");
    let (body, is_whole) = body(&head, &bytes[end + 4..], is_head);
    Answer { head, body, is_whole: is_whole.unwrap_or(!is_reset) }
}

/// A body without its framing, and whether it is whole; `None` if only the end of the connection tells.
fn body(head: &str, bytes: &[u8], is_head: bool) -> (Vec<u8>, Option<bool>) {
    let status: u16 = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("it has a status");
    if is_head || matches!(status, 204 | 304) {
        return (bytes.to_vec(), Some(bytes.is_empty()));
    }
    if let Some(length) = header(head, "content-length") {
        return (bytes.to_vec(), Some(length.parse() == Ok(bytes.len())));
    }
    match header(head, "transfer-encoding") {
        Some("chunked") => {
            let (body, is_whole) = dechunked(bytes);
            (body, Some(is_whole))
        }
        _ => (bytes.to_vec(), None),
    }
}

fn dechunked(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&bytes[..end]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let (size, rest) = (size.expect("a chunk has a size"), &bytes[end + 2..]);
        if size == 0 {
            return (body, rest == b"\r\n");
        }
        body.extend_from_slice(&rest[..size.min(rest.len())]);
        let Some(rest) = rest.get(size + 2..) else { break };
        bytes = rest;
    }
    (body, false)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let mut found = lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let value = found.next();
    assert_eq!(found.next(), None, "{name} came twice");
    value
}

impl Answer {
    pub(super) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("it has a status")
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Status, body, and that it is whole.
    pub(super) fn expect(&self, status: u16, text: &str) {
        assert_eq!((self.status(), self.text().as_str(), self.is_whole), (status, text, true), "{}", self.head);
    }
}

impl Socket {
    /// A WebSocket of the sample.
    pub(super) fn connect(address: SocketAddr) -> Self {
        let (socket, head) = Self::ask(address, "/ws?tell", "");
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert_eq!(header(&head, "sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(header(&head, "sec-websocket-protocol"), Some("sample"));
        socket
    }
}
