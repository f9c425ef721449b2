//! The conformance handler of `mongrel2::handler`: what a handler does so that its library can be tried.
//!
//! It does one thing for each path, with one call of the library.  What the library refuses is answered with `refused`, what
//! it has no call for with `unsupported`.  The manual has the table: `m2sh conformance`, libraries for handlers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mongrel2::handler::{Close, Connection, Frame, HandlerError, Request, Upload};
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;

use super::server::Addresses;

/// How long the end may not be noticed.
const TICK: Duration = Duration::from_millis(50);

/// A handler on a thread; it ends when this is dropped.
#[derive(Debug)]
pub struct Own {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Own {
    /// Starts it.
    ///
    /// # Errors
    /// It can't connect.
    pub fn start(server: &Addresses) -> Result<Self, HandlerError> {
        Self::with(server, answer)
    }

    /// One that answers in its own way.
    pub(super) fn with(
        server: &Addresses,
        mut answer: impl FnMut(&mut Connection, &Request) -> Result<(), HandlerError> + Send + 'static,
    ) -> Result<Self, HandlerError> {
        let mut connection = Connection::connect("conformance", &server.requests, &server.replies)?;
        let is_over = Arc::<AtomicBool>::default();
        let thread = thread::spawn({
            let is_over = Arc::clone(&is_over);
            move || {
                while !is_over.load(Ordering::Relaxed) && goes_on(&mut connection, &mut answer) {}
            }
        });
        Ok(Self { is_over, thread: Some(thread) })
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // If it has panicked, cases have failed for that.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Answers the next message; gives whether there may be another.
fn goes_on(
    connection: &mut Connection,
    answer: &mut impl FnMut(&mut Connection, &Request) -> Result<(), HandlerError>,
) -> bool {
    let received = connection.recv_timeout(TICK);
    match received.and_then(|request| request.map_or(Ok(()), |request| answer(connection, &request))) {
        // What is no message, and a reply that nobody wants, is no reason to stop.
        Ok(()) | Err(HandlerError::Message { .. } | HandlerError::NoServer(_)) => true,
        Err(_) => false,
    }
}

/// Why a request isn't answered as it wants.
#[derive(Debug, Error)]
enum Trouble {
    #[error(transparent)]
    Handler(#[from] HandlerError),
    #[error("the request doesn't say what is to be sent: {0}")]
    Arguments(#[from] serde_json::Error),
    #[error("the number is none")]
    Number,
    #[error("the upload contradicts itself")]
    Upload,
}

/// Answers a message of the suite's.
///
/// # Errors
/// The replies can't be sent.
pub fn answer(connection: &mut Connection, request: &Request) -> Result<(), HandlerError> {
    match respond(connection, request) {
        Ok(()) => Ok(()),
        Err(Trouble::Handler(lost @ (HandlerError::NoServer(_) | HandlerError::Send(_)))) => Err(lost),
        Err(_) => connection.reply(request, b"refused"),
    }
}

fn respond(connection: &mut Connection, request: &Request) -> Result<(), Trouble> {
    let (body, text) = (&request.body[..], || String::from_utf8_lossy(&request.body));
    match request.path.as_str() {
        "@*" => notice(connection, request)?,
        "@json" => connection.reply_json(request, &serde_json::from_slice::<Value>(body)?)?,
        "/reply" => connection.reply(request, body)?,
        "/close" => connection.close(request)?,
        "/request" => connection.reply_json(request, &understood(request))?,
        "/accept" => connection.accept_websocket(request, &[])?,
        "/accept/chat" => connection.accept_websocket(request, &[("Sec-WebSocket-Protocol", "chat")])?,
        "/text" => connection.reply_websocket(request, &Frame::Text(&text()))?,
        "/binary" => connection.reply_websocket(request, &Frame::Binary(body))?,
        "/ping" => connection.reply_websocket(request, &Frame::Ping(body))?,
        "/pong" => connection.reply_websocket(request, &Frame::Pong(body))?,
        "/end" => {
            connection.reply_websocket(request, &Frame::Close(Some(Close { code: 1000, reason: "bye" })))?;
        }
        "/keep-alive" => connection.keep_alive(request)?,
        "/credits" => connection.credits(request, text().parse().map_err(|_| Trouble::Number)?)?,
        "/cancel" => connection.cancel(request)?,
        "/sendfile" => connection.send_file(request, text().as_ref())?,
        "/upload" => upload(connection, request)?,
        path if path.starts_with("/http") => http(connection, request)?,
        path if path.starts_with("/deliver") => deliver(connection, request)?,
        _ => connection.reply(request, b"unsupported")?,
    }
    Ok(())
}

fn understood(request: &Request) -> Value {
    let mut headers = BTreeMap::<&str, Vec<&str>>::new();
    for (name, value) in &request.headers {
        headers.entry(name).or_default().push(value);
    }
    let value = |values: Vec<&str>| if let [one] = values[..] { json!(one) } else { json!(values) };
    json!({
        "server": request.sender,
        "id": request.id.to_string(),
        "path": request.path,
        "method": request.header("METHOD"),
        "headers": headers.into_iter().map(|(name, values)| (name, value(values))).collect::<BTreeMap<_, _>>(),
        "bytes": request.body.len(),
    })
}

/// What is to be sent, and to whom.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct Wanted {
    ids: Vec<u64>,
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
    value: Value,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { ids: Vec::new(), status: 200, headers: BTreeMap::new(), body: String::new(), value: Value::Null }
    }
}

impl Wanted {
    fn headers(&self) -> Vec<(&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}

fn http(connection: &mut Connection, request: &Request) -> Result<(), Trouble> {
    match request.path.as_str() {
        "/http" => {
            let wanted: Wanted = serde_json::from_slice(&request.body)?;
            connection.reply_http(request, wanted.status, &wanted.headers(), wanted.body.as_bytes())?;
        }
        "/http/body" => connection.reply_http(request, 200, &[], &request.body)?,
        "/http/json" => {
            connection.reply_http_json(request, 200, &[], &serde_json::from_slice::<Value>(&request.body)?)?;
        }
        _ => connection.reply(request, b"unsupported")?,
    }
    Ok(())
}

fn deliver(connection: &mut Connection, request: &Request) -> Result<(), Trouble> {
    let wanted: Wanted = serde_json::from_slice(&request.body)?;
    let (server, ids, body) = (&request.sender, &wanted.ids, wanted.body.as_bytes());
    match request.path.as_str() {
        "/deliver" => connection.deliver(server, ids, body)?,
        "/deliver/http" => connection.deliver_http(server, ids, wanted.status, &wanted.headers(), body)?,
        "/deliver/json" => connection.deliver_json(server, ids, &wanted.value)?,
        "/deliver/websocket" => connection.deliver_websocket(server, ids, &Frame::Text(&wanted.body))?,
        "/deliver/close" => connection.deliver_close(server, ids)?,
        _ => connection.reply(request, b"unsupported")?,
    }
    Ok(())
}

/// What the server says of a connection is told the next one.
fn notice(connection: &mut Connection, request: &Request) -> Result<(), HandlerError> {
    let told = match request.credits() {
        Some(bytes) => json!({"type": "credits", "bytes": bytes}),
        None if request.is_disconnect() => json!({"type": "disconnect"}),
        None => return Ok(()),
    };
    connection.deliver_json(&request.sender, &[request.id.wrapping_add(1)], &told)
}

fn upload(connection: &mut Connection, request: &Request) -> Result<(), Trouble> {
    let length = request.body.len() as u64;
    match request.upload() {
        Some(Upload::Started(_)) => {}
        Some(Upload::Done(path)) => connection.reply(request, path.as_bytes())?,
        Some(Upload::Piece { offset, is_last: true }) => {
            connection.reply(request, offset.saturating_add(length).to_string().as_bytes())?;
        }
        Some(Upload::Piece { .. }) => connection.credits(request, length)?,
        Some(Upload::Malformed) | None => return Err(Trouble::Upload),
    }
    Ok(())
}
