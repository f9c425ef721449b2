//! A request that has been read whole: the bytes of its head, what they mean, and its body.

use super::answer::Persistence;
use super::bad::BadHead;
use super::chunked::ChunkError;
use super::head::Head;

/// A request.
#[derive(Debug)]
pub(crate) struct Request {
    /// The bytes that `head` has places in.
    pub(super) bytes: Vec<u8>,
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

/// What the sender of an answer has to know of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manner {
    /// Whether the answer has a head only.
    pub(super) is_head: bool,
    /// Whether the client wants the connection to stay open.
    pub(super) keep_alive: bool,
    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub(super) minor: u8,
}

impl Manner {
    pub(super) fn version(self) -> &'static str {
        if self.minor == 0 { "HTTP/1.0" } else { "HTTP/1.1" }
    }

    /// What an answer of the server's own says of the connection.
    pub(super) fn persistence(self) -> Persistence {
        match (self.keep_alive, self.minor) {
            (false, _) => Persistence::Close,
            (true, 0) => Persistence::KeepAliveSaid,
            (true, _) => Persistence::KeepAlive,
        }
    }
}

/// Why there is no request.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The client has left.
    Gone,
    /// What came is refused.
    Bad { status: u16, reason: String },
}

impl From<BadHead> for Refusal {
    fn from(bad: BadHead) -> Self {
        Self::Bad { status: bad.status(), reason: bad.to_string() }
    }
}

impl From<ChunkError> for Refusal {
    fn from(error: ChunkError) -> Self {
        Self::Bad { status: 400, reason: error.to_string() }
    }
}

impl Request {
    pub(crate) fn method(&self) -> &[u8] {
        self.head.method.of(&self.bytes)
    }

    pub(crate) fn uri(&self) -> &[u8] {
        self.head.uri.of(&self.bytes)
    }

    pub(crate) fn path(&self) -> &[u8] {
        self.head.path.of(&self.bytes)
    }

    pub(crate) fn query(&self) -> Option<&[u8]> {
        self.head.query.map(|query| query.of(&self.bytes))
    }

    pub(crate) fn host(&self) -> Option<&[u8]> {
        self.head.host.map(|host| host.of(&self.bytes))
    }

    pub(crate) fn version(&self) -> &'static str {
        self.manner().version()
    }

    /// Where the path lies in the request target: start and end.
    pub(super) fn path_in_uri(&self) -> (u32, u32) {
        self.head.path.within_span(self.head.uri)
    }

    /// How the answer is to be sent.
    pub(super) fn manner(&self) -> Manner {
        Manner { is_head: self.is_head(), keep_alive: self.head.keep_alive, minor: self.head.minor }
    }

    pub(crate) fn is_head(&self) -> bool {
        self.method() == b"HEAD"
    }

    /// The first value of a header; `name` in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&[u8]> {
        self.head.header(&self.bytes, name)
    }

    /// Names and values as they came.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.head.headers.iter().map(|(name, value)| (name.of(&self.bytes), value.of(&self.bytes)))
    }

    /// What an answer of the server's own says of the connection.
    pub(crate) fn persistence(&self) -> Persistence {
        self.manner().persistence()
    }

    /// Gives the buffer of the head back.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }
}
