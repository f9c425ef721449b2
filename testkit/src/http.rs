//! An HTTP/1.1 client for tests: bytes out, one answer in.
//!
//! It knows bodies with a `Content-Length` and no others.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::wait;

/// How long an answer may take before the question is asked again.
const SOON: Duration = Duration::from_secs(2);

/// A connection to a server; closed when dropped.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names and values, in their order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A request on a connection of its own; `line` is as in `GET /path`.
///
/// # Panics
/// When there is no answer.
pub fn ask(address: SocketAddr, line: &str, body: &str) -> Answer {
    let mut client = Client::connect(address);
    client.request(line, body);
    client.answer()
}

/// The status of an answer that comes soon: for asking again and again, where who gets a request may be gone with it.
pub fn status_soon(address: SocketAddr, line: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(SOON)).expect("the time is not zero");
    write!(stream, "{line} HTTP/1.1\r\nHost: localhost\r\n\r\n").ok()?;
    let mut head = [0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut head).ok()?;
    std::str::from_utf8(&head).ok()?.rsplit_once(' ')?.1.parse().ok()
}

impl Client {
    /// Connects; an answer may take as long as anything may in a test.
    ///
    /// # Panics
    /// When nobody listens.
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        stream.set_read_timeout(Some(wait::DEADLINE)).expect("the time is not zero");
        Self { stream: BufReader::new(stream) }
    }

    /// Sends bytes.
    ///
    /// # Panics
    /// When the server takes no more.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).expect("the server reads");
    }

    /// Sends a whole request; `line` is as in `GET /path`.
    ///
    /// # Panics
    /// When the server takes no more.
    pub fn request(&mut self, line: &str, body: &str) {
        self.send(format!("{line} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    }

    /// Reads one answer.
    ///
    /// # Panics
    /// When it doesn't come, or isn't one.
    pub fn answer(&mut self) -> Answer {
        let first = self.line();
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("`{first}` is not a status line"));
        let headers: Vec<_> = std::iter::from_fn(|| self.header()).collect();
        let mut answer = Answer { status, headers, body: Vec::new() };
        let length = answer.header("Content-Length").map_or(0, |length| length.parse().expect("it is a number"));
        answer.body.resize(length, 0);
        self.stream.read_exact(&mut answer.body).expect("the body is as long as it was told to be");
        answer
    }

    /// Whether the server has closed the connection; waits for it.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.stream.read(&mut [0]), Ok(0))
    }

    /// Closes both directions, as a browser whose tab is closed.
    pub fn close(self) {
        // The server may have closed before.
        let _ = self.stream.get_ref().shutdown(Shutdown::Both);
    }

    fn header(&mut self) -> Option<(String, String)> {
        let line = self.line();
        line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("the server answers");
        assert!(line.ends_with("\r\n"), "closed after `{line}`");
        line.trim_end().to_owned()
    }
}

impl Answer {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.0.eq_ignore_ascii_case(name)).map(|header| header.1.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
