//! A small HTTP client: connections that can be counted, kept open and lost.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Add;
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;

/// How long one step may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// How much of a body is read or written at once.
const PIECE: usize = 64 * 1024;

/// A keep-alive connection.
#[derive(Debug)]
pub(crate) struct Client<S = TcpStream> {
    stream: S,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens.
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        Ok(Self::over(connect(address)?))
    }
}

impl<S: Read + Write> Client<S> {
    /// Talks over a connection.
    pub(crate) fn over(stream: S) -> Self {
        Self { stream }
    }

    /// Asks for something and reads the answer; gives whether the server keeps the connection.
    ///
    /// # Errors
    /// There is no whole answer, or its status isn't 200.
    pub(crate) fn get(&mut self, path: &str) -> io::Result<bool> {
        self.ask(path)?;
        Ok(self.answer()?.0)
    }

    /// Asks for something and gives the body of the answer.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(crate) fn text(&mut self, path: &str) -> io::Result<String> {
        self.ask(path)?;
        Ok(self.answer()?.1)
    }

    /// Asks for something and gives the size of the body of the answer, which isn't kept.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(crate) fn size(&mut self, path: &str) -> io::Result<usize> {
        self.ask(path)?;
        let (head, bytes) = self.head()?;
        let mut piece = vec![0; PIECE];
        let mut left = head.body.saturating_sub(bytes.len() - head.size);
        while left > 0 {
            match self.stream.read(&mut piece)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                size => left = left.saturating_sub(size),
            }
        }
        Ok(head.body)
    }

    /// Asks for something without waiting for the answer.
    ///
    /// # Errors
    /// The connection is gone.
    pub(crate) fn ask(&mut self, path: &str) -> io::Result<()> {
        self.stream.write_all(request(path).as_bytes())
    }

    /// Sends a body of that many bytes and gives that of the answer.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(crate) fn post(&mut self, path: &str, size: usize) -> io::Result<String> {
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n");
        self.stream.write_all(head.as_bytes())?;
        let piece = vec![b'x'; PIECE];
        let mut left = size;
        while left > 0 {
            self.stream.write_all(&piece[..left.min(PIECE)])?;
            left = left.saturating_sub(PIECE);
        }
        Ok(self.answer()?.1)
    }

    /// Whether the connection stays, and the body.
    fn answer(&mut self) -> io::Result<(bool, String)> {
        let (head, mut bytes) = self.head()?;
        while bytes.len() < head.size + head.body {
            self.more(&mut bytes)?;
        }
        Ok((head.keeps, String::from_utf8_lossy(&bytes[head.size..head.size + head.body]).into_owned()))
    }

    /// The head of an answer with status 200, and the bytes that have come so far.
    fn head(&mut self) -> io::Result<(Head, Vec<u8>)> {
        let mut bytes = Vec::new();
        let head = loop {
            match Head::parse(&bytes)? {
                Some(head) => break head,
                None => self.more(&mut bytes)?,
            }
        };
        if head.ok { Ok((head, bytes)) } else { Err(broken("the status isn't 200")) }
    }

    fn more(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            size => {
                bytes.extend_from_slice(&piece[..size]);
                Ok(())
            }
        }
    }
}

/// Connects; the connection is reset when it is dropped, so that it doesn't occupy a port afterwards.
///
/// # Errors
/// Nobody listens.
pub(crate) fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    set_socket_linger(&stream, Some(Duration::ZERO))?;
    Ok(stream)
}

/// The bytes of a request.
pub(crate) fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// What the head of an answer says.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    ok: bool,
    keeps: bool,
    /// Of the head itself, with its last empty line.
    size: usize,
    /// Of the body.
    body: usize,
}

impl Head {
    fn parse(bytes: &[u8]) -> io::Result<Option<Self>> {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
        let text = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let header = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let body = header("content-length:").and_then(|length| length.parse::<usize>().ok());
        let body = body.ok_or_else(|| broken("the length is missing"))?;
        let ok = text.split(' ').nth(1).is_some_and(|status| status.starts_with("200"));
        Ok(Some(Self { ok, keeps: header("connection:") != Some("close"), size: end + 4, body }))
    }
}

/// An answer that isn't what it should be.
pub(crate) fn broken(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// What became of many requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) answered: u64,
    pub(crate) failed: u64,
}

impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { answered: self.answered + other.answered, failed: self.failed + other.failed }
    }
}

/// Asks for a file on many connections until `end`, each request after the answer to the last; a connection
/// that is lost or closed is made anew.
pub(crate) fn ask_all(address: SocketAddr, path: &str, connections: usize, end: Instant) -> Count {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..connections).map(|_| scope.spawn(|| ask(address, path, end))).collect();
        let counts = threads.into_iter().map(|thread| thread.join().expect("it doesn't panic"));
        counts.fold(Count::default(), Count::add)
    })
}

fn ask(address: SocketAddr, path: &str, end: Instant) -> Count {
    let mut count = Count::default();
    let mut client = None;
    while Instant::now() < end {
        let answer = client.take().map_or_else(|| Client::connect(address), Ok).and_then(|mut open: Client| {
            let keeps = open.get(path)?;
            Ok(keeps.then_some(open))
        });
        match answer {
            Ok(open) => (client, count.answered) = (open, count.answered + 1),
            Err(_) => count.failed += 1,
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_how_much_comes_and_whether_the_connection_stays() {
        let head = |text: &str| Head::parse(text.as_bytes()).ok();
        assert_eq!(head("HTTP/1.1 200 OK\r\nContent-Le"), Some(None));
        let (ok, keeps) = (true, true);
        let whole = Head { ok, keeps, size: 38, body: 7 };
        assert_eq!(head("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nab"), Some(Some(whole)));
        let refused = "HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        let size = refused.len();
        assert_eq!(head(refused), Some(Some(Head { ok: false, keeps: false, size, body: 0 })));
        assert_eq!(head("HTTP/1.1 200 OK\r\n\r\n"), None);
    }
}
