//! The messages that replies are, from what a handler means to what leaves through its socket.  Pure.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use serde::Serialize;

use super::MAX_IDS;
use super::error::{HandlerError, ResponseError};
use super::response;
use crate::wire::extended::Extended;
use crate::wire::reply;
use crate::wire::request::Request;
use crate::wire::websocket::{self, Frame};

/// What an answer in JSON says of itself, unless the handler says something else.
const JSON_TYPE: (&str, &str) = ("Content-Type", "application/json");

/// Bytes for the connection that a request came from.
pub(super) fn reply(request: &Request, body: &[u8]) -> Vec<u8> {
    one(&request.sender, &[request.id], body)
}

/// The same bytes for any number of connections.
pub(super) fn deliver(server_uuid: &str, ids: &[u64], body: &[u8]) -> impl Iterator<Item = Vec<u8>> + Send {
    ids.chunks(MAX_IDS).map(move |ids| one(server_uuid, ids, body))
}

/// What the server is told about the connection that a request came from.
pub(super) fn tell(request: &Request, extended: &Extended) -> Vec<u8> {
    let mut message = Vec::new();
    reply::render_extended(&mut message, request.sender.as_bytes(), &[request.id], extended);
    message
}

fn one(sender: &str, ids: &[u64], body: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    reply::render(&mut message, sender.as_bytes(), ids, body);
    message
}

/// A whole HTTP response to a request.
pub(super) fn http(
    request: &Request,
    status: u16,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Vec<u8>, ResponseError> {
    match request.header("METHOD") {
        Some("HEAD") => response::head(status, headers, body.len()),
        _ => response::render(status, headers, body),
    }
}

/// The headers of a response in JSON.
pub(super) fn json_headers<'a>(headers: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut headers = headers.to_vec();
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(JSON_TYPE.0)) {
        headers.insert(0, JSON_TYPE);
    }
    headers
}

/// A value as JSON.
pub(super) fn json(value: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, HandlerError> {
    serde_json::to_vec(value).map_err(HandlerError::Json)
}

/// A frame of a WebSocket.
pub(super) fn frame(frame: &Frame<'_>) -> Result<Vec<u8>, HandlerError> {
    let mut out = Vec::new();
    websocket::render(&mut out, frame)?;
    Ok(out)
}

/// The answer that makes a WebSocket of a connection.
pub(super) fn accept(request: &Request, headers: &[(&str, &str)]) -> Result<Vec<u8>, HandlerError> {
    let accept = str::from_utf8(&request.body).ok().filter(|_| request.is_handshake());
    let accept = accept.ok_or(HandlerError::NoHandshake)?;
    let own = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)];
    Ok(response::render(101, &[&own, headers].concat(), b"")?)
}

/// A file for the server to send.
pub(super) fn file(path: &Path) -> Extended {
    Extended::SendFile(path.as_os_str().as_bytes().to_vec())
}
