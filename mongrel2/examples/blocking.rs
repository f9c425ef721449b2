//! A handler that answers what a server can send: requests, long bodies, JSON sockets and WebSockets.
//!
//! `cargo run -p mongrel2 --example blocking [REQUESTS_FROM REPLIES_TO]`: the server's `send_spec` and `recv_spec`.

use std::error::Error;

use mongrel2::handler::{Connection, Frame, HandlerError, Request, Upload};
use serde_json::json;

/// How many bytes of an upload that is streamed may be on their way.
const WINDOW: u64 = 256 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let requests_from = args.next().unwrap_or_else(|| "tcp://127.0.0.1:9997".into());
    let replies_to = args.next().unwrap_or_else(|| "tcp://127.0.0.1:9996".into());
    let mut connection = Connection::connect("blocking", &requests_from, &replies_to)?;
    loop {
        match connection.recv().and_then(|request| answer(&mut connection, &request)) {
            Ok(()) => {}
            // A message or a server that can't be used is no reason to stop serving the others.
            Err(error @ (HandlerError::Message { .. } | HandlerError::NoServer(_) | HandlerError::Frame(_))) => {
                eprintln!("blocking: skipped a message: {error}");
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn answer(connection: &mut Connection, request: &Request) -> Result<(), HandlerError> {
    // That a client has left, or how much has been written.
    if request.is_notice() {
        return Ok(());
    }
    if request.is_handshake() {
        return connection.accept_websocket(request, &[]);
    }
    if let Some(frame) = request.frame() {
        return echo(connection, request, frame?);
    }
    match (request.header("METHOD"), request.upload()) {
        (Some("JSON"), _) => connection.reply_json(request, &json!({ "bytes": request.body.len() })),
        (_, None) => {
            let body = json!({ "path": request.path, "bytes": request.body.len() });
            connection.reply_http_json(request, 200, &[], &body)
        }
        (_, Some(upload)) => take(connection, request, upload),
    }
}

/// Sends the message of a WebSocket back.
fn echo(connection: &mut Connection, request: &Request, frame: Frame<'_>) -> Result<(), HandlerError> {
    match frame {
        Frame::Text(_) | Frame::Binary(_) => connection.reply_websocket(request, &frame),
        Frame::Ping(bytes) => connection.reply_websocket(request, &Frame::Pong(bytes)),
        Frame::Pong(_) => Ok(()),
        Frame::Close(_) => {
            connection.reply_websocket(request, &frame)?;
            connection.close(request)
        }
    }
}

/// Counts the bytes of a long body.
fn take(connection: &mut Connection, request: &Request, upload: Upload<'_>) -> Result<(), HandlerError> {
    let answer = |connection: &mut Connection, bytes| {
        connection.reply_http_json(request, 200, &[], &json!({ "path": request.path, "bytes": bytes }))
    };
    match upload {
        Upload::Started(_) => Ok(()),
        // The path counts from the server's chroot: this one has to run there.
        Upload::Done(path) => match std::fs::metadata(path.trim_start_matches('/')) {
            Ok(file) => {
                // It is ours now; that it can't be removed is nothing to the client.
                let _ = std::fs::remove_file(path.trim_start_matches('/'));
                answer(connection, file.len())
            }
            Err(_) => connection.reply_http(request, 500, &[], b"the upload can't be read\n"),
        },
        Upload::Piece { offset, is_last: true } => answer(connection, offset + request.body.len() as u64),
        Upload::Piece { offset: 0, .. } if request.header("METHOD").is_some() => connection.credits(request, WINDOW),
        Upload::Piece { .. } => connection.credits(request, request.body.len() as u64),
        Upload::Malformed => connection.close(request),
    }
}
