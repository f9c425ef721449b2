//! What handlers are sent, and what they reply, as cases say and read it.

use mongrel2::config::Protocol;
use mongrel2::wire::extended::{self, Extended};
use mongrel2::wire::request::{self, Envelope, Headers};
use mongrel2::wire::{netstring, reply};
use serde_json::Value;

use crate::check::{Problem, Verdict, equal, escaped, holds};

/// The first word of all messages.
pub(super) const UUID: &str = "d5f0a1de-8a0b-4c2b-a6a7-3b7c38f3e3b5";

/// The connection that most of them are about.
pub(super) const ID: u64 = 7;

/// How many connections a reply may be for (`limits.handler_targets`).
const MAX_IDS: usize = 128;

/// A request, a message of a socket, or a piece of an upload.
#[derive(Debug, Clone)]
pub(super) struct Message<'a> {
    protocol: Protocol,
    id: u64,
    path: &'a str,
    client: Vec<(&'a [u8], &'a [u8])>,
    server: Vec<(&'a str, &'a [u8])>,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    /// A GET for a path, without anything else.
    pub(super) fn get(path: &'a str) -> Self {
        Self::bare(path).server("METHOD", "GET").server("VERSION", "HTTP/1.1")
    }

    /// A POST with a body.
    pub(super) fn post(path: &'a str, body: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self::bare(path).server("METHOD", "POST").server("VERSION", "HTTP/1.1").body(body)
    }

    /// A message of a socket.
    pub(super) fn of(method: &'a str, path: &'a str, body: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self::bare(path).server("METHOD", method).body(body)
    }

    /// One without headers, but for `PATH`.
    pub(super) fn bare(path: &'a str) -> Self {
        Self { protocol: Protocol::Json, id: ID, path, client: Vec::new(), server: Vec::new(), body: b"" }
    }

    pub(super) fn with(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    pub(super) fn id(mut self, id: u64) -> Self {
        self.id = id;
        self
    }

    /// Adds a header of the client's.
    pub(super) fn header(mut self, name: &'a str, value: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.client.push((name.as_bytes(), value.as_ref()));
        self
    }

    /// Adds a header of the server's.
    pub(super) fn server(mut self, name: &'a str, value: &'a str) -> Self {
        self.server.push((name, value.as_bytes()));
        self
    }

    pub(super) fn body(mut self, body: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.body = body.as_ref();
        self
    }

    pub(super) fn connection(&self) -> u64 {
        self.id
    }

    pub(super) fn render(&self) -> Vec<u8> {
        let envelope = Envelope { sender: UUID, id: self.id, path: self.path.as_bytes() };
        request::render(self.protocol, &envelope, Headers { client: &self.client, server: &self.server }, self.body)
    }
}

/// A message with headers as they are given, which may be wrong, and a body.
pub(super) fn raw(path: &str, headers: &str, body: &str) -> Vec<u8> {
    let mut message = format!("{UUID} {ID} {path} ").into_bytes();
    netstring::render(&mut message, headers.as_bytes());
    netstring::render(&mut message, body.as_bytes());
    message
}

/// What a handler has sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) ids: Vec<u64>,
    is_extended: bool,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn parse(message: &[u8]) -> Verdict<Self> {
        let unusable = |error| Problem::wrong(format!("the server can't use `{}`: {error}", escaped(message)));
        let reply = reply::parse(message, MAX_IDS).map_err(unusable)?;
        crate::check::same("the first word of a reply", reply.sender, UUID)?;
        Ok(Self { ids: reply.ids, is_extended: reply.extended, body: reply.body.to_vec() })
    }

    /// Bytes for one connection.
    pub(super) fn bytes_for(self, id: u64) -> Verdict<Vec<u8>> {
        holds(!self.is_extended, || format!("an extended reply comes: `{}`", escaped(&self.body)))?;
        equal("whom the reply is for", &self.ids[..], [id])?;
        Ok(self.body)
    }

    /// What the server is told about a connection.
    pub(super) fn order_about(self, id: u64) -> Verdict<Extended> {
        holds(self.is_extended, || format!("no extended reply comes but `{}`", escaped(&self.body)))?;
        equal("whom the extended reply is about", &self.ids[..], [id])?;
        extended::parse(&self.body)
            .map_err(|error| Problem::wrong(format!("the server can't use `{}`: {error}", escaped(&self.body))))
    }
}

/// JSON in bytes.
pub(super) fn json(bytes: &[u8]) -> Verdict<Value> {
    serde_json::from_slice(bytes).map_err(|error| Problem::wrong(format!("`{}` is no JSON: {error}", escaped(bytes))))
}
