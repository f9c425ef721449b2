//! A client that says no more than it is told to, and sees whether an answer is whole.

mod answer;
mod line;
mod socket;

use std::io::{BufRead as _, ErrorKind, Read as _};
use std::net::SocketAddr;
use std::time::Duration;

pub use answer::Answer;
pub use socket::{HANDSHAKE, Socket, frame};

use crate::check::{Problem, Verdict, escaped};
use line::Line;

/// The longest head of an answer.
const MAX_HEAD: u64 = 256 * 1024;
/// The longest body.
const MAX_BODY: u64 = 256 * 1024 * 1024;

/// A connection to a server; closed when it is dropped.
#[derive(Debug)]
pub struct Client(Line);

/// How a connection has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// In good order.
    Closed,
    /// By a reset: what was on its way may be lost.
    Reset,
}

/// Sends a request on a connection of its own, and takes the answer.
///
/// `line` is as in `GET /path HTTP/1.1`; headers are lines with their ends.  The answer is the connection's last.
///
/// # Errors
/// There is none.
pub fn ask(
    address: SocketAddr,
    patience: Duration,
    line: &str,
    headers: &str,
    body: impl AsRef<[u8]>,
) -> Verdict<Answer> {
    let (mut client, body) = (Client::connect(address, patience)?, body.as_ref());
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    client.send(format!("{line}\r\nHost: localhost\r\nConnection: close\r\n{length}{headers}\r\n"))?;
    // An answer may come before all of the body has gone.
    let _ = client.send(body);
    client.answer(line.starts_with("HEAD "))
}

impl Client {
    /// Connects; whatever it waits for may take as long as that.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn connect(address: SocketAddr, patience: Duration) -> Verdict<Self> {
        Ok(Self(Line::connect(address, patience)?))
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// The server takes no more.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Verdict {
        Ok(self.0.write(bytes.as_ref())?)
    }

    /// Sends a request without a body; `line` is as in `GET /path`.
    ///
    /// # Errors
    /// The server takes no more.
    pub fn get(&mut self, line: &str) -> Verdict {
        self.send(format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    }

    /// Says that nothing more comes.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn finish(&self) -> Verdict {
        Ok(self.0.finish()?)
    }

    /// Takes an answer; to HEAD it has no body.
    ///
    /// # Errors
    /// Nothing comes, or something that is no answer.
    pub fn answer(&mut self, is_to_head: bool) -> Verdict<Answer> {
        let head = self.head()?;
        let mut answer = Answer::parse(&head)?;
        match answer.length(is_to_head)? {
            answer::Length::Bytes(length) => {
                answer.is_whole = self.body(length.min(MAX_BODY), &mut answer.body)? == length;
            }
            answer::Length::Chunked => answer.is_whole = self.chunks(&mut answer.body)?,
            answer::Length::ToTheEnd => {
                let (rest, end) = self.end()?;
                (answer.body, answer.is_whole) = (rest, end == End::Closed);
            }
        }
        Ok(answer)
    }

    /// The same, of a connection that may end before any answer: `None`.
    ///
    /// # Errors
    /// Nothing comes, neither an answer nor the end; or something that is no answer.
    pub fn answer_or_end(&mut self, is_to_head: bool) -> Verdict<Option<Answer>> {
        match self.0.wait().fill_buf() {
            Ok([]) => Ok(None),
            Ok(_) => self.answer(is_to_head).map(Some),
            Err(error) if is_reset(error.kind()) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes exactly so many bytes.
    ///
    /// # Errors
    /// They don't come.
    pub fn take(&mut self, length: usize) -> Verdict<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.0.wait().read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Takes exactly these bytes.
    ///
    /// # Errors
    /// Others come, or not enough.
    pub fn expect(&mut self, wanted: impl AsRef<[u8]>) -> Verdict {
        let wanted = wanted.as_ref();
        let mut found = Vec::new();
        self.0.wait();
        while found.len() < wanted.len() && wanted.starts_with(&found) {
            let mut byte = [0];
            match self.0.more().read_exact(&mut byte) {
                Ok(()) => found.push(byte[0]),
                Err(error) => return Err(Problem::from(error).when(format!("after `{}`", escaped(&found)))),
            }
        }
        crate::check::same("what comes", found, wanted)
    }

    /// Takes all up to a byte, which isn't given.
    ///
    /// # Errors
    /// It doesn't come.
    pub fn until(&mut self, byte: u8) -> Verdict<Vec<u8>> {
        let mut bytes = Vec::new();
        self.0.wait().take(MAX_BODY).read_until(byte, &mut bytes)?;
        match bytes.pop() {
            Some(last) if last == byte => Ok(bytes),
            _ => Err(Problem::wrong("the connection ends early")),
        }
    }

    /// Takes what comes up to the end of the connection.
    ///
    /// # Errors
    /// It doesn't end.
    pub fn rest(&mut self) -> Verdict<(Vec<u8>, End)> {
        self.0.wait();
        self.end()
    }

    /// The same, as a part of what is waited for.
    fn end(&mut self) -> Verdict<(Vec<u8>, End)> {
        let mut bytes = Vec::new();
        match self.0.more().take(MAX_BODY).read_to_end(&mut bytes) {
            Ok(_) if bytes.len() as u64 == MAX_BODY => Err(Problem::wrong("it doesn't end")),
            Ok(_) => Ok((bytes, End::Closed)),
            Err(error) if is_reset(error.kind()) => Ok((bytes, End::Reset)),
            Err(error) if bytes.is_empty() => Err(error.into()),
            Err(error) => Err(Problem::from(error).when(format!("behind `{}`", escaped(&bytes)))),
        }
    }

    /// That the connection ends, and nothing comes before.
    ///
    /// # Errors
    /// It doesn't, or something comes.
    pub fn is_closed(&mut self) -> Verdict {
        let (rest, _) = self.rest().map_err(|problem| problem.when("waiting for the connection's end"))?;
        crate::check::same("what comes before the connection's end", rest, "")
    }

    fn head(&mut self) -> Verdict<Vec<u8>> {
        let mut head = Vec::new();
        let mut limited = self.0.wait().take(MAX_HEAD);
        while !head.ends_with(b"\r\n\r\n") {
            if limited.read_until(b'\n', &mut head)? == 0 {
                return Err(Problem::wrong(match &head[..] {
                    b"" => "the connection ends without an answer".to_owned(),
                    part => format!("the connection ends behind `{}`", escaped(part)),
                }));
            }
        }
        Ok(head)
    }

    /// Reads so many bytes, or as many as there are; gives how many.
    fn body(&mut self, length: u64, body: &mut Vec<u8>) -> Verdict<u64> {
        let before = body.len();
        unless_reset(self.0.more().take(length).read_to_end(body))?;
        Ok((body.len() - before) as u64)
    }

    /// Reads chunks; gives whether there was a last one.
    fn chunks(&mut self, body: &mut Vec<u8>) -> Verdict<bool> {
        loop {
            let Some(line) = self.line()? else { return Ok(false) };
            // Extensions mean nothing to those who don't know them (RFC 9112, section 7.1.1).
            let size = line.split(|byte| *byte == b';').next().and_then(|size| str::from_utf8(size).ok());
            let size = size.and_then(|size| u64::from_str_radix(size.trim_end(), 16).ok());
            let size = size.ok_or_else(|| Problem::wrong(format!("`{}` is no size of a chunk", escaped(&line))))?;
            if size == 0 {
                return self.trailers();
            }
            if body.len() as u64 + size > MAX_BODY {
                return Err(Problem::wrong("the body doesn't end"));
            }
            if self.body(size, body)? < size {
                return Ok(false);
            }
            match self.line()? {
                None => return Ok(false),
                Some(end) => crate::check::same("what is behind a chunk on its line", end, "")?,
            }
        }
    }

    /// Reads what is behind the last chunk; gives whether it has an end.
    fn trailers(&mut self) -> Verdict<bool> {
        loop {
            match self.line()? {
                None => return Ok(false),
                Some(line) if line.is_empty() => return Ok(true),
                Some(_) => {}
            }
        }
    }

    /// A line without its end; `None` if the connection ends before that.
    fn line(&mut self) -> Verdict<Option<Vec<u8>>> {
        let mut line = Vec::new();
        unless_reset(self.0.more().take(MAX_HEAD).read_until(b'\n', &mut line))?;
        Ok(line.strip_suffix(b"\r\n").map(<[u8]>::to_vec))
    }
}

/// A reset is an end like any other to who sees that something is missing.
fn unless_reset(read: std::io::Result<usize>) -> Verdict {
    match read {
        Err(error) if !is_reset(error.kind()) => Err(error.into()),
        _ => Ok(()),
    }
}

fn is_reset(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted)
}
